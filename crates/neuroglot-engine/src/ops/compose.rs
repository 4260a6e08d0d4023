//! Two linear layers with nothing between them, as one.

use crate::cpu::math::{add_scaled_to, sum_of};
use crate::cpu::parallel::simd;
use crate::cpu::products::{Behind, Into, Left, Matrix, Right, product, product_then};
use crate::{Cost, Slot};
use rayon::prelude::*;

/// Wᵀ = Vᵀ·Uᵀ and b = U·c + d: the layer x ↦ U·(V·x + c) + d in one product.
///
/// A session's stitcher V and the embedding U behind it have no nonlinearity between them. Multiplying the weights
/// once costs outputs · middle · inputs, and saves rows · middle · outputs in each pass.
#[derive(Debug, Clone, Copy)]
pub struct Compose {
    /// Width of x: units.
    pub inputs: usize,
    /// Width between the layers: channels.
    pub middle: usize,
    /// Width behind both.
    pub outputs: usize,
    /// V, `[middle, inputs]`, read.
    pub inner_weight: Slot,
    /// c, `[middle]`, read.
    pub inner_bias: Slot,
    /// U, `[outputs, middle]`, read.
    pub outer_weight: Slot,
    /// d, `[outputs]`, read.
    pub outer_bias: Slot,
    /// Wᵀ, `[inputs, outputs]`, written: transposed, as [`super::CountsLinear`] needs it.
    pub weight: Slot,
    /// b, `[outputs]`, written.
    pub bias: Slot,
}

/// dU = dW·Vᵀ + db·cᵀ, dV = Uᵀ·dW, dc = Uᵀ·db, dd = db.
#[derive(Debug, Clone, Copy)]
pub struct ComposeBackward {
    /// Width of x.
    pub inputs: usize,
    /// Width between the layers.
    pub middle: usize,
    /// Width behind both.
    pub outputs: usize,
    /// V, `[middle, inputs]`, read.
    pub inner_weight: Slot,
    /// c, `[middle]`, read.
    pub inner_bias: Slot,
    /// U, `[outputs, middle]`, read.
    pub outer_weight: Slot,
    /// dWᵀ, `[inputs, outputs]`, read.
    pub weight_gradient: Slot,
    /// db, `[outputs]`, read.
    pub bias_gradient: Slot,
    /// dV, `[middle, inputs]`, written.
    pub inner_weight_gradient: Slot,
    /// dc, `[middle]`, written.
    pub inner_bias_gradient: Slot,
    /// dU, `[outputs, middle]`, written. **Empty** where the outer layer is frozen: then neither dU nor dd is computed.
    pub outer_weight_gradient: Slot,
    /// dd, `[outputs]`, written; empty as dU is.
    pub outer_bias_gradient: Slot,
}

impl Compose {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        let slots =
            [self.inner_weight, self.inner_bias, self.outer_weight, self.outer_bias, self.weight, self.bias];
        Cost::of_slots(slots).with_multiply_adds((self.inputs + 1) * self.middle * self.outputs)
    }

    pub(crate) fn forward(
        &self,
        [inner_weight, inner_bias]: [&[f32]; 2],
        [outer_weight, outer_bias]: [&[f32]; 2],
        weight: &mut [f32],
        bias: &mut [f32],
    ) {
        let (inputs, middle, outputs) = (self.inputs, self.middle, self.outputs);
        let (inner, outer) =
            (Matrix::new(inner_weight, middle, inputs), Matrix::new(outer_weight, outputs, middle));
        product(weight, Into::Replace, inner.transpose(), outer.transpose());
        let rows = bias.par_iter_mut().zip(outer_weight.par_chunks(middle)).zip(outer_bias);
        rows.with_min_len(64).for_each(|((b, u), d)| *b = d + simd(|| sum_of(u, inner_bias, |u, c| u * c)));
    }
}

