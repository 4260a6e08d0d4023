//! Sessions of spike-sorted recordings: reading, writing, filtering, summarising, simulating.
//!
//! A [`Session`] is one recording of one animal: sparse spike counts `[trial, bin, unit]`, a brain region per unit, a
//! split and behaviours per trial. [`Session::read`] takes the folders `<eid>_aligned` in which International Brain
//! Laboratory sessions are published on the Hugging Face hub, [`Session::write`] makes them.
//!
//! ```
//! use neuroglot_data::{Filter, SessionSummary, SimulatorConfig, Split};
//!
//! let config = SimulatorConfig { sessions: 2, trials: 40, ..SimulatorConfig::default() };
//! let sessions = config.simulate()?;
//! neuroglot_data::check_distinct(&sessions)?;
//!
//! let filter = Filter { min_rate: 0.5, ..Filter::default() };
//! let (session, report) = filter.apply(&sessions[0])?;
//! println!("{report}\n{}", SessionSummary::of(&session));
//!
//! // Dense counts of a trial, [bin, unit].
//! let mut counts = vec![0.0; session.bins() * session.units().len()];
//! session.write_dense(session.trials_in(Split::Test)[0], &mut counts);
//! # Ok::<(), neuroglot_data::DataError>(())
//! ```

mod aligned;
mod categories;
mod counts;
mod error;
mod filter;
pub mod number;
mod origin;
mod panics;
mod session;
mod shared_time;
mod simulate;
mod split;
mod split_plan;
mod summary;
pub mod text;
mod texts;
mod trial_fingerprint;
mod true_rates;

pub use aligned::{SessionHeader, StagedSession, visit_parquet, with_checksums};
pub use categories::{BehaviourKind, Categories, MOST_CATEGORIES};
pub use counts::{SpikeCounts, SpikeCountsBuilder};
pub use error::{DataError, RowProblem};
pub use filter::{Filter, FilterReport, FilterStep};
pub use panics::catch_decoder_panic;
pub use session::{Behaviour, LeftOutColumn, Session, SessionParts, Unit, check_distinct};
pub use shared_time::{Copied, SharedTime, copied_trials};
pub use simulate::SimulatorConfig;
pub use split::{Split, split_trials, split_trials_by};
pub use split_plan::{SplitKind, SplitPlan, TrialWindows};
pub use summary::{BehaviourSummary, CategorySummary, RateDistribution, SessionSummary};
pub use texts::LabelledValues;
pub use trial_fingerprint::TrialFingerprint;
pub use true_rates::{TrueRates, first_forward_bin};
