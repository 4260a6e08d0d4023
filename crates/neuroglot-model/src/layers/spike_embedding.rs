//! Counts become rows as wide as tokens: projection(softsign(embed_spikes(first layer(counts)))).
//!
//! The first layer and the embedding of spikes are composed into one, whose product passes over counts that are 0, as
//! most are.

use super::{Linear, Share};
use crate::context::Context;
use crate::parameters::{Layout, Parameters};
use neuroglot_engine::ops::{
    self, Before, Compose, ComposeBackward, CountsLinear, CountsLinearBackward, LinearBackward, Then,
};
use neuroglot_engine::{Device, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// From counts to what the embedding of spikes reads: weight `[channels, inputs]`, bias, and where their gradients go.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FirstLayer {
    inputs: usize,
    weight: Slot,
    bias: Slot,
    gradients: [Slot; 2],
}

impl FirstLayer {
    /// A layer of the network.
    pub(crate) fn of(layer: &Linear, p: &Parameters) -> Self {
        Self {
            inputs: layer.inputs,
            weight: p.value(layer.weight),
            bias: p.value(layer.bias),
            gradients: [p.wanted_gradient(layer.weight), p.wanted_gradient(layer.bias)],
        }
    }

    /// Plans a layer that changes nothing, with room for gradients that nobody asks for. Composed with it, the embedding
    /// of spikes, stored `[outputs, inputs]`, lies in the order that a layer of counts reads.
    pub(crate) fn plan_identity(plan: &mut MemoryPlan, inputs: usize, training: bool) -> Self {
        let mut slots = || [plan.slot(inputs * inputs), plan.slot(inputs)];
        let [weight, bias] = slots();
        Self { inputs, weight, bias, gradients: if training { slots() } else { Default::default() } }
    }

    pub(crate) fn write_identity(&self, device: &mut dyn Device) {
        let mut identity = vec![0.0; self.inputs * self.inputs];
        identity.iter_mut().step_by(self.inputs + 1).for_each(|entry| *entry = 1.0);
        device.write(self.weight, &identity);
        device.fill(self.bias, 0.0);
    }
}

/// The embedding of spikes and the projection behind it.
#[derive(Debug)]
pub(crate) struct SpikeEmbedding {
    embed: Linear,
    projection: Linear,
    /// Of the first layer last given and the embedding: weight `[inputs, embedded]` and bias `[embedded]`.
    composed: [Slot; 2],
}

/// Counts of a pass on their way to rows.
#[derive(Debug)]
pub(crate) struct SpikeMemory {
    batches: Vec<SpikeBatch>,
    /// `[row, embedded]`, of all batches.
    embedded: Slot,
    /// Training only.
    embedded_gradient: Slot,
    /// Gradients of the embedding of spikes, of one batch; empty with one.
    of_one_batch: [Slot; 2],
}

/// Counts of one session.
#[derive(Debug, Clone, Copy)]
struct SpikeBatch {
    rows: usize,
    /// Counts of a row.
    width: usize,
    /// `[row, count]`.
    inputs: Slot,
    embedded: Slot,
    /// Training only.
    embedded_gradient: Slot,
    composed_gradients: [Slot; 2],
}

impl SpikeMemory {
    fn rows(&self) -> usize {
        self.batches.iter().map(|batch| batch.rows).sum()
    }

    /// Where the counts of a batch go, `[row, count]`.
    pub(crate) fn inputs(&self, batch: usize) -> Slot {
        self.batches[batch].inputs
    }
}

