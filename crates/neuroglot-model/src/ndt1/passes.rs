//! The forward and the backward pass.

use super::{Layers, Ndt1, TrainingBatch};
use crate::parameters::Part;
use crate::trunk::{DropoutKey, TrunkSlots, dropout_at};
use crate::{ModelError, Prompt};
use neuroglot_engine::ops::*;
use neuroglot_engine::{AttentionRule, Device, MemoryPlan, PassKey, Slot};
use std::sync::Arc;

/// Session and prompt tokens stand in front of the bins.
const PREFIX: usize = 2;
/// Site of the tokens' dropout.
const TOKEN_DROPOUT: u32 = 0;

/// What a plan is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PassShape {
    session: usize,
    trials: usize,
    /// Units whose log-rates are wanted.
    outputs: usize,
    use_of: Use,
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// Loss and gradients.
    Training,
    /// Log-rates of counts.
    Prediction,
    /// Log-rates of rows that are embedded already.
    PredictionOfEmbedded,
}

/// Memory for embedding some rows by themselves.
#[derive(Debug)]
pub(super) struct EmbeddingSlots {
    session: usize,
    rows: usize,
    inputs: Slot,
    embedded: Slot,
    projected: Slot,
}

/// Rows of an embedding are rounded up to a multiple of this, so that few plans serve all.
const EMBEDDED_ROWS: usize = 32;

/// Memory of a pass over one batch shape.
#[derive(Debug)]
pub(super) struct PassSlots {
    shape: PassShape,
    units: usize,
    inputs: Slot,
    embedded: Slot,
    projected: Slot,
    tokens: Slot,
    trunk: TrunkSlots,
    bins: Slot,
    normed: Slot,
    statistics: Slot,
    log_rates: Slot,
    /// Where not all units are wanted.
    selection: Option<Selection>,
    counts: Slot,
    target: Slot,
    loss: Slot,
    /// Gradients: of the log-rates, of `[bin, hidden]` rows, of the tokens, of the embedding.
    log_rates_gradient: Slot,
    bins_gradient: Slot,
    tokens_gradient: Slot,
    embedded_gradient: Slot,
    composed_gradient: [Slot; 2],
}

/// The decoder of some units.
#[derive(Debug, Clone, Copy)]
struct Selection {
    /// Numbers of the units.
    units: Slot,
    weight: Slot,
    bias: Slot,
    weight_gradient: Slot,
    bias_gradient: Slot,
}

/// Room on the host for what is sent to the device, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    units: Vec<usize>,
    is_target: Vec<bool>,
    selected: Vec<f32>,
}

impl Ndt1 {
    /// Index of the plan for a batch shape, made when first used. All plans share the floats behind the parameters.
    fn plan(&mut self, shape: PassShape) -> Result<usize, ModelError> {
        let index = match self.plans.iter().position(|plan| plan.shape == shape) {
            Some(index) => index,
            None => {
                let mut plan = MemoryPlan::after(&self.kept);
                let units = self.sessions[shape.session].units;
                let slots = self.layers.plan(&mut plan, shape, units);
                self.device.reserve(plan.floats())?;
                self.plans.push(Arc::new(slots));
                self.plans.len() - 1
            }
        };
        if self.prepared != Some(index) {
            self.layers.trunk.prepare(self.device.as_mut(), &self.plans[index].trunk);
            self.prepared = Some(index);
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
        self.buffers.units.extend(0..self.sessions[session].units);
        self.predict(session, prompt, trials, Use::Prediction, inputs, log_rates)
    }

    /// [`Ndt1::log_rates`] of some units only, given in rising order, `[trial, bin, given unit]`.
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

    /// [`Ndt1::log_rates_of`] rows that [`Ndt1::embed`] has embedded, `[trial, bin, hidden]`.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch.
    ///
    /// # Panics
    /// As [`Ndt1::log_rates_of`].
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

    /// What the output of a session reads, `[trial, bin, hidden]`, in evaluation mode: the activations behind the last
    /// normalisation, of which log-rates are a linear map.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch.
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
        let mut first_unit = vec![0.0; trials * self.layers.bins];
        self.log_rates_of(session, prompt, &[0], trials, inputs, &mut first_unit)?;
        if let Some(slots) = self.prepared.map(|index| &self.plans[index]) {
            self.device.read(slots.normed, activations);
        }
        Ok(())
    }

