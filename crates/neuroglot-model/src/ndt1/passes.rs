//! The forward and the backward pass.

use super::{Ndt1, TrainingBatch};
use crate::parameters::Part;
use crate::trunk::{DropoutKey, TrunkSlots, dropout_at};
use crate::{ModelError, Prompt};
use neuroglot_engine::ops::*;
use neuroglot_engine::{AttentionRule, MemoryPlan, Slot};
use std::sync::Arc;

/// Session and prompt tokens stand in front of the bins.
const PREFIX: usize = 2;
/// Site of the tokens' dropout.
const TOKEN_DROPOUT: u32 = 0;

/// Memory of a pass over one batch shape.
#[derive(Debug)]
pub(super) struct PassSlots {
    session: usize,
    trials: usize,
    training: bool,
    inputs: Slot,
    stitched: Slot,
    embedded: Slot,
    projected: Slot,
    tokens: Slot,
    trunk: TrunkSlots,
    bins: Slot,
    normed: Slot,
    statistics: Slot,
    log_rates: Slot,
    counts: Slot,
    target: Slot,
    loss: Slot,
    /// Gradients: of the log-rates, of `[bin, hidden]` rows, of the tokens, of the embedding.
    log_rates_gradient: Slot,
    bins_gradient: Slot,
    tokens_gradient: Slot,
    embedded_gradient: Slot,
    stitched_gradient: Slot,
}

impl Ndt1 {
    /// Index of the plan for a batch shape, made when first used. All plans share the floats behind the parameters.
    fn plan(&mut self, session: usize, trials: usize, training: bool) -> Result<usize, ModelError> {
        let same = |p: &Arc<PassSlots>| (p.session, p.trials, p.training) == (session, trials, training);
        let index = match self.plans.iter().position(same) {
            Some(index) => index,
            None => {
                let mut plan = MemoryPlan::after(&self.parameters.plan);
                let slots = self.plan_pass(&mut plan, session, trials, training);
                self.device.reserve(plan.floats())?;
                self.plans.push(Arc::new(slots));
                self.plans.len() - 1
            }
        };
        if self.prepared != Some(index) {
            self.trunk.prepare(self.device.as_mut(), &self.plans[index].trunk);
            self.prepared = Some(index);
        }
        Ok(index)
    }

    fn plan_pass(&self, plan: &mut MemoryPlan, session: usize, trials: usize, training: bool) -> PassSlots {
        let (hidden, channels) = (self.config.hidden, self.config.channels);
        let (units, rows) = (self.sessions[session].units, trials * self.bins);
        let token_rows = trials * (self.bins + PREFIX);
        let tokens = plan.slot(token_rows * hidden);
        let trunk = self.trunk.plan(plan, trials, self.bins + PREFIX, training);
        let only_training = |plan: &mut MemoryPlan, len| {
            if training { plan.slot(len) } else { Slot::default() }
        };
        PassSlots {
            session,
            trials,
            training,
            inputs: plan.slot(rows * units),
            stitched: plan.slot(rows * channels),
            embedded: plan.slot(rows * 2 * channels),
            projected: plan.slot(rows * hidden),
            tokens,
            trunk,
            bins: plan.slot(rows * hidden),
            normed: plan.slot(rows * hidden),
            statistics: plan.slot(rows * 2),
            log_rates: plan.slot(rows * units),
            counts: only_training(plan, rows * units),
            target: only_training(plan, rows * units),
            loss: only_training(plan, 1),
            log_rates_gradient: only_training(plan, rows * units),
            bins_gradient: only_training(plan, rows * hidden),
            tokens_gradient: only_training(plan, token_rows * hidden),
            embedded_gradient: only_training(plan, rows * 2 * channels),
            stitched_gradient: only_training(plan, rows * channels),
        }
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
        let index = self.plan(session, trials, false)?;
        let slots = self.plans[index].clone();
        self.device.write(slots.inputs, inputs);
        self.forward(&slots, prompt, None);
        self.device.read(slots.log_rates, log_rates);
        Ok(())
    }

    /// Runs a batch forward and backward. The loss is read by [`Ndt1::loss`], gradients are ready for
    /// [`Ndt1::update`].
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch.
    ///
    /// # Panics
    /// Where a slice has the wrong length, or the model was built without `training`.
    pub fn loss_and_gradients(&mut self, batch: &TrainingBatch<'_>) -> Result<(), ModelError> {
        assert!(self.parameters.is_training(), "the model was built for inference only");
        let index = self.plan(batch.session, batch.trials, true)?;
        let slots = self.plans[index].clone();
        self.device.write(slots.inputs, batch.inputs);
        self.device.write(slots.counts, batch.counts);
        self.device.write(slots.target, batch.target);
        let key = batch.dropout.map(|(seed, step)| DropoutKey { seed, step });
        self.forward(&slots, batch.prompt, key);
        self.device.poisson_loss(&PoissonLoss {
            log_rates: slots.log_rates,
            counts: slots.counts,
            target: slots.target,
            gradient: slots.log_rates_gradient,
            loss: slots.loss,
        });
        self.backward(&slots, batch.prompt, key);
        Ok(())
    }

