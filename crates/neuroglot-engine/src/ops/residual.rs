//! y = x + dropout(branch).

use crate::cpu::parallel::{pieces, simd};
use crate::dropout_bits::GROUP;
use crate::{Dropout, Slot};

/// y = x + m · branch, m of [`Dropout`] (1 without).
#[derive(Debug, Clone, Copy)]
pub struct Residual {
    /// Any shape, read.
    pub x: Slot,
    /// The shape of x, read.
    pub branch: Slot,
    /// The shape of x, written.
    pub y: Slot,
    /// Dropout of the branch.
    pub dropout: Option<Dropout>,
}

/// dbranch = m · dy; the gradient of x is dy itself, so it is not copied.
#[derive(Debug, Clone, Copy)]
pub struct ResidualBackward {
    /// Any shape, read.
    pub y_gradient: Slot,
    /// The same shape, written.
    pub branch_gradient: Slot,
    /// Dropout of the branch.
    pub dropout: Option<Dropout>,
}

impl Residual {
    pub(crate) fn forward(&self, x: &[f32], branch: &[f32], y: &mut [f32]) {
        let dropout = self.dropout.filter(Dropout::is_active);
        pieces(y, |start, y| {
            let (x, branch) = (&x[start..start + y.len()], &branch[start..start + y.len()]);
            simd(
                #[inline(always)]
                || {
                    let mut m = [1.0; GROUP];
                    let groups = y.chunks_mut(GROUP).zip(x.chunks(GROUP)).zip(branch.chunks(GROUP));
                    for (index, ((y, x), branch)) in groups.enumerate() {
                        if let Some(dropout) = &dropout {
                            dropout.group(start / GROUP + index, &mut m);
                        }
                        for i in 0..y.len() {
                            y[i] = branch[i].mul_add(m[i], x[i]);
                        }
                    }
                },
            );
        });
    }
}

impl ResidualBackward {
    pub(crate) fn backward(&self, dy: &[f32], dbranch: &mut [f32]) {
        let dropout = self.dropout.filter(Dropout::is_active);
        pieces(dbranch, |start, dbranch| {
            dbranch.copy_from_slice(&dy[start..start + dbranch.len()]);
            if let Some(dropout) = &dropout {
                super::dropout::multiply(dropout, start, dbranch);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::gradient_check::{Check, Sizes, uniform};
    use crate::ops::{Residual, ResidualBackward};
    use crate::{Device, Dropout};

    #[test]
    fn gradient_matches_finite_differences() {
        let len = 211;
        let key = Dropout { probability: 0.4, seed: 3, step: 2, site: 1 };
        for dropout in [None, Some(key)] {
            let mut m = vec![1.0; len];
            if let Some(dropout) = dropout {
                dropout.multipliers(0, &mut m);
            }
            let reference =
                |v: &[Vec<f64>]| (0..len).map(|i| v[0][i] + f64::from(m[i]) * v[1][i]).collect::<Vec<_>>();
            let sizes = Sizes::of(&[len, len]);
            Check { outputs: len, tolerance: 1e-6 }.run(&sizes, uniform(-1.0, 1.0), reference, |s| {
                s.device.residual(&Residual { x: s.inputs[0], branch: s.inputs[1], y: s.output, dropout });
                let (y_gradient, dx, branch_gradient) = (s.output_gradient, s.gradients[0], s.gradients[1]);
                s.device.residual_backward(&ResidualBackward {
                    y_gradient,
                    branch_gradient: dx,
                    dropout: None,
                });
                s.device.residual_backward(&ResidualBackward { y_gradient, branch_gradient, dropout });
            });
        }
    }
}
