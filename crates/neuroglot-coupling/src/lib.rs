//! Coupling between units: Poisson regressions of each on the others or on the past, one for each task, and what every
//! regression on the activity of a session is made of.
//!
//! | file | what it holds |
//! |---|---|
//! | `counts.rs`, `time_filter.rs`, `psth.rs` | counts of trials, filters over their bins, average responses |
//! | `best.rs` | the best of candidates by bits/spike of validation trials |
//! | `block.rs`, `design.rs` | which units see which, and how counts become covariates |
//! | `regression_task.rs` | a task of a session as regressions, whatever fits them |
//! | `settings.rs`, `fit.rs` | fitting with a run's settings, with validation trials and without |
//! | `search.rs` | Poisson regressions with falling penalties |
//! | `task_coupling.rs` | what is found, and what it predicts |
//! | `session_coupling.rs` | the couplings of all tasks of a session, and how they are kept |
//! | `matrix.rs` | the coupling of units × units, and units that look like one neuron sorted twice |
//! | `average.rs` | a network and a coupling as one |

mod average;
mod best;
mod block;
mod counts;
mod design;
mod error;
mod fit;
mod matrix;
mod psth;
mod regression_task;
mod search;
mod session_coupling;
mod settings;
mod task_coupling;
mod time_filter;

pub use average::{average_log_rates, most_log_rates};
pub use best::{Best, bits, mean_bits, seconds};
pub use block::Block;
pub use counts::Counts;
pub use design::{Design, Intercept, Scale};
pub use error::CouplingError;
pub use fit::task_score;
pub use matrix::{CoupledPair, CouplingMatrix, SuspectedDuplicate};
pub use psth::Psth;
pub use regression_task::{Filters, RegressionTask};
pub use search::Judge;
pub use session_coupling::{CouplingArray, SessionCoupling, SessionDescription, TaskDescription, TaskJudge};
pub use settings::CouplingSettings;
pub use task_coupling::TaskCoupling;
pub use time_filter::TimeFilter;
