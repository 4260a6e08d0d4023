//! Forward prediction of a unit from its own past.
//!
//! `rate(t) = b(t) · (κ + Σ_s w(t − s) y(s)) / (κ + Σ_s w(t − s) b(s))` over the bins s that are seen, with
//! `w(d) = exp(−d / τ)`: the expected rate of a unit whose gain over `b` has a gamma prior of mean 1 and shape κ (spikes),
//! of which older bins tell less. `b` is the unit's mean or its PSTH over all trials. τ, κ and `b` are chosen on
//! validation trials.

use crate::splits::Splits;
use neuroglot_coupling::{Counts, Psth, TimeFilter, bits, mean_bits, seconds};
use neuroglot_fit::Best;

/// Time constants τ to choose from, s.
const DECAYS: [f64; 8] = [0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 6.4];

/// Shapes κ to choose from, spikes.
const PRIOR_SPIKES: [f64; 6] = [0.1, 0.3, 1.0, 3.0, 10.0, 30.0];

/// A fitted history.
pub(crate) struct History {
    /// `b`, spikes/bin, `[bin, unit]`.
    base: Vec<f64>,
    filter: TimeFilter,
    prior_spikes: f64,
    first_bin: usize,
    /// What was chosen.
    pub settings: String,
}

impl History {
    /// For the bins from `first_bin` on, which are predicted from those before.
    pub fn fit(splits: &Splits, bin_seconds: f64, first_bin: usize) -> Self {
        let (bins, units) = (splits.train.bins, splits.train.units);
        let all: Vec<usize> = (0..units).collect();
        let counts = splits.validation.part(first_bin, &all);
        let psth = Psth::of_all_trials(&splits.train, &splits.validation, bin_seconds);
        let bases = [("mean", splits.train.mean().repeat(bins)), ("PSTH", psth.of(0).to_vec())];
        let mut best = Best::none();
        for (name, base) in bases {
            for decay in DECAYS {
                for prior_spikes in PRIOR_SPIKES {
                    let history = Self {
                        base: base.clone(),
                        filter: TimeFilter::past(bins, bins - first_bin, decay / bin_seconds),
                        prior_spikes,
                        first_bin,
                        settings: format!(
                            "time constant {}, prior worth {prior_spikes} spikes, base {name}",
                            seconds(decay)
                        ),
                    };
                    let predicted = history.predict(&splits.validation);
                    best.offer(mean_bits(&bits(&predicted, &counts, units)), || history);
                }
            }
        }
        best.take()
    }

    /// Rates of the predicted bins, `[trial, bin, unit]`.
    pub fn predict(&self, counts: &Counts) -> Vec<f64> {
        let units = counts.units;
        let predicted = self.first_bin..counts.bins;
        let mut expected = vec![self.prior_spikes; predicted.len() * units];
        for (bin, expected) in predicted.clone().zip(expected.chunks_mut(units)) {
            self.filter.add_to(bin, &self.base, expected);
        }
        let mut rates = Vec::with_capacity(counts.trials * expected.len());
        let mut fired = vec![0.0; units];
        for trial in counts.values.chunks(counts.stride()) {
            for (bin, expected) in predicted.clone().zip(expected.chunks(units)) {
                fired.fill(self.prior_spikes);
                self.filter.add_to(bin, trial, &mut fired);
                let base = &self.base[bin * units..][..units];
                rates.extend((0..units).map(|unit| base[unit] * fired[unit] / expected[unit]));
            }
        }
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_a_gain_by_hand() {
        // Base 2 spikes/bin, 3 bins, the last predicted; exp(−1/τ) = ½.
        let history = History {
            base: vec![2.0; 3],
            filter: TimeFilter::past(3, 1, 1.0 / std::f64::consts::LN_2),
            prior_spikes: 1.0,
            first_bin: 2,
            settings: String::new(),
        };
        // Weights ¼ and ½: (1 + 4/4 + 6/2) / (1 + 2/4 + 2/2) = 5 / 2.5, and the last bin is not looked at.
        let predict =
            |last| history.predict(&Counts { trials: 1, bins: 3, units: 1, values: vec![4.0, 6.0, last] });
        assert!((predict(0.0)[0] - 4.0).abs() < 1e-12);
        assert_eq!(predict(9.0), predict(0.0));
    }

    /// 40 trials of 20 bins of one unit that fires 0 or 4 spikes in each bin of a trial.
    #[test]
    fn a_gain_that_lasts_is_found() {
        let counts = |gains: &[f64]| Counts {
            trials: gains.len(),
            bins: 20,
            units: 1,
            values: gains.iter().flat_map(|gain| [*gain; 20]).collect(),
        };
        let alternating: Vec<f64> = (0..40).map(|trial| f64::from(trial % 2) * 4.0).collect();
        let splits =
            Splits { train: counts(&alternating), validation: counts(&[0.0, 4.0]), test: counts(&[]) };
        let history = History::fit(&splits, 0.02, 18);
        let predicted = history.predict(&counts(&[0.0, 4.0]));
        assert!(predicted[..2].iter().all(|rate| *rate < 0.1), "{predicted:?} {}", history.settings);
        assert!(predicted[2..].iter().all(|rate| (*rate - 4.0).abs() < 0.1), "{predicted:?}");
    }
}
