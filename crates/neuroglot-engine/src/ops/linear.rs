//! y = x·Wᵀ + b, with what stands before and behind it.

use crate::{Dropout, Slot};

/// y = then((m∘x)·Wᵀ + b), with W as published checkpoints store it: `[outputs, inputs]`.
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
    /// `[rows, inputs]`, read; **becomes m∘x** where there is a dropout.
    pub x: Slot,
    /// m, dropout of x in place before the product; `None` leaves x as it is.
    pub dropout: Option<Dropout>,
    /// `[outputs, inputs]`, read.
    pub weight: Slot,
    /// `[outputs]`, read.
    pub bias: Slot,
    /// `[rows, outputs]`, written.
    pub y: Slot,
    /// What happens to y at once.
    pub then: Then,
}

/// What happens to the result z = x·Wᵀ + b of a linear layer.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    /// y = z.
    Nothing,
    /// y = z, and another slot receives GELU(z) = z·Φ(z), Φ the standard normal distribution (exact form). z is kept
    /// for the backward pass.
    Gelu {
        /// `[rows, outputs]`, written.
        activated: Slot,
    },
    /// y = x + m∘z.
    Residual {
        /// `[rows, outputs]`, read.
        x: Slot,
        /// m; `None` drops nothing.
        dropout: Option<Dropout>,
    },
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
    /// `[outputs, inputs]`, written.
    pub weight_gradient: Slot,
    /// `[outputs]`, written.
    pub bias_gradient: Slot,
}

/// What stood before a linear layer: the gradient of its input passes through it at once.
#[derive(Debug, Clone, Copy)]
pub enum Before {
    /// dx stays.
    Nothing,
    /// x was GELU(z) of [`Then::Gelu`]: dx becomes dx · (Φ(z) + z·φ(z)), φ the standard normal density.
    Gelu {
        /// z, `[rows, inputs]`, read.
        z: Slot,
    },
    /// x was softsign(z) = z / (1 + |z|): dx becomes dx · (1 − |x|)², which is dx / (1 + |z|)².
    Softsign,
    /// x was dropped in place: dx becomes m∘dx.
    Dropout(Dropout),
}

impl Linear {
    pub(crate) fn forward(&self, x: &[f32], weight: &[f32], bias: &[f32], y: &mut [f32]) {
        // The bias lies in y before the product is added: no second pass over y.
        y.par_chunks_mut(self.outputs).with_min_len(64).for_each(|row| row.copy_from_slice(bias));
        let x = Matrix::new(x, self.rows, self.inputs);
        let weight = Matrix::new(weight, self.outputs, self.inputs);
        product(y, Into::Add, x, weight.transpose());
    }
}

impl LinearBackward {
    /// `transposed` is room for dyᵀ: products with both operands along their rows are much faster.
    pub(crate) fn backward(
        &self,
        x: &[f32],
        weight: &[f32],
        dy: &[f32],
        dx: &mut [f32],
        dw: &mut [f32],
        db: &mut [f32],
        transposed: &mut [f32],
    ) {
        let (rows, inputs, outputs) = (self.rows, self.inputs, self.outputs);
        if self.x_gradient.is_some() {
            let (dy, weight) = (Matrix::new(dy, rows, outputs), Matrix::new(weight, outputs, inputs));
            product(dx, Into::Replace, dy, weight);
        }
        transpose(dy, rows, outputs, transposed);
        db.par_iter_mut().zip(transposed.par_chunks(rows)).with_min_len(16).for_each(|(db, column)| {
            *db = simd(|| crate::cpu::math::sum_of(column, column, |a, _| a));
        });
        let transposed = Matrix::new(transposed, outputs, rows);
        product(dw, Into::Replace, transposed, Matrix::new(x, rows, inputs));
    }
}

/// Writes the transpose of `values` `[rows, columns]` in tiles that fit the first-level cache.
fn transpose(values: &[f32], rows: usize, columns: usize, out: &mut [f32]) {
    const TILE: usize = 16;
    let out = SharedRows::new(out);
    (0..columns.div_ceil(TILE)).into_par_iter().for_each(|tile| {
        let columns_here = tile * TILE..((tile + 1) * TILE).min(columns);
        // SAFETY: each tile of columns is one run of rows of the transpose, which no other tile touches.
        let out = unsafe { out.slice(columns_here.start * rows, columns_here.len() * rows) };
        for start in (0..rows).step_by(TILE) {
            for row in start..(start + TILE).min(rows) {
                let source = &values[row * columns..][columns_here.clone()];
                for (column, value) in source.iter().enumerate() {
                    out[column * rows + row] = *value;
                }
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use crate::Device;
    use crate::ops::gradient_check::{Check, Sizes, uniform};
    use crate::ops::{Linear, LinearBackward};

    #[test]
    fn gradient_matches_finite_differences() {
        for (rows, inputs, outputs) in [(1, 1, 1), (7, 5, 3), (33, 17, 65)] {
            let sizes = Sizes::of(&[rows * inputs, outputs * inputs, outputs]);
            let reference = |v: &[Vec<f64>]| {
                let mut y = vec![0.0; rows * outputs];
                for r in 0..rows {
                    for o in 0..outputs {
                        y[r * outputs + o] = v[2][o]
                            + (0..inputs).map(|i| v[0][r * inputs + i] * v[1][o * inputs + i]).sum::<f64>();
                    }
                }
                y
            };
            Check { outputs: rows * outputs, tolerance: 2e-5 }.run(
                &sizes,
                uniform(-1.0, 1.0),
                reference,
                |s| {
                    let [x, weight, bias] = [s.inputs[0], s.inputs[1], s.inputs[2]];
                    s.device.linear(&Linear { rows, inputs, outputs, x, weight, bias, y: s.output });
                    s.device.linear_backward(&LinearBackward {
                        rows,
                        inputs,
                        outputs,
                        x,
                        weight,
                        y_gradient: s.output_gradient,
                        x_gradient: Some(s.gradients[0]),
                        weight_gradient: s.gradients[1],
                        bias_gradient: s.gradients[2],
                    });
                },
            );
        }
    }
}
