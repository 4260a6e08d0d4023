//! y = x·Wᵀ + b.

use crate::context::Context;
use crate::initialisation::{linear_bias, linear_weight};
use crate::parameters::{Layout, Parameter, Parameters};
use crate::{ParameterInfo, Role, SessionShape, StitcherPart};
use neuroglot_engine::Slot;
use neuroglot_engine::ops::{self, Before, Then};
use rand_chacha::ChaCha8Rng;

/// A linear layer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Linear {
    pub weight: Parameter,
    pub bias: Parameter,
    pub inputs: usize,
    pub outputs: usize,
}

impl Linear {
    /// A layer that sessions share.
    pub(crate) fn place(layout: &mut Layout, name: &str, inputs: usize, outputs: usize) -> Self {
        let mut place = |part: &str, shape: &[usize]| {
            layout.place(ParameterInfo::new(format!("{name}.{part}"), shape, Role::Trunk))
        };
        let (weight, bias) = (place("weight", &[outputs, inputs]), place("bias", &[outputs]));
        Self { weight, bias, inputs, outputs }
    }

    /// A layer of one session, under its eid in the dictionary `name`.
    pub(crate) fn place_stitcher(
        layout: &mut Layout,
        name: &str,
        (index, session): (usize, &SessionShape),
        [weight, bias]: [StitcherPart; 2],
        inputs: usize,
        outputs: usize,
    ) -> Self {
        let before = format!("{name}.");
        let mut place = |after: &str, shape: &[usize], part| {
            let role = Role::Stitcher { session: index, part };
            layout.place(ParameterInfo::of_session(&before, session, after, shape, role))
        };
        let weight = place(".weight", &[outputs, inputs], weight);
        let bias = place(".bias", &[outputs], bias);
        Self { weight, bias, inputs, outputs }
    }

    /// Uniform within ± 1/√inputs; weights times `scale`.
    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng, scale: f64) {
        cx.p.set(cx.device, self.weight, &linear_weight(rng, self.inputs, self.outputs, scale));
        cx.p.set(cx.device, self.bias, &linear_bias(rng, self.inputs, self.outputs));
    }

    /// y = x·Wᵀ + b and nothing else; other layers change the fields they need.
    pub(crate) fn forward(&self, p: &Parameters, rows: usize, x: Slot, y: Slot) -> ops::Linear {
        let (inputs, outputs) = (self.inputs, self.outputs);
        let (weight, bias) = (p.value(self.weight), p.value(self.bias));
        ops::Linear { rows, inputs, outputs, x, weight, bias, y, then: Then::Nothing }
    }

    /// The backward pass of [`Linear::forward`].
    pub(crate) fn backward(
        &self,
        p: &Parameters,
        rows: usize,
        x: Slot,
        y_gradient: Slot,
        x_gradient: Slot,
    ) -> ops::LinearBackward {
        ops::LinearBackward {
            rows,
            inputs: self.inputs,
            outputs: self.outputs,
            x,
            weight: p.value(self.weight),
            y_gradient,
            dropout: None,
            x_gradient,
            before: Before::Nothing,
            weight_gradient: p.wanted_gradient(self.weight),
            bias_gradient: p.wanted_gradient(self.bias),
        }
    }
}
