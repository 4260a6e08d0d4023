use neuroglot_fit::FitError;
use thiserror::Error;

/// Why a coupling cannot be fitted.
#[derive(Debug, Error)]
pub enum CouplingError {
    /// The covariates of a session cannot be regressed on.
    #[error("session {eid}: {source}; check the counts")]
    Fit {
        /// Session id.
        eid: String,
        /// What is wrong with them.
        source: FitError,
    },
}
