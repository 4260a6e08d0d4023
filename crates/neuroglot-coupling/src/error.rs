use neuroglot_fit::FitError;
use thiserror::Error;

/// Why a coupling cannot be fitted.
#[derive(Debug, Error)]
pub enum CouplingError {
    /// A setting is out of range.
    #[error("setting {key}: {problem}")]
    Setting {
        /// Its name in a run's settings, such as `coupling.weight`.
        key: &'static str,
        /// What it is and what it must be.
        problem: String,
    },
    /// There is nothing to fit to.
    #[error("session {eid} has no training trial to fit a coupling to; check the splits")]
    NoTrainingTrials {
        /// Session id.
        eid: String,
    },
    /// The covariates of a session cannot be regressed on.
    #[error("session {eid}: {source}; check the counts")]
    Fit {
        /// Session id.
        eid: String,
        /// What is wrong with them.
        source: FitError,
    },
}
