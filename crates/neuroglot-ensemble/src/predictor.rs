//! An ensemble asked about one session.

use crate::network_predictor::NetworkPredictor;
use crate::{Ensemble, EnsembleError};
use neuroglot_coupling::average_log_rates;
use neuroglot_masks::{Holdout, Prompt, Regions, Scheme};
use neuroglot_tasks::{Task, Trials};

/// An ensemble asked about one session.
///
/// A scheme says in which way entries are hidden: networks are given the prompt that they have learned for it, and couplings are
/// those that were solved under it. All log-rates are ln(spikes/bin).
pub struct Predictor<'a> {
    ensemble: &'a mut Ensemble,
    session: usize,
}

/// Log-rates of a task, `[trial, bin, unit]`; entries that the task does not score may hold anything.
pub struct TaskLogRates {
    /// Of the ensemble.
    pub average: Vec<f32>,
    /// Of the networks alone and of the coupling alone, where there is a coupling.
    pub alone: Option<[Vec<f32>; 2]>,
}

impl<'a> Predictor<'a> {
    pub(crate) fn new(ensemble: &'a mut Ensemble, session: usize) -> Self {
        Self { ensemble, session }
    }

    /// The prompt that networks are given for a scheme.
    fn prompt(&self, scheme: Scheme) -> Prompt {
        self.ensemble.config().mask.pool.prompt_for(scheme)
    }

    /// Log-rates of a task; `progress(done, total)` counts its cases.
    ///
    /// # Errors
    /// [`EnsembleError::Diverged`], and those of the device.
    pub fn of_task(
        &mut self,
        task: Task,
        trials: &Trials,
        regions: &Regions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<TaskLogRates, EnsembleError> {
        let networks = self.networks_of_task(task, trials, regions, progress)?;
        let mut average = networks.clone();
        // What a task hides, its coupling does not look at.
        let nothing = Holdout::nothing(1, trials.bins, trials.units);
        let coupling = self.average_with_coupling(task.scheme(), trials, &nothing, &mut average);
        Ok(TaskLogRates { average, alone: coupling.map(|coupling| [networks, coupling]) })
    }

    /// As [`Predictor::of_task`], by the networks alone.
    pub(crate) fn networks_of_task(
        &mut self,
        task: Task,
        trials: &Trials,
        regions: &Regions,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<f32>, EnsembleError> {
        let (session, prompt) = (self.session, self.prompt(task.scheme()));
        self.ensemble.average(|model| {
            NetworkPredictor::new(model, session, trials)?.of_task(task, regions, prompt, progress)
        })
    }

    /// Log-rates `[trial, bin, unit]` of some units, in rising order, under a holdout of one trial that all trials share; entries
    /// of other units may hold anything.
    ///
    /// # Errors
    /// [`EnsembleError::Diverged`], and those of the device.
    pub fn under(
        &mut self,
        holdout: &Holdout,
        scheme: Scheme,
        trials: &Trials,
        units: &[usize],
    ) -> Result<Vec<f32>, EnsembleError> {
        let (session, prompt) = (self.session, self.prompt(scheme));
        let mut log_rates = self.ensemble.average(|model| {
            let mut predicted = vec![0.0; trials.counts.len()];
            NetworkPredictor::new(model, session, trials)?.run_trials(
                units,
                prompt,
                holdout,
                &mut predicted,
            )?;
            Ok(predicted)
        })?;
        self.average_with_coupling(scheme, trials, holdout, &mut log_rates);
        Ok(log_rates)
    }

    /// Averages log-rates of networks with those of the coupling, which it returns where there is one.
    fn average_with_coupling(
        &self,
        scheme: Scheme,
        trials: &Trials,
        holdout: &Holdout,
        log_rates: &mut [f32],
    ) -> Option<Vec<f32>> {
        let (weight, coupling) = self.ensemble.coupling(self.session, scheme)?;
        let mut of_coupling = vec![0.0; log_rates.len()];
        coupling.log_rates(&trials.counts, holdout, &mut of_coupling);
        average_log_rates(weight, &of_coupling, &coupling.most_log_rates(), log_rates);
        Some(of_coupling)
    }

    /// Log-rates `[trial, bin, unit]` with nothing hidden.
    ///
    /// # Errors
    /// [`EnsembleError::Diverged`], and those of the device.
    pub fn with_nothing_hidden(
        &mut self,
        trials: &Trials,
        scheme: Scheme,
    ) -> Result<Vec<f32>, EnsembleError> {
        let all: Vec<usize> = (0..trials.units).collect();
        self.under(&Holdout::nothing(1, trials.bins, trials.units), scheme, trials, &all)
    }

    /// The place of its session in the configuration of the ensemble.
    pub fn session(&self) -> usize {
        self.session
    }

    /// Width of the activations.
    pub fn hidden(&self) -> usize {
        self.ensemble.hidden()
    }

    /// What the first network makes of each bin with nothing hidden, `[trial, bin, hidden]`: the activations behind its last
    /// normalisation, of which its log-rates are a linear map. Where a bin is several tokens (NDT2), it is their mean. A coupling
    /// has none.
    ///
    /// # Errors
    /// Those of the device.
    pub fn latents(&mut self, trials: &Trials, scheme: Scheme) -> Result<Vec<f32>, EnsembleError> {
        let (session, prompt) = (self.session, self.prompt(scheme));
        let model = self.ensemble.first_network()?;
        NetworkPredictor::new(model, session, trials)?.latents(prompt)
    }
}
