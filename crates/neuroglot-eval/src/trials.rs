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
    /// ln of the true rates, `[trial, bin, unit]`, of simulated sessions.
    pub true_log_rates: Option<Vec<f32>>,
}

impl Trials {
    pub(crate) fn of(session: &Session, indices: Vec<usize>) -> Self {
        let (bins, units) = (session.bins(), session.units().len());
        let counts = session.dense(&indices);
        let true_log_rates = session.has_true_rates().then(|| {
            let rates = indices.iter().filter_map(|trial| session.true_rates(*trial));
            rates.flat_map(|rates| rates.iter().map(|rate| rate.ln())).collect()
        });
        Self { indices, bins, units, counts, true_log_rates }
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
