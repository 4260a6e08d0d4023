//! NDT1-stitch: one token per bin, one stitcher per session.

use crate::ends::Ends;
use crate::initialisation::embedding;
use crate::parameters::{Layout, Parameter, Parameters, TRUNK_GROUP};
use crate::trunk::LinearParameters;
use crate::{ModelConfig, SessionShape};
use neuroglot_engine::ops::{Compose, ComposeBackward};
use neuroglot_engine::{Device, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// The stitchers of one session.
#[derive(Debug)]
struct Stitchers {
    encoder: LinearParameters,
    decoder: LinearParameters,
    group: usize,
}

/// A stitcher per session in front of the embedding of spikes and behind the blocks; learned positions.
#[derive(Debug)]
pub(crate) struct Stitched {
    bins: usize,
    hidden: usize,
    positions: Parameter,
    spikes: LinearParameters,
    stitchers: Vec<Stitchers>,
    /// A session's stitcher and the embedding of spikes as one layer: weight `[unit, 2 · channels]` and bias, large
    /// enough for the session with the most units.
    composed: [Slot; 2],
}

impl Stitched {
    /// Places the positions in the group of the trunk, and a group for each session.
    pub(crate) fn place(
        layout: &mut Layout,
        config: &ModelConfig,
        bins: usize,
        sessions: &[SessionShape],
        spikes: LinearParameters,
    ) -> Self {
        let (hidden, channels) = (config.hidden, config.channels);
        let positions = layout.place("encoder.embedder.embed_pos.weight", &[bins, hidden]);
        let stitchers = sessions.iter().map(|session| {
            let (eid, units) = (&session.eid, session.units());
            let group = layout.group();
            let encoder = format!("encoder.stitcher.stitcher_dict.{eid}");
            let decoder = format!("stitch_decoder.stitch_decoder_dict.{eid}");
            Stitchers {
                encoder: LinearParameters::place(layout, &encoder, units, channels),
                decoder: LinearParameters::place(layout, &decoder, hidden, units),
                group,
            }
        });
        let stitchers = stitchers.collect();
        Self { bins, hidden, positions, spikes, stitchers, composed: [Slot::default(); 2] }
    }
}

impl Ends for Stitched {
    fn width(&self, session: usize) -> usize {
        self.stitchers[session].encoder.inputs
    }

    fn keep(&mut self, plan: &mut MemoryPlan, _training: bool) {
        let most_units = (0..self.stitchers.len()).map(|session| self.width(session)).max().unwrap_or(0);
        let embedded = self.spikes.outputs;
        self.composed = [plan.slot(most_units * embedded), plan.slot(embedded)];
    }

    fn initialise_positions(&self, p: &Parameters, device: &mut dyn Device, rng: &mut ChaCha8Rng) {
        p.set(device, self.positions, &embedding(rng, self.bins, self.hidden));
    }

    fn initialise_decoders(&self, p: &Parameters, device: &mut dyn Device, rng: &mut ChaCha8Rng) {
        for stitchers in &self.stitchers {
            stitchers.encoder.initialise(p, device, rng, 1.0);
            stitchers.decoder.initialise(p, device, rng, 1.0);
        }
    }

    fn set_output_bias(&self, p: &Parameters, device: &mut dyn Device, log_rates: &[(usize, Vec<f32>)]) {
        for (session, log_rates) in log_rates {
            p.set(device, self.stitchers[*session].decoder.bias, log_rates);
        }
    }

    fn prepare(&self, p: &Parameters, device: &mut dyn Device, session: usize) {
        let encoder = &self.stitchers[session].encoder;
        let [weight, bias] = self.first_layer(session);
        device.compose(&Compose {
            inputs: encoder.inputs,
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

    fn first_layer(&self, session: usize) -> [Slot; 2] {
        let [weight, bias] = self.composed;
        [weight.part(0, self.width(session) * self.spikes.outputs), bias]
    }

    fn positions(&self, p: &Parameters, _session: usize) -> Slot {
        p.value(self.positions)
    }

    fn positions_gradient(&self, p: &Parameters, _session: usize) -> Slot {
        p.gradient(self.positions)
    }

    fn backward(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        session: usize,
        [weight_gradient, bias_gradient]: [Slot; 2],
    ) {
        let encoder = &self.stitchers[session].encoder;
        device.compose_backward(&ComposeBackward {
            inputs: encoder.inputs,
            middle: self.spikes.inputs,
            outputs: self.spikes.outputs,
            inner_weight: p.value(encoder.weight),
            inner_bias: p.value(encoder.bias),
            outer_weight: p.value(self.spikes.weight),
            weight_gradient,
            bias_gradient,
            inner_weight_gradient: p.gradient(encoder.weight),
            inner_bias_gradient: p.gradient(encoder.bias),
            outer_weight_gradient: p.gradient(self.spikes.weight),
            outer_bias_gradient: p.gradient(self.spikes.bias),
        });
    }

    fn decoder(&self, session: usize) -> LinearParameters {
        self.stitchers[session].decoder
    }

    fn groups(&self, session: usize) -> Vec<usize> {
        vec![TRUNK_GROUP, self.stitchers[session].group]
    }
}
