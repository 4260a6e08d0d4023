//! Passes of batches: predictions, losses and gradients.

use super::batch_inputs::BatchInputs;
use super::{BatchCounts, Model, TrainingBatch};
use crate::ModelError;
use crate::config::PromptRow;
use crate::context::{Context, DropoutKey};
use crate::count_statistics::write_inputs;
use crate::layers::PADDING;
use crate::network::{CountSource, Pass, PassShape, PassSlots, Use};
use neuroglot_engine::ops::{PoissonLoss, ShownCounts};
use neuroglot_engine::{MemoryPlan, Slot};
use neuroglot_masks::{Holdout, Prompt};
use std::sync::Arc;

/// A pass with what the host adds to it: what is shown of counts, and the loss.
pub(super) struct PlannedPass {
    pub shape: PassShape,
    pub pass: Box<dyn Pass>,
    /// `None` where tokens are given in place of counts.
    inputs: Option<BatchInputs>,
    /// Mean and deviation of each unit; empty where counts are read as they are.
    statistics: [Slot; 2],
    /// Training only.
    loss: Slot,
    log_rates_gradient: Slot,
}

impl PlannedPass {
    /// What the network reads of the batch.
    fn show(&self, cx: &mut Context<'_>) {
        let Some(BatchInputs { trials, columns, .. }) = self.inputs else { return };
        let [mean, deviation] = self.statistics;
        let x = self.pass.slots().inputs;
        cx.device.shown_counts(&ShownCounts { of: trials, columns, padding: PADDING, mean, deviation, x });
    }
}

/// Room on the host for what is sent to the device, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    units: Vec<usize>,
    /// As [`MarkLayout`](neuroglot_engine::ops::MarkLayout) has them.
    pub marks: Vec<u32>,
    /// `[row, unit]`, as the network reads them.
    inputs: Vec<f32>,
    rows: Vec<f32>,
}

impl Model {
    /// The pass of a batch shape, planned when first used. All passes share the floats behind the parameters.
    fn pass(&mut self, shape: PassShape) -> Result<Arc<PlannedPass>, ModelError> {
        let index = match self.passes.iter().position(|pass| pass.shape == shape) {
            Some(index) => index,
            None => {
                let mut plan = MemoryPlan::after(&self.shared);
                let pass = self.network.clone().plan(&mut plan, shape);
                let outputs = pass.slots().log_rates.len();
                let mut only_training =
                    |len| if shape.is_training() { plan.slot(len) } else { Slot::default() };
                let (log_rates_gradient, loss) = (only_training(outputs), only_training(1));
                let reads_counts = shape.use_of != Use::PredictionOfTokens;
                let inputs = reads_counts.then(|| self.plan_inputs(&mut plan, &shape));
                let statistics = self.statistics_slots[shape.session];
                self.device.reserve(plan.floats())?;
                let planned = PlannedPass { shape, pass, inputs, statistics, loss, log_rates_gradient };
                self.passes.push(Arc::new(planned));
                self.passes.len() - 1
            }
        };
        let pass = self.passes[index].clone();
        if self.pass_in_use != Some(index) {
            pass.pass.write_constants(self.device.as_mut());
            if let Some(inputs) = &pass.inputs {
                self.write_columns(inputs, shape.session);
            }
            self.pass_in_use = Some(index);
        }
        Ok(pass)
    }

