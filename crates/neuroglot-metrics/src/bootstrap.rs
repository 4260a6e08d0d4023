//! Bootstrap intervals of a mean over units or sessions.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

/// A mean and its 95 % percentile bootstrap interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Mean of the values themselves.
    pub mean: f64,
    /// 2.5th percentile of the means of the resamples.
    pub low: f64,
    /// 97.5th percentile of the means of the resamples.
    pub high: f64,
}

/// Mean of `values` with its 95 % interval: percentiles (linearly interpolated) of the means of `resamples` draws of
/// `values.len()` values with replacement (Efron and Tibshirani 1993, chapter 13). The same seed gives the same
/// interval. `None` if there is no value.
///
/// # Panics
/// If `resamples` is 0.
pub fn bootstrap_mean(values: &[f64], resamples: usize, seed: u64) -> Option<Interval> {
    assert!(resamples > 0, "a bootstrap interval needs at least one resample");
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut means: Vec<f64> = (0..resamples)
        .map(|_| {
            (0..values.len()).map(|_| values[generator.random_range(0..values.len())]).sum::<f64>() / count
        })
        .collect();
    means.sort_by(f64::total_cmp);
    Some(Interval {
        mean: values.iter().sum::<f64>() / count,
        low: quantile(&means, 0.025),
        high: quantile(&means, 0.975),
    })
}

/// Mean of the paired differences `a − b` with its 95 % interval: both slices score the same units (or sessions) in
/// the same order, and a resample draws pairs. `None` if there is no pair.
///
/// # Panics
/// If the slices differ in length or `resamples` is 0.
pub fn bootstrap_difference(a: &[f64], b: &[f64], resamples: usize, seed: u64) -> Option<Interval> {
    assert_eq!(
        a.len(),
        b.len(),
        "a paired difference needs the same units in both: {} and {}",
        a.len(),
        b.len()
    );
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    bootstrap_mean(&differences, resamples, seed)
}

/// Linear interpolation between the two closest ranks of `sorted`, which is not empty.
fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let rank = probability * (sorted.len() - 1) as f64;
    let below = rank.floor() as usize;
    let above = rank.ceil() as usize;
    sorted[below] + (rank - rank.floor()) * (sorted[above] - sorted[below])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn quantiles_interpolate_between_ranks() {
        let sorted: Vec<f64> = (0..=10).map(f64::from).collect();
        assert!((quantile(&sorted, 0.025) - 0.25).abs() < 1e-12);
        assert!((quantile(&sorted, 0.975) - 9.75).abs() < 1e-12);
        assert_eq!(quantile(&[3.0], 0.975), 3.0);
    }

    #[test]
    fn the_interval_of_a_large_sample_is_that_of_the_normal_distribution() {
        // 0 and 1, half each, 400 values: standard error 0.5 / 20 = 0.025, interval 0.5 ± 1.96 · 0.025.
        let values: Vec<f64> = (0..400).map(|index| f64::from(index % 2)).collect();
        let interval = bootstrap_mean(&values, 10_000, 1).unwrap();
        assert_eq!(interval.mean, 0.5);
        assert!((interval.low - 0.451).abs() < 0.004, "{interval:?}");
        assert!((interval.high - 0.549).abs() < 0.004, "{interval:?}");
    }

    #[test]
    fn pairing_removes_what_the_units_have_in_common() {
        // The units differ by up to 99, the two models by exactly 1 in each of them.
        let b: Vec<f64> = (0..100).map(f64::from).collect();
        let a: Vec<f64> = b.iter().map(|score| score + 1.0).collect();
        assert_eq!(bootstrap_difference(&a, &b, 500, 3), Some(Interval { mean: 1.0, low: 1.0, high: 1.0 }));
    }

    #[test]
    fn the_seed_decides_the_resamples() {
        let values = [0.3, 1.2, -0.7, 2.4, 0.0];
        assert_eq!(bootstrap_mean(&values, 100, 7), bootstrap_mean(&values, 100, 7));
        assert_ne!(bootstrap_mean(&values, 100, 7), bootstrap_mean(&values, 100, 8));
    }

    #[test]
    fn no_value_no_interval() {
        assert_eq!(bootstrap_mean(&[], 100, 7), None);
        assert_eq!(bootstrap_difference(&[], &[], 100, 7), None);
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_mean_and_stays_within_the_values(
            values in proptest::collection::vec(-100.0..100.0_f64, 1..40),
            seed in any::<u64>(),
        ) {
            let interval = bootstrap_mean(&values, 1000, seed).unwrap();
            let lowest = values.iter().copied().fold(f64::INFINITY, f64::min);
            let highest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let rounding = 1e-9;
            prop_assert!(lowest - rounding <= interval.low && interval.low <= interval.mean + rounding);
            prop_assert!(interval.mean - rounding <= interval.high && interval.high <= highest + rounding);
        }
    }
}
