use neuroglot_fit::FitError;
use thiserror::Error;

/// Why a coupling cannot be fitted or read.
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
    /// Trials are too long.
    #[error(
        "session {eid}: trials of {bins} bins are too long for a coupling, which takes at most {most}; use wider bins, shorter \
         trials, or coupling.weight = 0"
    )]
    Bins {
        /// Session id.
        eid: String,
        /// Bins of a trial.
        bins: usize,
        /// The most that a coupling takes.
        most: usize,
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
    /// What was kept of a coupling is not one of the session.
    #[error("coupling of session {eid}, {what}: {problem}; it is damaged or of another session")]
    Kept {
        /// Session id.
        eid: String,
        /// The array or the key.
        what: String,
        /// What is wrong with it.
        problem: String,
    },
}