    /// Log-rates of one batch in evaluation mode (no dropout), written to `log_rates`, `[trial, bin, unit]`.
    ///
    /// The holdout says what is hidden of the counts: that of one trial is of all of them.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch, [`ModelError::Prompt`],
    /// [`ModelError::CountStatistics`].
    ///
    /// # Panics
    /// Where a slice has the wrong length, or the holdout is of other trials.
    pub fn log_rates<'a>(
        &mut self,
        session: usize,
        prompt: Prompt,
        counts: impl Into<BatchCounts<'a>>,
        holdout: &Holdout,
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        self.buffers.units.clear();
        self.buffers.units.extend(0..self.sessions[session].units());
        self.predict(session, prompt, counts.into(), holdout, log_rates)
    }

    /// [`Model::log_rates`] of some units only, given in rising order, `[trial, bin, given unit]`.
    ///
    /// # Errors
    /// As [`Model::log_rates`].
    ///
    /// # Panics
    /// As [`Model::log_rates`], and where the session has no such unit, or units do not rise.
    pub fn log_rates_of<'a>(
        &mut self,
        session: usize,
        prompt: Prompt,
        units: &[usize],
        counts: impl Into<BatchCounts<'a>>,
        holdout: &Holdout,
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        self.ask_for(session, units);
        self.predict(session, prompt, counts.into(), holdout, log_rates)
    }

    /// What the decoder reads, `[trial, bin, hidden]`, in evaluation mode: the activations behind the last normalisation, of which
    /// log-rates are a linear map. Of a network with several tokens a bin it is the mean over them, of which log-rates are none.
    ///
    /// # Errors
    /// As [`Model::log_rates`].
    ///
    /// # Panics
    /// As [`Model::log_rates`].
    pub fn activations<'a>(
        &mut self,
        session: usize,
        prompt: Prompt,
        counts: impl Into<BatchCounts<'a>>,
        holdout: &Holdout,
        activations: &mut [f32],
    ) -> Result<(), ModelError> {
        // A pass has at least one output; one unit's costs next to nothing.
        let counts = counts.into();
        let mut first_unit = vec![0.0; self.trials_of(session, counts) * self.bins];
        self.log_rates_of(session, prompt, &[0], counts, holdout, &mut first_unit)?;
        let Some(index) = self.pass_in_use else { return Ok(()) };
        let slot = self.passes[index].pass.slots().activations;
        let tokens = slot.len() / activations.len();
        assert_eq!(slot.len(), tokens * activations.len(), "activations of every bin");
        if tokens == 1 {
            self.device.read(slot, activations);
            return Ok(());
        }
        let mut of_tokens = vec![0.0; slot.len()];
        self.device.read(slot, &mut of_tokens);
        let hidden = self.config.hidden;
        let bins = of_tokens.chunks_exact(tokens * hidden).zip(activations.chunks_exact_mut(hidden));
        for (of_tokens, mean) in bins {
            mean.fill(0.0);
            for token in of_tokens.chunks_exact(hidden) {
                mean.iter_mut().zip(token).for_each(|(mean, value)| *mean += value / tokens as f32);
            }
        }
        Ok(())
    }

    /// Asks the next pass for the log-rates of some units.
    pub(super) fn ask_for(&mut self, session: usize, units: &[usize]) {
        let known = units.last().is_none_or(|unit| *unit < self.sessions[session].units());
        assert!(known && units.is_sorted_by(|a, b| a < b), "units that the session has, in rising order");
        self.buffers.units.clear();
        self.buffers.units.extend(units);
    }

    pub(super) fn prepare(&mut self, session: usize) {
        if self.prepared_for != Some(session) {
            self.network.clone().prepare(&mut self.context(), session);
            self.prepared_for = Some(session);
        }
    }

    fn predict(
        &mut self,
        session: usize,
        prompt: Prompt,
        counts: BatchCounts<'_>,
        holdout: &Holdout,
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        let prompt = self.config.prompt_row(prompt)?;
        let shape = self.shape(session, counts, holdout, Use::Prediction);
        let pass = self.prepared_pass(shape)?;
        self.write_batch(&pass, counts, holdout)?;
        self.run_prediction(&pass, prompt, log_rates);
        Ok(())
    }

    fn trials_of(&self, session: usize, counts: BatchCounts<'_>) -> usize {
        counts.trials(self.bins * self.sessions[session].units())
    }

    fn shape(&self, session: usize, counts: BatchCounts<'_>, holdout: &Holdout, use_of: Use) -> PassShape {
        let (trials, outputs) = (self.trials_of(session, counts), self.outputs(session));
        let (counts, has_entries) = (counts.source(), holdout.marks().entries.is_some());
        PassShape { session, trials, outputs, use_of, counts, has_entries }
    }

    fn write_batch(
        &mut self,
        pass: &PlannedPass,
        counts: BatchCounts<'_>,
        holdout: &Holdout,
    ) -> Result<(), ModelError> {
        match &pass.inputs {
            Some(inputs) => self.write_inputs(inputs, pass.shape.session, counts, holdout),
            None => Ok(()),
        }
    }

    /// The pass of the units asked for, from tokens.
    pub(super) fn pass_of_tokens(
        &mut self,
        session: usize,
        trials: usize,
    ) -> Result<Arc<PlannedPass>, ModelError> {
        let (outputs, use_of) = (self.outputs(session), Use::PredictionOfTokens);
        let counts = CountSource::Given;
        self.prepared_pass(PassShape { session, trials, outputs, use_of, counts, has_entries: false })
    }

    fn prepared_pass(&mut self, shape: PassShape) -> Result<Arc<PlannedPass>, ModelError> {
        let pass = self.pass(shape)?;
        self.prepare(shape.session);
        Ok(pass)
    }

    /// Runs a pass whose inputs are on the device.
    pub(super) fn run_prediction(&mut self, pass: &PlannedPass, prompt: PromptRow, log_rates: &mut [f32]) {
        self.write_wanted_units(pass);
        let p = &self.parameters;
        self.device.pass(pass.shape.key(prompt, None), None, &mut |device| {
            let mut cx = Context { p, device, dropout: None };
            pass.show(&mut cx);
            pass.pass.forward(&mut cx, prompt);
        });
        let Buffers { units, rows, .. } = &mut self.buffers;
        let unit_rows = self.network.unit_rows(pass.shape.session);
        unit_rows.read(self.device.as_ref(), pass.pass.slots().log_rates, units, rows, log_rates);
    }

    /// Log-rates of a row of the units asked for.
    fn outputs(&self, session: usize) -> usize {
        self.network.unit_rows(session).outputs(self.buffers.units.len())
    }

    /// Writes counts `[row, unit]` to the start of a slot as a network with a token per bin reads them. `hidden` repeats until all
    /// rows are told.
    pub(super) fn write_rows(
        &mut self,
        session: usize,
        counts: &[f32],
        hidden: &[bool],
        slot: Slot,
    ) -> Result<(), ModelError> {
        let mut inputs = std::mem::take(&mut self.buffers.inputs);
        write_inputs(self.count_statistics(session)?, counts, hidden, &mut inputs);
        self.device.write(slot.part(0, inputs.len()), &inputs);
        self.buffers.inputs = inputs;
        Ok(())
    }

    fn write_wanted_units(&mut self, pass: &PlannedPass) {
        let slot = pass.pass.slots().units;
        if !slot.is_empty() {
            let Buffers { units, rows, .. } = &mut self.buffers;
            rows.clear();
            rows.extend(units.iter().map(|unit| *unit as f32));
            self.device.write(slot, rows);
        }
    }

    /// Runs a batch forward and backward. The loss is read by [`Model::loss`] or [`Model::take_losses`], gradients are
    /// ready for [`Model::update`].
    ///
    /// # Errors
    /// As [`Model::log_rates`].
    ///
    /// # Panics
    /// Where counts and holdout are not of the same trials, or the model was built without `training`.
    pub fn loss_and_gradients(&mut self, batch: &TrainingBatch<'_>) -> Result<(), ModelError> {
        assert!(self.parameters.is_training(), "the model was built for inference only");
        self.ask_for_target_units(batch);
        let TrainingBatch { session, holdout, counts, .. } = *batch;
        assert_eq!(self.trials_of(session, counts), holdout.trials(), "a holdout of the batch's trials");
        let prompt = self.config.prompt_row(batch.prompt)?;
        let shape = self.shape(session, counts, holdout, Use::Training);
        let planned = self.pass(shape)?;
        self.write_batch(&planned, counts, holdout)?;
        self.write_wanted_units(&planned);
        let dropout = batch.dropout.map(|(seed, step)| DropoutKey { seed, step });
        let (p, network) = (&self.parameters, &self.network);
        let PlannedPass { pass, inputs, loss, log_rates_gradient, .. } = &*planned;
        let PassSlots { log_rates, units, .. } = pass.slots();
        let scored = inputs.map(|inputs| PoissonLoss {
            of: inputs.trials,
            columns: if units.is_empty() { inputs.output_columns } else { units },
            log_rates,
            gradient: *log_rates_gradient,
            loss: *loss,
        });
        self.device.pass(shape.key(prompt, dropout), batch.dropout, &mut |device| {
            let mut cx = Context { p, device, dropout };
            network.prepare(&mut cx, session);
            planned.show(&mut cx);
            pass.forward(&mut cx, prompt);
            if let Some(loss) = &scored {
                cx.device.poisson_loss(loss);
            }
            pass.backward(&mut cx, prompt, *log_rates_gradient);
        });
        self.prepared_for = Some(session);
        self.losses.push(self.device.as_mut(), *loss);
        Ok(())
    }

    /// Asks for the units that the loss counts in any bin; all units where leaving some out would save little.
    fn ask_for_target_units(&mut self, batch: &TrainingBatch<'_>) {
        let all = self.sessions[batch.session].units();
        let mut units = batch.holdout.units_scored();
        if units.is_empty() || 4 * units.len() > 3 * all {
            units = (0..all).collect();
        }
        self.buffers.units = units;
    }

    /// The loss of the last [`Model::loss_and_gradients`]: Σ over target entries of eˡ − y·l (nats).
    pub fn loss(&self) -> f32 {
        let mut loss = [0.0];
        let last = self.pass_in_use.map(|index| &self.passes[index]);
        if let Some(last) = last.filter(|pass| pass.shape.is_training()) {
            self.device.read(last.loss, &mut loss);
        }
        loss[0]
    }

    /// The losses of all [`Model::loss_and_gradients`] since the last call, oldest first.
    ///
    /// Asking now and then instead of after every step lets a device compute without waiting for the host.
    pub fn take_losses(&mut self) -> Vec<f32> {
        self.losses.take(self.device.as_ref())
    }
}