    fn want(&mut self, session: usize, units: &[usize]) {
        let known = units.last().is_none_or(|unit| *unit < self.sessions[session].units);
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
        let units = self.sessions[session].units;
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
                let slots = Arc::new(self.layers.plan_embedding(&mut plan, session, rows, units));
                self.device.reserve(plan.floats())?;
                self.embeddings.push(slots.clone());
                slots
            }
        };
        self.prepare_composed(session);
        // Constants of the plan in use may lie where these rows go.
        self.prepared = None;
        let rest = slots.inputs.part(inputs.len(), rows * units - inputs.len());
        self.device.write(slots.inputs.part(0, inputs.len()), inputs);
        self.device.fill(rest, 0.0);
        let device = self.device.as_mut();
        self.layers.embed(device, rows, units, slots.inputs, slots.embedded, slots.projected);
        device.read(slots.projected.part(0, embedded.len()), embedded);
        Ok(())
    }

    fn prepare_composed(&mut self, session: usize) {
        if self.composed_for != Some(session) {
            self.layers.compose(self.device.as_mut(), session, self.sessions[session].units);
            self.composed_for = Some(session);
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
        self.prepare_composed(session);
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
        for row in values.chunks_exact(slots.units) {
            selected.extend(units.iter().map(|unit| row[*unit]));
        }
        self.device.write(slot, selected);
    }

    /// Runs a batch forward and backward. The loss is read by [`Ndt1::loss`] or [`Ndt1::take_losses`], gradients are
    /// ready for [`Ndt1::update`].
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
            layers.compose(device, session, slots.units);
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
        self.composed_for = Some(session);
        self.losses.push(self.device.as_mut(), slots.loss);
        Ok(())
    }

    /// Finds the units that the loss counts in any bin; all units where leaving some out would save little.
    fn find_target_units(&mut self, batch: &TrainingBatch<'_>) {
        let count = self.sessions[batch.session].units;
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

    /// The loss of the last [`Ndt1::loss_and_gradients`]: Σ over target entries of eˡ − y·l (nats).
    pub fn loss(&self) -> f32 {
        let mut loss = [0.0];
        if let Some(slots) =
            self.prepared.map(|index| &self.plans[index]).filter(|slots| slots.shape.use_of == Use::Training)
        {
            self.device.read(slots.loss, &mut loss);
        }
        loss[0]
    }

    /// The losses of all [`Ndt1::loss_and_gradients`] since the last call, oldest first.
    ///
    /// Asking now and then instead of after every step lets a device compute without waiting for the host.
    pub fn take_losses(&mut self) -> Vec<f32> {
        self.losses.take(self.device.as_ref())
    }
}

impl PassShape {
    fn key(&self, prompt: Prompt, dropout: Option<DropoutKey>) -> PassKey {
        let kind = self.use_of as usize + 4 * usize::from(dropout.is_some());
        [self.session, self.trials, self.outputs, kind, prompt.row(), usize::from(prompt.is_causal())]
    }
}

impl Layers {
    fn plan(&self, plan: &mut MemoryPlan, shape: PassShape, units: usize) -> PassSlots {
        let PassShape { trials, outputs, use_of, .. } = shape;
        let training = use_of == Use::Training;
        let (hidden, embedded) = (self.config.hidden, 2 * self.config.channels);
        let rows = trials * self.bins;
        let token_rows = trials * (self.bins + PREFIX);
        let tokens = plan.slot(token_rows * hidden);
        let trunk = self.trunk.plan(plan, trials, self.bins + PREFIX, training);
        let only_training = |plan: &mut MemoryPlan, len| {
            if training { plan.slot(len) } else { Slot::default() }
        };
        let of_counts = |plan: &mut MemoryPlan, len| {
            if use_of == Use::PredictionOfEmbedded { Slot::default() } else { plan.slot(len) }
        };
        let selection = (outputs < units).then(|| Selection {
            units: plan.slot(outputs),
            weight: plan.slot(outputs * hidden),
            bias: plan.slot(outputs),
            weight_gradient: only_training(plan, outputs * hidden),
            bias_gradient: only_training(plan, outputs),
        });
        PassSlots {
            shape,
            units,
            inputs: of_counts(plan, rows * units),
            embedded: of_counts(plan, rows * embedded),
            projected: plan.slot(rows * hidden),
            tokens,
            trunk,
            bins: plan.slot(rows * hidden),
            normed: plan.slot(rows * hidden),
            statistics: plan.slot(rows * 2),
            log_rates: plan.slot(rows * outputs),
            selection,
            counts: only_training(plan, rows * outputs),
            target: only_training(plan, rows * outputs),
            loss: only_training(plan, 1),
            log_rates_gradient: only_training(plan, rows * outputs),
            bins_gradient: only_training(plan, rows * hidden),
            tokens_gradient: only_training(plan, token_rows * hidden),
            embedded_gradient: only_training(plan, rows * embedded),
            composed_gradient: [only_training(plan, units * embedded), only_training(plan, embedded)],
        }
    }

