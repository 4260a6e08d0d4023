//! Learned positions of patches in time and space, and of their regions.

use crate::NormKind;
use crate::initialisation::embedding;
use crate::parameters::{Layout, Parameter, Parameters};
use crate::trunk::NormParameters;
use neuroglot_engine::{Device, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// An embedding with a LayerNorm behind it. All rows are normed once per pass, whatever number of tokens has them.
#[derive(Debug)]
pub(super) struct NormedRows {
    pub count: usize,
    width: usize,
    embedding: Parameter,
    norm: NormParameters,
    normed: Slot,
    statistics: Slot,
    normed_gradient: Slot,
}

impl NormedRows {
    /// Places an embedding of named rows, or of numbered ones in one parameter.
    pub(super) fn place(layout: &mut Layout, name: &str, rows: Rows<'_>, width: usize) -> Self {
        let (count, embedding) = match rows {
            Rows::Numbered(count) => (count, layout.place(format!("{name}.0.weight"), &[count, width])),
            Rows::Named(names) => {
                let named = names.iter().map(|row| (format!("{name}.0.{row}"), vec![width]));
                let places = layout.adjacent_all(named.collect());
                (names.len(), places[0].through(places[places.len() - 1]))
            }
        };
        Self {
            count,
            width,
            embedding,
            norm: NormParameters::place(layout, &format!("{name}.1"), width, NormKind::Layer),
            normed: Slot::default(),
            statistics: Slot::default(),
            normed_gradient: Slot::default(),
        }
    }

    pub(super) fn keep(&mut self, plan: &mut MemoryPlan, training: bool) {
        self.normed = plan.slot(self.count * self.width);
        self.statistics = plan.slot(self.count * 2);
        self.normed_gradient = if training { plan.slot(self.count * self.width) } else { Slot::default() };
    }

    pub(super) fn initialise(&self, p: &Parameters, device: &mut dyn Device, rng: &mut ChaCha8Rng) {
        p.set(device, self.embedding, &embedding(rng, self.count, self.width));
        self.norm.initialise(p, device);
    }

    pub(super) fn forward(&self, p: &Parameters, device: &mut dyn Device) {
        let rows = p.value(self.embedding);
        self.norm.forward(p, device, self.count, rows, self.normed, self.statistics);
    }

    /// Carries the gradient of all rows to the parameters.
    pub(super) fn backward(&self, p: &Parameters, device: &mut dyn Device) {
        let (rows, gradient) = (p.value(self.embedding), p.gradient(self.embedding));
        device.fill(gradient, 0.0);
        self.norm.backward(p, device, self.count, rows, self.statistics, self.normed_gradient, gradient);
    }

    /// The first rows, `[row, width]`.
    pub(super) fn first(&self, rows: usize) -> Slot {
        self.normed.part(0, rows * self.width)
    }

    /// Where the gradient of the first rows goes.
    pub(super) fn first_gradient(&self, rows: usize) -> Slot {
        self.normed_gradient.part(0, rows * self.width)
    }

    /// Sets the gradient of all rows to 0.
    pub(super) fn clear_gradient(&self, device: &mut dyn Device) {
        device.fill(self.normed_gradient, 0.0);
    }
}

/// The rows of an embedding.
pub(super) enum Rows<'a> {
    Numbered(usize),
    Named(&'a [String]),
}
