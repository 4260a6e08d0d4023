//! What stands before and behind a linear layer.

use crate::cpu::math::{exp_of_negative, normal_cdf};
use crate::cpu::parallel::simd;
use crate::dropout_bits::with_multipliers;
use crate::{Dropout, Slot};

/// What happens to the result z = x·Wᵀ + b of a linear layer.
#[derive(Debug, Clone, Copy)]
pub enum Then {
    /// y = z.
    Nothing,
    /// y = z, and another slot receives GELU(z) = z·Φ(z), Φ the standard normal distribution (exact form). z is kept
    /// for the backward pass.
    Gelu {
        /// `[rows, outputs]`, written; empty where no backward pass follows: then y = GELU(z).
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

impl Then {
    /// Whether another slot than x and y is used.
    pub(crate) fn has_slot(&self) -> bool {
        match self {
            Then::Nothing => false,
            Then::Gelu { activated } => !activated.is_empty(),
            Then::Residual { .. } => true,
        }
    }

    /// Adds the bias to rows of y that start at float `start`, and does the rest; `other` is the slot's part.
    pub(crate) fn finish(&self, start: usize, y: &mut [f32], bias: &[f32], other: &mut [f32]) {
        let width = bias.len();
        simd(
            #[inline(always)]
            || match self {
                Then::Nothing => {
                    for y in y.chunks_exact_mut(width) {
                        crate::cpu::math::add_to(y, bias);
                    }
                }
                Then::Gelu { activated } if activated.is_empty() => {
                    for y in y.chunks_exact_mut(width) {
                        for i in 0..width {
                            let z = y[i] + bias[i];
                            y[i] = z * normal_cdf(z);
                        }
                    }
                }
                Then::Gelu { .. } => {
                    for (y, activated) in y.chunks_exact_mut(width).zip(other.chunks_exact_mut(width)) {
                        for i in 0..width {
                            let z = y[i] + bias[i];
                            y[i] = z;
                            activated[i] = z * normal_cdf(z);
                        }
                    }
                }
                Then::Residual { dropout, .. } => {
                    let dropout = dropout.as_ref().filter(|dropout| dropout.is_active());
                    if dropout.is_none() {
                        for (y, x) in y.chunks_exact_mut(width).zip(other.chunks_exact(width)) {
                            for i in 0..width {
                                y[i] = y[i] + bias[i] + x[i];
                            }
                        }
                        return;
                    }
                    let rows = y.chunks_exact_mut(width).zip(other.chunks_exact(width));
                    for (row, (y, x)) in rows.enumerate() {
                        with_multipliers(dropout, start + row * width, width, |range, m| {
                            let (y, x, bias) = (&mut y[range.clone()], &x[range.clone()], &bias[range]);
                            for i in 0..m.len() {
                                y[i] = (y[i] + bias[i]).mul_add(m[i], x[i]);
                            }
                        });
                    }
                }
            },
        );
    }
}

impl Before {
    /// Carries rows of dx that start at float `start` through; `x` and `z` start at the same place.
    pub(crate) fn finish(&self, start: usize, dx: &mut [f32], x: &[f32], z: &[f32]) {
        match self {
            Before::Nothing => {}
            Before::Gelu { .. } => {
                let density_scale = (1.0 / (2.0 * std::f64::consts::PI).sqrt()) as f32;
                simd(
                    #[inline(always)]
                    || {
                        for (dx, z) in dx.iter_mut().zip(z) {
                            let bell = exp_of_negative(-0.5 * z * z);
                            *dx *= (z * density_scale).mul_add(bell, normal_cdf(*z));
                        }
                    },
                );
            }
            Before::Softsign => simd(
                #[inline(always)]
                || {
                    for (dx, x) in dx.iter_mut().zip(x) {
                        let slope = 1.0 - x.abs();
                        *dx *= slope * slope;
                    }
                },
            ),
            Before::Dropout(dropout) => {
                if dropout.is_active() {
                    dropout.multiply(start, dx);
                }
            }
        }
    }
}
