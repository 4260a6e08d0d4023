//! Two linear layers with GELU between them, added to what comes in.

use super::{Linear, TransformerSettings};
use crate::context::Context;
use crate::parameters::Layout;
use neuroglot_engine::ops::{self, Before, Then};
use neuroglot_engine::{MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// r + dropout(down(gelu(up(x)))).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mlp {
    up: Linear,
    down: Linear,
    dropout: f32,
    site: u32,
}

/// The values between the layers, before and behind GELU.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MlpMemory {
    rows: usize,
    up: Slot,
    /// Training only: otherwise GELU is applied in place.
    activated: Slot,
}

impl Mlp {
    pub(crate) fn place(layout: &mut Layout, name: &str, settings: &TransformerSettings, site: u32) -> Self {
        let TransformerSettings { hidden, mlp, dropout, .. } = *settings;
        let up = Linear::place(layout, &format!("{name}.up_proj"), hidden, mlp);
        let down = Linear::place(layout, &format!("{name}.down_proj"), mlp, hidden);
        Self { up, down, dropout, site }
    }

    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng, scale: f64) {
        self.up.initialise(cx, rng, scale);
        self.down.initialise(cx, rng, scale);
    }

    pub(crate) fn plan(&self, plan: &mut MemoryPlan, rows: usize, training: bool) -> MlpMemory {
        let inside = rows * self.up.outputs;
        let up = plan.slot(inside);
        MlpMemory { rows, up, activated: if training { plan.factors(inside) } else { Slot::default() } }
    }

    /// Adds to `residual` and writes to `y`; an empty `residual` adds to `y` itself.
    pub(crate) fn forward(&self, cx: &mut Context<'_>, memory: &MlpMemory, x: Slot, residual: Slot, y: Slot) {
        let MlpMemory { rows, up, activated } = *memory;
        cx.device
            .linear(&ops::Linear { then: Then::Gelu { activated }, ..self.up.forward(cx.p, rows, x, up) });
        let dropout = cx.dropout_at(self.dropout, self.site);
        cx.device.linear(&ops::Linear {
            then: Then::Residual { x: residual, dropout },
            ..self.down.forward(cx.p, rows, if activated.is_empty() { up } else { activated }, y)
        });
    }

    /// Writes to `x_gradient`; the residual's gradient is that of y. `scratch` is as large as the values between the
    /// layers.
    pub(crate) fn backward(
        &self,
        cx: &mut Context<'_>,
        memory: &MlpMemory,
        x: Slot,
        y_gradient: Slot,
        scratch: Slot,
        x_gradient: Slot,
    ) {
        let MlpMemory { rows, up, activated } = *memory;
        cx.device.linear_backward(&ops::LinearBackward {
            dropout: cx.dropout_at(self.dropout, self.site),
            before: Before::Gelu { z: up },
            ..self.down.backward(cx.p, rows, activated, y_gradient, scratch)
        });
        cx.device.linear_backward(&self.up.backward(cx.p, rows, x, scratch, x_gradient));
    }
}
