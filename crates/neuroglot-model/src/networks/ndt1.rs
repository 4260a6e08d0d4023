//! NDT1-stitch: a token per bin, and linear layers of each session's own in front and behind, its stitchers.
//!
//! counts `[bin, unit]` → input stitcher → embedding of spikes → projection + positions → session token, prompt token and
//! bins → blocks → norm → output stitcher → log-rates `[bin, unit]`.

use super::OwnSettings;
use crate::config::PromptRow;
use crate::context::Context;
use crate::layers::*;
use crate::network::*;
use crate::parameters::Layout;
use crate::unit_rows::UnitRows;
use crate::{ModelConfig, ModelError, Role, SessionShape, StitcherPart};
use neuroglot_engine::ops::{SelectRows, Then};
use neuroglot_engine::{Device, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What NDT1-stitch has besides the settings of all architectures.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ndt1Settings {
    /// Width of the input stitchers' output.
    pub channels: usize,
}

impl Default for Ndt1Settings {
    fn default() -> Self {
        Self { channels: 668 }
    }
}

impl OwnSettings for Ndt1Settings {
    fn check(&self) -> Result<(), ModelError> {
        if (1..=65_536).contains(&self.channels) {
            return Ok(());
        }
        let (field, value) = ("ndt1-stitch.channels", self.channels.to_string());
        Err(ModelError::Config { field, value, cure: "it must lie between 1 and 65536" })
    }

    fn changed(&self) -> Option<(&'static str, String)> {
        let is_changed = *self != Self::default();
        is_changed.then(|| ("ndt1-stitch.channels", self.channels.to_string()))
    }
}

/// The layers.
pub(super) struct Ndt1 {
    bins: usize,
    hidden: usize,
    stitchers: Vec<Stitchers>,
    spikes: SpikeEmbedding,
    positions: Embedding,
    encoder: Encoder,
}

/// The layers of one session.
struct Stitchers {
    input: Linear,
    output: UnitDecoder,
}

impl Ndt1 {
    pub(super) fn place(
        layout: &mut Layout,
        config: &ModelConfig,
        bins: usize,
        sessions: &[SessionShape],
    ) -> Self {
        let (hidden, channels) = (config.hidden, config.ndt1_stitch.channels);
        let spikes = SpikeEmbedding::place(layout, channels, hidden);
        let encoder = Encoder::place(layout, sessions.len(), config);
        let positions = Embedding::place(layout, "encoder.embedder.embed_pos", bins, hidden, Role::BinRows);
        let stitchers = sessions.iter().enumerate().map(|session| {
            use StitcherPart::*;
            let units = session.1.units();
            let mut place = |name, parts, inputs, outputs| {
                Linear::place_stitcher(layout, name, session, parts, inputs, outputs)
            };
            let (encoders, decoders) =
                ("encoder.stitcher.stitcher_dict", "stitch_decoder.stitch_decoder_dict");
            let input = place(encoders, [InputWeight, InputBias], units, channels);
            let output = place(decoders, [OutputWeight, OutputBias], hidden, units);
            Stitchers { input, output: UnitDecoder(output) }
        });
        let stitchers = stitchers.collect();
        Self { bins, hidden, stitchers, spikes, positions, encoder }
    }

    fn units(&self, session: usize) -> usize {
        self.stitchers[session].input.inputs
    }
}

impl Network for Ndt1 {
    fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng) {
        self.spikes.initialise(cx, rng);
        self.positions.initialise(cx, rng);
        self.encoder.initialise(cx, rng);
        for Stitchers { input, output } in &self.stitchers {
            input.initialise(cx, rng, 1.0);
            output.0.initialise(cx, rng, 1.0);
        }
    }

    fn set_output_bias(&self, cx: &mut Context<'_>, log_rates: &[(usize, Vec<f32>)]) {
        for (session, log_rates) in log_rates {
            cx.p.set(cx.device, self.stitchers[*session].output.0.bias, log_rates);
        }
    }

    fn plan_shared(&mut self, plan: &mut MemoryPlan, _training: bool) {
        let most_units = (0..self.stitchers.len()).map(|session| self.units(session)).max();
        self.spikes.plan_shared(plan, most_units.unwrap_or(0));
    }

    fn unit_rows(&self, _session: usize) -> UnitRows<'_> {
        UnitRows::Units
    }

    fn prepare(&self, cx: &mut Context<'_>, session: usize) {
        self.spikes.compose(cx, &FirstLayer::of(&self.stitchers[session].input, cx.p));
    }

    fn joins_sessions(&self) -> bool {
        true
    }

    fn plan(self: Arc<Self>, plan: &mut MemoryPlan, shape: &PassShape) -> Box<dyn Pass> {
        let (training, batches) = (shape.is_training(), &shape.batches);
        let of_counts = shape.use_of != Use::PredictionOfTokens;
        let rows = |batch: &BatchShape| batch.trials * self.bins;
        let spikes: Vec<[usize; 2]> =
            batches.iter().map(|batch| [rows(batch), self.units(batch.session)]).collect();
        let spikes = of_counts.then(|| self.spikes.plan(plan, &spikes, training));
        let all_rows = shape.trials() * self.bins * self.hidden;
        let projected = plan.slot_if(of_counts, all_rows);
        let encoder = self.encoder.plan(plan, batches, [self.bins, 1], training);
        let decoder = |batch: &BatchShape| {
            let output = &self.stitchers[batch.session].output;
            output.plan(plan, rows(batch), batch.outputs, training)
        };
        let decoders = batches.iter().map(decoder).collect();
        let sessions = batches.iter().map(|batch| batch.session).collect();
        Box::new(Ndt1Pass { sessions, spikes, projected, encoder, decoders, network: self })
    }

    fn token_cache(&self) -> Option<&dyn TokenCache> {
        Some(self)
    }
}

