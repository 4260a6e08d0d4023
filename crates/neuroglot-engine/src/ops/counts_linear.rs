//! y = softsign(x·W + b) for spike counts, of which most are 0.

use crate::cpu::math::{add_scaled_to, add_to};
use crate::cpu::parallel::{PIECE, SharedRows, simd};
use crate::cpu::products::{Behind, Into, Left, Matrix, Right, product, product_then};
use crate::ops::linear::sum_rows;
use crate::{Cost, Slot};
use rayon::prelude::*;

/// y = softsign(x·W + b), softsign(z) = z / (1 + |z|), for counts x that are mostly 0.
///
/// W is `[units, outputs]`, one row per unit, as [`super::Compose`] makes it: a device may add up the rows of the
/// units that spiked and leave out all others.
#[derive(Debug, Clone, Copy)]
pub struct CountsLinear {
    /// Rows of x and y.
    pub rows: usize,
    /// Width of x.
    pub units: usize,
    /// Width of y.
    pub outputs: usize,
    /// Counts, `[rows, units]`, read.
    pub x: Slot,
    /// `[units, outputs]`, read.
    pub weight: Slot,
    /// `[outputs]`, read.
    pub bias: Slot,
    /// `[rows, outputs]`, written.
    pub y: Slot,
}

/// dW = xᵀ·dz, db = Σ over rows of dz, with dz the gradient before the softsign (the layer behind it gives that, see
/// [`super::Before::Softsign`]). Counts need no gradient.
#[derive(Debug, Clone, Copy)]
pub struct CountsLinearBackward {
    /// Rows of x and y.
    pub rows: usize,
    /// Width of x.
    pub units: usize,
    /// Width of y.
    pub outputs: usize,
    /// Counts, `[rows, units]`, read.
    pub x: Slot,
    /// dz, `[rows, outputs]`, read.
    pub z_gradient: Slot,
    /// `[units, outputs]`, written.
    pub weight_gradient: Slot,
    /// `[outputs]`, written.
    pub bias_gradient: Slot,
}

/// A count that is not 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Count {
    row: usize,
    unit: usize,
    count: f32,
}

/// Above this share of counts that are not 0 a product of all is faster.
const DENSE: f64 = 0.2;

fn is_dense(x: &[f32]) -> bool {
    let pieces = x.par_chunks(PIECE).map(|piece| {
        simd(
            #[inline(always)]
            || piece.iter().map(|count| u32::from(*count != 0.0)).sum::<u32>(),
        )
    });
    f64::from(pieces.sum::<u32>()) > DENSE * x.len() as f64
}

/// Calls `work(unit, count)` for the counts of a row that are not 0.
#[inline(always)]
fn each_count(x: &[f32], mut work: impl FnMut(usize, f32)) {
    for (index, chunk) in x.chunks(16).enumerate() {
        // Most chunks hold no spike at all.
        if chunk.iter().fold(0, |bits, count| bits | count.to_bits()) << 1 == 0 {
            continue;
        }
        for (offset, count) in chunk.iter().enumerate() {
            if *count != 0.0 {
                work(16 * index + offset, *count);
            }
        }
    }
}

/// Rows that one thread works on at a time.
const ROWS: usize = 16;

impl CountsLinear {
    /// What it costs at least where counts of 0 are multiplied like all others.
    pub fn cost(&self) -> Cost {
        Cost::of_slots(self.slots()).with_multiply_adds(self.rows * self.units * self.outputs)
    }

    pub(crate) fn slots(&self) -> [Slot; 4] {
        [self.x, self.weight, self.bias, self.y]
    }

    pub(crate) fn forward(&self, [x, weight, bias, y]: [&mut [f32]; 4]) {
        let (rows, units, outputs) = (self.rows, self.units, self.outputs);
        if is_dense(x) {
            let (x, weight) = (Matrix::new(x, rows, units), Matrix::new(weight, units, outputs));
            let finish = |_: usize, y: &mut [f32]| {
                simd(
                    #[inline(always)]
                    || {
                        for y in y.chunks_exact_mut(outputs) {
                            add_to(y, bias);
                            softsign(y);
                        }
                    },
                );
            };
            product_then(y, Into::Replace, &Left::Matrix(x), Right::Matrix(weight), Behind::Rows(&finish));
            return;
        }
        y.par_chunks_mut(ROWS * outputs).zip(x.par_chunks(ROWS * units)).for_each(|(y, x)| {
            simd(
                #[inline(always)]
                || {
                    for (y, x) in y.chunks_exact_mut(outputs).zip(x.chunks_exact(units)) {
                        y.copy_from_slice(bias);
                        each_count(
                            x,
                            #[inline(always)]
                            |unit, count| add_scaled_to(y, count, &weight[unit * outputs..][..outputs]),
                        );
                        softsign(y);
                    }
                },
            );
        });
    }
}

