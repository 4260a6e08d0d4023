//! What stands before and behind a linear layer.

use crate::cpu::math::{exp_of_negative, normal_cdf};
use crate::cpu::parallel::{SharedRows, simd};
use crate::cpu::products::Stripe;
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
        /// `[rows, outputs]`, read; empty, and without a dropout, where y itself holds x.
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
}

impl Then {
    /// The slot used besides x and y; empty where there is none.
    pub(crate) fn slot(&self) -> Slot {
        match *self {
            Then::Nothing => Slot::default(),
            Then::Gelu { activated } => activated,
            Then::Residual { x, .. } => x,
        }
    }

    /// Whether the product is added to what y holds.
    pub(crate) fn adds(&self) -> bool {
        matches!(self, Then::Residual { x, .. } if x.is_empty())
    }

    /// Whether there is a dropout, which wants whole rows: its bits come by the hundred.
    pub(crate) fn drops(&self) -> bool {
        matches!(self, Then::Residual { dropout: Some(dropout), .. } if dropout.is_active())
    }

    /// Adds the bias to a stripe of y, whose rows have `width` floats, and does the rest, without a dropout; `other` is the
    /// slot.
    ///
    /// # Safety
    /// Nothing else may use this stripe of y or of `other`.
    pub(crate) unsafe fn finish_stripe<'a>(
        &self,
        stripe: Stripe,
        width: usize,
        y: SharedRows<'a>,
        bias: &[f32],
        other: SharedRows<'a>,
    ) {
        let Stripe { first_row, rows, first_column, columns } = stripe;
        let bias = &bias[first_column..first_column + columns];
        let start = |row: usize| (first_row + row) * width + first_column;
        // SAFETY: the caller's promise.
        let part = |of: SharedRows<'a>, row: usize| unsafe { of.slice(start(row), columns) };
        simd(
            #[inline(always)]
            || match (self, self.slot().is_empty()) {
                (Then::Nothing, _) | (Then::Residual { .. }, true) => {
                    for row in 0..rows {
                        each(part(y, row), bias, |y, bias| *y += bias);
                    }
                }
                (Then::Gelu { .. }, true) => {
                    for row in 0..rows {
                        each(part(y, row), bias, |y, bias| {
                            let z = *y + bias;
                            *y = z * normal_cdf(z);
                        });
                    }
                }
                (Then::Gelu { .. }, false) => {
                    for row in 0..rows {
                        let (y, activated) = (part(y, row), part(other, row));
                        each(y, bias, |y, bias| *y += bias);
                        each(activated, y, |activated, z| *activated = z * normal_cdf(z));
                    }
                }
                (Then::Residual { .. }, false) => {
                    for row in 0..rows {
                        let (y, x) = (part(y, row), part(other, row));
                        each(y, bias, |y, bias| *y += bias);
                        each(y, x, |y, x| *y += x);
                    }
                }
            },
        );
    }

    /// Adds the bias to whole rows of y that start at float `start`, and does the rest; `other` is the slot's part.
    pub(crate) fn finish(&self, start: usize, y: &mut [f32], bias: &[f32], other: &mut [f32]) {
        let Then::Residual { dropout, .. } = self else { unreachable!("only a dropout wants whole rows") };
        let width = bias.len();
        simd(
            #[inline(always)]
            || {
                let rows = y.chunks_exact_mut(width).zip(other.chunks_exact(width));
                for (row, (y, x)) in rows.enumerate() {
                    with_multipliers(dropout.as_ref(), start + row * width, width, |range, m| {
                        let (y, x, bias) = (&mut y[range.clone()], &x[range.clone()], &bias[range]);
                        for i in 0..m.len() {
                            y[i] = (y[i] + bias[i]).mul_add(m[i], x[i]);
                        }
                    });
                }
            },
        );
    }
}

/// `work(a, b)` for the floats of two slices of one length, usually that of a stripe, which the compiler then knows.
#[inline(always)]
fn each(a: &mut [f32], b: &[f32], work: impl Fn(&mut f32, f32)) {
    #[inline(always)]
    fn known<const N: usize>(a: &mut [f32], b: &[f32], work: &impl Fn(&mut f32, f32)) -> bool {
        let (Ok(a), Ok(b)) = (<&mut [f32; N]>::try_from(a), <&[f32; N]>::try_from(b)) else { return false };
        for i in 0..N {
            work(&mut a[i], b[i]);
        }
        true
    }
    if !known::<32>(a, b, &work) && !known::<16>(a, b, &work) {
        for (a, b) in a.iter_mut().zip(b) {
            work(a, *b);
        }
    }
}

impl Before {
    /// The slot used besides x; empty where there is none.
    pub(crate) fn slot(&self) -> Slot {
        match *self {
            Before::Gelu { z } => z,
            Before::Nothing | Before::Softsign => Slot::default(),
        }
    }

    /// Carries rows of dx through; `x` and `z` start at the same row.
    pub(crate) fn finish(&self, dx: &mut [f32], x: &[f32], z: &[f32]) {
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
        }
    }
}
