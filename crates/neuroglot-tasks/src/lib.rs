//! Evaluation tasks, the test trials that they are scored on, and what an evaluation found.
//!
//! A [`Task`] (one file each, in `tasks/`) lists its cases: what is hidden of a trial, and what is scored. [`TestTrials`] and
//! [`DecodingTarget`] score whatever predicts units or behaviour, a model or a baseline, in the same way; [`results`] is what
//! they find.

mod calibration;
mod conditions;
mod decoding_features;
mod decoding_scores;
mod decoding_target;
mod error;
mod examples;
mod merging;
mod options;
mod population;
mod progress;
mod reduced_rank_decoder;
pub mod results;
mod scoring;
mod selection;
mod target_scale;
mod tasks;
mod test_trials;
mod trials;
mod unit_scales;

pub use conditions::Conditions;
pub use decoding_features::{Decoded, DecodingFeatures};
pub use decoding_target::{DecodingTarget, behaviour_name};
pub use error::TaskError;
pub use merging::{Conflict, PlannedSession, Source, check_earlier, fingerprint, merge};
pub use options::EvaluationOptions;
pub use progress::{EvaluationProgress, WorkMeter};
pub use reduced_rank_decoder::{FeaturesAndTarget, ReducedRankDecoded};
pub use selection::TaskSelection;
pub use target_scale::TargetScale;
pub use tasks::{CaseGroup, PredictedFrom, ScoredPart, Task};
pub use test_trials::TestTrials;
pub use trials::{Trials, regions_of};
pub use unit_scales::UnitScales;
