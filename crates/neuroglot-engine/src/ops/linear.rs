//! y = x·Wᵀ + b, with what stands before and behind it.

use super::{Before, Then};
use crate::cpu::math::add_to;
use crate::cpu::parallel::{SharedRows, simd};
use crate::cpu::products::{
    Behind, Block, Into, Left, Matrix, Right, Stripe, blocks_of_rows, product, product_then,
};
use crate::dropout_bits::with_multipliers;
use crate::{Cost, Dropout, Slot};

/// y = then(x·Wᵀ + b), with W as published checkpoints store it: `[outputs, inputs]`.
///
/// What stands before and behind a linear layer in these models belongs to it, so that a device can do it while the
/// rows are at hand instead of passing over memory again.
#[derive(Debug, Clone, Copy)]
pub struct Linear {
    /// Rows of x and y.
    pub rows: usize,
    /// Width of x.
    pub inputs: usize,
    /// Width of y.
    pub outputs: usize,
    /// `[rows, inputs]`, read.
    pub x: Slot,
    /// `[outputs, inputs]`, read.
    pub weight: Slot,
    /// `[outputs]`, read.
    pub bias: Slot,
    /// `[rows, outputs]`, written.
    pub y: Slot,
    /// What happens to y at once.
    pub then: Then,
}

/// With dz = m∘dy: dx = before(dz·W), dW = dzᵀ·x, db = Σ over rows of dz.
#[derive(Debug, Clone, Copy)]
pub struct LinearBackward {
    /// Rows of x and y.
    pub rows: usize,
    /// Width of x.
    pub inputs: usize,
    /// Width of y.
    pub outputs: usize,
    /// `[rows, inputs]`, read: x as the product saw it.
    pub x: Slot,
    /// `[outputs, inputs]`, read.
    pub weight: Slot,
    /// dy, `[rows, outputs]`, read.
    pub y_gradient: Slot,
    /// m, the dropout of [`Then::Residual`]; `None` for dz = dy.
    pub dropout: Option<Dropout>,
    /// `[rows, inputs]`, written.
    pub x_gradient: Slot,
    /// What happens to dx at once.
    pub before: Before,
    /// `[outputs, inputs]`, written. **Empty** where the layer's parameters are frozen: then neither their gradient nor
    /// that of the bias is computed.
    pub weight_gradient: Slot,
    /// `[outputs]`, written; empty as the gradient of the weights is.
    pub bias_gradient: Slot,
}

impl Linear {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        let slots = Cost::of_slots([self.x, self.weight, self.bias, self.y, self.then.slot()]);
        let added_to = Cost::of_slots([if self.then.adds() { self.y } else { Slot::default() }]);
        (slots + added_to).with_multiply_adds(self.rows * self.inputs * self.outputs)
    }

    /// `weight` is Wᵀ; `other` is the slot that [`Then`] names.
    pub(crate) fn forward(
        &self,
        x: &[f32],
        weight: Right<'_>,
        bias: &[f32],
        y: &mut [f32],
        other: &mut [f32],
    ) {
        let (rows, inputs) = (self.rows, self.inputs);
        let prepare = |block: Block| &x[block.first_row * inputs..][..block.rows * inputs];
        let other = SharedRows::new(other);
        let left = Left::Rows { rows, inner: inputs, prepare: &prepare };
        let by_stripes = |y: SharedRows<'_>, stripe: Stripe| {
            // SAFETY: stripes do not overlap, and the product is done with this one; as for the other slot.
            unsafe { self.then.finish_stripe(stripe, self.outputs, y, bias, other) };
        };
        let by_rows = |first_row: usize, y: &mut [f32]| {
            let start = first_row * self.outputs;
            // SAFETY: blocks do not share rows, and the product does not use this slot.
            let other = unsafe { other.slice(start, y.len()) };
            self.then.finish(start, y, bias, other);
        };
        let behind = if self.then.drops() { Behind::Rows(&by_rows) } else { Behind::Stripes(&by_stripes) };
        let into = if self.then.adds() { Into::Add } else { Into::Replace };
        product_then(y, into, &left, weight, behind);
    }
}

/// Room that a backward pass needs besides its slots.
#[derive(Debug, Default)]
pub(crate) struct LinearRoom {
    /// dz, where a dropout makes it differ from dy.
    dropped: Vec<f32>,
    /// Sums of dz over each block of rows.
    sums: Vec<f32>,
}

