//! The PSTH of a unit: its average response over the training trials of a condition.
//!
//! `rate(c, t) = (n · (g_σ ∗ p_c)(t) + κ · m) / (n + κ)`, where `p_c` is the average over the `n` training trials of
//! condition c, `g_σ` a Gaussian, and m the unit's mean rate. σ and κ are chosen on validation trials, if there are any. A condition
//! without a training trial (n = 0) gets the unit's mean.

use crate::scoring::{bits, mean_bits, seconds};
use crate::{Counts, TimeFilter};
use neuroglot_fit::Best;

/// Widths σ to choose from, s.
const WIDTHS: [f64; 6] = [0.0, 0.02, 0.04, 0.08, 0.16, 0.32];

/// Weights κ of the mean to choose from, trials.
const TRIALS_OF_MEAN: [f64; 4] = [0.3, 1.0, 4.0, 16.0];

/// σ (s) and κ where there is no validation trial: the middle of what is chosen for recordings of many regions.
const USUAL: (f64, f64) = (0.06, 4.0);

/// The rate of each unit in each bin of each condition.
pub struct Psth {
    /// Spikes/bin, `[condition, bin, unit]`.
    rates: Vec<f64>,
    /// Entries of a condition.
    stride: usize,
    /// What was chosen, in words.
    pub settings: String,
}

impl Psth {
    /// Of training trials, with settings that are chosen on validation trials for the bins from `first_bin` on. With the
    /// trials comes the condition of each, of `conditions`.
    pub fn fit(
        (train, train_conditions): (&Counts, &[usize]),
        (validation, validation_conditions): (&Counts, &[usize]),
        conditions: usize,
        bin_seconds: f64,
        first_bin: usize,
    ) -> Self {
        let (stride, mean) = (train.stride(), train.mean());
        let (sums, trials) = sums(train, train_conditions, conditions);
        let units: Vec<usize> = (0..train.units).collect();
        let counts = validation.part(first_bin, &units);
        let (widths, weights): (&[f64], &[f64]) = match validation.trials {
            0 => (&[USUAL.0], &[USUAL.1]),
            _ => (&WIDTHS, &TRIALS_OF_MEAN),
        };
        let mut best = Best::none();
        for width in widths {
            let filter = TimeFilter::gaussian(train.bins, width / bin_seconds);
            let smooth: Vec<f64> = sums.chunks(stride).flat_map(|sum| filter.apply(sum)).collect();
            for weight in weights {
                let of_condition = |(sum, trials): (&[f64], &f64)| -> Vec<f64> {
                    let mean = mean.iter().cycle();
                    sum.iter()
                        .zip(mean)
                        .map(|(sum, mean)| (sum + weight * mean) / (trials + weight))
                        .collect()
                };
                let rates: Vec<f64> = smooth.chunks(stride).zip(&trials).flat_map(of_condition).collect();
                let psth = Self {
                    rates,
                    stride,
                    settings: format!("smoothing {}, mean worth {weight} trials", seconds(*width)),
                };
                let predicted = psth.predict(validation_conditions, first_bin * units.len());
                let score = mean_bits(&bits(&predicted, &counts, units.len()));
                best.offer(score, || psth);
            }
        }
        best.take()
    }

    /// Of all trials alike.
    pub fn of_all_trials(train: &Counts, validation: &Counts, bin_seconds: f64) -> Self {
        let [one, other] = [train, validation].map(|counts| vec![0; counts.trials]);
        Self::fit((train, &one), (validation, &other), 1, bin_seconds, 0)
    }

    /// Rates `[trial, entry]` of trials of these conditions, without the first `skipped` entries of each.
    pub fn predict(&self, conditions: &[usize], skipped: usize) -> Vec<f64> {
        conditions.iter().flat_map(|condition| &self.of(*condition)[skipped..]).copied().collect()
    }

    /// Rates of a condition, `[bin, unit]`.
    pub fn of(&self, condition: usize) -> &[f64] {
        &self.rates[condition * self.stride..][..self.stride]
    }
}

/// The sum over the trials of each condition, `[condition, bin, unit]`, and their number.
fn sums(counts: &Counts, of_trial: &[usize], conditions: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut sums, mut trials) = (vec![0.0; conditions * counts.stride()], vec![0.0; conditions]);
    for (trial, condition) in counts.values.chunks(counts.stride()).zip(of_trial) {
        let sum = &mut sums[condition * counts.stride()..][..counts.stride()];
        sum.iter_mut().zip(trial).for_each(|(sum, count)| *sum += count);
        trials[*condition] += 1.0;
    }
    (sums, trials)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One unit, 2 bins; condition 0 fires in bin 0, condition 1 in bin 1, condition 2 has no training trial.
    fn counts(trials: &[[f64; 2]]) -> Counts {
        Counts { trials: trials.len(), bins: 2, units: 1, values: trials.concat() }
    }

    #[test]
    fn conditions_are_averaged_apart_and_an_unseen_one_gets_the_mean() {
        let train = counts(&[[6.0, 0.0], [0.0, 3.0], [6.0, 0.0]]);
        let validation = counts(&[[6.0, 0.0], [0.0, 3.0]]);
        let psth = Psth::fit((&train, &[0, 1, 0]), (&validation, &[0, 1]), 3, 0.02, 0);
        // 15 spikes in 6 bins: mean 2.5; the validation trials repeat the training trials, so the least of κ is best.
        assert_eq!(psth.settings, "smoothing none, mean worth 0.3 trials");
        let of = |sum: f64, trials: f64| (sum + 0.3 * 2.5) / (trials + 0.3);
        let expected = [of(12.0, 2.0), of(0.0, 2.0), of(0.0, 1.0), of(3.0, 1.0), 2.5, 2.5];
        for (found, expected) in psth.rates.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{found} {expected}");
        }
        assert_eq!(psth.predict(&[2, 1], 1), [psth.rates[5], psth.rates[3]]);
    }
}
