//! Learned rows, as they are and with a LayerNorm behind them.

use super::{Norm, NormKind, NormMemory};
use crate::context::Context;
use crate::initialisation::embedding;
use crate::parameters::{Layout, Parameter, Parameters};
use crate::{ParameterInfo, Role};
use neuroglot_engine::{MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// Rows of some width.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Embedding {
    parameter: Parameter,
    pub rows: usize,
    width: usize,
}

impl Embedding {
    /// Rows in one parameter.
    pub(crate) fn place(layout: &mut Layout, name: &str, rows: usize, width: usize, role: Role) -> Self {
        let parameter = layout.place(ParameterInfo::new(format!("{name}.weight"), &[rows, width], role));
        Self { parameter, rows, width }
    }

    /// A row for each region, each a parameter of its own under the region's acronym. There is at least one.
    pub(crate) fn place_regions(layout: &mut Layout, name: &str, acronyms: &[String], width: usize) -> Self {
        let info = |acronym| ParameterInfo::new(format!("{name}.{acronym}"), &[width], Role::Region);
        let places = layout.place_adjacent(acronyms.iter().map(info));
        let parameter = places[0].through(places[places.len() - 1]);
        Self { parameter, rows: acronyms.len(), width }
    }

    /// Standard normal.
    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng) {
        cx.p.set(cx.device, self.parameter, &embedding(rng, self.rows, self.width));
    }

    /// All rows, `[row, width]`.
    pub(crate) fn values(&self, p: &Parameters) -> Slot {
        p.value(self.parameter)
    }

    /// One row.
    pub(crate) fn row(&self, p: &Parameters, row: usize) -> Slot {
        self.values(p).part(row * self.width, self.width)
    }

    /// Where the gradient of all rows goes.
    pub(crate) fn gradient(&self, p: &Parameters) -> Slot {
        p.gradient(self.parameter)
    }

    /// Where the gradient of one row goes.
    pub(crate) fn row_gradient(&self, p: &Parameters, row: usize) -> Slot {
        self.gradient(p).part(row * self.width, self.width)
    }
}

/// An embedding with a LayerNorm behind it. All rows are normed once per pass, whatever number of tokens has them.
#[derive(Debug)]
pub(crate) struct NormedEmbedding {
    pub embedding: Embedding,
    norm: Norm,
    normed: NormMemory,
    normed_gradient: Slot,
}

impl NormedEmbedding {
    /// Takes an embedding that was placed as `{name}.0`.
    pub(crate) fn place(layout: &mut Layout, name: &str, embedding: Embedding) -> Self {
        let norm = Norm::place(layout, &format!("{name}.1"), embedding.width, NormKind::Layer);
        Self { embedding, norm, normed: NormMemory::default(), normed_gradient: Slot::default() }
    }

    /// Plans what stays from pass to pass.
    pub(crate) fn plan_shared(&mut self, plan: &mut MemoryPlan, training: bool) {
        let Embedding { rows, width, .. } = self.embedding;
        self.normed = self.norm.plan(plan, rows);
        self.normed_gradient = plan.slot_if(training, rows * width);
    }

    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng) {
        self.embedding.initialise(cx, rng);
        self.norm.initialise(cx);
    }

    pub(crate) fn forward(&self, cx: &mut Context<'_>) {
        self.norm.forward(cx, self.embedding.values(cx.p), &self.normed);
    }

    /// Carries the gradient of all normed rows to the parameters.
    pub(crate) fn backward(&self, cx: &mut Context<'_>) {
        let (rows, gradient) = (self.embedding.values(cx.p), self.embedding.gradient(cx.p));
        cx.device.fill(gradient, 0.0);
        self.norm.backward(cx, rows, &self.normed, self.normed_gradient, gradient);
    }

    /// The first normed rows, `[row, width]`.
    pub(crate) fn first(&self, rows: usize) -> Slot {
        self.normed.y.part(0, rows * self.embedding.width)
    }

    /// Where the gradient of the first normed rows goes.
    pub(crate) fn first_gradient(&self, rows: usize) -> Slot {
        self.normed_gradient.part(0, rows * self.embedding.width)
    }

    /// Sets the gradient of all normed rows to 0.
    pub(crate) fn clear_gradient(&self, cx: &mut Context<'_>) {
        cx.device.fill(self.normed_gradient, 0.0);
    }
}
