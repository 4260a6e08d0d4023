//! How settings that are chosen on validation trials are scored, and called.

use neuroglot_metrics::{bits_per_spike_of_rates, mean_defined};

/// Bits/spike of each unit, of rates and counts `[entry, unit]`; `None` for a unit without a spike.
pub fn bits(rates: &[f64], counts: &[f64], units: usize) -> Vec<Option<f64>> {
    bits_per_spike_of_rates(rates, counts, units).per_unit
}

/// What settings are chosen by: the mean over units of bits/spike. Where no unit fires, all settings are equally good.
pub fn mean_bits(per_unit: &[Option<f64>]) -> f64 {
    mean_defined(per_unit).unwrap_or(0.0)
}

/// A time in words, `0.02 s`.
pub fn seconds(seconds: f64) -> String {
    if seconds == 0.0 { "none".to_owned() } else { format!("{seconds} s") }
}
