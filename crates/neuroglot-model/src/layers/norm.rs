//! Normalisation of rows.

use crate::context::Context;
use crate::parameters::{Layout, Parameter, Parameters};
use crate::{ParameterInfo, Role};
use neuroglot_engine::ops::{LayerNorm, LayerNormBackward, ScaleNorm, ScaleNormBackward};
use neuroglot_engine::{MemoryPlan, Slot};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which normalisation a block uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NormKind {
    /// Mean 0, variance 1, then gain and bias per feature.
    #[default]
    Layer,
    /// Length 1, then one gain.
    Scale,
}

/// A normalisation of rows of some width.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm {
    gain: Parameter,
    /// Layer norm only.
    bias: Option<Parameter>,
    width: usize,
}

/// The normalised rows of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct NormMemory {
    rows: usize,
    /// `[row, width]`.
    pub y: Slot,
    statistics: Slot,
}

impl Norm {
    pub(crate) fn place(layout: &mut Layout, name: &str, width: usize, kind: NormKind) -> Self {
        let mut place = |part: &str, shape: &[usize]| {
            layout.place(ParameterInfo::new(format!("{name}.{part}"), shape, Role::Trunk))
        };
        match kind {
            NormKind::Layer => {
                let (gain, bias) = (place("weight", &[width]), place("bias", &[width]));
                Self { gain, bias: Some(bias), width }
            }
            NormKind::Scale => Self { gain: place("scale", &[1]), bias: None, width },
        }
    }

    /// Gain 1, or √width where there is one for all features.
    pub(crate) fn initialise(&self, cx: &mut Context<'_>) {
        match self.bias {
            Some(bias) => {
                cx.device.fill(cx.p.value(self.gain), 1.0);
                cx.device.fill(cx.p.value(bias), 0.0);
            }
            None => cx.device.fill(cx.p.value(self.gain), (self.width as f32).sqrt()),
        }
    }

    pub(crate) fn plan(&self, plan: &mut MemoryPlan, rows: usize) -> NormMemory {
        NormMemory { rows, y: plan.slot(rows * self.width), statistics: plan.slot(rows * 2) }
    }

    /// The same for rows that only linear layers read.
    pub(crate) fn plan_factors(&self, plan: &mut MemoryPlan, rows: usize) -> NormMemory {
        NormMemory { rows, y: plan.factors(rows * self.width), statistics: plan.slot(rows * 2) }
    }

    pub(crate) fn forward(&self, cx: &mut Context<'_>, x: Slot, memory: &NormMemory) {
        match self.bias {
            Some(bias) => cx.device.layer_norm(&self.layer_norm(cx.p, x, memory, bias)),
            None => cx.device.scale_norm(&self.scale_norm(cx.p, x, memory)),
        }
    }

    fn layer_norm(&self, p: &Parameters, x: Slot, memory: &NormMemory, bias: Parameter) -> LayerNorm {
        let NormMemory { rows, y, statistics } = *memory;
        let (width, gain, bias) = (self.width, p.value(self.gain), p.value(bias));
        LayerNorm { rows, width, x, gain, bias, y, statistics }
    }

    fn scale_norm(&self, p: &Parameters, x: Slot, memory: &NormMemory) -> ScaleNorm {
        let NormMemory { rows, y, statistics } = *memory;
        ScaleNorm { rows, width: self.width, x, gain: p.value(self.gain), y, statistics }
    }

    /// Adds to `x_gradient`.
    pub(crate) fn backward(
        &self,
        cx: &mut Context<'_>,
        x: Slot,
        memory: &NormMemory,
        y_gradient: Slot,
        x_gradient: Slot,
    ) {
        let gain_gradient = cx.p.gradient(self.gain);
        match self.bias {
            Some(bias) => {
                let (forward, bias_gradient) = (self.layer_norm(cx.p, x, memory, bias), cx.p.gradient(bias));
                let op = LayerNormBackward { forward, y_gradient, x_gradient, gain_gradient, bias_gradient };
                cx.device.layer_norm_backward(&op);
            }
            None => {
                let forward = self.scale_norm(cx.p, x, memory);
                let op = ScaleNormBackward { forward, y_gradient, x_gradient, gain_gradient };
                cx.device.scale_norm_backward(&op);
            }
        }
    }
}
