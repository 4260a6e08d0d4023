//! A linear layer from rows to units, of which only those that are wanted are computed.

use super::Linear;
use crate::context::Context;
use neuroglot_engine::ops::{self, LinearBackward, SelectRows};
use neuroglot_engine::{MemoryPlan, Slot};

/// A decoder of a session's units, or of the places of a patch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct UnitDecoder(pub Linear);

/// Log-rates of the wanted units of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DecoderMemory {
    rows: usize,
    /// How many units are wanted.
    wanted: usize,
    /// `[row, wanted unit]`.
    pub log_rates: Slot,
    /// Numbers of the wanted units, to be written by the host; empty where all are wanted.
    pub units: Slot,
    /// Weights and biases of the wanted units, where not all are.
    selected: [Slot; 2],
    selected_gradients: [Slot; 2],
}

impl UnitDecoder {
    pub(crate) fn plan(
        &self,
        plan: &mut MemoryPlan,
        rows: usize,
        wanted: usize,
        training: bool,
    ) -> DecoderMemory {
        let log_rates = plan.slot(rows * wanted);
        let mut of_some = |len| plan.slot_if(wanted < self.0.outputs, len);
        let (units, selected) = (of_some(wanted), [of_some(wanted * self.0.inputs), of_some(wanted)]);
        let selected_gradients =
            if training { selected.map(|slot| of_some(slot.len())) } else { [Slot::default(); 2] };
        DecoderMemory { rows, wanted, log_rates, units, selected, selected_gradients }
    }

    pub(crate) fn forward(&self, cx: &mut Context<'_>, memory: &DecoderMemory, x: Slot) {
        let Self(layer) = self;
        let mut linear = layer.forward(cx.p, memory.rows, x, memory.log_rates);
        if !memory.units.is_empty() {
            let parameters = [linear.weight, linear.bias];
            for op in self.selections(memory, parameters, memory.selected) {
                cx.device.select_rows(&op);
            }
            let [weight, bias] = memory.selected;
            linear = ops::Linear { outputs: memory.wanted, weight, bias, ..linear };
        }
        cx.device.linear(&linear);
    }

    /// Writes to `x_gradient`.
    pub(crate) fn backward(
        &self,
        cx: &mut Context<'_>,
        memory: &DecoderMemory,
        x: Slot,
        log_rates_gradient: Slot,
        x_gradient: Slot,
    ) {
        let Self(layer) = self;
        let linear = layer.backward(cx.p, memory.rows, x, log_rates_gradient, x_gradient);
        if memory.units.is_empty() {
            return cx.device.linear_backward(&linear);
        }
        let ([weight, _], [weight_gradient, bias_gradient]) = (memory.selected, memory.selected_gradients);
        let outputs = memory.wanted;
        cx.device.linear_backward(&LinearBackward {
            outputs,
            weight,
            weight_gradient,
            bias_gradient,
            ..linear
        });
        let gradients = [cx.p.gradient(layer.weight), cx.p.gradient(layer.bias)];
        for op in self.selections(memory, gradients, memory.selected_gradients) {
            cx.device.select_rows_backward(&op);
        }
    }

    /// The wanted rows of the weights, and of the biases; or of the gradients of both.
    fn selections(&self, memory: &DecoderMemory, all: [Slot; 2], wanted: [Slot; 2]) -> [SelectRows; 2] {
        let (rows, selected, indices) = (self.0.outputs, memory.wanted, memory.units);
        let select =
            |part: usize, width| SelectRows { rows, width, selected, x: all[part], indices, y: wanted[part] };
        [select(0, self.0.inputs), select(1, 1)]
    }
}