    /// The loss of the last [`Ndt1::loss_and_gradients`]: Σ over target entries of eˡ − y·l (nats).
    pub fn loss(&self) -> f32 {
        let mut loss = [0.0];
        if let Some(slots) = self.prepared.map(|index| &self.plans[index]).filter(|slots| slots.training) {
            self.device.read(slots.loss, &mut loss);
        }
        loss[0]
    }

    /// The log-rates of the last [`Ndt1::loss_and_gradients`], `[trial, bin, unit]`.
    pub fn last_log_rates(&self) -> Vec<f32> {
        let slot = self.prepared.map_or(Slot::default(), |index| self.plans[index].log_rates);
        let mut log_rates = vec![0.0; slot.len()];
        self.device.read(slot, &mut log_rates);
        log_rates
    }

    fn forward(&mut self, slots: &PassSlots, prompt: Prompt, key: Option<DropoutKey>) {
        let hidden = self.config.hidden;
        let (p, device) = (&self.parameters, self.device.as_mut());
        let rows = slots.trials * self.bins;
        let stitchers = &self.stitchers[slots.session];
        stitchers.encoder.forward(p, device, rows, slots.inputs, slots.stitched);
        self.spikes.forward(p, device, rows, slots.stitched, slots.embedded);
        device.softsign(&Softsign { x: slots.embedded });
        self.projection.forward(p, device, rows, slots.embedded, slots.projected);
        device.token_rows(&TokenRows {
            batch: slots.trials,
            bins_per_sequence: self.bins,
            width: hidden,
            bins: slots.projected,
            positions: p.value(self.positions),
            first: p.row(Part::Values, self.session_rows, slots.session, hidden),
            second: p.row(Part::Values, self.prompts, prompt.row(), hidden),
            tokens: slots.tokens,
        });
        let dropout = dropout_at(key, self.config.embed_dropout as f32, TOKEN_DROPOUT);
        device.dropout(&DropoutInPlace { x: slots.tokens, dropout });
        let encoded = self.trunk.forward(p, device, &slots.trunk, slots.tokens, rule(prompt), key);
        device.drop_prefix(&drop_prefix(self.bins, hidden, slots.trials, encoded, slots.bins));
        self.out_norm.forward(p, device, rows, slots.bins, slots.normed, slots.statistics);
        stitchers.decoder.forward(p, device, rows, slots.normed, slots.log_rates);
    }

    fn backward(&mut self, slots: &PassSlots, prompt: Prompt, key: Option<DropoutKey>) {
        let hidden = self.config.hidden;
        let (p, device) = (&self.parameters, self.device.as_mut());
        let rows = slots.trials * self.bins;
        let stitchers = &self.stitchers[slots.session];
        // `projected` is free again: it takes the gradient of the normed rows, later that of the projection.
        let row_gradient = slots.projected;
        stitchers.decoder.backward(
            p,
            device,
            rows,
            slots.normed,
            slots.log_rates_gradient,
            Some(row_gradient),
        );
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
        device.drop_prefix_backward(&drop_prefix(self.bins, hidden, slots.trials, tokens, bins));
        self.trunk.backward(p, device, &slots.trunk, slots.tokens, rule(prompt), key, tokens);
        let dropout = dropout_at(key, self.config.embed_dropout as f32, TOKEN_DROPOUT);
        device.dropout(&DropoutInPlace { x: slots.tokens_gradient, dropout });
        // Prompts and sessions are one parameter each: rows not used in this batch have gradient 0.
        device.fill(p.gradient(self.prompts), 0.0);
        device.fill(p.gradient(self.session_rows), 0.0);
        device.token_rows_backward(&TokenRowsBackward {
            batch: slots.trials,
            bins_per_sequence: self.bins,
            width: hidden,
            tokens_gradient: slots.tokens_gradient,
            bins_gradient: row_gradient,
            positions_gradient: p.gradient(self.positions),
            first_gradient: p.row(Part::Gradients, self.session_rows, slots.session, hidden),
            second_gradient: p.row(Part::Gradients, self.prompts, prompt.row(), hidden),
        });
        let (embedded, gradient) = (slots.embedded, slots.embedded_gradient);
        self.projection.backward(p, device, rows, embedded, row_gradient, Some(gradient));
        device.softsign_backward(&SoftsignBackward { y: embedded, gradient });
        self.spikes.backward(p, device, rows, slots.stitched, gradient, Some(slots.stitched_gradient));
        // Nothing before the stitcher learns: counts need no gradient.
        stitchers.encoder.backward(p, device, rows, slots.inputs, slots.stitched_gradient, None);
    }
}

fn rule(prompt: Prompt) -> AttentionRule {
    AttentionRule { prefix: PREFIX, tokens_per_bin: 1, used_per_bin: 1, causal: prompt.is_causal() }
}

fn drop_prefix(bins_per_sequence: usize, width: usize, batch: usize, tokens: Slot, bins: Slot) -> DropPrefix {
    DropPrefix { batch, prefix: PREFIX, bins_per_sequence, width, tokens, bins }
}
