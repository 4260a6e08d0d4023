//! Passes of batches: predictions, losses and gradients.

use super::{Model, TrainingBatch};
use crate::ModelError;
use crate::config::PromptRow;
use crate::context::{Context, DropoutKey};
use crate::network::{Pass, PassShape, Use};
use neuroglot_engine::ops::PoissonLoss;
use neuroglot_engine::{MemoryPlan, Slot};
use neuroglot_masks::Prompt;
use std::sync::Arc;

/// A pass with what the host adds to it: the loss.
pub(super) struct PlannedPass {
    pub shape: PassShape,
    pub pass: Box<dyn Pass>,
    /// Training only.
    counts: Slot,
    target: Slot,
    loss: Slot,
    log_rates_gradient: Slot,
}

/// Room on the host for what is sent to the device, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    units: Vec<usize>,
    is_target: Vec<bool>,
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
                let [counts, target, log_rates_gradient] = [outputs; 3].map(&mut only_training);
                let loss = only_training(1);
                self.device.reserve(plan.floats())?;
                self.passes.push(Arc::new(PlannedPass {
                    shape,
                    pass,
                    counts,
                    target,
                    loss,
                    log_rates_gradient,
                }));
                self.passes.len() - 1
            }
        };
        let pass = self.passes[index].clone();
        if self.pass_in_use != Some(index) {
            pass.pass.write_constants(self.device.as_mut());
            self.pass_in_use = Some(index);
        }
        Ok(pass)
    }

    /// Log-rates of one batch in evaluation mode (no dropout), written to `log_rates`, `[trial, bin, unit]`.
    ///
    /// `inputs` are counts with hidden entries set to 0, `[trial, bin, unit]`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch, [`ModelError::Prompt`].
    ///
    /// # Panics
    /// Where a slice has the wrong length.
    pub fn log_rates(
        &mut self,
        session: usize,
        prompt: Prompt,
        trials: usize,
        inputs: &[f32],
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        self.buffers.units.clear();
        self.buffers.units.extend(0..self.sessions[session].units());
        self.predict(session, prompt, trials, inputs, log_rates)
    }

    /// [`Model::log_rates`] of some units only, given in rising order, `[trial, bin, given unit]`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch, [`ModelError::Prompt`].
    ///
    /// # Panics
    /// Where a slice has the wrong length, the session has no such unit, or units do not rise.
    pub fn log_rates_of(
        &mut self,
        session: usize,
        prompt: Prompt,
        units: &[usize],
        trials: usize,
        inputs: &[f32],
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        self.ask_for(session, units);
        self.predict(session, prompt, trials, inputs, log_rates)
    }

    /// What the decoder reads, `[trial, bin, hidden]` (of a model of several tokens a bin: `[trial, token, hidden]`), in
    /// evaluation mode: the activations behind the last normalisation, of which log-rates are a linear map.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch, [`ModelError::Prompt`].
    ///
    /// # Panics
    /// Where a slice has the wrong length.
    pub fn activations(
        &mut self,
        session: usize,
        prompt: Prompt,
        trials: usize,
        inputs: &[f32],
        activations: &mut [f32],
    ) -> Result<(), ModelError> {
        // A pass has at least one output; one unit's costs next to nothing.
        let mut first_unit = vec![0.0; trials * self.bins];
        self.log_rates_of(session, prompt, &[0], trials, inputs, &mut first_unit)?;
        if let Some(index) = self.pass_in_use {
            self.device.read(self.passes[index].pass.slots().activations, activations);
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
        trials: usize,
        inputs: &[f32],
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        let prompt = self.config.prompt_row(prompt)?;
        let pass = self.pass_of_prediction(session, trials, Use::Prediction)?;
        self.write_inputs(&pass, inputs);
        self.run_prediction(&pass, prompt, log_rates);
        Ok(())
    }

    /// The pass of a prediction of the units asked for.
    pub(super) fn pass_of_prediction(
        &mut self,
        session: usize,
        trials: usize,
        use_of: Use,
    ) -> Result<Arc<PlannedPass>, ModelError> {
        let outputs = self.outputs(session);
        let pass = self.pass(PassShape { session, trials, outputs, use_of })?;
        self.prepare(session);
        Ok(pass)
    }

    /// Runs a pass whose inputs are on the device.
    pub(super) fn run_prediction(&mut self, pass: &PlannedPass, prompt: PromptRow, log_rates: &mut [f32]) {
        self.write_wanted_units(pass);
        let p = &self.parameters;
        self.device.pass(pass.shape.key(prompt, None), None, &mut |device| {
            pass.pass.forward(&mut Context { p, device, dropout: None }, prompt);
        });
        let Buffers { units, rows, .. } = &mut self.buffers;
        let unit_rows = self.network.unit_rows(pass.shape.session);
        unit_rows.read(self.device.as_ref(), pass.pass.slots().log_rates, units, rows, log_rates);
    }

    /// Log-rates of a row of the units asked for.
    fn outputs(&self, session: usize) -> usize {
        self.network.unit_rows(session).outputs(self.buffers.units.len())
    }

    /// Writes counts `[trial, bin, unit]` as the rows that the network reads.
    fn write_inputs(&mut self, pass: &PlannedPass, counts: &[f32]) {
        let unit_rows = self.network.unit_rows(pass.shape.session);
        self.device.write(pass.pass.slots().inputs, unit_rows.inputs(counts, &mut self.buffers.rows));
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

    /// Writes values `[trial, bin, unit]` in the shape of the log-rates.
    fn write_outputs(&mut self, pass: &PlannedPass, values: &[f32], slot: Slot) {
        let Buffers { units, rows, .. } = &mut self.buffers;
        let unit_rows = self.network.unit_rows(pass.shape.session);
        self.device.write(slot, unit_rows.like_log_rates(values, units, rows));
    }

    /// Runs a batch forward and backward. The loss is read by [`Model::loss`] or [`Model::take_losses`], gradients are
    /// ready for [`Model::update`].
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch, [`ModelError::Prompt`].
    ///
    /// # Panics
    /// Where a slice has the wrong length, or the model was built without `training`.
    pub fn loss_and_gradients(&mut self, batch: &TrainingBatch<'_>) -> Result<(), ModelError> {
        assert!(self.parameters.is_training(), "the model was built for inference only");
        self.find_target_units(batch);
        let TrainingBatch { session, trials, .. } = *batch;
        let prompt = self.config.prompt_row(batch.prompt)?;
        let shape = PassShape { session, trials, outputs: self.outputs(session), use_of: Use::Training };
        let planned = self.pass(shape)?;
        self.write_inputs(&planned, batch.inputs);
        self.write_outputs(&planned, batch.counts, planned.counts);
        self.write_outputs(&planned, batch.target, planned.target);
        self.write_wanted_units(&planned);
        let dropout = batch.dropout.map(|(seed, step)| DropoutKey { seed, step });
        let (p, network) = (&self.parameters, &self.network);
        let PlannedPass { pass, counts, target, loss, log_rates_gradient, .. } = &*planned;
        self.device.pass(shape.key(prompt, dropout), batch.dropout, &mut |device| {
            let mut cx = Context { p, device, dropout };
            network.prepare(&mut cx, session);
            pass.forward(&mut cx, prompt);
            cx.device.poisson_loss(&PoissonLoss {
                log_rates: pass.slots().log_rates,
                counts: *counts,
                target: *target,
                gradient: *log_rates_gradient,
                loss: *loss,
            });
            pass.backward(&mut cx, prompt, *log_rates_gradient);
        });
        self.prepared_for = Some(session);
        self.losses.push(self.device.as_mut(), *loss);
        Ok(())
    }

    /// Finds the units that the loss counts in any bin; all units where leaving some out would save little.
    fn find_target_units(&mut self, batch: &TrainingBatch<'_>) {
        let count = self.sessions[batch.session].units();
        let Buffers { units, is_target, .. } = &mut self.buffers;
        is_target.clear();
        is_target.resize(count, false);
        for row in batch.target.chunks_exact(count) {
            for (is_target, target) in is_target.iter_mut().zip(row) {
                *is_target |= *target != 0.0;
            }
        }
        units.clear();
        units.extend((0..count).filter(|unit| is_target[*unit]));
        if units.is_empty() || 4 * units.len() > 3 * count {
            units.clear();
            units.extend(0..count);
        }
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
