use thiserror::Error;

/// Why tasks cannot be done.
#[derive(Debug, Error)]
pub enum TaskError {
    /// A task or behaviour is not known.
    #[error("{0}")]
    Unknown(String),
    /// A session has nothing to score.
    #[error("session {eid} has no test trial: check its test split")]
    NoTestTrials {
        /// Session id.
        eid: String,
    },
}
