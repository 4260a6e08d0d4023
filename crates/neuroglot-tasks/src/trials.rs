//! Dense counts of some trials of a session.

use neuroglot_data::Session;
use neuroglot_masks::Regions;

/// Counts of some trials, `[trial, bin, unit]`, with what belongs to them.
#[derive(Debug, Clone)]
pub struct Trials {
    /// Indices of the trials in the session.
    pub indices: Vec<usize>,
    /// Bins of a trial.
    pub bins: usize,
    /// Number of units.
    pub units: usize,
    /// `[trial, bin, unit]`.
    pub counts: Vec<f32>,
    /// ln of the true rates, `[trial, bin, unit]`, which only simulated sessions have.
    pub true_log_rates: Option<Vec<f32>>,
    /// ln of the rates expected given the latents of all regions.
    pub log_rates_given_latents: Option<Vec<f32>>,
    /// ln of the rates expected given the past.
    pub log_rates_given_past: Option<Vec<f32>>,
}

impl Trials {
    /// Some trials of a session.
    ///
    /// # Panics
    /// If the session has no such trial.
    pub fn of(session: &Session, indices: Vec<usize>) -> Self {
        let (bins, units) = (session.bins(), session.units().len());
        let counts = session.dense(&indices);
        let known = [Session::true_rates, Session::rates_given_latents, Session::rates_given_past];
        let [true_log_rates, log_rates_given_latents, log_rates_given_past] = known.map(|rates| {
            let rates: Option<Vec<&[f32]>> = indices.iter().map(|trial| rates(session, *trial)).collect();
            rates.map(|rates| rates.concat().iter().map(|rate| rate.ln()).collect())
        });
        Self { indices, bins, units, counts, true_log_rates, log_rates_given_latents, log_rates_given_past }
    }

    /// Number of trials.
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Entries of one trial.
    pub fn stride(&self) -> usize {
        self.bins * self.units
    }
}

/// The regions of a session's units, as tasks divide them.
pub fn regions_of(session: &Session) -> Regions {
    Regions::new(session.units().iter().map(|unit| unit.region.as_str()))
}
