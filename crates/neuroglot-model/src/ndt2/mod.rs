//! NDT2: a token per patch of units and bin, shared by all sessions.

mod layout;
mod positions;

pub use layout::{PatchLayout, PatchTail};

use crate::ends::Ends;
use crate::parameters::{Layout, Parameters, TRUNK_GROUP};
use crate::trunk::LinearParameters;
use crate::{ModelConfig, Regions, SessionShape};
use neuroglot_engine::ops::{Compose, ComposeBackward, PatchPositions, PatchPositionsBackward};
use neuroglot_engine::{Device, MemoryPlan, Slot};
use positions::{NormedRows, Rows};
use rand_chacha::ChaCha8Rng;

/// Counts of a patch as they are, positions in time and space, one decoder for all patches.
#[derive(Debug)]
pub(crate) struct Patched {
    bins: usize,
    hidden: usize,
    layouts: Vec<PatchLayout>,
    spikes: LinearParameters,
    decoder: LinearParameters,
    time: NormedRows,
    space: NormedRows,
    region: Option<RegionRows>,
    /// For the session last prepared, `[bin, patch, hidden]`.
    positions: Slot,
    positions_gradient: Slot,
    first_layer: [Slot; 2],
    unit: UnitLayer,
}

/// Positions of the patches' regions.
#[derive(Debug)]
struct RegionRows {
    rows: NormedRows,
    /// The row of each patch of each session.
    of_patch: Vec<Vec<f32>>,
    slots: Vec<Slot>,
}

/// A layer that changes nothing. Composed with it, the embedding of spikes, stored `[outputs, inputs]`, lies in the
/// order that a layer of counts reads.
#[derive(Debug, Default)]
struct UnitLayer {
    weight: Slot,
    bias: Slot,
    /// Takes gradients that nobody asks for.
    weight_gradient: Slot,
    bias_gradient: Slot,
}

impl ModelConfig {
    /// How the units of a session stand in patches, from the region acronym of each.
    pub fn patch_layout(&self, acronyms: &[impl AsRef<str>]) -> PatchLayout {
        PatchLayout::new(acronyms, self.patch, self.region_patches, self.patch_tail)
    }

    /// Regions of the units of a session, in the patches of this model, from the region acronym of each.
    pub fn regions(&self, acronyms: &[impl AsRef<str>]) -> Regions {
        let patches = self.patch_layout(acronyms);
        Regions::new(acronyms.iter().map(AsRef::as_ref)).with_patches(patches.patch_of_unit())
    }
}

