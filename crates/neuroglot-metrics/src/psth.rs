//! PSTH: the average response of each unit over the trials of a condition.

use std::collections::BTreeMap;

use crate::entries::{entries_of, rows_of};
use crate::r2::single_trial_r2;

/// Average over the trials of each condition (peri-stimulus time histogram).
#[derive(Clone, Debug, PartialEq)]
pub struct Psth {
    /// The labels of the conditions that have at least one trial, ascending: `[condition]`.
    pub conditions: Vec<usize>,
    /// Number of trials averaged: `[condition]`.
    pub trials: Vec<usize>,
    /// The averages, in the unit of the values averaged (spikes/bin): `[condition, bin, unit]`.
    pub mean: Vec<f64>,
}

/// Averages `values` `[trial, bin, unit]` over the trials of each condition; `conditions` holds one label per trial.
///
/// # Panics
/// If `values` does not hold `conditions.len() · bins · units` values, or `bins` or `units` is 0.
pub fn psth<T: Into<f64> + Copy>(values: &[T], bins: usize, units: usize, conditions: &[usize]) -> Psth {
    assert!(bins > 0, "a PSTH needs at least one bin");
    let rows = rows_of(values, units);
    assert_eq!(
        rows,
        conditions.len() * bins,
        "{rows} rows of {units} units are not {} trials of {bins} bins",
        conditions.len()
    );

    let mut trials_of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (trial, &condition) in conditions.iter().enumerate() {
        trials_of.entry(condition).or_default().push(trial);
    }

    let size = bins * units;
    let mut mean = Vec::with_capacity(trials_of.len() * size);
    for trials in trials_of.values() {
        let mut sum = vec![0.0; size];
        for &trial in trials {
            for (sum, &value) in sum.iter_mut().zip(&values[trial * size..(trial + 1) * size]) {
                *sum += value.into();
            }
        }
        mean.extend(sum.into_iter().map(|sum| sum / trials.len() as f64));
    }
    Psth {
        conditions: trials_of.keys().copied().collect(),
        trials: trials_of.values().map(Vec::len).collect(),
        mean,
    }
}

/// R² of each unit's predicted [`psth`] over conditions × bins, from `rates` (spikes/bin) and `counts`, both
/// `[trial, bin, unit]`; `conditions` holds one label per trial. Every condition weighs the same, however many trials
/// it has. `None` for a unit whose average counts do not vary.
///
/// # Panics
/// If the slices do not hold `conditions.len() · bins · units` values, or `bins` or `units` is 0.
pub fn psth_r2<R, C>(
    rates: &[R],
    counts: &[C],
    bins: usize,
    units: usize,
    conditions: &[usize],
) -> Vec<Option<f64>>
where
    R: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    entries_of(rates, counts, units);
    let predicted = psth(rates, bins, units, conditions);
    let recorded = psth(counts, bins, units, conditions);
    single_trial_r2(&predicted.mean, &recorded.mean, units)
}

#[cfg(test)]
mod tests {
    use super::*;

    // [trial, bin, unit]: four trials of two bins of one unit.
    const COUNTS: [u8; 8] = [0, 2, 4, 0, 2, 4, 6, 6];

    #[test]
    fn trials_are_averaged_within_their_condition() {
        let psth = psth(&COUNTS, 2, 1, &[7, 3, 7, 3]);
        assert_eq!(psth.conditions, [3, 7]);
        assert_eq!(psth.trials, [2, 2]);
        // Condition 3: trials 1 and 3, (4 + 6) / 2 and (0 + 6) / 2; condition 7: (0 + 2) / 2 and (2 + 4) / 2.
        assert_eq!(psth.mean, [5.0, 3.0, 1.0, 3.0]);
    }

    #[test]
    fn r2_is_taken_over_conditions_and_bins() {
        // Recorded PSTH 5, 3, 1, 3: mean 3, total 8. The prediction is 3 everywhere but for condition 7: 1, 3.
        let rates = [1.0, 3.0, 3.0, 3.0, 1.0, 3.0, 3.0, 3.0];
        assert_eq!(psth_r2(&rates, &COUNTS, 2, 1, &[7, 3, 7, 3]), [Some(0.5)]);
    }

    #[test]
    fn trial_noise_that_averages_out_costs_nothing() {
        let rates = [1.0_f32, 3.0, 5.0, 3.0, 1.0, 3.0, 5.0, 3.0];
        assert_eq!(psth_r2(&rates, &COUNTS, 2, 1, &[7, 3, 7, 3]), [Some(1.0)]);
        assert!(single_trial_r2(&rates, &COUNTS, 1)[0].unwrap() < 1.0);
    }

    #[test]
    #[should_panic(expected = "not 3 trials of 2 bins")]
    fn a_label_too_few_is_refused() {
        psth(&COUNTS, 2, 1, &[7, 3, 7]);
    }
}