    /// The composed layer's weight and bias for a session of `units` units.
    fn composed(&self, units: usize) -> (Slot, Slot) {
        let [weight, bias] = self.composed;
        (weight.part(0, units * self.spikes.outputs), bias)
    }

    fn compose(&self, device: &mut dyn Device, session: usize, units: usize) {
        let p = &self.parameters;
        let encoder = &self.stitchers[session].encoder;
        let (weight, bias) = self.composed(units);
        device.compose(&Compose {
            inputs: units,
            middle: self.spikes.inputs,
            outputs: self.spikes.outputs,
            inner_weight: p.value(encoder.weight),
            inner_bias: p.value(encoder.bias),
            outer_weight: p.value(self.spikes.weight),
            outer_bias: p.value(self.spikes.bias),
            weight,
            bias,
        });
    }

    fn plan_embedding(
        &self,
        plan: &mut MemoryPlan,
        session: usize,
        rows: usize,
        units: usize,
    ) -> EmbeddingSlots {
        EmbeddingSlots {
            session,
            rows,
            inputs: plan.slot(rows * units),
            embedded: plan.slot(rows * 2 * self.config.channels),
            projected: plan.slot(rows * self.config.hidden),
        }
    }

    fn embed(
        &self,
        device: &mut dyn Device,
        rows: usize,
        units: usize,
        inputs: Slot,
        embedded: Slot,
        projected: Slot,
    ) {
        let (weight, bias) = self.composed(units);
        let outputs = self.spikes.outputs;
        device.counts_linear(&CountsLinear { rows, units, outputs, x: inputs, weight, bias, y: embedded });
        device.linear(&self.projection.forward(&self.parameters, rows, embedded, projected));
    }

    fn forward(&self, device: &mut dyn Device, slots: &PassSlots, prompt: Prompt, key: Option<DropoutKey>) {
        let hidden = self.config.hidden;
        let p = &self.parameters;
        let PassShape { session, trials, .. } = slots.shape;
        let rows = trials * self.bins;
        if slots.shape.use_of != Use::PredictionOfEmbedded {
            self.embed(device, rows, slots.units, slots.inputs, slots.embedded, slots.projected);
        }
        device.token_rows(&TokenRows {
            batch: trials,
            bins_per_sequence: self.bins,
            width: hidden,
            bins: slots.projected,
            positions: p.value(self.positions),
            first: p.row(Part::Values, self.session_rows, session, hidden),
            second: p.row(Part::Values, self.prompts, prompt.row(), hidden),
            tokens: slots.tokens,
            dropout: dropout_at(key, self.config.embed_dropout as f32, TOKEN_DROPOUT),
        });
        let encoded = self.trunk.forward(p, device, &slots.trunk, slots.tokens, rule(prompt), key);
        device.drop_prefix(&drop_prefix(self.bins, hidden, trials, encoded, slots.bins));
        self.out_norm.forward(p, device, rows, slots.bins, slots.normed, slots.statistics);
        let decoder = &self.stitchers[session].decoder;
        let mut linear = decoder.forward(p, rows, slots.normed, slots.log_rates);
        if let Some(selection) = &slots.selection {
            let select = |width, x, y| SelectRows {
                rows: slots.units,
                width,
                selected: slots.shape.outputs,
                x,
                indices: selection.units,
                y,
            };
            device.select_rows(&select(hidden, p.value(decoder.weight), selection.weight));
            device.select_rows(&select(1, p.value(decoder.bias), selection.bias));
            (linear.outputs, linear.weight, linear.bias) =
                (slots.shape.outputs, selection.weight, selection.bias);
        }
        device.linear(&linear);
    }