/// Acronyms of all regions of all sessions, sorted.
pub(crate) fn acronyms(layouts: &[PatchLayout]) -> Vec<String> {
    let mut names: Vec<String> = layouts.iter().flat_map(PatchLayout::regions).cloned().collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl Patched {
    /// Places everything in the group of the trunk.
    pub(crate) fn place(
        layout: &mut Layout,
        config: &ModelConfig,
        bins: usize,
        sessions: &[SessionShape],
        spikes: LinearParameters,
    ) -> Self {
        let hidden = config.hidden;
        let layouts: Vec<PatchLayout> = sessions.iter().map(|s| config.patch_layout(&s.regions)).collect();
        let name = |part: &str| format!("encoder.embedder.{part}");
        let patches = layouts.iter().map(PatchLayout::patches).max().unwrap_or(0);
        let space = NormedRows::place(layout, &name("embed_space_pos"), Rows::Numbered(patches), hidden);
        let time = NormedRows::place(layout, &name("embed_time_pos"), Rows::Numbered(bins), hidden);
        let region = config.region_patches.then(|| {
            let names = acronyms(&layouts);
            let row_of = |region: &String| names.partition_point(|name| name < region) as f32;
            RegionRows {
                rows: NormedRows::place(layout, &name("embed_region"), Rows::Named(&names), hidden),
                of_patch: layouts.iter().map(|l| l.regions().iter().map(row_of).collect()).collect(),
                slots: Vec::new(),
            }
        });
        Self {
            bins,
            hidden,
            spikes,
            decoder: LinearParameters::place(layout, "decoder.0", hidden, config.patch),
            time,
            space,
            region,
            layouts,
            positions: Slot::default(),
            positions_gradient: Slot::default(),
            first_layer: [Slot::default(); 2],
            unit: UnitLayer::default(),
        }
    }

    /// Floats of the positions of a session.
    fn positions_len(&self, session: usize) -> usize {
        self.bins * self.layouts[session].patches() * self.hidden
    }
}

impl Ends for Patched {
    fn width(&self, _session: usize) -> usize {
        self.spikes.inputs
    }

    fn patches(&self, session: usize) -> Option<&PatchLayout> {
        Some(&self.layouts[session])
    }

    fn keep(&mut self, plan: &mut MemoryPlan, training: bool) {
        let positions = (0..self.layouts.len()).map(|session| self.positions_len(session)).max().unwrap_or(0);
        let LinearParameters { inputs, outputs, .. } = self.spikes;
        let only_training = |plan: &mut MemoryPlan, len| {
            if training { plan.slot(len) } else { Slot::default() }
        };
        self.positions = plan.slot(positions);
        self.positions_gradient = only_training(plan, positions);
        self.first_layer = [plan.slot(inputs * outputs), plan.slot(outputs)];
        self.unit = UnitLayer {
            weight: plan.slot(inputs * inputs),
            bias: plan.slot(inputs),
            weight_gradient: only_training(plan, inputs * inputs),
            bias_gradient: only_training(plan, inputs),
        };
        self.time.keep(plan, training);
        self.space.keep(plan, training);
        if let Some(region) = &mut self.region {
            region.rows.keep(plan, training);
            region.slots = region.of_patch.iter().map(|patches| plan.slot(patches.len())).collect();
        }
    }

    fn write_constants(&self, device: &mut dyn Device) {
        let width = self.spikes.inputs;
        let mut identity = vec![0.0; width * width];
        identity.iter_mut().step_by(width + 1).for_each(|entry| *entry = 1.0);
        device.write(self.unit.weight, &identity);
        device.fill(self.unit.bias, 0.0);
        if let Some(RegionRows { of_patch, slots, .. }) = &self.region {
            slots.iter().zip(of_patch).for_each(|(slot, of_patch)| device.write(*slot, of_patch));
        }
    }

    fn initialise_positions(&self, p: &Parameters, device: &mut dyn Device, rng: &mut ChaCha8Rng) {
        self.space.initialise(p, device, rng);
        self.time.initialise(p, device, rng);
        if let Some(region) = &self.region {
            region.rows.initialise(p, device, rng);
        }
    }

    fn initialise_decoders(&self, p: &Parameters, device: &mut dyn Device, rng: &mut ChaCha8Rng) {
        self.decoder.initialise(p, device, rng, 1.0);
    }

    /// All sessions share one bias for each place in a patch: it starts at the mean rate of the units that stand there,
    /// where the loss of a constant is least, or of all units where none does.
    fn set_output_bias(&self, p: &Parameters, device: &mut dyn Device, log_rates: &[(usize, Vec<f32>)]) {
        let size = self.spikes.inputs;
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
        p.set(device, self.decoder.bias, &biases.collect::<Vec<f32>>());
    }

    fn prepare(&self, p: &Parameters, device: &mut dyn Device, session: usize) {
        let [weight, bias] = self.first_layer;
        let LinearParameters { inputs, outputs, .. } = self.spikes;
        device.compose(&Compose {
            inputs,
            middle: inputs,
            outputs,
            inner_weight: self.unit.weight,
            inner_bias: self.unit.bias,
            outer_weight: p.value(self.spikes.weight),
            outer_bias: p.value(self.spikes.bias),
            weight,
            bias,
        });
        self.time.forward(p, device);
        self.space.forward(p, device);
        if let Some(region) = &self.region {
            region.rows.forward(p, device);
        }
        let patches = self.layouts[session].patches();
        let (regions, region, region_of_patch) = match &self.region {
            Some(RegionRows { rows, slots, .. }) => (rows.count, rows.first(rows.count), slots[session]),
            None => (0, Slot::default(), Slot::default()),
        };
        device.patch_positions(&PatchPositions {
            bins: self.bins,
            patches,
            width: self.hidden,
            regions,
            time: self.time.first(self.bins),
            space: self.space.first(patches),
            region,
            region_of_patch,
            y: self.positions(p, session),
        });
    }

    fn first_layer(&self, _session: usize) -> [Slot; 2] {
        self.first_layer
    }

    fn positions(&self, _p: &Parameters, session: usize) -> Slot {
        self.positions.part(0, self.positions_len(session))
    }

    fn positions_gradient(&self, _p: &Parameters, session: usize) -> Slot {
        self.positions_gradient.part(0, self.positions_len(session))
    }

    fn backward(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        session: usize,
        [weight_gradient, bias_gradient]: [Slot; 2],
    ) {
        let LinearParameters { inputs, outputs, .. } = self.spikes;
        device.compose_backward(&ComposeBackward {
            inputs,
            middle: inputs,
            outputs,
            inner_weight: self.unit.weight,
            inner_bias: self.unit.bias,
            outer_weight: p.value(self.spikes.weight),
            weight_gradient,
            bias_gradient,
            inner_weight_gradient: self.unit.weight_gradient,
            inner_bias_gradient: self.unit.bias_gradient,
            outer_weight_gradient: p.gradient(self.spikes.weight),
            outer_bias_gradient: p.gradient(self.spikes.bias),
        });
        let patches = self.layouts[session].patches();
        let (regions, region_gradient, region_of_patch) = match &self.region {
            Some(RegionRows { rows, slots, .. }) => {
                (rows.count, rows.first_gradient(rows.count), slots[session])
            }
            None => (0, Slot::default(), Slot::default()),
        };
        // Other sessions may have more patches: their positions have gradient 0.
        self.space.clear_gradient(device);
        device.patch_positions_backward(&PatchPositionsBackward {
            bins: self.bins,
            patches,
            width: self.hidden,
            regions,
            region_of_patch,
            y_gradient: self.positions_gradient(p, session),
            time_gradient: self.time.first_gradient(self.bins),
            space_gradient: self.space.first_gradient(patches),
            region_gradient,
        });
        self.time.backward(p, device);
        self.space.backward(p, device);
        if let Some(region) = &self.region {
            region.rows.backward(p, device);
        }
    }

    fn decoder(&self, _session: usize) -> LinearParameters {
        self.decoder
    }

    fn groups(&self, _session: usize) -> Vec<usize> {
        vec![TRUNK_GROUP]
    }
}