impl SpikeEmbedding {
    /// Reads `inputs` channels or counts.
    pub(crate) fn place(layout: &mut Layout, inputs: usize, hidden: usize) -> Self {
        Self {
            embed: Linear::place(layout, "encoder.embedder.embed_spikes", inputs, 2 * inputs),
            projection: Linear::place(layout, "encoder.embedder.projection", 2 * inputs, hidden),
            composed: [Slot::default(); 2],
        }
    }

    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng) {
        self.embed.initialise(cx, rng, 1.0);
        self.projection.initialise(cx, rng, 1.0);
    }

    /// Plans what stays from pass to pass, for first layers of at most `widest` counts.
    pub(crate) fn plan_shared(&mut self, plan: &mut MemoryPlan, widest: usize) {
        self.composed = [plan.slot(widest * self.embed.outputs), plan.slot(self.embed.outputs)];
    }

    /// Composes a first layer with the embedding of spikes; the passes until the next call use it.
    pub(crate) fn compose(&self, cx: &mut Context<'_>, first: &FirstLayer) {
        cx.device.compose(&self.composition(cx.p, first));
    }

    fn composition(&self, p: &Parameters, first: &FirstLayer) -> Compose {
        let FirstLayer { inputs, weight: inner_weight, bias: inner_bias, .. } = *first;
        let Linear { inputs: middle, outputs, weight, bias } = self.embed;
        let (outer_weight, outer_bias) = (p.value(weight), p.value(bias));
        let [weight, bias] = self.composed_for(inputs);
        Compose { inputs, middle, outputs, inner_weight, inner_bias, outer_weight, outer_bias, weight, bias }
    }

    fn composed_for(&self, width: usize) -> [Slot; 2] {
        let [weight, bias] = self.composed;
        [weight.part(0, width * self.embed.outputs), bias]
    }

    /// Plans batches, each a number of rows and of counts of a row.
    pub(crate) fn plan(&self, plan: &mut MemoryPlan, batches: &[[usize; 2]], training: bool) -> SpikeMemory {
        let width = self.embed.outputs;
        let all_rows: usize = batches.iter().map(|[rows, _]| rows).sum();
        let embedded = plan.slot(all_rows * width);
        let embedded_gradient = plan.slot_if(training, all_rows * width);
        let mut first = 0;
        let mut plan_batch = |[rows, counts]: [usize; 2]| {
            let share = Share { first, count: rows, of: all_rows };
            let [embedded, embedded_gradient] = [embedded, embedded_gradient].map(|slot| share.part(slot));
            first += rows;
            let composed_gradients = [counts * width, width].map(|len| plan.slot_if(training, len));
            let inputs = plan.slot(rows * counts);
            SpikeBatch { rows, width: counts, inputs, embedded, embedded_gradient, composed_gradients }
        };
        let planned = batches.iter().map(|batch| plan_batch(*batch)).collect();
        let of_one_batch = [width * self.embed.inputs, width].map(|len| plan.slot_if(batches.len() > 1, len));
        SpikeMemory { batches: planned, embedded, embedded_gradient, of_one_batch }
    }

    /// Writes rows `[row, hidden]`, with `then` done to them. The first layers are those of the batches; of a single one the
    /// last call of [`SpikeEmbedding::compose`] is used.
    pub(crate) fn forward(
        &self,
        cx: &mut Context<'_>,
        memory: &SpikeMemory,
        first_layers: &[FirstLayer],
        rows: Slot,
        then: Then,
    ) {
        for (index, SpikeBatch { rows, width, inputs, embedded, .. }) in memory.batches.iter().enumerate() {
            if memory.batches.len() > 1 {
                self.compose(cx, &first_layers[index]);
            }
            let [weight, bias] = self.composed_for(*width);
            cx.device.counts_linear(&CountsLinear {
                rows: *rows,
                units: *width,
                outputs: self.embed.outputs,
                x: *inputs,
                weight,
                bias,
                y: *embedded,
            });
        }
        let projection = self.projection.forward(cx.p, memory.rows(), memory.embedded, rows);
        cx.device.linear(&ops::Linear { then, ..projection });
    }

    /// Carries the gradient of the rows to the parameters.
    pub(crate) fn backward(
        &self,
        cx: &mut Context<'_>,
        memory: &SpikeMemory,
        first_layers: &[FirstLayer],
        rows_gradient: Slot,
    ) {
        let SpikeMemory { embedded, embedded_gradient, of_one_batch, .. } = *memory;
        cx.device.linear_backward(&LinearBackward {
            before: Before::Softsign,
            ..self.projection.backward(cx.p, memory.rows(), embedded, rows_gradient, embedded_gradient)
        });
        let outputs = self.embed.outputs;
        let sums = [cx.p.wanted_gradient(self.embed.weight), cx.p.wanted_gradient(self.embed.bias)];
        let is_trained = !sums[0].is_empty();
        for (index, (batch, first)) in memory.batches.iter().zip(first_layers).enumerate() {
            let SpikeBatch { rows, width, inputs, embedded_gradient, .. } = *batch;
            let [weight_gradient, bias_gradient] = batch.composed_gradients;
            cx.device.counts_linear_backward(&CountsLinearBackward {
                rows,
                units: width,
                outputs,
                x: inputs,
                z_gradient: embedded_gradient,
                weight_gradient,
                bias_gradient,
            });
            let [outer_weight_gradient, outer_bias_gradient] =
                if index == 0 || !is_trained { sums } else { of_one_batch };
            cx.device.compose_backward(&ComposeBackward {
                forward: self.composition(cx.p, first),
                weight_gradient,
                bias_gradient,
                inner_weight_gradient: first.gradients[0],
                inner_bias_gradient: first.gradients[1],
                outer_weight_gradient,
                outer_bias_gradient,
            });
            if index > 0 && is_trained {
                of_one_batch.into_iter().zip(sums).for_each(|(own, sum)| cx.device.add(own, sum));
            }
        }
    }
}