    fn backward(&self, device: &mut dyn Device, slots: &PassSlots, prompt: Prompt, key: Option<DropoutKey>) {
        let hidden = self.config.hidden;
        let p = &self.parameters;
        let PassShape { session, trials, .. } = slots.shape;
        let rows = trials * self.bins;
        let stitchers = &self.stitchers[session];
        // `projected` is free again: it takes the gradient of the normed rows, later that of the projection.
        let row_gradient = slots.projected;
        let decoder = &stitchers.decoder;
        let mut linear = decoder.backward(p, rows, slots.normed, slots.log_rates_gradient, row_gradient);
        if let Some(selection) = &slots.selection {
            linear.outputs = slots.shape.outputs;
            linear.weight = selection.weight;
            (linear.weight_gradient, linear.bias_gradient) =
                (selection.weight_gradient, selection.bias_gradient);
        }
        device.linear_backward(&linear);
        if let Some(selection) = &slots.selection {
            let select = |width, y_gradient, x_gradient| SelectRowsBackward {
                rows: slots.units,
                width,
                selected: slots.shape.outputs,
                indices: selection.units,
                y_gradient,
                x_gradient,
            };
            device.select_rows_backward(&select(
                hidden,
                selection.weight_gradient,
                p.gradient(decoder.weight),
            ));
            device.select_rows_backward(&select(1, selection.bias_gradient, p.gradient(decoder.bias)));
        }
        device.fill(slots.bins_gradient, 0.0);
        self.out_norm.backward(
            p,
            device,
            rows,
            slots.bins,
            slots.statistics,
            row_gradient,
            slots.bins_gradient,
        );
        let (tokens, bins) = (slots.tokens_gradient, slots.bins_gradient);
        device.drop_prefix_backward(&drop_prefix(self.bins, hidden, trials, tokens, bins));
        self.trunk.backward(p, device, &slots.trunk, slots.tokens, rule(prompt), key, tokens);
        // Prompts and sessions are one parameter each: rows not used in this batch have gradient 0.
        device.fill(p.gradient(self.prompts), 0.0);
        device.fill(p.gradient(self.session_rows), 0.0);
        device.token_rows_backward(&TokenRowsBackward {
            batch: trials,
            bins_per_sequence: self.bins,
            width: hidden,
            tokens_gradient: slots.tokens_gradient,
            dropout: dropout_at(key, self.config.embed_dropout as f32, TOKEN_DROPOUT),
            bins_gradient: row_gradient,
            positions_gradient: p.gradient(self.positions),
            first_gradient: p.row(Part::Gradients, self.session_rows, session, hidden),
            second_gradient: p.row(Part::Gradients, self.prompts, prompt.row(), hidden),
        });
        device.linear_backward(&LinearBackward {
            before: Before::Softsign,
            ..self.projection.backward(p, rows, slots.embedded, row_gradient, slots.embedded_gradient)
        });
        let [weight_gradient, bias_gradient] = slots.composed_gradient;
        device.counts_linear_backward(&CountsLinearBackward {
            rows,
            units: slots.units,
            outputs: self.spikes.outputs,
            x: slots.inputs,
            z_gradient: slots.embedded_gradient,
            weight_gradient,
            bias_gradient,
        });
        let encoder = &stitchers.encoder;
        device.compose_backward(&ComposeBackward {
            inputs: slots.units,
            middle: self.spikes.inputs,
            outputs: self.spikes.outputs,
            inner_weight: p.value(encoder.weight),
            inner_bias: p.value(encoder.bias),
            outer_weight: p.value(self.spikes.weight),
            weight_gradient,
            bias_gradient,
            inner_weight_gradient: p.gradient(encoder.weight),
            inner_bias_gradient: p.gradient(encoder.bias),
            outer_weight_gradient: p.wanted_gradient(self.spikes.weight),
            outer_bias_gradient: p.wanted_gradient(self.spikes.bias),
        });
    }
}

fn rule(prompt: Prompt) -> AttentionRule {
    AttentionRule { prefix: PREFIX, tokens_per_bin: 1, used_per_bin: 1, causal: prompt.is_causal() }
}

fn drop_prefix(bins_per_sequence: usize, width: usize, batch: usize, tokens: Slot, bins: Slot) -> DropPrefix {
    DropPrefix { batch, prefix: PREFIX, bins_per_sequence, width, tokens, bins }
}
