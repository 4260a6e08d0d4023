//! Passes of batches: predictions, losses and gradients.

use super::layers::{EMBEDDED_ROWS, PassShape, PassSlots, Use};
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
    selected: Vec<f32>,
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
        self.predict(session, prompt, trials, Use::Prediction, inputs, log_rates)
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
        self.predict(session, prompt, trials, Use::Prediction, inputs, log_rates)
    }

    /// [`Model::log_rates_of`] rows that [`Model::embed`] has embedded, `[trial, bin, hidden]`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch.
    ///
    /// # Panics
    /// As [`Model::log_rates_of`].
    pub fn log_rates_of_embedded(
        &mut self,
        session: usize,
        prompt: Prompt,
        units: &[usize],
        trials: usize,
        embedded: &[f32],
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        self.want(session, units);
        self.predict(session, prompt, trials, Use::PredictionOfEmbedded, embedded, log_rates)
    }

    fn want(&mut self, session: usize, units: &[usize]) {
        let known = units.last().is_none_or(|unit| *unit < self.sessions[session].units());
        assert!(known && units.is_sorted_by(|a, b| a < b), "units that the session has, in rising order");
        self.buffers.units.clear();
        self.buffers.units.extend(units);
    }

    /// Embeds bins by themselves: counts `[row, unit]` become what the tokens are made of, `[row, hidden]`.
    ///
    /// Rows do not depend on each other, so that a row which many predictions share is embedded once.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory.
    ///
    /// # Panics
    /// Where the slices do not hold equally many rows.
    pub fn embed(&mut self, session: usize, inputs: &[f32], embedded: &mut [f32]) -> Result<(), ModelError> {
        let units = self.sessions[session].units();
        let count = inputs.len() / units;
        assert_eq!(
            embedded.len(),
            count * self.layers.config.hidden,
            "one embedded row for each row of counts"
        );
        let rows = count.next_multiple_of(EMBEDDED_ROWS);
        let known = self.embeddings.iter().find(|slots| (slots.session, slots.rows) == (session, rows));
        let slots = match known {
            Some(slots) => slots.clone(),
            None => {
                let mut plan = MemoryPlan::after(&self.kept);
                let slots = Arc::new(self.layers.plan_embedding(&mut plan, session, rows));
                self.device.reserve(plan.floats())?;
                self.embeddings.push(slots.clone());
                slots
            }
        };
        self.prepare(session);
        // Constants of the plan in use may lie where these rows go.
        self.plan_in_use = None;
        let rest = slots.inputs.part(inputs.len(), rows * units - inputs.len());
        self.device.write(slots.inputs.part(0, inputs.len()), inputs);
        self.device.fill(rest, 0.0);
        let device = self.device.as_mut();
        self.layers.embed_rows(device, &slots);
        device.read(slots.projected.part(0, embedded.len()), embedded);
        Ok(())
    }

    fn prepare(&mut self, session: usize) {
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
        use_of: Use,
        inputs: &[f32],
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        let outputs = self.buffers.units.len();
        let shape = PassShape { session, trials, outputs, use_of };
        let index = self.plan(shape)?;
        let slots = self.plans[index].clone();
        self.prepare(session);
        let of_counts = use_of == Use::Prediction;
        self.device.write(if of_counts { slots.inputs } else { slots.projected }, inputs);
        self.write_selection(&slots);
        let layers = &self.layers;
        self.device.pass(shape.key(prompt, None), None, &mut |device| {
            layers.forward(device, &slots, prompt, None);
        });
        self.device.read(slots.log_rates, log_rates);
        Ok(())
    }

    fn write_selection(&mut self, slots: &PassSlots) {
        if let Some(selection) = &slots.selection {
            let selected = &mut self.buffers.selected;
            selected.clear();
            selected.extend(self.buffers.units.iter().map(|unit| *unit as f32));
            self.device.write(selection.units, selected);
        }
    }

    /// Writes the columns of the wanted units of `values`, `[row, unit]`.
    fn write_columns(&mut self, slots: &PassSlots, values: &[f32], slot: Slot) {
        if slots.selection.is_none() {
            return self.device.write(slot, values);
        }
        let Buffers { units, selected, .. } = &mut self.buffers;
        selected.clear();
        for row in values.chunks_exact(slots.width) {
            selected.extend(units.iter().map(|unit| row[*unit]));
        }
        self.device.write(slot, selected);
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
        let shape = PassShape { session, trials, outputs: self.buffers.units.len(), use_of: Use::Training };
        let index = self.plan(shape)?;
        let slots = self.plans[index].clone();
        self.device.write(slots.inputs, batch.inputs);
        self.write_columns(&slots, batch.counts, slots.counts);
        self.write_columns(&slots, batch.target, slots.target);
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
