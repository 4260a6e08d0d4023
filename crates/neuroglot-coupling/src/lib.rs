//! Coupling between units: Poisson regressions of each on the others or on the past, one for each task, and what every
//! regression on the activity of a session is made of.
//!
//! # What it predicts
//!
//! For unit n in bin t, from the units m that the task shows:
//!
//! ```text
//! η_n(t) = min( ln b_n(t) + a_n + Σ_m Σ_q W[q, m, n] · x_qm(t),  ln L_n )
//! x_qm(t) = ((φ_q ∗ y_m)(t) − c_qm(t)) · s_qm
//! W_n, a_n = argmin  mean over rows (exp η − y η) + λ/2 ‖W_n‖²
//! ```
//!
//! `y` are counts, and `φ_q` Gaussians over the trial, or exponentials over the past in forward prediction. `b` is the PSTH or
//! the mean, `c` what the filters make of it and `1/s` the standard deviation of what they make of counts, over training trials
//! (a row is a bin of one). L is the largest count of the unit in a bin of them, at least 1. What a task hides from a unit has
//! weight 0 for it, and a count that is hidden otherwise is replaced by its average over training trials.
//!
//! The problem is convex, so a [`TaskCoupling`] is solved once, not trained. [`average_log_rates`] makes a network and a coupling
//! one model. A [`SessionCoupling`] holds the couplings of all tasks, and can be kept.
//!
//! # Files
//!
//! | file | what it holds |
//! |---|---|
//! | `counts.rs`, `time_filter.rs`, `psth.rs` | counts of trials, filters over their bins, average responses |
//! | `scoring.rs` | what candidates are chosen by: bits/spike of validation trials |
//! | `block.rs`, `design.rs` | which units see which, and how counts become covariates |
//! | `regression_task.rs` | a task of a session as regressions, whatever fits them |
//! | `settings.rs`, `fit.rs` | fitting with a run's settings, with validation trials and without |
//! | `search.rs` | Poisson regressions with falling penalties |
//! | `task_coupling.rs` | what is found, and what it predicts |
//! | `session_coupling.rs` | the couplings of all tasks of a session, and how they are kept |
//! | `matrix.rs` | the coupling of units × units, and units that look like one neuron sorted twice |
//! | `average.rs` | a network and a coupling as one |
//!
//! # What was measured
//!
//! On recordings (20 ms bins; one of the IBL with 273 units above 1 Hz, 256 training trials of 50 bins; others of Steinmetz et al.
//! with 309 to 549 units above 0.5 Hz, 149 to 282 training trials of 20 bins), in bits/spike of test trials:
//!
//! - All four tasks of a session take 25 to 50 s of one core (built as for tests).
//! - The filters of [`CouplingSettings`] are those that the wider grid of `poisson-glm` chose in 35 of 40 tasks of ten sessions.
//!   Of the other five, two were better with them by 0.002 and 0.018 (forward), and three worse by 0.000, 0.003 and 0.009
//!   (inter-region).
//! - With a third of the units as inputs ([`CouplingSettings::most_inputs`]), co-smoothing fell from 0.428 to 0.329 (IBL), from 0.526 to
//!   0.486 and from 0.325 to 0.289 (two others), forward prediction from 0.151, 0.123 and 0.144 to 0.098, 0.118 and 0.115,
//!   inter-region prediction from 0.320, 0.375 and 0.275 to 0.250, 0.336 and 0.257. It is for sessions whose units are too
//!   many otherwise.
//! - Without validation trials, the couplings alone lost 0.022 and 0.002 and 0.028 in co-smoothing: the penalties are those for the
//!   average with a network.
//! - Rounding to f32 moves no log-rate by more than 1e-6.
//! - The IBL session holds nine neurons twice: pairs of units in PO and DG with equally many spikes in every trial.
//!   [`CouplingMatrix::suspected_duplicates`] lists all nine, and three pairs of neighbours.

mod average;
mod block;
mod counts;
mod design;
mod error;
mod fit;
mod matrix;
mod psth;
mod regression_task;
mod scoring;
mod search;
mod session_coupling;
mod settings;
mod task_coupling;
mod time_filter;

pub use average::{average_log_rates, most_log_rates};
pub use block::Block;
pub use counts::Counts;
pub use design::{Design, Intercept, Scale};
pub use error::CouplingError;
pub use fit::task_score;
pub use matrix::CouplingMatrix;
pub use psth::Psth;
pub use regression_task::{Filters, RegressionTask};
pub use scoring::{bits, mean_bits, seconds};
pub use search::Judge;
pub use session_coupling::{CouplingArray, SessionCoupling, SessionDescription, TaskDescription, TaskJudge};
pub use settings::CouplingSettings;
pub use task_coupling::TaskCoupling;
pub use time_filter::TimeFilter;
