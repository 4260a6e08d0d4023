//! Passes of batches: predictions, losses and gradients.

use super::batch_inputs::BatchInputs;
use super::{BatchCounts, Model, TrainingBatch};
use crate::ModelError;
use crate::config::PromptRow;
use crate::context::{Context, DropoutKey};
use crate::layers::PADDING;
use crate::network::{BatchShape, CountSource, Pass, PassShape, PassSlots, Use};
use neuroglot_engine::ops::{PoissonLoss, ShownCounts};
use neuroglot_engine::{MemoryPlan, Slot};
use neuroglot_masks::{Holdout, Prompt};
use std::sync::Arc;

/// A pass with what the host adds to it: what is shown of counts, and the losses.
pub(super) struct PlannedPass {
    pub shape: PassShape,
    pub pass: Box<dyn Pass>,
    batches: Vec<PlannedBatch>,
}

/// What the host adds to one batch.
struct PlannedBatch {
    /// `None` where tokens are given in place of counts.
    inputs: Option<BatchInputs>,
    /// Mean and deviation of each unit; empty where counts are read as they are.
    statistics: [Slot; 2],
    /// Training only.
    loss: Slot,
    log_rates_gradient: Slot,
}

impl PlannedPass {
    /// What the network reads of the batches.
    fn show(&self, cx: &mut Context<'_>) {
        for (index, batch) in self.batches.iter().enumerate() {
            let Some(BatchInputs { trials, columns, .. }) = batch.inputs else { continue };
            let [mean, deviation] = batch.statistics;
            let x = self.pass.slots(index).inputs;
            cx.device.shown_counts(&ShownCounts {
                of: trials,
                columns,
                padding: PADDING,
                mean,
                deviation,
                x,
            });
        }
    }

    /// Losses of the batches, and the gradients of their log-rates.
    fn score(&self, cx: &mut Context<'_>) {
        for (index, batch) in self.batches.iter().enumerate() {
            let Some(BatchInputs { trials, output_columns, .. }) = batch.inputs else { continue };
            let PassSlots { log_rates, units, .. } = self.pass.slots(index);
            cx.device.poisson_loss(&PoissonLoss {
                of: trials,
                columns: if units.is_empty() { output_columns } else { units },
                log_rates,
                gradient: batch.log_rates_gradient,
                loss: batch.loss,
            });
        }
    }
}

/// Room on the host for what is sent to the device, kept from step to step.
#[derive(Debug, Default)]
pub(super) struct Buffers {
    units: Vec<usize>,
    /// As [`MarkLayout`](neuroglot_engine::ops::MarkLayout) has them.
    pub marks: Vec<u32>,
    rows: Vec<f32>,
}

impl Model {
    /// The pass of a shape. All passes share the floats behind the parameters. One of a single batch is planned when first used and
    /// kept; those of several hardly ever meet again.
    fn pass(&mut self, shape: &PassShape) -> Result<Arc<PlannedPass>, ModelError> {
        let known = self.passes.iter().find(|pass| pass.shape == *shape).cloned();
        let pass = match known {
            Some(known) => known,
            None => {
                let planned = Arc::new(self.plan_pass(shape)?);
                if shape.batches.len() == 1 {
                    self.passes.push(planned.clone());
                }
                planned
            }
        };
        if !self.pass_in_use.as_ref().is_some_and(|in_use| Arc::ptr_eq(in_use, &pass)) {
            pass.pass.write_constants(self.device.as_mut());
            for (planned, batch) in pass.batches.iter().zip(&shape.batches) {
                if let Some(inputs) = &planned.inputs {
                    self.write_columns(inputs, batch.session);
                }
            }
            self.pass_in_use = Some(pass.clone());
        }
        Ok(pass)
    }

    fn plan_pass(&mut self, shape: &PassShape) -> Result<PlannedPass, ModelError> {
        let mut plan = MemoryPlan::after(&self.shared);
        let pass = self.network.clone().plan(&mut plan, shape);
        let (training, reads_counts) = (shape.is_training(), shape.use_of != Use::PredictionOfTokens);
        let mut batches = Vec::new();
        for (index, batch) in shape.batches.iter().enumerate() {
            let outputs = pass.slots(index).log_rates.len();
            let (log_rates_gradient, loss) = (plan.slot_if(training, outputs), plan.slot_if(training, 1));
            let inputs = reads_counts.then(|| self.plan_inputs(&mut plan, batch, training));
            let statistics = self.statistics_slots[batch.session];
            batches.push(PlannedBatch { inputs, statistics, loss, log_rates_gradient });
        }
        self.device.reserve(plan.floats())?;
        Ok(PlannedPass { shape: shape.clone(), pass, batches })
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
        if let Some(pass) = &self.pass_in_use {
            self.read_activations(pass.pass.slots(0).activations, activations);
        }
        Ok(())
    }

