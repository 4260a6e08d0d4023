//! Settings that are chosen on validation trials.

use serde::{Deserialize, Serialize};

/// What validation trials chose for one task or behaviour of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// Session id.
    pub eid: String,
    /// Task or behaviour.
    pub what: String,
    /// The settings in words, such as `smoothing 0.02 s, penalty 0.25, intercept PSTH`.
    pub settings: String,
}
