//! Regressions and the optimisers behind them: matrices in, coefficients or predictions out.
//!
//! Nothing here knows what a row stands for: who calls decides what is regressed on what, and which settings to try. There
//! is one of each:
//!
//! | to fit | take |
//! |---|---|
//! | numbers, on shared [`Covariates`] | [`Ridge`] |
//! | counts, on shared covariates | [`PoissonRegressions`] |
//! | numbers of several recordings through a few latent variables that they share | [`SharedFilters`], [`SharedBasis`] |
//! | numbers or classes of samples that have more features than there are samples | [`RidgeCv`], [`LogisticCv`], [`MultinomialCv`] |
//! | numbers or classes that depend on the inputs in no linear way | [`Network`] |
//! | numbers or classes, on inputs that are trained along | [`LinearHead`] |
//!
//! The files behind them, from the ground up:
//!
//! | file | what it holds |
//! |---|---|
//! | `symmetric.rs` | eigenvalues, and Cholesky factors |
//! | `lbfgs.rs`, `adam.rs` | how smooth functions are minimised: [`minimise`], or many descents at once |
//! | `folds.rs`, `selection.rs` | how a penalty is chosen by cross-validation; the [`Best`] of candidates |
//! | `loss.rs` | [`Loss`]: squares, logistic, cross-entropy |
//! | `covariates.rs`, `gram.rs`, `hidden_columns.rs`, `principal_axes.rs` | tall matrices with few columns: products, second moments, columns that targets must not see, principal components |
//! | `features.rs`, `sample_products.rs`, `principal_scores.rs` | wide matrices with few rows: products of pairs of rows, principal components |
//! | `row_major.rs`, `exponential.rs` | products of small matrices, e to the power of many numbers |
//!
//! The regressions with `Cv` choose their penalty by cross-validation, refit on all training samples and predict the test
//! samples: what scikit-learn's `GridSearchCV(Ridge(), {"alpha": …}, cv=4)` converges to. Their features, tens of thousands,
//! are many more than samples. Ridge and logistic penalties only see lengths and angles in feature space, so everything is
//! computed from the products of pairs of samples ([`SampleProducts`]): one pass over the [`Features`], then matrices as
//! small as the samples. The other regressions take a penalty and return weights, which predict by [`Covariates::times`].
//!
//! Results do not depend on the number of threads: work is cut into pieces of a fixed size, and sums over pieces are made
//! in order. What users can get wrong is a [`FitError`], which says what to change; shapes that do not fit together are
//! bugs of the caller, and panic.

mod adam;
mod covariates;
mod error;
mod exponential;
mod features;
#[cfg(test)]
mod fixture;
mod folds;
mod gram;
mod hidden_columns;
mod lbfgs;
mod linear_head;
mod logistic;
mod loss;
mod multinomial;
mod network;
mod poisson;
mod principal_axes;
mod principal_scores;
mod reduced_rank;
mod ridge;
mod ridge_cv;
mod row_major;
mod sample_products;
mod selection;
mod symmetric;

pub use covariates::Covariates;
pub use error::FitError;
/// What coefficients come in.
pub use faer::Mat;
pub use features::Features;
pub use gram::Gram;
pub use hidden_columns::HiddenColumns;
pub use lbfgs::{Minimum, minimise};
pub use linear_head::LinearHead;
pub use logistic::{LogisticCv, LogisticFit, probability};
pub use loss::Loss;
pub use multinomial::{MultinomialCv, MultinomialFit, most_probable, softmax};
pub use network::Network;
pub use poisson::{PoissonRegressions, PoissonWeights};
pub use principal_axes::PrincipalAxes;
pub use principal_scores::PrincipalScores;
pub use reduced_rank::{SampleSet, SetMoments, SharedBasis, SharedFilters};
pub use ridge::Ridge;
pub use ridge_cv::{RidgeCv, RidgeFit};
pub use sample_products::SampleProducts;
pub use selection::{Best, Criterion};
