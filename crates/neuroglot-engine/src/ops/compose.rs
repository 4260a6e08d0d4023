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
    /// The forward pass, whose V, c and U are read.
    pub forward: Compose,
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
        Cost::of_slots(self.slots()).with_multiply_adds(self.multiply_adds())
    }

    /// Of one product of the weights and one with a bias.
    fn multiply_adds(&self) -> usize {
        (self.inputs + 1) * self.middle * self.outputs
    }

    pub(crate) fn slots(&self) -> [Slot; 6] {
        [self.inner_weight, self.inner_bias, self.outer_weight, self.outer_bias, self.weight, self.bias]
    }

    pub(crate) fn forward(&self, [v, c, u, d, weight, bias]: [&mut [f32]; 6]) {
        let Self { inputs, middle, outputs, .. } = *self;
        let (inner, outer) = (Matrix::new(v, middle, inputs), Matrix::new(u, outputs, middle));
        product(weight, Into::Replace, inner.transpose(), outer.transpose());
        let rows = bias.par_iter_mut().zip(u.par_chunks(middle)).zip(&*d);
        rows.with_min_len(64).for_each(|((b, u), d)| *b = d + simd(|| sum_of(u, c, |u, c| u * c)));
    }
}

impl ComposeBackward {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        let multiply_adds = self.forward.multiply_adds();
        if self.is_outer_trained() {
            return Cost::of_slots(self.slots()).with_multiply_adds(2 * multiply_adds);
        }
        // V and c are read for dU alone.
        let [_, _, slots @ ..] = self.slots();
        Cost::of_slots(slots).with_multiply_adds(multiply_adds)
    }

    /// Whether the gradients of the outer layer are wanted.
    pub(crate) fn is_outer_trained(&self) -> bool {
        !self.outer_weight_gradient.is_empty()
    }

    pub(crate) fn slots(&self) -> [Slot; 9] {
        let Compose { inner_weight, inner_bias, outer_weight, .. } = self.forward;
        let [dw, db] = [self.weight_gradient, self.bias_gradient];
        let [dv, dc] = [self.inner_weight_gradient, self.inner_bias_gradient];
        let [du, dd] = [self.outer_weight_gradient, self.outer_bias_gradient];
        [inner_weight, inner_bias, outer_weight, dw, db, dv, dc, du, dd]
    }

    pub(crate) fn backward(&self, [v, c, u, dw, db, dv, dc, du, dd]: [&mut [f32]; 9]) {
        let Compose { inputs, middle, outputs, .. } = self.forward;
        let (inner, outer) = (Matrix::new(v, middle, inputs), Matrix::new(u, outputs, middle));
        let dw = Matrix::new(dw, inputs, outputs).transpose();
        if self.is_outer_trained() {
            let rank_one = |first_row: usize, du: &mut [f32]| {
                let rows = du.chunks_exact_mut(middle).zip(&db[first_row..]);
                rows.for_each(|(du, db)| simd(|| add_scaled_to(du, *db, c)));
            };
            let inner = Right::Matrix(inner.transpose());
            product_then(du, Into::Replace, &Left::Matrix(dw), inner, Behind::Rows(&rank_one));
            dd.copy_from_slice(db);
        }
        product(dv, Into::Replace, outer.transpose(), dw);
        dc.par_chunks_mut(64).enumerate().for_each(|(index, dc)| {
            simd(
                #[inline(always)]
                || {
                    dc.fill(0.0);
                    for (u, db) in u.chunks_exact(middle).zip(db.iter()) {
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
            let forward = Compose {
                inputs,
                middle,
                outputs,
                inner_weight,
                inner_bias,
                outer_weight,
                outer_bias,
                weight,
                bias,
            };
            s.device.compose(&forward);
            s.device.compose_backward(&ComposeBackward {
                forward,
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
