//! Scores of arrays: other people's predictions are scored as ours.

use crate::failure::Failure;
use crate::floats::doubles;
use neuroglot::metrics;
use pyo3::prelude::*;

/// Rates and counts `[entry, unit]` as little-endian doubles, checked.
fn pair(rates: &[u8], counts: &[u8], units: usize) -> Result<(Vec<f64>, Vec<f64>), Failure> {
    let (rates, counts) = (doubles(rates), doubles(counts));
    if units == 0 || rates.len() != counts.len() || rates.is_empty() {
        return Err(Failure::setting(
            "rates and counts must be of one shape, [..., unit], with one entry or more",
        ));
    }
    if let Some(rate) = rates.iter().find(|rate| !rate.is_finite() || **rate < 0.0) {
        return Err(Failure::setting(format!("rates: {rate} is no rate, which is finite and 0 or more")));
    }
    if let Some(count) = counts.iter().find(|count| !count.is_finite() || **count < 0.0) {
        return Err(Failure::setting(format!("counts: {count} is no count, which is finite and 0 or more")));
    }
    Ok((rates, counts))
}

/// Bits per spike of each unit, and pooled, of rates in spikes/bin.
#[pyfunction]
pub fn bits_per_spike(
    rates: &[u8],
    counts: &[u8],
    units: usize,
) -> Result<(Vec<Option<f64>>, Option<f64>), Failure> {
    let (rates, counts) = pair(rates, counts, units)?;
    let found = metrics::bits_per_spike_of_rates(&rates, &counts, units);
    Ok((found.per_unit, found.pooled))
}

/// Poisson D² of each unit, of rates in spikes/bin.
#[pyfunction]
pub fn poisson_d2(rates: &[u8], counts: &[u8], units: usize) -> Result<Vec<Option<f64>>, Failure> {
    let (rates, counts) = pair(rates, counts, units)?;
    let log_rates: Vec<f64> = rates.iter().map(|rate| rate.ln()).collect();
    Ok(metrics::poisson_d2(&log_rates, &counts, units))
}

/// Single-trial R² of each unit, of rates in spikes/bin.
#[pyfunction]
pub fn r2(rates: &[u8], counts: &[u8], units: usize) -> Result<Vec<Option<f64>>, Failure> {
    let (rates, counts) = pair(rates, counts, units)?;
    Ok(metrics::single_trial_r2(&rates, &counts, units))
}

/// R² of each unit's PSTHs, of rates in spikes/bin `[trial, bin, unit]` in trials of these conditions.
#[pyfunction]
pub fn psth_r2(
    rates: &[u8],
    counts: &[u8],
    units: usize,
    conditions: Vec<usize>,
) -> Result<Vec<Option<f64>>, Failure> {
    let (rates, counts) = pair(rates, counts, units)?;
    let entries = rates.len() / units;
    if conditions.is_empty() || !entries.is_multiple_of(conditions.len()) {
        return Err(Failure::setting(
            "conditions must be one per trial of rates and counts, [trial, bin, unit]",
        ));
    }
    Ok(metrics::psth_r2(&rates, &counts, entries / conditions.len(), units, &conditions))
}
