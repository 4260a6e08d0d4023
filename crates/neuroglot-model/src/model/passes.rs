//! Passes of batches: predictions, losses and gradients.

use super::layers::{PassShape, PassSlots, Use};
use super::{Model, TrainingBatch};
use crate::trunk::DropoutKey;
use crate::{ModelError, Prompt};
use neuroglot_engine::ops::PoissonLoss;
use neuroglot_engine::{MemoryPlan, Slot};
use std::sync::Arc;

/// Room on the host for what is sent to the device, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    units: Vec<usize>,
    is_target: Vec<bool>,
    rows: Vec<f32>,
}

impl Model {
    /// Index of the plan for a batch shape, made when first used. All plans share the floats behind the parameters.
    fn plan(&mut self, shape: PassShape) -> Result<usize, ModelError> {
        let index = match self.plans.iter().position(|plan| plan.shape == shape) {
            Some(index) => index,
            None => {
                let mut plan = MemoryPlan::after(&self.kept);
                let slots = self.layers.plan(&mut plan, shape);
                self.device.reserve(plan.floats())?;
                self.plans.push(Arc::new(slots));
                self.plans.len() - 1
            }
        };
        if self.plan_in_use != Some(index) {
            self.layers.trunk.prepare(self.device.as_mut(), &self.plans[index].trunk);
            self.plan_in_use = Some(index);
        }
        Ok(index)
    }

    /// Log-rates of one batch in evaluation mode (no dropout), written to `log_rates`, `[trial, bin, unit]`.
    ///
    /// `inputs` are counts with hidden entries set to 0, `[trial, bin, unit]`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch.
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
    /// [`ModelError::Engine`] where the device has too little memory for the batch.
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
        self.want(session, units);
        self.predict(session, prompt, trials, inputs, log_rates)
    }

    pub(super) fn want(&mut self, session: usize, units: &[usize]) {
        let known = units.last().is_none_or(|unit| *unit < self.sessions[session].units());
        assert!(known && units.is_sorted_by(|a, b| a < b), "units that the session has, in rising order");
        self.buffers.units.clear();
        self.buffers.units.extend(units);
    }

    pub(super) fn prepare(&mut self, session: usize) {
        if self.prepared_for != Some(session) {
            self.layers.prepare(self.device.as_mut(), session);
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
        let slots = self.plan_prediction(session, trials, Use::Prediction)?;
        self.write_inputs(&slots, inputs);
        self.run_prediction(&slots, prompt, log_rates);
        Ok(())
    }

    /// The plan of a prediction of the wanted units.
    pub(super) fn plan_prediction(
        &mut self,
        session: usize,
        trials: usize,
        use_of: Use,
    ) -> Result<Arc<PassSlots>, ModelError> {
        let outputs = self.outputs(session);
        let index = self.plan(PassShape { session, trials, outputs, use_of })?;
        self.prepare(session);
        Ok(self.plans[index].clone())
    }

    /// Runs a pass whose inputs are on the device.
    pub(super) fn run_prediction(&mut self, slots: &PassSlots, prompt: Prompt, log_rates: &mut [f32]) {
        self.write_selection(slots);
        let layers = &self.layers;
        self.device.pass(slots.shape.key(prompt, None), None, &mut |device| {
            layers.forward(device, slots, prompt, None);
        });
        self.read_log_rates(slots, log_rates);
    }

    /// Log-rates of a row: of the wanted units, or of all places of a patch.
    fn outputs(&self, session: usize) -> usize {
        match self.layers.ends.patches(session) {
            Some(_) => self.layers.ends.width(session),
            None => self.buffers.units.len(),
        }
    }

    /// Writes inputs `[row, unit]` as the rows of tokens.
    fn write_inputs(&mut self, slots: &PassSlots, inputs: &[f32]) {
        match self.layers.ends.patches(slots.shape.session) {
            Some(patches) => {
                patches.write_inputs(inputs, &mut self.buffers.rows);
                self.device.write(slots.inputs, &self.buffers.rows);
            }
            None => self.device.write(slots.inputs, inputs),
        }
    }

    /// Reads the log-rates of the wanted units, `[row, wanted unit]`.
    fn read_log_rates(&mut self, slots: &PassSlots, log_rates: &mut [f32]) {
        let Some(patches) = self.layers.ends.patches(slots.shape.session) else {
            return self.device.read(slots.log_rates, log_rates);
        };
        let Buffers { units, rows, .. } = &mut self.buffers;
        rows.resize(slots.log_rates.len(), 0.0);
        self.device.read(slots.log_rates, rows);
        patches.read(rows, units, log_rates);
    }

    fn write_selection(&mut self, slots: &PassSlots) {
        if let Some(selection) = &slots.selection {
            let Buffers { units, rows, .. } = &mut self.buffers;
            rows.clear();
            rows.extend(units.iter().map(|unit| *unit as f32));
            self.device.write(selection.units, rows);
        }
    }

    /// Writes `values`, `[row, unit]`, in the shape of the log-rates.
    fn write_outputs(&mut self, slots: &PassSlots, values: &[f32], slot: Slot) {
        let Buffers { units, rows, .. } = &mut self.buffers;
        if let Some(patches) = self.layers.ends.patches(slots.shape.session) {
            patches.write(values, rows);
        } else if slots.selection.is_some() {
            rows.clear();
            for row in values.chunks_exact(slots.width) {
                rows.extend(units.iter().map(|unit| row[*unit]));
            }
        } else {
            return self.device.write(slot, values);
        }
        self.device.write(slot, rows);
    }

    /// Runs a batch forward and backward. The loss is read by [`Model::loss`] or [`Model::take_losses`], gradients are
    /// ready for [`Model::update`].
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch.
    ///
    /// # Panics
    /// Where a slice has the wrong length, or the model was built without `training`.
    pub fn loss_and_gradients(&mut self, batch: &TrainingBatch<'_>) -> Result<(), ModelError> {
        assert!(self.layers.parameters.is_training(), "the model was built for inference only");
        self.find_target_units(batch);
        let TrainingBatch { session, trials, prompt, .. } = *batch;
        let shape = PassShape { session, trials, outputs: self.outputs(session), use_of: Use::Training };
        let index = self.plan(shape)?;
        let slots = self.plans[index].clone();
        self.write_inputs(&slots, batch.inputs);
        self.write_outputs(&slots, batch.counts, slots.counts);
        self.write_outputs(&slots, batch.target, slots.target);
        self.write_selection(&slots);
        let key = batch.dropout.map(|(seed, step)| DropoutKey { seed, step });
        let layers = &self.layers;
        self.device.pass(shape.key(prompt, key), batch.dropout, &mut |device| {
            layers.prepare(device, session);
            layers.forward(device, &slots, prompt, key);
            device.poisson_loss(&PoissonLoss {
                log_rates: slots.log_rates,
                counts: slots.counts,
                target: slots.target,
                gradient: slots.log_rates_gradient,
                loss: slots.loss,
            });
            layers.backward(device, &slots, prompt, key);
        });
        self.prepared_for = Some(session);
        self.losses.push(self.device.as_mut(), slots.loss);
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
        if let Some(slots) = self
            .plan_in_use
            .map(|index| &self.plans[index])
            .filter(|slots| slots.shape.use_of == Use::Training)
        {
            self.device.read(slots.loss, &mut loss);
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
