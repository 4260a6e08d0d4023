//! Evaluation of trained models: tasks on held-out trials and behaviour decoders.
//!
//! [`evaluate`] scores a model on the test trials of its sessions: co-smoothing, forward prediction, intra- and
//! inter-region prediction in bits per spike, and decoding of behaviour. [`predict`] writes the log-rates of one
//! session with chosen units, regions or bins hidden, [`translate`] predicts regions from each other. [`audit`] says what
//! of all that the model has seen in training.
//!
//! [`TestTrials`] and [`DecodingTarget`] score whatever else predicts units or behaviour in the same way.

pub mod audit;
pub mod comparison;
mod conditions;
mod decoding;
mod decoding_scores;
mod decoding_target;
mod error;
mod evaluate;
mod examples;
mod files;
mod holdout;
mod merging;
mod predict;
mod progress;
mod region_matrix;
pub mod results;
mod scoring;
mod summary;
mod tables;
mod task;
mod test_trials;
mod translate;
mod trials;

pub use conditions::Conditions;
pub use decoding::DecodingFeatures;
pub use decoding_target::{DecodingTarget, behaviour_name};
pub use error::EvalError;
pub use evaluate::{EvaluationOptions, check_known, evaluate};
pub use files::{read_evaluation, write_evaluation};
pub use merging::{Conflict, Planned, PlannedSession, Source, check_earlier, fingerprint, merge};
pub use predict::{Hidden, predict};
pub use progress::{EvaluationProgress, WorkMeter};
pub use summary::summary_json;
pub use tables::{TableColumns, TableFormat, write_table};
pub use task::{Task, TaskSelection};
pub use test_trials::TestTrials;
pub use translate::{Translation, translate, translation_json, translation_table};
