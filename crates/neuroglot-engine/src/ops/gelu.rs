//! y = x · Φ(x).

use crate::Slot;
use crate::cpu::math::normal_cdf;
use crate::cpu::parallel::{pieces, simd};

/// y = x · Φ(x), Φ the standard normal distribution (the exact GELU, by erf; Hendrycks and Gimpel 2016).
#[derive(Debug, Clone, Copy)]
pub struct Gelu {
    /// Any shape, read; kept for the backward pass.
    pub x: Slot,
    /// The shape of x, written.
    pub y: Slot,
}

/// dx = dy · (Φ(x) + x · φ(x)), φ the standard normal density.
#[derive(Debug, Clone, Copy)]
pub struct GeluBackward {
    /// Any shape, read.
    pub x: Slot,
    /// Holds dy, becomes dx.
    pub gradient: Slot,
}

impl Gelu {
    pub(crate) fn forward(&self, x: &[f32], y: &mut [f32]) {
        pieces(y, |start, y| {
            let x = &x[start..start + y.len()];
            simd(
                #[inline(always)]
                || {
                    for (y, x) in y.iter_mut().zip(x) {
                        *y = x * normal_cdf(*x).0;
                    }
                },
            );
        });
    }
}

impl GeluBackward {
    pub(crate) fn backward(&self, x: &[f32], gradient: &mut [f32]) {
        let density_scale = (1.0 / (2.0 * std::f64::consts::PI).sqrt()) as f32;
        pieces(gradient, |start, gradient| {
            let x = &x[start..start + gradient.len()];
            simd(
                #[inline(always)]
                || {
                    for (g, x) in gradient.iter_mut().zip(x) {
                        let (cdf, bell) = normal_cdf(*x);
                        *g *= (x * density_scale).mul_add(bell, cdf);
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
    use crate::ops::{Gelu, GeluBackward, Residual};

    /// erf by its Maclaurin series, which converges everywhere.
    fn erf(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / n as f64;
            sum += term / (2 * n + 1) as f64;
        }
        sum * 2.0 / std::f64::consts::PI.sqrt()
    }

    #[test]
    fn gradient_matches_finite_differences() {
        let reference =
            |v: &[Vec<f64>]| v[0].iter().map(|x| 0.5 * x * (1.0 + erf(x / 2f64.sqrt()))).collect::<Vec<_>>();
        let len = 301;
        Check { outputs: len, tolerance: 1e-6 }.run(&Sizes::of(&[len]), uniform(-4.0, 4.0), reference, |s| {
            s.device.gelu(&Gelu { x: s.inputs[0], y: s.output });
            // gradient slot := dy, by a residual with nothing in its branch
            let zeros = s.extra.part(0, len);
            s.device.residual(&Residual {
                x: s.output_gradient,
                branch: zeros,
                y: s.gradients[0],
                dropout: None,
            });
            s.device.gelu_backward(&GeluBackward { x: s.inputs[0], gradient: s.gradients[0] });
        });
    }
}
