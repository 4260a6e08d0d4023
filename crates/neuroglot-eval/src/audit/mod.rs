//! What a model has seen in training, and what of it an evaluation holds.
//!
//! [`SeenModel::lineage`] lists a model and those that it started from. [`AuditedSession::audit`] says whether a session,
//! its animal, its units or its test trials are among what they have seen.

mod audited_session;
mod seen_model;
mod session_audit;
mod trial_overlap;
mod warning;

pub use audited_session::AuditedSession;
pub use seen_model::{Generation, SeenModel};
pub use session_audit::{Overlap, SessionAudit, Verdict};
pub use trial_overlap::{TrialOverlap, TrialsSeen};
pub use warning::{Warn, overlaps_in_words, sessions_in_words, warning};
