//! R²: the fraction of variance explained.

use crate::entries::entries_of;

/// `1 − Σ (truth − prediction)² / Σ (truth − mean of truth)²`; `None` if the truth does not vary (or is empty).
///
/// # Panics
/// If the two slices differ in length.
pub fn r2<Y, P>(truth: &[Y], prediction: &[P]) -> Option<f64>
where
    Y: Into<f64> + Copy,
    P: Into<f64> + Copy,
{
    single_trial_r2(prediction, truth, 1)[0]
}

/// [`r2`] of each unit over all entries (every bin of every trial) of `rates` (spikes/bin) for `counts`, both
/// `[entry, unit]`; `None` for a unit whose counts do not vary.
///
/// # Panics
/// If the two slices differ in length, or the length is no multiple of `units`, or `units` is 0.
pub fn single_trial_r2<R, C>(rates: &[R], counts: &[C], units: usize) -> Vec<Option<f64>>
where
    R: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    score(rates, counts, units, |_| true)
}

/// [`single_trial_r2`] of those entries that are `scored`, `[entry, unit]`.
///
/// # Panics
/// As [`single_trial_r2`], and if there is not one mark per entry and unit.
pub fn single_trial_r2_where<R, C>(
    rates: &[R],
    counts: &[C],
    scored: &[bool],
    units: usize,
) -> Vec<Option<f64>>
where
    R: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    assert_eq!(scored.len(), counts.len(), "one mark per entry and unit");
    score(rates, counts, units, |place| scored[place])
}

fn score<R, C>(rates: &[R], counts: &[C], units: usize, is_scored: impl Fn(usize) -> bool) -> Vec<Option<f64>>
where
    R: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    let rows = entries_of(rates, counts, units);
    let is_scored = &is_scored;
    let scored_in = |row: usize| (0..units).filter(move |unit| is_scored(row * units + unit));
    let mut entries = vec![0.0; units];
    for row in 0..rows {
        scored_in(row).for_each(|unit| entries[unit] += 1.0);
    }
    let mut mean = vec![0.0; units];
    let mut lowest = vec![f64::INFINITY; units];
    let mut highest = vec![f64::NEG_INFINITY; units];
    for (row, counts) in counts.chunks_exact(units).enumerate() {
        for unit in scored_in(row) {
            let count = counts[unit].into();
            mean[unit] += count / entries[unit];
            lowest[unit] = lowest[unit].min(count);
            highest[unit] = highest[unit].max(count);
        }
    }

    let mut unexplained = vec![0.0; units];
    let mut total = vec![0.0; units];
    for (row, (rates, counts)) in rates.chunks_exact(units).zip(counts.chunks_exact(units)).enumerate() {
        for unit in scored_in(row) {
            let (rate, count): (f64, f64) = (rates[unit].into(), counts[unit].into());
            unexplained[unit] += (count - rate).powi(2);
            total[unit] += (count - mean[unit]).powi(2);
        }
    }
    // Equal values are recognised as such, not by a variance of 0: rounding of their mean leaves a tiny one.
    (0..units)
        .map(|unit| {
            (highest[unit] > lowest[unit] && total[unit] > 0.0).then(|| 1.0 - unexplained[unit] / total[unit])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_values() {
        // Mean 2, total 2; residuals 1, 0, 1.
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[2.0, 2.0, 2.0]), Some(0.0));
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]), Some(1.0));
        // Residuals 2, 0, 2: 1 − 8 / 2.
        assert_eq!(r2(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-3.0));
    }

    #[test]
    fn a_truth_that_does_not_vary_is_undefined() {
        assert_eq!(r2(&[0.1; 7], &[0.3; 7]), None);
        assert_eq!(r2::<f64, f64>(&[], &[]), None);
    }

    #[test]
    fn entries_that_are_not_scored_count_nowhere() {
        // Of unit 0 the entries 1, 2, 3 predicted as 3, 2, 1: 1 − 8 / 2; of unit 1 a single one.
        let (rates, counts) = ([3.0, 1.0, 9.0, 1.0, 2.0, 1.0, 1.0, 1.0], [1u8, 0, 0, 5, 2, 7, 3, 0]);
        let scored = [true, false, false, true, true, false, true, false];
        assert_eq!(single_trial_r2_where(&rates, &counts, &scored, 2), [Some(-3.0), None]);
        assert_eq!(
            single_trial_r2_where(&rates, &counts, &[true; 8], 2),
            single_trial_r2(&rates, &counts, 2)
        );
    }

    #[test]
    fn each_unit_is_scored_on_its_own_column() {
        let rates = [1.0_f32, 2.0, 2.0, 2.0, 3.0, 2.0];
        let counts = [1u8, 0, 2, 0, 3, 0];
        assert_eq!(single_trial_r2(&rates, &counts, 2), [Some(1.0), None]);
    }

    proptest! {
        #[test]
        fn at_most_one_and_unmoved_by_a_common_shift_and_scale(
            entries in proptest::collection::vec((-5.0..5.0_f64, -5.0..5.0_f64), 2..40),
            shift in -10.0..10.0_f64,
            scale in 0.5..4.0_f64,
        ) {
            let (truth, prediction): (Vec<f64>, Vec<f64>) = entries.into_iter().unzip();
            let moved = |values: &[f64]| values.iter().map(|value| value * scale + shift).collect::<Vec<_>>();
            let before = r2(&truth, &prediction).unwrap();
            let after = r2(&moved(&truth), &moved(&prediction)).unwrap();
            prop_assert!(before <= 1.0);
            prop_assert!((before - after).abs() <= 1e-6 * before.abs().max(1.0));
        }
    }
}
