//! Scores of predicted firing rates against recorded spike counts.
//!
//! Every function takes flat, row-major slices `[entry, unit]`, where an entry is one bin of one trial, and any
//! element type that converts losslessly to `f64` (`f32`, `f64`, `u8`, `u16`, `u32`). Rates are in spikes/bin and
//! log-rates are their natural logarithms. Sums are accumulated in `f64`, entry by entry, so a score does not
//! depend on the number of threads of the caller.
//!
//! A score that is undefined for a unit (a unit without spikes has no bits per spike, a unit whose counts never
//! vary has no R²) is `None`, never NaN; [`mean_defined`] averages the others. Slices whose lengths disagree are
//! errors of the calling code and panic.

mod bits_per_spike;
mod bootstrap;
mod classification;
mod entries;
mod mean;
mod poisson;
mod poisson_d2;
mod psth;
mod r2;

pub use bits_per_spike::{BitsPerSpike, bits_per_spike, bits_per_spike_of_rates, bits_per_spike_where};
pub use bootstrap::{
    Interval, bootstrap_difference, bootstrap_mean, bootstrap_over_groups, bootstrap_statistic,
    bootstrap_within_groups,
};
pub use classification::{auc, balanced_accuracy, macro_auc};
pub use mean::mean_defined;
pub use poisson::poisson_nll;
pub use poisson_d2::poisson_d2;
pub use psth::{Psth, psth, psth_r2};
pub use r2::{r2, single_trial_r2, single_trial_r2_where};
