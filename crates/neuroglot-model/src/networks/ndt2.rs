//! NDT2: a token per patch of units and bin, and everything shared by all sessions.
//!
//! counts `[bin, patch, place]` → embedding of spikes → projection + positions in time and space, and of regions → session
//! token, prompt token and patches → blocks → norm → decoder → log-rates `[bin, patch, place]`.

use super::OwnSettings;
use crate::config::PromptRow;
use crate::context::Context;
use crate::layers::*;
use crate::network::*;
use crate::parameters::Layout;
use crate::unit_rows::UnitRows;
use crate::{ModelConfig, ModelError, Role, SessionShape};
use neuroglot_engine::ops::{PatchPositions, Then};
use neuroglot_engine::{Device, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What NDT2 has besides the settings of all architectures.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ndt2Settings {
    /// What fills the last patch where units do not.
    pub patch_tail: PatchTail,
    /// No patch holds units of two regions, and each token is told its region.
    pub region_patches: bool,
}

impl OwnSettings for Ndt2Settings {
    fn check(&self) -> Result<(), ModelError> {
        Ok(())
    }

    fn changed(&self) -> Option<(&'static str, String)> {
        let Self { patch_tail, region_patches } = self;
        if *patch_tail != PatchTail::default() {
            return Some(("ndt2.patch_tail", patch_tail.to_string()));
        }
        region_patches.then(|| ("ndt2.region_patches", region_patches.to_string()))
    }
}

/// The layers.
pub(super) struct Ndt2 {
    bins: usize,
    hidden: usize,
    /// How the units of each session stand in patches.
    layouts: Vec<PatchLayout>,
    /// Changes nothing: counts of a patch are embedded as they are.
    identity: FirstLayer,
    spikes: SpikeEmbedding,
    space: NormedEmbedding,
    time: NormedEmbedding,
    region: Option<RegionPositions>,
    /// Positions of the session last prepared, `[bin, patch, hidden]`, and their gradient.
    positions: Slot,
    positions_gradient: Slot,
    encoder: Encoder,
    decoder: UnitDecoder,
}

/// Positions of the patches' regions.
struct RegionPositions {
    rows: NormedEmbedding,
    /// The row of each patch, for each session.
    of_patch: Vec<Vec<f32>>,
    slots: Vec<Slot>,
}

impl Ndt2 {
    pub(super) fn place(
        layout: &mut Layout,
        config: &ModelConfig,
        bins: usize,
        sessions: &[SessionShape],
    ) -> Self {
        let (hidden, size) = (config.hidden, config.patch);
        let spikes = SpikeEmbedding::place(layout, size, hidden);
        let encoder = Encoder::place(layout, sessions.len(), config);
        let layouts: Vec<PatchLayout> = sessions.iter().map(|s| config.patch_layout(&s.regions)).collect();
        let patches = layouts.iter().map(PatchLayout::patches).max().unwrap_or(0);
        let mut normed = |name: &str, rows: usize, role: Role| {
            let name = format!("encoder.embedder.{name}");
            let rows = Embedding::place(layout, &format!("{name}.0"), rows, hidden, role);
            NormedEmbedding::place(layout, &name, rows)
        };
        let space = normed("embed_space_pos", patches, Role::PatchRows);
        let time = normed("embed_time_pos", bins, Role::BinRows);
        let region = config
            .ndt2
            .region_patches
            .then(|| RegionPositions::place(layout, "encoder.embedder.embed_region", &layouts, hidden));
        let decoder = UnitDecoder(Linear::place(layout, "decoder.0", hidden, size));
        let nothing = Slot::default();
        Self {
            bins,
            hidden,
            layouts,
            identity: FirstLayer::default(),
            spikes,
            space,
            time,
            region,
            positions: nothing,
            positions_gradient: nothing,
            encoder,
            decoder,
        }
    }

    /// All embeddings that positions are made of.
    fn positional(&self) -> impl Iterator<Item = &NormedEmbedding> {
        [&self.space, &self.time].into_iter().chain(self.region.as_ref().map(|region| &region.rows))
    }

    fn patches(&self, session: usize) -> usize {
        self.layouts[session].patches()
    }

    /// The part of `positions` or its gradient that a session uses.
    fn positions_of(&self, session: usize, positions: Slot) -> Slot {
        positions.part(0, self.bins * self.patches(session) * self.hidden)
    }

    /// What makes the positions of a session's tokens of the first rows of embeddings, or all of their gradients.
    fn patch_positions(
        &self,
        session: usize,
        first_rows: fn(&NormedEmbedding, usize) -> Slot,
        positions: Slot,
    ) -> PatchPositions {
        let patches = self.patches(session);
        let (mut regions, mut region, mut region_of_patch) = Default::default();
        if let Some(RegionPositions { rows, slots, .. }) = &self.region {
            regions = rows.embedding.rows;
            (region, region_of_patch) = (first_rows(rows, regions), slots[session]);
        }
        PatchPositions {
            bins: self.bins,
            patches,
            width: self.hidden,
            regions,
            time: first_rows(&self.time, self.bins),
            space: first_rows(&self.space, patches),
            region,
            region_of_patch,
            y: self.positions_of(session, positions),
        }
    }
}

impl RegionPositions {
    fn place(layout: &mut Layout, name: &str, layouts: &[PatchLayout], hidden: usize) -> Self {
        let mut acronyms: Vec<String> = layouts.iter().flat_map(PatchLayout::regions).cloned().collect();
        acronyms.sort_unstable();
        acronyms.dedup();
        let row_of = |region: &String| acronyms.partition_point(|acronym| acronym < region) as f32;
        let rows = Embedding::place_regions(layout, &format!("{name}.0"), &acronyms, hidden);
        Self {
            rows: NormedEmbedding::place(layout, name, rows),
            of_patch: layouts.iter().map(|l| l.regions().iter().map(row_of).collect()).collect(),
            slots: Vec::new(),
        }
    }
}

impl Network for Ndt2 {
    fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng) {
        self.spikes.initialise(cx, rng);
        self.positional().for_each(|rows| rows.initialise(cx, rng));
        self.encoder.initialise(cx, rng);
        self.decoder.0.initialise(cx, rng, 1.0);
    }

    /// All sessions share one bias for each place in a patch: it starts at the mean rate of the units that stand there,
    /// where the loss of a constant is least, or of all units where none does.
    fn set_output_bias(&self, cx: &mut Context<'_>, log_rates: &[(usize, Vec<f32>)]) {
        let size = self.decoder.0.outputs;
        let (mut rates, mut units) = (vec![0.0f64; size], vec![0.0f64; size]);
        for (session, log_rates) in log_rates {
            for (unit, log_rate) in log_rates.iter().enumerate() {
                let place = self.layouts[*session].place_in_patch(unit);
                rates[place] += f64::from(*log_rate).exp();
                units[place] += 1.0;
            }
        }
        let of_all = (rates.iter().sum::<f64>(), units.iter().sum::<f64>());
        let mean = |(rate, units): (f64, f64)| (rate / units).ln() as f32;
        let places = rates.into_iter().zip(units);
        let biases = places.map(|place| mean(if place.1 > 0.0 { place } else { of_all }));
        cx.p.set(cx.device, self.decoder.0.bias, &biases.collect::<Vec<f32>>());
    }

    fn plan_shared(&mut self, plan: &mut MemoryPlan, training: bool) {
        let most_patches = (0..self.layouts.len()).map(|session| self.patches(session)).max();
        let positions = self.bins * most_patches.unwrap_or(0) * self.hidden;
        self.positions = plan.slot(positions);
        if training {
            self.positions_gradient = plan.slot(positions);
        }
        self.identity = FirstLayer::plan_identity(plan, self.decoder.0.outputs, training);
        self.spikes.plan_shared(plan, self.decoder.0.outputs);
        self.time.plan_shared(plan, training);
        self.space.plan_shared(plan, training);
        if let Some(region) = &mut self.region {
            region.rows.plan_shared(plan, training);
            region.slots = region.of_patch.iter().map(|patches| plan.slot(patches.len())).collect();
        }
    }

    fn write_constants(&self, device: &mut dyn Device) {
        self.identity.write_identity(device);
        if let Some(RegionPositions { of_patch, slots, .. }) = &self.region {
            slots.iter().zip(of_patch).for_each(|(slot, of_patch)| device.write(*slot, of_patch));
        }
    }

    fn unit_rows(&self, session: usize) -> UnitRows<'_> {
        UnitRows::Patches(&self.layouts[session])
    }

    fn prepare(&self, cx: &mut Context<'_>, session: usize) {
        self.spikes.compose(cx, &self.identity);
        self.positional().for_each(|rows| rows.forward(cx));
        cx.device.patch_positions(&self.patch_positions(session, NormedEmbedding::first, self.positions));
    }

    fn plan(self: Arc<Self>, plan: &mut MemoryPlan, shape: &PassShape) -> Box<dyn Pass> {
        // Sessions have tokens of their own number, so no pass joins them.
        let batch @ BatchShape { session, trials, outputs, .. } = shape.batches[0];
        let training = shape.is_training();
        let tokens = [self.bins, self.patches(session)];
        let rows = trials * tokens[0] * tokens[1];
        Box::new(Ndt2Pass {
            session,
            spikes: self.spikes.plan(plan, &[[rows, self.decoder.0.outputs]], training),
            projected: plan.slot(rows * self.hidden),
            encoder: self.encoder.plan(plan, &[batch], tokens, training),
            decoder: self.decoder.plan(plan, rows, outputs, training),
            network: self,
        })
    }
}

