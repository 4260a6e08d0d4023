//! Dense counts of some trials of a session.

use neuroglot_data::Session;

/// Counts of some trials, `[trial, bin, unit]`, with what belongs to them.
pub(crate) struct Trials {
    /// Indices of the trials in the session.
    pub indices: Vec<usize>,
    pub bins: usize,
    pub units: usize,
    /// `[trial, bin, unit]`.
    pub counts: Vec<f32>,
    /// ln of rates `[trial, bin, unit]` that only simulated sessions have: the true ones, those expected given the latents
    /// of all regions, and those expected given the past.
    pub true_log_rates: Option<Vec<f32>>,
    pub log_rates_given_latents: Option<Vec<f32>>,
    pub log_rates_given_past: Option<Vec<f32>>,
}

impl Trials {
    pub(crate) fn of(session: &Session, indices: Vec<usize>) -> Self {
        let (bins, units) = (session.bins(), session.units().len());
        let counts = session.dense(&indices);
        let known = [Session::true_rates, Session::rates_given_latents, Session::rates_given_past];
        let [true_log_rates, log_rates_given_latents, log_rates_given_past] = known.map(|rates| {
            let rates: Option<Vec<&[f32]>> = indices.iter().map(|trial| rates(session, *trial)).collect();
            rates.map(|rates| rates.concat().iter().map(|rate| rate.ln()).collect())
        });
        Self { indices, bins, units, counts, true_log_rates, log_rates_given_latents, log_rates_given_past }
    }

    pub(crate) fn len(&self) -> usize {
        self.indices.len()
    }

    /// Entries of one trial.
    pub(crate) fn stride(&self) -> usize {
        self.bins * self.units
    }
}

/// The part of `values` `[trial, bin, unit]` from bin `first` on, and of some units.
pub(crate) fn part(values: &[f32], bins: usize, units: usize, first: usize, kept: &[usize]) -> Vec<f32> {
    let rows = values.chunks(units).enumerate().filter(|(row, _)| row % bins >= first);
    rows.flat_map(|(_, row)| kept.iter().map(|unit| row[*unit])).collect()
}