impl LinearRoom {
    /// Room for a dz.
    pub(crate) fn dropped(&mut self, len: usize) -> &mut [f32] {
        sized(&mut self.dropped, len)
    }
}

impl LinearBackward {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        let product = self.rows * self.inputs * self.outputs;
        let slots = [self.weight, self.y_gradient, self.x_gradient, self.before.slot()];
        let mut cost = Cost::of_slots(slots).with_multiply_adds(product);
        if self.is_trained() {
            let slots = Cost::of_slots([self.weight_gradient, self.bias_gradient]);
            cost = cost + slots.with_multiply_adds(product);
        }
        if self.is_trained() || matches!(self.before, Before::Softsign) {
            cost = cost + Cost::of_slots([self.x]);
        }
        cost
    }

    pub(crate) fn slots(&self) -> [Slot; 7] {
        let Self { x, weight, y_gradient, x_gradient, weight_gradient, bias_gradient, before, .. } = *self;
        [x, weight, y_gradient, x_gradient, weight_gradient, bias_gradient, before.slot()]
    }

    /// Whether the gradients of the parameters are wanted.
    pub(crate) fn is_trained(&self) -> bool {
        !self.weight_gradient.is_empty()
    }

    pub(crate) fn backward(&self, [x, weight, dy, dx, dw, db, z]: [&mut [f32]; 7], room: &mut LinearRoom) {
        let (rows, inputs, outputs) = (self.rows, self.inputs, self.outputs);
        let dropout = self.dropout.filter(Dropout::is_active);
        let trained = self.is_trained();
        let sums = sized(&mut room.sums, if trained { blocks_of_rows(rows) * outputs } else { 0 });
        let dropped = sized(&mut room.dropped, if dropout.is_some() { rows * outputs } else { 0 });
        {
            let (sums, dropped) = (SharedRows::new(sums), SharedRows::new(dropped));
            let prepare = |block: Block| {
                let start = block.first_row * outputs;
                let dy = &dy[start..start + block.rows * outputs];
                let dz = match &dropout {
                    Some(dropout) => {
                        // SAFETY: blocks share neither rows nor sums.
                        let dz = unsafe { dropped.slice(start, dy.len()) };
                        drop_into(dropout, start, dy, dz);
                        &*dz
                    }
                    None => dy,
                };
                if trained {
                    // SAFETY: as above.
                    sum_rows(dz, unsafe { sums.slice(block.index * outputs, outputs) });
                }
                dz
            };
            let left = Left::Rows { rows, inner: outputs, prepare: &prepare };
            let weight = Right::Matrix(Matrix::new(weight, outputs, inputs));
            let finish = |first_row: usize, dx: &mut [f32]| {
                let start = first_row * inputs;
                self.before.finish(dx, &x[start..], z.get(start..).unwrap_or_default());
            };
            product_then(dx, Into::Replace, &left, weight, Behind::Rows(&finish));
        }
        if !trained {
            return;
        }
        sum_rows(sums, db);
        let dz = if dropout.is_some() { &*dropped } else { &*dy };
        let dz = Matrix::new(dz, rows, outputs);
        product(dw, Into::Replace, dz.transpose(), Matrix::new(x, rows, inputs));
    }
}

fn sized(room: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if room.len() < len {
        room.resize(len, 0.0);
    }
    &mut room[..len]
}

/// dz = m∘dy, of the elements from `start` on.
pub(crate) fn drop_into(dropout: &Dropout, start: usize, dy: &[f32], dz: &mut [f32]) {
    simd(
        #[inline(always)]
        || {
            with_multipliers(Some(dropout), start, dy.len(), |range, m| {
                let (dz, dy) = (&mut dz[range.clone()], &dy[range]);
                for i in 0..m.len() {
                    dz[i] = dy[i] * m[i];
                }
            });
        },
    );
}

