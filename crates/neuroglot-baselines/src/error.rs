use crate::Baseline;
use neuroglot_coupling::CouplingError;
use neuroglot_data::text::nearest_name;
use neuroglot_data::{DataError, Split};
use neuroglot_fit::FitError;
use neuroglot_tasks::TaskError;
use thiserror::Error;

/// Why a baseline cannot be fitted or scored.
#[derive(Debug, Error)]
pub enum BaselineError {
    /// There is no baseline of this name.
    #[error(
        "there is no baseline `{name}`, the nearest is {}: choose some of {}",
        nearest_name(name, &Baseline::ALL.map(Baseline::name)),
        Baseline::ALL.map(Baseline::name).join(", ")
    )]
    Name {
        /// What was asked for.
        name: String,
    },
    /// A session lacks the trials to fit on or to choose settings with.
    #[error(
        "session {eid} has no {split} trial: a baseline is fitted on training trials and its settings are chosen on \
         validation trials; check the splits"
    )]
    NoTrials {
        /// Session id.
        eid: String,
        /// The split without a trial.
        split: Split,
    },
    /// The covariates of a session cannot be regressed on.
    #[error("session {eid}: {source}; check the counts")]
    Fit {
        /// Session id.
        eid: String,
        /// What is wrong with them.
        source: FitError,
    },
    /// A coupling cannot be fitted.
    #[error(transparent)]
    Coupling(#[from] CouplingError),
    /// The sessions are wrong.
    #[error(transparent)]
    Data(#[from] DataError),
    /// Scoring failed.
    #[error(transparent)]
    Task(#[from] TaskError),
}
