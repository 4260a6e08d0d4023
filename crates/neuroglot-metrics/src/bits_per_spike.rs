//! Bits per spike: how much likelier a model makes the spikes than each unit's mean rate does.

use std::f64::consts::LN_2;

use serde::{Deserialize, Serialize};

use crate::entries::entries_of;
use crate::mean::mean_defined;
use crate::poisson::rate_term;

/// Bits per spike of every unit and of all units pooled.
///
/// The two summaries weigh units differently and are not interchangeable: MtM (arXiv 2407.14668) reports the mean
/// over units ([`BitsPerSpike::mean`]); the Neural Latents Benchmark and BrainWideBench report the pooled figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BitsPerSpike {
    /// `[unit]`, bits/spike; `None` for a unit without a spike in the scored entries.
    pub per_unit: Vec<Option<f64>>,
    /// `(Σ NLL of the null − Σ NLL of the model) / (ln 2 · Σ spikes)` over the units that spike; `None` if none does.
    pub pooled: Option<f64>,
}

impl BitsPerSpike {
    /// Mean over the units that spike, in bits/spike; `None` if none does.
    pub fn mean(&self) -> Option<f64> {
        mean_defined(&self.per_unit)
    }
}

/// Bits per spike of `log_rates` (natural logarithm of spikes/bin) for `counts`, both `[entry, unit]`:
/// `(NLL(null) − NLL(model)) / (ln 2 · spikes)`, where the null predicts the unit's mean count over these very
/// entries, and NLL is [`poisson_nll`](crate::poisson_nll).
///
/// # Panics
/// If the two slices differ in length, or the length is no multiple of `units`, or `units` is 0.
pub fn bits_per_spike<L, C>(log_rates: &[L], counts: &[C], units: usize) -> BitsPerSpike
where
    L: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    score(log_rates, counts, units, f64::exp, |_| true)
}

/// [`bits_per_spike`] of those entries that are `scored`, `[entry, unit]`: the null predicts the unit's mean count over these.
///
/// # Panics
/// As [`bits_per_spike`], and if there is not one mark per entry and unit.
pub fn bits_per_spike_where<L, C>(
    log_rates: &[L],
    counts: &[C],
    scored: &[bool],
    units: usize,
) -> BitsPerSpike
where
    L: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    assert_eq!(scored.len(), counts.len(), "one mark per entry and unit");
    score(log_rates, counts, units, f64::exp, |place| scored[place])
}

/// [`bits_per_spike`] of rates in spikes/bin, `[entry, unit]`: for predictions that are no logarithms, such as the
/// true rates of a simulation or a PSTH.
///
/// # Panics
/// If the two slices differ in length, or the length is no multiple of `units`, or `units` is 0.
pub fn bits_per_spike_of_rates<R, C>(rates: &[R], counts: &[C], units: usize) -> BitsPerSpike
where
    R: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    score(rates, counts, units, |rate| rate, |_| true)
}

