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
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let means = (0..resamples).map(|_| resampled_mean(values, &mut generator)).collect();
    Some(interval(mean(values), means))
}

/// Mean of the means of `groups` (scores of units, by session) with the 95 % interval that holds for the groups as they
/// are: a resample draws from each group as many values as it has. The same seed gives the same interval. `None` if
/// there is no group.
///
/// # Panics
/// If `resamples` is 0 or a group is empty.
pub fn bootstrap_within_groups(groups: &[Vec<f64>], resamples: usize, seed: u64) -> Option<Interval> {
    assert!(resamples > 0, "a bootstrap interval needs at least one resample");
    if groups.is_empty() {
        return None;
    }
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let resample = |_| {
        let means = groups.iter().map(|group| resampled_mean(group, &mut generator));
        means.sum::<f64>() / groups.len() as f64
    };
    let means = (0..resamples).map(resample).collect();
    Some(interval(mean_of_means(groups), means))
}

/// Mean of the means of `groups` (scores of units, by session) with the 95 % interval that holds for other groups of
/// their kind: a resample draws as many groups as there are, and from each drawn one as many values as it has
/// (hierarchical bootstrap; Davison and Hinkley 1997, section 3.8). The same seed gives the same interval. `None` with
/// fewer than two groups, which say nothing about others; with fewer than six it is too narrow, because so few groups
/// seldom show how different groups can be.
///
/// # Panics
/// If `resamples` is 0 or a group is empty.
pub fn bootstrap_over_groups(groups: &[Vec<f64>], resamples: usize, seed: u64) -> Option<Interval> {
    assert!(resamples > 0, "a bootstrap interval needs at least one resample");
    if groups.len() < 2 {
        return None;
    }
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let resample = |_| {
        let draw = |_| {
            let group = generator.random_range(0..groups.len());
            resampled_mean(&groups[group], &mut generator)
        };
        (0..groups.len()).map(draw).sum::<f64>() / groups.len() as f64
    };
    let means = (0..resamples).map(resample).collect();
    Some(interval(mean_of_means(groups), means))
}

/// Any statistic of samples with its 95 % interval: a resample draws from each stratum as many samples as it has, with
/// replacement, and `statistic` is given their indices. Resamples in which it is undefined are left out. The same seed
/// gives the same interval. `None` where it is undefined of the samples themselves.
///
/// # Panics
/// If `resamples` is 0.
pub fn bootstrap_statistic(
    strata: &[Vec<usize>],
    statistic: impl Fn(&[usize]) -> Option<f64>,
    resamples: usize,
    seed: u64,
) -> Option<Interval> {
    assert!(resamples > 0, "a bootstrap interval needs at least one resample");
    let found = statistic(&strata.concat())?;
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let resample = |_| {
        let mut drawn = Vec::new();
        for stratum in strata.iter().filter(|stratum| !stratum.is_empty()) {
            drawn.extend((0..stratum.len()).map(|_| stratum[generator.random_range(0..stratum.len())]));
        }
        statistic(&drawn)
    };
    let resampled: Vec<f64> = (0..resamples).filter_map(resample).collect();
    if resampled.is_empty() {
        Some(Interval { mean: found, low: found, high: found })
    } else {
        Some(interval(found, resampled))
    }
}

/// Mean of as many values as there are, drawn with replacement.
fn resampled_mean(values: &[f64], generator: &mut ChaCha8Rng) -> f64 {
    assert!(!values.is_empty(), "a group without values has no mean");
    let draw = |_| values[generator.random_range(0..values.len())];
    (0..values.len()).map(draw).sum::<f64>() / values.len() as f64
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn mean_of_means(groups: &[Vec<f64>]) -> f64 {
    groups.iter().map(|group| mean(group)).sum::<f64>() / groups.len() as f64
}

fn interval(mean: f64, mut resampled: Vec<f64>) -> Interval {
    resampled.sort_by(f64::total_cmp);
    Interval { mean, low: quantile(&resampled, 0.025), high: quantile(&resampled, 0.975) }
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
    fn groups_count_alike_whatever_their_size() {
        let groups = [vec![1.0; 100], vec![3.0; 2]];
        for interval in [bootstrap_within_groups(&groups, 200, 1), bootstrap_over_groups(&groups, 200, 1)] {
            assert_eq!(interval.unwrap().mean, 2.0);
        }
        // Within the groups nothing varies; between them, both resamples of one and the same group occur.
        let within = bootstrap_within_groups(&groups, 200, 1).unwrap();
        assert_eq!((within.low, within.high), (2.0, 2.0));
        let over = bootstrap_over_groups(&groups, 200, 1).unwrap();
        assert_eq!((over.low, over.high), (1.0, 3.0));
    }

    #[test]
    fn intervals_of_groups_have_the_width_of_both_sources_of_variance() {
        // Group means 0.0, 0.1 … 3.9 (variance (40² − 1) · 0.01 / 12), and ±1 within each group of 50.
        let noise = |index: usize| if index.is_multiple_of(2) { 1.0 } else { -1.0 };
        let groups: Vec<Vec<f64>> = (0..40)
            .map(|group| (0..50).map(|index| f64::from(group) * 0.1 + noise(index)).collect())
            .collect();
        let half = |interval: Interval| (interval.high - interval.low) / 2.0;
        let within_variance: f64 = 1.0 / 50.0 / 40.0;
        let between_variance = (1600.0 - 1.0) * 0.01 / 12.0 / 40.0;
        let within = half(bootstrap_within_groups(&groups, 4000, 1).unwrap());
        assert!((within / (1.96 * within_variance.sqrt()) - 1.0).abs() < 0.06, "{within}");
        let over = half(bootstrap_over_groups(&groups, 4000, 1).unwrap());
        let expected = 1.96 * (within_variance + between_variance).sqrt();
        assert!((over / expected - 1.0).abs() < 0.06, "{over} {expected}");
    }

    #[test]
    fn one_group_says_nothing_about_others() {
        assert_eq!(bootstrap_over_groups(&[vec![1.0, 2.0]], 100, 1), None);
        assert!(bootstrap_within_groups(&[vec![1.0, 2.0]], 100, 1).is_some());
        assert_eq!(bootstrap_within_groups(&[], 100, 1), None);
    }

    #[test]
    fn the_seed_decides_the_resamples() {
        let values = [0.3, 1.2, -0.7, 2.4, 0.0];
        assert_eq!(bootstrap_mean(&values, 100, 7), bootstrap_mean(&values, 100, 7));
        assert_ne!(bootstrap_mean(&values, 100, 7), bootstrap_mean(&values, 100, 8));
    }

    #[test]
    fn a_statistic_of_strata_keeps_each_stratum_whole() {
        let values = [0.0, 1.0, 0.0, 1.0, 5.0];
        let mean_of = |drawn: &[usize]| {
            // The last sample is alone in its stratum, so every resample has it once.
            assert_eq!((drawn.len(), drawn.iter().filter(|sample| **sample == 4).count()), (5, 1));
            Some(drawn.iter().map(|sample| values[*sample]).sum::<f64>() / 5.0)
        };
        let found = bootstrap_statistic(&[vec![0, 1, 2, 3], vec![4]], mean_of, 2000, 1).unwrap();
        // The mean of 4 draws of 0 and 1 reaches 0 and 1 in 1 of 16 resamples each.
        assert_eq!((found.mean, found.low, found.high), (1.4, 1.0, 1.8));
        let same = bootstrap_statistic(&[vec![0, 1, 2, 3]], |_| None, 10, 1);
        assert_eq!(same, None);
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
