//! y = x / (1 + |x|).

use crate::Slot;
use crate::cpu::parallel::{pieces, simd};

/// y = x / (1 + |x|), in place.
#[derive(Debug, Clone, Copy)]
pub struct Softsign {
    /// Holds x, becomes y.
    pub x: Slot,
}

/// dx = dy · (1 − |y|)², which is dy / (1 + |x|)²: only the result is needed.
#[derive(Debug, Clone, Copy)]
pub struct SoftsignBackward {
    /// The result, read.
    pub y: Slot,
    /// Holds dy, becomes dx.
    pub gradient: Slot,
}

impl Softsign {
    pub(crate) fn forward(&self, x: &mut [f32]) {
        pieces(x, |_, x| {
            simd(
                #[inline(always)]
                || x.iter_mut().for_each(|x| *x /= 1.0 + x.abs()),
            );
        });
    }
}

impl SoftsignBackward {
    pub(crate) fn backward(&self, y: &[f32], gradient: &mut [f32]) {
        pieces(gradient, |start, gradient| {
            let y = &y[start..start + gradient.len()];
            simd(
                #[inline(always)]
                || {
                    for (g, y) in gradient.iter_mut().zip(y) {
                        let slope = 1.0 - y.abs();
                        *g *= slope * slope;
                    }
                },
            );
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::Device;
    use crate::ops::gradient_check::{Check, Sizes, uniform};
    use crate::ops::{Residual, Softsign, SoftsignBackward};

    #[test]
    fn gradient_matches_finite_differences() {
        let reference = |v: &[Vec<f64>]| v[0].iter().map(|x| x / (1.0 + x.abs())).collect::<Vec<_>>();
        let len = 77;
        Check { outputs: len, tolerance: 1e-6 }.run(&Sizes::of(&[len]), uniform(-3.0, 3.0), reference, |s| {
            let zeros = s.extra.part(0, len);
            s.device.residual(&Residual { x: s.inputs[0], branch: zeros, y: s.output, dropout: None });
            s.device.softsign(&Softsign { x: s.output });
            s.device.residual(&Residual {
                x: s.output_gradient,
                branch: zeros,
                y: s.gradients[0],
                dropout: None,
            });
            s.device.softsign_backward(&SoftsignBackward { y: s.output, gradient: s.gradients[0] });
        });
    }
}
