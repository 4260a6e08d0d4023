//! Regressions and the optimisers behind them: matrices in, coefficients or predictions out.
//!
//! Nothing here knows what a row stands for. Who calls decides what is regressed on what, and which settings to try.
//!
//! | to fit | take | known from |
//! |---|---|---|
//! | numbers, a class of two or of more, from features wider than there are samples; the penalty by cross-validation | [`RidgeCv`], [`LogisticCv`], [`MultinomialCv`] | scikit-learn's `GridSearchCV` |
//!
//! These only see lengths and angles in feature space, so everything is computed from products of pairs of samples
//! ([`SampleProducts`]): one pass over the [`Features`], then matrices as small as the samples. In the coordinates of
//! their principal components ([`PrincipalScores`]) nothing of them is lost.
//!
//! | to minimise, solve or decorrelate | take |
//! |---|---|
//! | a smooth function with its gradient | [`minimise`] (L-BFGS) |
//! | eigenvalues of a symmetric matrix | [`symmetric_eigen`] |
//!
//! Results do not depend on the number of threads: work is cut into pieces of a fixed size, and sums over pieces are made
//! in order. Errors are [`FitError`]s, which say what to change.

mod error;
mod features;
mod folds;
mod lbfgs;
mod logistic;
mod multinomial;
mod principal_scores;
mod ridge;
mod sample_products;
mod selection;

pub use error::FitError;
pub use features::Features;
pub use lbfgs::{Minimum, minimise};
pub use logistic::{LogisticCv, LogisticFit};
pub use multinomial::{MultinomialCv, MultinomialFit, most_probable, softmax};
pub use principal_scores::{PrincipalScores, symmetric_eigen};
pub use ridge::{RidgeCv, RidgeFit};
pub use sample_products::SampleProducts;