/// The layers with memory for batches, each of one session.
struct Ndt1Pass {
    network: Arc<Ndt1>,
    sessions: Vec<usize>,
    /// `None` where the tokens are given.
    spikes: Option<SpikeMemory>,
    /// `[row, hidden]`, a row per bin.
    projected: Slot,
    encoder: EncoderMemory,
    decoders: Vec<DecoderMemory>,
}

impl Ndt1Pass {
    fn stitchers(&self) -> impl Iterator<Item = &Stitchers> {
        self.sessions.iter().map(|session| &self.network.stitchers[*session])
    }

    fn first_layers(&self, cx: &Context<'_>) -> Vec<FirstLayer> {
        self.stitchers().map(|stitchers| FirstLayer::of(&stitchers.input, cx.p)).collect()
    }
}

impl Pass for Ndt1Pass {
    fn slots(&self, batch: usize) -> PassSlots {
        let (decoder, share) = (&self.decoders[batch], self.encoder.share(batch));
        PassSlots {
            inputs: self.spikes.as_ref().map_or(Slot::default(), |spikes| spikes.inputs(batch)),
            units: decoder.units,
            tokens: TokenSlots { tokens: self.encoder.tokens, first_qkv: self.encoder.blocks.first_qkv() },
            log_rates: decoder.log_rates,
            activations: share.part(self.encoder.normed.y),
            activations_gradient: share.part(self.projected),
        }
    }

    fn write_constants(&self, device: &mut dyn Device) {
        self.network.encoder.blocks.write_constants(device, &self.encoder.blocks);
    }

    fn forward(&self, cx: &mut Context<'_>, prompts: &[PromptRow]) {
        let n = &self.network;
        if let Some(spikes) = &self.spikes {
            n.spikes.forward(cx, spikes, &self.first_layers(cx), self.projected, Then::Nothing);
            n.encoder.tokens(cx, &self.encoder, prompts, self.projected, n.positions.values(cx.p));
        }
        n.encoder.forward(cx, &self.encoder, prompts, self.spikes.is_none());
        for (batch, (stitchers, decoder)) in self.stitchers().zip(&self.decoders).enumerate() {
            let encoded = self.encoder.share(batch).part(self.encoder.normed.y);
            stitchers.output.forward(cx, decoder, encoded);
        }
    }

    fn backward(&self, cx: &mut Context<'_>, prompts: &[PromptRow], log_rates_gradients: &[Slot]) {
        let n = &self.network;
        // The projected rows are not needed any more: their memory takes gradients of rows.
        let rows_gradient = self.projected;
        let layers = self.stitchers().zip(&self.decoders).zip(log_rates_gradients);
        for (batch, ((stitchers, decoder), log_rates_gradient)) in layers.enumerate() {
            let share = self.encoder.share(batch);
            let [encoded, gradient] = [self.encoder.normed.y, rows_gradient].map(|slot| share.part(slot));
            stitchers.output.backward(cx, decoder, encoded, *log_rates_gradient, gradient);
        }
        n.encoder.backward(cx, &self.encoder, prompts, rows_gradient, n.positions.gradient(cx.p));
        if let Some(spikes) = &self.spikes {
            n.spikes.backward(cx, spikes, &self.first_layers(cx), rows_gradient);
        }
    }
}

impl TokenCache for Ndt1 {
    fn plan(&self, plan: &mut MemoryPlan, session: usize, rows: usize) -> TokenMemory {
        let (norm, first_qkv) = self.encoder.blocks.plan_first(plan, rows);
        TokenMemory {
            session,
            rows,
            places: plan.slot(rows),
            slots: TokenSlots { tokens: plan.slot(rows * self.hidden), first_qkv },
            spikes: self.spikes.plan(plan, &[[rows, self.units(session)]], false),
            positions: plan.slot(rows * self.hidden),
            norm,
        }
    }

    fn bins(&self, cx: &mut Context<'_>, memory: &TokenMemory) {
        let TokenMemory { rows, places, slots, spikes, positions, norm, .. } = memory;
        cx.device.select_rows(&SelectRows {
            rows: self.bins,
            width: self.hidden,
            selected: *rows,
            x: self.positions.values(cx.p),
            indices: *places,
            y: *positions,
        });
        let add_positions = Then::Residual { x: *positions, dropout: None };
        self.spikes.forward(cx, spikes, &[], slots.tokens, add_positions);
        self.encoder.blocks.first_qkv(cx, *rows, slots.tokens, &(*norm, slots.first_qkv));
    }

    fn prefix(&self, cx: &mut Context<'_>, memory: &TokenMemory, prompt: PromptRow) {
        let TokenMemory { session, rows, slots, norm, .. } = memory;
        cx.device.fill(slots.tokens, 0.0);
        for (row, token) in self.encoder.prefix(cx, *session, prompt).into_iter().enumerate() {
            cx.device.copy(token, slots.tokens.part(row * self.hidden, self.hidden));
        }
        self.encoder.blocks.first_qkv(cx, *rows, slots.tokens, &(*norm, slots.first_qkv));
    }
}
