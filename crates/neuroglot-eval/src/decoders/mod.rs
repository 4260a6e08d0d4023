//! Behaviour decoders: linear models from predicted rates to what the animal did.
//!
//! [`RidgeDecoder`] predicts values per bin (wheel speed, whisker motion energy), [`LogisticDecoder`] a binary
//! decision per trial (choice), [`MultinomialDecoder`] one between more. All choose their penalty by cross-validation on
//! the training trials, refit on all of them and predict the test trials, and the first two give what scikit-learn's `GridSearchCV(Ridge(), {"alpha": …}, cv=4)` and
//! `GridSearchCV(LogisticRegression(), {"C": …}, cv=4)` converge to.
//!
//! The features of a trial are its flattened log-rates (bins · units, tens of thousands), many more than there are
//! trials. Both penalties only see lengths and angles in feature space, so everything is computed from the products
//! of pairs of trials ([`SampleProducts`]): one pass over the features, then matrices as small as the trials.

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

pub use error::DecoderError;
pub use features::Features;
pub use lbfgs::{Minimum, minimise};
pub use logistic::{LogisticDecoder, LogisticFit};
pub use multinomial::{MultinomialDecoder, MultinomialFit, most_probable, softmax};
pub use principal_scores::{PrincipalScores, symmetric_eigen};
pub use ridge::{RidgeDecoder, RidgeFit};
pub use sample_products::SampleProducts;
