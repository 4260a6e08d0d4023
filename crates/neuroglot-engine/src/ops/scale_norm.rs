//! y = gain · x / ‖x‖, per row, with one gain for all.

use crate::cpu::math::sum_of;
use crate::cpu::parallel::{rows_per_piece, simd};
use crate::{Cost, Slot};
use rayon::prelude::*;

const SMALLEST_NORM: f32 = 1e-5;

/// y = gain · x / max(‖x‖, 1e-5) per row (Nguyen and Salazar 2019); the gain is one number, √width at the start.
#[derive(Debug, Clone, Copy)]
pub struct ScaleNorm {
    /// Rows of x and y.
    pub rows: usize,
    /// Width of x and y.
    pub width: usize,
    /// `[rows, width]`, read.
    pub x: Slot,
    /// `[1]`, read.
    pub gain: Slot,
    /// `[rows, width]`, written.
    pub y: Slot,
    /// `[rows, 2]`: 1 / ‖x‖ and, in the backward pass, x·dy / ‖x‖; written.
    pub statistics: Slot,
}

/// With n = x / ‖x‖: dx += gain / ‖x‖ · (dy − n · (n·dy)), dgain = Σ over rows of n·dy.
#[derive(Debug, Clone, Copy)]
pub struct ScaleNormBackward {
    /// The forward pass, whose x and gain are read, and its statistics read and changed.
    pub forward: ScaleNorm,
    /// `[rows, width]`, read.
    pub y_gradient: Slot,
    /// `[rows, width]`, **added to**.
    pub x_gradient: Slot,
    /// `[1]`, written.
    pub gain_gradient: Slot,
}

impl ScaleNorm {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        Cost::of_slots(self.slots())
    }

    pub(crate) fn slots(&self) -> [Slot; 4] {
        [self.x, self.gain, self.y, self.statistics]
    }

    pub(crate) fn forward(&self, [x, gain, y, statistics]: [&mut [f32]; 4]) {
        let (width, gain) = (self.width, gain[0]);
        let rows = rows_per_piece(width);
        let pieces = y.par_chunks_mut(rows * width).zip(x.par_chunks(rows * width));
        pieces.zip(statistics.par_chunks_mut(rows * 2)).for_each(|((y, x), statistics)| {
            simd(
                #[inline(always)]
                || {
                    for ((y, x), s) in y.chunks_mut(width).zip(x.chunks(width)).zip(statistics.chunks_mut(2))
                    {
                        s[0] = 1.0 / sum_of(x, x, |a, b| a * b).sqrt().max(SMALLEST_NORM);
                        let scale = gain * s[0];
                        for (y, x) in y.iter_mut().zip(x) {
                            *y = x * scale;
                        }
                    }
                },
            );
        });
    }
}

impl ScaleNormBackward {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        // The statistics and dx are read and written.
        Cost::of_slots(self.slots()) + Cost::of_slots([self.forward.statistics, self.x_gradient])
    }

    pub(crate) fn slots(&self) -> [Slot; 6] {
        let ScaleNorm { x, gain, statistics, .. } = self.forward;
        [x, gain, statistics, self.y_gradient, self.x_gradient, self.gain_gradient]
    }

    pub(crate) fn backward(&self, [x, gain, statistics, dy, dx, dgain]: [&mut [f32]; 6]) {
        let (width, gain) = (self.forward.width, gain[0]);
        let rows = rows_per_piece(width);
        let pieces = dx.par_chunks_mut(rows * width).zip(x.par_chunks(rows * width));
        let pieces = pieces.zip(dy.par_chunks(rows * width)).zip(statistics.par_chunks_mut(rows * 2));
        pieces.for_each(|(((dx, x), dy), statistics)| {
            simd(
                #[inline(always)]
                || {
                    let rows = dx.chunks_mut(width).zip(x.chunks(width));
                    for (((dx, x), dy), s) in rows.zip(dy.chunks(width)).zip(statistics.chunks_mut(2)) {
                        let inverse = s[0];
                        let along = sum_of(x, dy, |x, d| x * d) * inverse;
                        s[1] = along;
                        for i in 0..width {
                            dx[i] += gain * inverse * (dy[i] - x[i] * inverse * along);
                        }
                    }
                },
            );
        });
        dgain[0] = statistics.chunks(2).map(|s| f64::from(s[1])).sum::<f64>() as f32;
    }
}

#[cfg(test)]
mod tests {
    use crate::Device;
    use crate::ops::gradient_check::{Check, Sizes, uniform};
    use crate::ops::{ScaleNorm, ScaleNormBackward};

    #[test]
    fn gradient_matches_finite_differences() {
        for (rows, width) in [(1, 3), (9, 35)] {
            let reference = |v: &[Vec<f64>]| {
                let mut y = Vec::new();
                for row in v[0].chunks(width) {
                    let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                    y.extend(row.iter().map(|x| v[1][0] * x / norm));
                }
                y
            };
            let sizes = Sizes::of(&[rows * width, 1]);
            Check { outputs: rows * width, tolerance: 1e-5 }.run(
                &sizes,
                uniform(-1.0, 2.0),
                reference,
                |s| {
                    let (x, gain, statistics) = (s.inputs[0], s.inputs[1], s.extra.part(0, rows * 2));
                    let forward = ScaleNorm { rows, width, x, gain, y: s.output, statistics };
                    s.device.scale_norm(&forward);
                    s.device.scale_norm_backward(&ScaleNormBackward {
                        forward,
                        y_gradient: s.output_gradient,
                        x_gradient: s.gradients[0],
                        gain_gradient: s.gradients[1],
                    });
                },
            );
        }
    }
}