impl ComposeBackward {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        let product = (self.inputs + 1) * self.middle * self.outputs;
        // dV and dc.
        let slots = [
            self.outer_weight,
            self.weight_gradient,
            self.bias_gradient,
            self.inner_weight_gradient,
            self.inner_bias_gradient,
        ];
        let mut cost = Cost::of_slots(slots).with_multiply_adds(product);
        if !self.outer_weight_gradient.is_empty() {
            // dU and dd.
            let (weight, bias) = (self.outer_weight_gradient, self.outer_bias_gradient);
            cost += Cost::of_slots([self.inner_weight, self.inner_bias, weight, bias]);
            cost = cost.with_multiply_adds(product);
        }
        cost
    }

    pub(crate) fn backward(
        &self,
        [inner_weight, inner_bias]: [&[f32]; 2],
        outer_weight: &[f32],
        [weight_gradient, bias_gradient]: [&[f32]; 2],
        [inner_weight_gradient, inner_bias_gradient]: [&mut [f32]; 2],
        [outer_weight_gradient, outer_bias_gradient]: [&mut [f32]; 2],
    ) {
        let (inputs, middle, outputs) = (self.inputs, self.middle, self.outputs);
        let (inner, outer) =
            (Matrix::new(inner_weight, middle, inputs), Matrix::new(outer_weight, outputs, middle));
        let dw = Matrix::new(weight_gradient, inputs, outputs).transpose();
        if !self.outer_weight_gradient.is_empty() {
            let rank_one = |first_row: usize, du: &mut [f32]| {
                let rows = du.chunks_exact_mut(middle).zip(&bias_gradient[first_row..]);
                rows.for_each(|(du, db)| simd(|| add_scaled_to(du, *db, inner_bias)));
            };
            let inner = Right::Matrix(inner.transpose());
            product_then(
                outer_weight_gradient,
                Into::Replace,
                &Left::Matrix(dw),
                inner,
                Behind::Rows(&rank_one),
            );
            outer_bias_gradient.copy_from_slice(bias_gradient);
        }
        product(inner_weight_gradient, Into::Replace, outer.transpose(), dw);
        inner_bias_gradient.par_chunks_mut(64).enumerate().for_each(|(index, dc)| {
            simd(
                #[inline(always)]
                || {
                    dc.fill(0.0);
                    for (u, db) in outer_weight.chunks_exact(middle).zip(bias_gradient) {
                        add_scaled_to(dc, *db, &u[64 * index..]);
                    }
                },
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Device;
    use crate::ops::gradient_check::{Check, Sizes, uniform};

    #[test]
    fn one_layer_stands_for_two_and_gradients_reach_both() {
        let (inputs, middle, outputs) = (5, 70, 6);
        let sizes = Sizes::of(&[middle * inputs, middle, outputs * middle, outputs]);
        let check = Check { outputs: inputs * outputs + outputs, tolerance: 1e-4 };
        let reference = |given: &[Vec<f64>]| {
            let (v, c, u, d) = (&given[0], &given[1], &given[2], &given[3]);
            let mut y = Vec::new();
            for (i, o) in (0..inputs * outputs).map(|entry| (entry / outputs, entry % outputs)) {
                y.push((0..middle).map(|m| u[o * middle + m] * v[m * inputs + i]).sum());
            }
            for o in 0..outputs {
                y.push(d[o] + (0..middle).map(|m| u[o * middle + m] * c[m]).sum::<f64>());
            }
            y
        };
        check.run(&sizes, uniform(-1.0, 1.0), reference, |s| {
            let parts = |slot: Slot| (slot.part(0, inputs * outputs), slot.part(inputs * outputs, outputs));
            // Slots of the test start on a line, parts of them need not.
            let ((weight, bias), (dw, db)) = (parts(s.output), parts(s.output_gradient));
            let [inner_weight, inner_bias, outer_weight, outer_bias] = [0, 1, 2, 3].map(|i| s.inputs[i]);
            s.device.compose(&Compose {
                inputs,
                middle,
                outputs,
                inner_weight,
                inner_bias,
                outer_weight,
                outer_bias,
                weight,
                bias,
            });
            s.device.compose_backward(&ComposeBackward {
                inputs,
                middle,
                outputs,
                inner_weight,
                inner_bias,
                outer_weight,
                weight_gradient: dw,
                bias_gradient: db,
                inner_weight_gradient: s.gradients[0],
                inner_bias_gradient: s.gradients[1],
                outer_weight_gradient: s.gradients[2],
                outer_bias_gradient: s.gradients[3],
            });
        });
    }
}
