//! Sessions of spike-sorted recordings: reading, writing, filtering, simulating.

mod aligned;
mod counts;
mod error;
mod filter;
mod session;
mod split;
mod summary;

pub use counts::{SpikeCounts, SpikeCountsBuilder};
pub use error::{DataError, RowProblem};
pub use filter::{Filter, FilterReport, FilterStep};
pub use session::{Behaviour, Session, SessionParts, Unit, check_distinct};
pub use split::{Split, split_trials};
pub use summary::{BehaviourSummary, RateDistribution, SessionSummary};