/// sums = Σ over rows of `values`, `[rows, sums.len()]`.
pub(crate) fn sum_rows(values: &[f32], sums: &mut [f32]) {
    simd(
        #[inline(always)]
        || {
            sums.fill(0.0);
            for row in values.chunks_exact(sums.len()) {
                add_to(sums, row);
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::ops::gradient_check::{Check, Setup, Sizes, uniform};
    use crate::ops::{Before, Linear, LinearBackward, Then};
    use crate::{Device, Dropout};

    const SIZES: [(usize, usize, usize); 4] = [(1, 1, 1), (7, 5, 3), (33, 17, 65), (101, 3, 40)];

    /// x·Wᵀ + b.
    fn linear(x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
        let (outputs, inputs) = (bias.len(), weight.len() / bias.len());
        let mut y = Vec::new();
        for x in x.chunks(inputs) {
            for o in 0..outputs {
                let row = &weight[o * inputs..][..inputs];
                y.push(bias[o] + x.iter().zip(row).map(|(x, w)| x * w).sum::<f64>());
            }
        }
        y
    }

    fn multipliers(dropout: Option<Dropout>, len: usize) -> Vec<f64> {
        let mut m = vec![1.0; len];
        if let Some(dropout) = dropout {
            dropout.multipliers(0, &mut m);
        }
        m.into_iter().map(f64::from).collect()
    }

    fn times(x: &[f64], m: &[f64]) -> Vec<f64> {
        x.iter().zip(m).map(|(x, m)| x * m).collect()
    }

    const DROPOUTS: [Option<Dropout>; 2] =
        [None, Some(Dropout { probability: 0.4, seed: 3, step: 2, site: 1 })];

    #[test]
    fn gradient_matches_finite_differences() {
        for (rows, inputs, outputs) in SIZES {
            let sizes = Sizes::of(&[rows * inputs, outputs * inputs, outputs]);
            let reference = |v: &[Vec<f64>]| linear(&v[0], &v[1], &v[2]);
            let check = Check { outputs: rows * outputs, tolerance: 2e-5 };
            check.run(&sizes, uniform(-1.0, 1.0), reference, |s| {
                let [x, weight, bias] = [s.inputs[0], s.inputs[1], s.inputs[2]];
                let (y, then) = (s.output, Then::Nothing);
                s.device.linear(&Linear { rows, inputs, outputs, x, weight, bias, y, then });
                s.device.linear_backward(&LinearBackward {
                    rows,
                    inputs,
                    outputs,
                    x,
                    weight,
                    y_gradient: s.output_gradient,
                    dropout: None,
                    x_gradient: s.gradients[0],
                    before: Before::Nothing,
                    weight_gradient: s.gradients[1],
                    bias_gradient: s.gradients[2],
                });
            });
        }
    }

    #[test]
    fn a_residual_adds_the_dropped_result_and_its_gradient_passes_unchanged() {
        for (rows, inputs, outputs) in SIZES {
            for dropout in DROPOUTS {
                let m = multipliers(dropout, rows * outputs);
                let sizes = Sizes::of(&[rows * inputs, outputs * inputs, outputs, rows * outputs]);
                let reference = |v: &[Vec<f64>]| {
                    let branch = times(&linear(&v[0], &v[1], &v[2]), &m);
                    branch.iter().zip(&v[3]).map(|(branch, x)| branch + x).collect::<Vec<f64>>()
                };
                let check = Check { outputs: rows * outputs, tolerance: 2e-5 };
                check.run(&sizes, uniform(-1.0, 1.0), reference, |s| {
                    let [x, weight, bias, residual] = [0, 1, 2, 3].map(|input| s.inputs[input]);
                    let then = Then::Residual { x: residual, dropout };
                    let y = s.output;
                    s.device.linear(&Linear { rows, inputs, outputs, x, weight, bias, y, then });
                    s.device.linear_backward(&LinearBackward {
                        rows,
                        inputs,
                        outputs,
                        x,
                        weight,
                        y_gradient: s.output_gradient,
                        dropout,
                        x_gradient: s.gradients[0],
                        before: Before::Nothing,
                        weight_gradient: s.gradients[1],
                        bias_gradient: s.gradients[2],
                    });
                    s.device.copy(s.output_gradient, s.gradients[3]);
                });
            }
        }
    }

    /// erf by its Maclaurin series, which converges everywhere.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    fn gelu(x: f64) -> f64 {
        0.5 * x * (1.0 + erf(x / 2f64.sqrt()))
    }

    fn identity(width: usize) -> Vec<f32> {
        (0..width * width).map(|entry| f32::from(u8::from(entry / width == entry % width))).collect()
    }

    /// dx of a layer whose weight is the identity: what happens to the gradient of the layer's input.
    fn through(s: &mut Setup<'_>, rows: usize, width: usize, x: crate::Slot, before: Before) {
        let weight = s.extra.part(0, width * width);
        s.device.write(weight, &identity(width));
        s.device.linear_backward(&LinearBackward {
            rows,
            inputs: width,
            outputs: width,
            x,
            weight,
            y_gradient: s.output_gradient,
            dropout: None,
            x_gradient: s.gradients[0],
            before,
            weight_gradient: s.extra.part(1024, width * width),
            bias_gradient: s.extra.part(2048, width),
        });
    }

    #[test]
    fn gelu_behind_a_layer_has_its_gradient_before_the_next() {
        let (rows, width) = (61, 5);
        let reference = |v: &[Vec<f64>]| v[0].iter().map(|x| gelu(*x)).collect::<Vec<f64>>();
        let check = Check { outputs: rows * width, tolerance: 1e-6 };
        check.run(&Sizes::of(&[rows * width]), uniform(-4.0, 4.0), reference, |s| {
            let (weight, bias) = (s.extra.part(0, width * width), s.extra.part(1024, width));
            s.device.write(weight, &identity(width));
            s.device.fill(bias, 0.0);
            let z = s.extra.part(4096, rows * width);
            s.device.linear(&Linear {
                rows,
                inputs: width,
                outputs: width,
                x: s.inputs[0],
                weight,
                bias,
                y: z,
                then: Then::Gelu { activated: s.output },
            });
            through(s, rows, width, s.output, Before::Gelu { z });
        });
    }

    #[test]
    fn softsign_before_a_layer_has_its_gradient() {
        let (rows, width) = (61, 5);
        let reference = |v: &[Vec<f64>]| v[0].iter().map(|x| x / (1.0 + x.abs())).collect::<Vec<f64>>();
        let check = Check { outputs: rows * width, tolerance: 1e-6 };
        check.run(&Sizes::of(&[rows * width]), uniform(-3.0, 3.0), reference, |s| {
            let mut x = vec![0.0; rows * width];
            s.device.read(s.inputs[0], &mut x);
            x.iter_mut().for_each(|x| *x /= 1.0 + x.abs());
            s.device.write(s.output, &x);
            through(s, rows, width, s.output, Before::Softsign);
        });
    }

    #[test]
    fn a_frozen_layer_passes_the_same_gradient_on_and_writes_nothing_else() {
        for (rows, inputs, outputs) in SIZES {
            for dropout in DROPOUTS {
                let mut plan = crate::MemoryPlan::new();
                let lengths = [
                    rows * inputs,
                    outputs * inputs,
                    rows * outputs,
                    rows * inputs,
                    outputs * inputs,
                    outputs,
                ];
                let [x, weight, y_gradient, x_gradient, weight_gradient, bias_gradient] =
                    lengths.map(|len| plan.slot(len));
                let mut device = crate::CpuDevice::new(2).unwrap();
                device.reserve(plan.floats()).unwrap();
                for slot in [x, weight, y_gradient] {
                    let values: Vec<f32> = (0..slot.len()).map(|i| (i * 7 % 11) as f32 - 5.0).collect();
                    device.write(slot, &values);
                }
                let mut pass = |trained: bool| {
                    for slot in [x_gradient, weight_gradient, bias_gradient] {
                        device.fill(slot, 0.0);
                    }
                    let wanted = |slot| if trained { slot } else { crate::Slot::default() };
                    device.linear_backward(&LinearBackward {
                        rows,
                        inputs,
                        outputs,
                        x,
                        weight,
                        y_gradient,
                        dropout,
                        x_gradient,
                        before: Before::Softsign,
                        weight_gradient: wanted(weight_gradient),
                        bias_gradient: wanted(bias_gradient),
                    });
                    [x_gradient, weight_gradient, bias_gradient].map(|slot| {
                        let mut values = vec![0.0; slot.len()];
                        device.read(slot, &mut values);
                        values
                    })
                };
                let ([dx, dw, _], [frozen_dx, frozen_dw, frozen_db]) = (pass(true), pass(false));
                assert_eq!(dx, frozen_dx);
                assert!(dw.iter().any(|value| *value != 0.0));
                assert!(frozen_dw.iter().chain(&frozen_db).all(|value| *value == 0.0));
            }
        }
    }
}