/// The layers with memory for a batch of one session.
struct Ndt2Pass {
    network: Arc<Ndt2>,
    session: usize,
    spikes: SpikeMemory,
    /// `[row, hidden]`, a row per bin and patch.
    projected: Slot,
    encoder: EncoderMemory,
    decoder: DecoderMemory,
}

impl Pass for Ndt2Pass {
    fn slots(&self, _batch: usize) -> PassSlots {
        PassSlots {
            inputs: self.spikes.inputs(0),
            log_rates: self.decoder.log_rates,
            activations: self.encoder.normed.y,
            activations_gradient: self.projected,
            ..PassSlots::default()
        }
    }

    fn write_constants(&self, device: &mut dyn Device) {
        self.network.encoder.blocks.write_constants(device, &self.encoder.blocks);
    }

    fn forward(&self, cx: &mut Context<'_>, prompts: &[PromptRow]) {
        let n = &self.network;
        n.spikes.forward(cx, &self.spikes, &[n.identity], self.projected, Then::Nothing);
        let positions = n.positions_of(self.session, n.positions);
        n.encoder.tokens(cx, &self.encoder, prompts, self.projected, positions);
        n.encoder.forward(cx, &self.encoder, prompts, false);
        n.decoder.forward(cx, &self.decoder, self.encoder.normed.y);
    }

    fn backward(&self, cx: &mut Context<'_>, prompts: &[PromptRow], log_rates_gradients: &[Slot]) {
        let (n, session) = (&self.network, self.session);
        // The projected rows are not needed any more: their memory takes gradients of rows.
        let rows_gradient = self.projected;
        let encoded = self.encoder.normed.y;
        if let Some(gradient) = log_rates_gradients.first() {
            n.decoder.backward(cx, &self.decoder, encoded, *gradient, rows_gradient);
        }
        let positions_gradient = n.positions_of(session, n.positions_gradient);
        n.encoder.backward(cx, &self.encoder, prompts, rows_gradient, positions_gradient);
        n.spikes.backward(cx, &self.spikes, &[n.identity], rows_gradient);
        // Other sessions may have more patches: their positions have gradient 0.
        n.space.clear_gradient(cx);
        let gradients = n.patch_positions(session, NormedEmbedding::first_gradient, n.positions_gradient);
        cx.device.patch_positions_backward(&gradients);
        n.positional().for_each(|rows| rows.backward(cx));
    }
}