    /// Reads activations of tokens as those of bins.
    fn read_activations(&self, slot: Slot, activations: &mut [f32]) {
        let tokens = slot.len() / activations.len();
        assert_eq!(slot.len(), tokens * activations.len(), "activations of every bin");
        if tokens == 1 {
            return self.device.read(slot, activations);
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
    }

    /// Runs a batch forward, hands its [activations](Model::activations) to `slope`, and carries their gradient, which this returns, to
    /// all parameters, but for those that log-rates alone have. What the batch scores has no say. Gradients are ready for
    /// [`Model::update`].
    ///
    /// # Errors
    /// As [`Model::log_rates`].
    ///
    /// # Panics
    /// As [`Model::loss_and_gradients`], and where there is not one slope per activation.
    pub fn gradients_of_activations(
        &mut self,
        batch: &TrainingBatch<'_>,
        slope: impl FnOnce(&[f32]) -> Vec<f32>,
    ) -> Result<(), ModelError> {
        assert!(self.parameters.is_training(), "the model was built for inference only");
        let TrainingBatch { session, counts, holdout, dropout, .. } = *batch;
        let prompts = [self.config.prompt_row(batch.prompt)?];
        // A pass has at least one output.
        let shape = self.shape(session, counts, holdout, 1);
        let planned = self.pass(&PassShape { batches: vec![shape], use_of: Use::Training })?;
        self.write_batch(&planned, 0, counts, holdout)?;
        self.write_wanted_units(&planned, 0, &[0]);
        let key = dropout.map(|(seed, step)| DropoutKey { seed, step });
        let (p, network) = (&self.parameters, &self.network);
        // Halves of a pass are not recorded.
        self.device.pass(None, dropout, &mut |device| {
            let mut cx = Context { p, device, dropout: key };
            network.prepare(&mut cx, session);
            planned.show(&mut cx);
            planned.pass.forward(&mut cx, &prompts);
        });
        let PassSlots { activations: slot, activations_gradient, .. } = planned.pass.slots(0);
        let mut activations = vec![0.0; shape.trials * self.bins * self.config.hidden];
        self.read_activations(slot, &mut activations);
        let slopes = slope(&activations);
        assert_eq!(slopes.len(), activations.len(), "a slope per activation");
        // Of several tokens each has its share.
        let tokens = slot.len() / activations.len();
        let share = |bin: &[f32]| bin.iter().map(|slope| slope / tokens as f32).collect::<Vec<f32>>();
        let of_tokens = slopes.chunks_exact(self.config.hidden).flat_map(|bin| share(bin).repeat(tokens));
        self.device.write(activations_gradient, &of_tokens.collect::<Vec<f32>>());
        let (p, device) = (&self.parameters, self.device.as_mut());
        device.pass(None, dropout, &mut |device| {
            planned.pass.backward(&mut Context { p, device, dropout: key }, &prompts, &[]);
        });
        self.prepared_for = Some(session);
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
        let batches = vec![self.shape(session, counts, holdout, self.buffers.units.len())];
        let pass = self.prepared_pass(&PassShape { batches, use_of: Use::Prediction })?;
        self.write_batch(&pass, 0, counts, holdout)?;
        self.run_prediction(&pass, prompt, log_rates);
        Ok(())
    }

    fn trials_of(&self, session: usize, counts: BatchCounts<'_>) -> usize {
        counts.trials(self.bins * self.sessions[session].units())
    }

    fn shape(&self, session: usize, counts: BatchCounts<'_>, holdout: &Holdout, wanted: usize) -> BatchShape {
        let outputs = self.network.unit_rows(session).outputs(wanted);
        let (trials, has_entries) = (self.trials_of(session, counts), holdout.marks().entries.is_some());
        BatchShape { session, trials, outputs, counts: counts.source(), has_entries }
    }

    fn write_batch(
        &mut self,
        pass: &PlannedPass,
        batch: usize,
        counts: BatchCounts<'_>,
        holdout: &Holdout,
    ) -> Result<(), ModelError> {
        match &pass.batches[batch].inputs {
            Some(inputs) => self.write_inputs(inputs, pass.shape.batches[batch].session, counts, holdout),
            None => Ok(()),
        }
    }

    /// The pass of the units asked for, from tokens.
    pub(super) fn pass_of_tokens(
        &mut self,
        session: usize,
        trials: usize,
    ) -> Result<Arc<PlannedPass>, ModelError> {
        let outputs = self.network.unit_rows(session).outputs(self.buffers.units.len());
        let batch = BatchShape { session, trials, outputs, counts: CountSource::Given, has_entries: false };
        self.prepared_pass(&PassShape { batches: vec![batch], use_of: Use::PredictionOfTokens })
    }

    /// The pass of one batch, its session prepared.
    fn prepared_pass(&mut self, shape: &PassShape) -> Result<Arc<PlannedPass>, ModelError> {
        let pass = self.pass(shape)?;
        self.prepare(shape.batches[0].session);
        Ok(pass)
    }

    /// Runs a pass of one batch whose inputs are on the device.
    pub(super) fn run_prediction(&mut self, pass: &PlannedPass, prompt: PromptRow, log_rates: &mut [f32]) {
        let units = std::mem::take(&mut self.buffers.units);
        self.write_wanted_units(pass, 0, &units);
        let p = &self.parameters;
        self.device.pass(pass.shape.key(&[prompt], None, 0), None, &mut |device| {
            let mut cx = Context { p, device, dropout: None };
            pass.show(&mut cx);
            pass.pass.forward(&mut cx, &[prompt]);
        });
        let unit_rows = self.network.unit_rows(pass.shape.batches[0].session);
        let (slot, rows) = (pass.pass.slots(0).log_rates, &mut self.buffers.rows);
        unit_rows.read(self.device.as_ref(), slot, &units, rows, log_rates);
        self.buffers.units = units;
    }

    fn write_wanted_units(&mut self, pass: &PlannedPass, batch: usize, units: &[usize]) {
        let slot = pass.pass.slots(batch).units;
        if !slot.is_empty() {
            let rows = &mut self.buffers.rows;
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
        self.loss_and_gradients_of(std::slice::from_ref(batch))
    }

    /// Runs batches of different sessions forward and backward as one: the stitchers of each by themselves, and the products of
    /// the trunk over all tokens together. Gradients are the sums over the batches; each has a loss of its own. All drop by the
    /// seed and step of the first.
    ///
    /// # Errors
    /// As [`Model::log_rates`].
    ///
    /// # Panics
    /// As [`Model::loss_and_gradients`], and of several batches where two are of one session, or not [`Model::joins_sessions`].
    pub fn loss_and_gradients_of(&mut self, batches: &[TrainingBatch<'_>]) -> Result<(), ModelError> {
        assert!(self.parameters.is_training(), "the model was built for inference only");
        let mut sessions: Vec<usize> = batches.iter().map(|batch| batch.session).collect();
        sessions.sort_unstable();
        sessions.dedup();
        assert_eq!(sessions.len(), batches.len(), "batches of different sessions");
        assert!(batches.len() == 1 || self.joins_sessions(), "sessions of this network are not run as one");
        let wanted: Vec<Vec<usize>> = batches.iter().map(|batch| self.target_units(batch)).collect();
        let mut shape = PassShape { batches: Vec::new(), use_of: Use::Training };
        let mut prompts = Vec::new();
        for (TrainingBatch { session, counts, holdout, prompt, .. }, wanted) in batches.iter().zip(&wanted) {
            let batch = self.shape(*session, *counts, holdout, wanted.len());
            assert_eq!(batch.trials, holdout.trials(), "a holdout of the batch's trials");
            shape.batches.push(batch);
            prompts.push(self.config.prompt_row(*prompt)?);
        }
        let planned = self.pass(&shape)?;
        for (index, (batch, wanted)) in batches.iter().zip(&wanted).enumerate() {
            self.write_batch(&planned, index, batch.counts, batch.holdout)?;
            self.write_wanted_units(&planned, index, wanted);
        }
        let dropout = batches[0].dropout;
        let key = dropout.map(|(seed, step)| DropoutKey { seed, step });
        let (p, network) = (&self.parameters, &self.network);
        let gradients: Vec<Slot> = planned.batches.iter().map(|batch| batch.log_rates_gradient).collect();
        self.device.pass(shape.key(&prompts, key, p.sums_mark()), dropout, &mut |device| {
            let mut cx = Context { p, device, dropout: key };
            if let [batch] = &shape.batches[..] {
                network.prepare(&mut cx, batch.session);
            }
            planned.show(&mut cx);
            planned.pass.forward(&mut cx, &prompts);
            planned.score(&mut cx);
            planned.pass.backward(&mut cx, &prompts, &gradients);
        });
        self.prepared_for = Some(batches[0].session).filter(|_| batches.len() == 1);
        for batch in &planned.batches {
            self.losses.push(self.device.as_mut(), batch.loss);
        }
        Ok(())
    }

    /// The units that the loss counts in any bin; all units where leaving some out would save little.
    fn target_units(&self, batch: &TrainingBatch<'_>) -> Vec<usize> {
        let all = self.sessions[batch.session].units();
        let units = batch.holdout.units_scored();
        if units.is_empty() || 4 * units.len() > 3 * all { (0..all).collect() } else { units }
    }

    /// The loss of the last [`Model::loss_and_gradients`]: Σ over target entries of eˡ − y·l (nats), of all its batches.
    pub fn loss(&self) -> f32 {
        let last = self.pass_in_use.as_ref().filter(|pass| pass.shape.is_training());
        let of_batch = |batch: &PlannedBatch| {
            let mut loss = [0.0];
            self.device.read(batch.loss, &mut loss);
            loss[0]
        };
        last.map_or(0.0, |pass| pass.batches.iter().map(of_batch).sum())
    }

    /// The losses of all [`Model::loss_and_gradients`] since the last call, oldest first.
    ///
    /// Asking now and then instead of after every step lets a device compute without waiting for the host.
    pub fn take_losses(&mut self) -> Vec<f32> {
        self.losses.take(self.device.as_ref())
    }
}