#[inline(always)]
fn softsign(values: &mut [f32]) {
    values.iter_mut().for_each(|z| *z /= 1.0 + z.abs());
}

impl CountsLinearBackward {
    /// What it costs at least where counts of 0 are multiplied like all others.
    pub fn cost(&self) -> Cost {
        Cost::of_slots(self.slots()).with_multiply_adds(self.rows * self.units * self.outputs)
    }

    pub(crate) fn slots(&self) -> [Slot; 4] {
        [self.x, self.z_gradient, self.weight_gradient, self.bias_gradient]
    }

    /// `found` is room for the counts that are not 0.
    pub(crate) fn backward(&self, [x, dz, dw, db]: [&mut [f32]; 4], found: &mut Vec<Count>) {
        let (rows, units, outputs) = (self.rows, self.units, self.outputs);
        if is_dense(x) {
            let (x, dz) = (Matrix::new(x, rows, units), Matrix::new(dz, rows, outputs));
            product(dw, Into::Replace, x.transpose(), dz);
            return sum_rows(dz.values(), db);
        }
        found.clear();
        for (row, x) in x.chunks_exact(units).enumerate() {
            each_count(x, |unit, count| found.push(Count { row, unit, count }));
        }
        // Each thread has columns of its own, so that no sum is shared.
        const COLUMNS: usize = 128;
        let dw = SharedRows::new(dw);
        db.par_chunks_mut(COLUMNS).enumerate().for_each(|(index, db)| {
            let (first, count) = (index * COLUMNS, db.len());
            simd(
                #[inline(always)]
                || {
                    // SAFETY: blocks of columns do not overlap, and each part is gone before the next is made.
                    let row_of = |unit: usize| unsafe { dw.slice(unit * outputs + first, count) };
                    (0..units).for_each(|unit| row_of(unit).fill(0.0));
                    for Count { row, unit, count: spikes } in found.iter() {
                        add_scaled_to(row_of(*unit), *spikes, &dz[row * outputs + first..][..count]);
                    }
                    db.fill(0.0);
                    for dz in dz.chunks_exact(outputs) {
                        add_to(db, &dz[first..first + count]);
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
    fn few_and_many_spikes_give_the_result_and_gradient_of_the_formula() {
        let (rows, units, outputs) = (37, 21, 150);
        for share in [0.0, 0.05, 0.9] {
            let sizes = Sizes::of(&[rows * units, units * outputs, outputs]);
            let mut draws = 0;
            let mut value = uniform(-1.0, 1.0);
            // Counts come first: the others are drawn as they are.
            let draw = move || {
                let value = value();
                draws += 1;
                if draws > rows * units {
                    value
                } else if f64::from(value.abs()) < share {
                    1.0 + (value * 50.0).round().abs()
                } else {
                    0.0
                }
            };
            let check = Check { outputs: rows * outputs, tolerance: 2e-4 };
            let reference = |inputs: &[Vec<f64>]| {
                let mut y = Vec::new();
                for row in 0..rows {
                    for output in 0..outputs {
                        let sum: f64 = (0..units)
                            .map(|unit| inputs[0][row * units + unit] * inputs[1][unit * outputs + output])
                            .sum();
                        let z = sum + inputs[2][output];
                        y.push(z / (1.0 + z.abs()));
                    }
                }
                y
            };
            check.run_for(&[1, 2], &sizes, draw, reference, |s| {
                let (x, weight, bias) = (s.inputs[0], s.inputs[1], s.inputs[2]);
                s.device.counts_linear(&CountsLinear { rows, units, outputs, x, weight, bias, y: s.output });
                // The layer behind carries its gradient through the softsign.
                let (mut y, mut dy) = (vec![0.0; rows * outputs], vec![0.0; rows * outputs]);
                s.device.read(s.output, &mut y);
                s.device.read(s.output_gradient, &mut dy);
                for (dy, y) in dy.iter_mut().zip(&y) {
                    *dy *= (1.0 - y.abs()) * (1.0 - y.abs());
                }
                s.device.write(s.output_gradient, &dy);
                s.device.counts_linear_backward(&CountsLinearBackward {
                    rows,
                    units,
                    outputs,
                    x,
                    z_gradient: s.output_gradient,
                    weight_gradient: s.gradients[1],
                    bias_gradient: s.gradients[2],
                });
            });
        }
    }
}
