//! Poisson D²: the fraction of deviance explained.

use crate::entries::entries_of;

/// The smallest absolute null deviance (in nats, halved) that can be divided by: below it the counts do not vary.
const SMALLEST_DEVIANCE: f64 = 1e-9;

/// Poisson D² of each unit, as BrainWideBench scores it: `1 − [(E − I) − (S − X)] / [X − S ln(S / T)]`, with
/// `S = Σ y`, `E = Σ eˡ`, `I = Σ l y` and `X = Σ y ln y` over the unit's `T` entries; 1 is a perfect prediction, 0 is
/// no better than the unit's mean.
///
/// `log_rates` (natural logarithm of spikes/bin) and `counts` are `[entry, unit]`; a log-rate of −∞ where the count
/// is 0 is a perfect prediction of that entry. `None` for a unit without spikes, or whose denominator is smaller than
/// 1e-9 (its counts never vary).
///
/// # Panics
/// If the two slices differ in length, or the length is no multiple of `units`, or `units` is 0.
pub fn poisson_d2<L, C>(log_rates: &[L], counts: &[C], units: usize) -> Vec<Option<f64>>
where
    L: Into<f64> + Copy,
    C: Into<f64> + Copy,
{
    let entries = entries_of(log_rates, counts, units) as f64;
    let mut sums = vec![Sums::default(); units];
    for (log_rates, counts) in log_rates.chunks_exact(units).zip(counts.chunks_exact(units)) {
        for unit in 0..units {
            sums[unit].add(log_rates[unit].into(), counts[unit].into());
        }
    }
    sums.iter().map(|sums| sums.d2(entries)).collect()
}

#[derive(Clone, Default)]
struct Sums {
    spikes: f64,
    expected: f64,
    log_rate_of_spikes: f64,
    log_count_of_spikes: f64,
}

impl Sums {
    fn add(&mut self, log_rate: f64, count: f64) {
        self.expected += log_rate.exp();
        // 0 · ln 0 is 0 here, in both sums.
        if count > 0.0 {
            self.spikes += count;
            self.log_rate_of_spikes += log_rate * count;
            self.log_count_of_spikes += count * count.ln();
        }
    }

    fn d2(&self, entries: f64) -> Option<f64> {
        let model = (self.expected - self.log_rate_of_spikes) - (self.spikes - self.log_count_of_spikes);
        let null = self.log_count_of_spikes - self.spikes * (self.spikes / entries).ln();
        (self.spikes > 0.0 && null.abs() >= SMALLEST_DEVIANCE).then(|| 1.0 - model / null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn silent_units_and_units_that_never_vary_are_undefined() {
        // [entry, unit]: unit 0 is silent, unit 1 fires once in every bin, unit 2 varies.
        let counts = [0u8, 1, 0, 0, 1, 2];
        let d2 = poisson_d2(&[0.3_f32; 6], &counts, 3);
        assert_eq!(d2[..2], [None, None]);
        assert!(d2[2].is_some());
    }

    #[test]
    fn predicting_the_mean_explains_nothing() {
        let d2 = poisson_d2(&[1.5_f64.ln(); 4], &[0u8, 3, 2, 1], 1);
        assert!(d2[0].unwrap().abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn the_logarithm_of_the_counts_explains_everything(counts in proptest::collection::vec(0..7u8, 1..60)) {
            let log_rates: Vec<f64> = counts.iter().map(|&count| f64::from(count).ln()).collect();
            if let Some(d2) = poisson_d2(&log_rates, &counts, 1)[0] {
                prop_assert!((d2 - 1.0).abs() < 1e-9, "{d2}");
            } else {
                prop_assert!(counts.iter().all(|count| count == &counts[0]), "undefined though the counts vary");
            }
        }

        #[test]
        fn no_prediction_explains_more_than_everything(
            entries in proptest::collection::vec((0..5u8, -4.0..2.0_f64), 1..40)
        ) {
            let (counts, log_rates): (Vec<u8>, Vec<f64>) = entries.into_iter().unzip();
            for d2 in poisson_d2(&log_rates, &counts, 1).into_iter().flatten() {
                prop_assert!(d2 <= 1.0 + 1e-9);
            }
        }
    }
}
