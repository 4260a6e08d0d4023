//! Settings that are chosen on validation trials.

use neuroglot_metrics::{bits_per_spike_of_rates, mean_defined};

/// Bits/spike of each unit, of rates and counts `[entry, unit]`; `None` for a unit without a spike.
pub fn bits(rates: &[f64], counts: &[f64], units: usize) -> Vec<Option<f64>> {
    bits_per_spike_of_rates(rates, counts, units).per_unit
}

/// What settings are chosen by: the mean over units of bits/spike. Where no unit fires, all settings are equally good.
pub fn mean_bits(per_unit: &[Option<f64>]) -> f64 {
    mean_defined(per_unit).unwrap_or(0.0)
}

/// The best of candidates with their scores; the first of equals, and never one without a score.
pub struct Best<T> {
    found: Option<(f64, T)>,
}

impl<T> Best<T> {
    /// No candidate yet.
    pub fn none() -> Self {
        Self { found: None }
    }

    /// The best score so far.
    pub fn score(&self) -> Option<f64> {
        self.found.as_ref().map(|(score, _)| *score)
    }

    /// Whether a score beats what was found so far.
    fn is_beaten_by(&self, score: f64) -> bool {
        self.found.as_ref().is_none_or(|(best, _)| score > *best || best.is_nan())
    }

    /// Keeps a candidate if it is better; makes it only then.
    pub fn offer(&mut self, score: f64, candidate: impl FnOnce() -> T) {
        if self.is_beaten_by(score) {
            self.found = Some((score, candidate()));
        }
    }

    /// The best candidate so far.
    ///
    /// # Panics
    /// If there was none.
    pub fn get(&self) -> &T {
        &self.found.as_ref().expect("a grid is not empty").1
    }

    /// The best candidate.
    ///
    /// # Panics
    /// If there was none.
    pub fn take(self) -> T {
        self.found.expect("a grid is not empty").1
    }
}

/// A time in words, `0.02 s`.
pub fn seconds(seconds: f64) -> String {
    if seconds == 0.0 { "none".to_owned() } else { format!("{seconds} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_kept_and_nan_loses() {
        let mut best = Best::none();
        for (score, name) in [(f64::NAN, "nan"), (0.5, "a"), (0.75, "b"), (0.75, "c"), (f64::NAN, "d")] {
            best.offer(score, || name);
        }
        assert_eq!(best.take(), "b");
    }
}