fn score<P, C>(
    predictions: &[P],
    counts: &[C],
    units: usize,
    rate_of: impl Fn(f64) -> f64,
    is_scored: impl Fn(usize) -> bool,
) -> BitsPerSpike
where
    P: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    entries_of(predictions, counts, units);
    let (mut entries, mut spikes) = (vec![0.0; units], vec![0.0; units]);
    // ln Γ(y + 1) is the same for the model and the null, so the difference of the two needs only the rate terms.
    let mut model = vec![0.0; units];
    let rows = predictions.chunks_exact(units).zip(counts.chunks_exact(units));
    for (row, (predictions, counts)) in rows.enumerate() {
        for unit in (0..units).filter(|unit| is_scored(row * units + unit)) {
            entries[unit] += 1.0;
            let count = counts[unit].into();
            spikes[unit] += count;
            model[unit] += rate_term(rate_of(predictions[unit].into()), count);
        }
    }

    let mut per_unit = vec![None; units];
    let (mut nats_pooled, mut spikes_pooled) = (0.0, 0.0);
    for unit in 0..units {
        if spikes[unit] > 0.0 {
            let null = spikes[unit] - spikes[unit] * (spikes[unit] / entries[unit]).ln();
            let nats = null - model[unit];
            per_unit[unit] = Some(nats / spikes[unit] / LN_2);
            nats_pooled += nats;
            spikes_pooled += spikes[unit];
        }
    }
    let pooled = (spikes_pooled > 0.0).then(|| nats_pooled / spikes_pooled / LN_2);
    BitsPerSpike { per_unit, pooled }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn assert_close(found: Option<f64>, expected: f64) {
        let found = found.expect("the score is defined");
        assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
    }

    #[test]
    fn a_model_that_knows_the_one_bin_with_the_spike() {
        // One spike in four entries; null rate 1/4: NLL = 4·¼ + ln 4. Model: rate 1 there and 0 elsewhere: NLL = 1
        // (+ 3e-9 for the zeros). Gain ln 4 − 3e-9 nats = 2 bits − 3e-9 / ln 2.
        let score = bits_per_spike_of_rates(&[0.0, 1.0, 0.0, 0.0], &[0u8, 1, 0, 0], 1);
        assert_close(score.per_unit[0], 2.0 - 3e-9 / LN_2);
        assert_eq!(score.pooled, score.mean());
    }

    #[test]
    fn the_same_rates_as_logarithms_score_the_same() {
        let rates = [0.5, 2.0, 1.0, 0.25];
        let log_rates: Vec<f64> = rates.iter().map(|rate: &f64| rate.ln()).collect();
        let from_rates = bits_per_spike_of_rates(&rates, &[1u16, 3, 0, 1], 2);
        let from_log_rates = bits_per_spike(&log_rates, &[1.0_f32, 3.0, 0.0, 1.0], 2);
        for unit in 0..2 {
            assert_close(from_rates.per_unit[unit], from_log_rates.per_unit[unit].unwrap());
        }
    }

    #[test]
    fn entries_that_are_not_scored_count_nowhere() {
        // [entry, unit]; of unit 0 the last two entries are scored, of unit 1 none.
        let (log_rates, counts) = ([9.0, 0.0, 0.5, 0.0, -1.0, 0.0], [7u8, 1, 2, 0, 0, 3]);
        let scored = [false, false, true, false, true, false];
        let found = bits_per_spike_where(&log_rates, &counts, &scored, 2);
        let alone = bits_per_spike(&[0.5, -1.0], &[2u8, 0], 1);
        assert_eq!(found.per_unit, [alone.per_unit[0], None]);
        assert_eq!((found.pooled, found.mean()), (alone.pooled, alone.mean()));
        assert_eq!(
            bits_per_spike_where(&log_rates, &counts, &[true; 6], 2),
            bits_per_spike(&log_rates, &counts, 2)
        );
    }

    #[test]
    fn a_silent_unit_is_left_out_of_both_summaries() {
        // [entry, unit]; unit 1 never fires although the model expects 5 spikes/bin of it.
        let score = bits_per_spike_of_rates(&[0.0, 5.0, 2.0, 5.0], &[0u8, 0, 2, 0], 2);
        // Unit 0: null 2 − 2 ln 1 = 2; model 1e-9 + 2 − 2 ln 2; gain 2 ln 2 nats over 2 spikes = 1 bit.
        assert_close(score.per_unit[0], 1.0 - 0.5e-9 / LN_2);
        assert_eq!(score.per_unit[1], None);
        assert_close(score.mean(), score.per_unit[0].unwrap());
        assert_close(score.pooled, score.per_unit[0].unwrap());
    }

    #[test]
    fn without_a_spike_or_an_entry_nothing_is_defined() {
        for score in [bits_per_spike(&[0.0_f32; 4], &[0u8; 4], 2), bits_per_spike::<f32, u8>(&[], &[], 2)] {
            assert_eq!(score.per_unit, [None, None]);
            assert_eq!(score.pooled, None);
            assert_eq!(score.mean(), None);
        }
    }

    #[test]
    #[should_panic(expected = "same shape")]
    fn slices_of_different_lengths_are_refused() {
        bits_per_spike(&[0.0_f32; 4], &[0u8; 6], 2);
    }

    #[test]
    #[should_panic(expected = "whole number of rows")]
    fn a_ragged_last_row_is_refused() {
        bits_per_spike(&[0.0_f32; 5], &[0u8; 5], 2);
    }

    const UNITS: usize = 3;

    fn recording() -> impl Strategy<Value = Vec<(u8, f64)>> {
        (1..30usize)
            .prop_flat_map(|entries| proptest::collection::vec((0..5u8, 0.01..6.0_f64), entries * UNITS))
    }

    proptest! {
        #[test]
        fn the_null_rate_scores_zero(recording in recording()) {
            let counts: Vec<u8> = recording.iter().map(|entry| entry.0).collect();
            let entries = counts.len() / UNITS;
            let mut mean = [0.0; UNITS];
            for (index, &count) in counts.iter().enumerate() {
                mean[index % UNITS] += f64::from(count) / entries as f64;
            }
            let rates: Vec<f64> = (0..counts.len()).map(|index| mean[index % UNITS]).collect();
            let score = bits_per_spike_of_rates(&rates, &counts, UNITS);
            for value in score.per_unit.iter().flatten().chain(&score.pooled) {
                prop_assert!(value.abs() < 1e-6, "{value}");
            }
        }

        #[test]
        fn rates_equal_to_the_counts_beat_the_null_and_every_other_model(recording in recording()) {
            let (counts, others): (Vec<u8>, Vec<f64>) = recording.into_iter().unzip();
            let perfect = bits_per_spike_of_rates(&counts, &counts, UNITS);
            let other = bits_per_spike_of_rates(&others, &counts, UNITS);
            for unit in 0..UNITS {
                if let (Some(perfect), Some(other)) = (perfect.per_unit[unit], other.per_unit[unit]) {
                    // A rate of 0 counts as 1e-9, which costs up to 30 · 1e-9 nats.
                    prop_assert!(perfect > -1e-7);
                    prop_assert!(perfect > other - 1e-7);
                }
            }
        }

        #[test]
        fn the_order_of_entries_does_not_matter(recording in recording(), turn in 0..30usize) {
            let mut rows: Vec<&[(u8, f64)]> = recording.chunks_exact(UNITS).collect();
            let whole = rows.len();
            rows.rotate_left(turn % whole);
            let rotated: Vec<(u8, f64)> = rows.concat();
            let score = |entries: &[(u8, f64)]| {
                let (counts, rates): (Vec<u8>, Vec<f64>) = entries.iter().copied().unzip();
                bits_per_spike_of_rates(&rates, &counts, UNITS)
            };
            let (before, after) = (score(&recording), score(&rotated));
            for unit in 0..UNITS {
                match (before.per_unit[unit], after.per_unit[unit]) {
                    (Some(before), Some(after)) => prop_assert!((before - after).abs() < 1e-10),
                    (before, after) => prop_assert_eq!(before, after),
                }
            }
        }

        #[test]
        fn the_pooled_figure_is_the_mean_over_units_weighted_by_spikes(recording in recording()) {
            let (counts, rates): (Vec<u8>, Vec<f64>) = recording.into_iter().unzip();
            let score = bits_per_spike_of_rates(&rates, &counts, UNITS);
            let (mut weighted, mut spikes) = (0.0, 0.0);
            for unit in 0..UNITS {
                let of_unit: f64 = counts[unit..].iter().step_by(UNITS).map(|&count| f64::from(count)).sum();
                weighted += of_unit * score.per_unit[unit].unwrap_or(0.0);
                spikes += of_unit;
            }
            match score.pooled {
                Some(pooled) => prop_assert!((pooled - weighted / spikes).abs() < 1e-10),
                None => prop_assert_eq!(spikes, 0.0),
            }
        }
    }
}
