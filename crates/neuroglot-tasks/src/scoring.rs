//! Scores of predictions, per unit and over units.

use crate::results::{Scores, UnitScores};
use neuroglot_metrics::{bits_per_spike, bootstrap_mean, mean_defined, poisson_d2, psth_r2, single_trial_r2};

/// Predictions and counts of some entries, `[trial · bin, unit]`.
pub(crate) struct Scored<'a> {
    pub log_rates: &'a [f32],
    pub counts: &'a [f32],
    pub bins: usize,
    pub units: usize,
    /// Condition of each trial, where the session has conditions.
    pub conditions: Option<&'a [usize]>,
}

impl Scored<'_> {
    /// Scores over all units, and of each.
    pub(crate) fn scores(&self, resamples: usize, seed: u64) -> (Scores, Vec<UnitScores>) {
        let rates: Vec<f32> = self.log_rates.iter().map(|log_rate| log_rate.exp()).collect();
        let bits = bits_per_spike(self.log_rates, self.counts, self.units);
        let d2 = poisson_d2(self.log_rates, self.counts, self.units);
        let r2 = single_trial_r2(&rates, self.counts, self.units);
        let psth = match self.conditions {
            Some(conditions) => psth_r2(&rates, self.counts, self.bins, self.units, conditions),
            None => vec![None; self.units],
        };
        let mut spikes = vec![0.0; self.units];
        for row in self.counts.chunks(self.units) {
            spikes.iter_mut().zip(row).for_each(|(sum, count)| *sum += f64::from(*count));
        }
        let defined: Vec<f64> = bits.per_unit.iter().flatten().copied().collect();
        let scores = Scores {
            bps: bootstrap_mean(&defined, resamples, seed),
            bps_pooled: bits.pooled,
            d2: mean_defined(&d2),
            r2: mean_defined(&r2),
            psth_r2: mean_defined(&psth),
        };
        let per_unit = (0..self.units).map(|unit| UnitScores {
            spikes: spikes[unit],
            bps: bits.per_unit[unit],
            d2: d2[unit],
            r2: r2[unit],
            psth_r2: psth[unit],
            ceiling_bps: None,
            state_ceiling_bps: None,
        });
        (scores, per_unit.collect())
    }
}
