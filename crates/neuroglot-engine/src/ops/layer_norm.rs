//! y = (x − mean) / √(variance + 1e-5) · gain + bias, per row.

use crate::cpu::math::{sum_of, sum_of_three};
use crate::cpu::parallel::{SharedRows, rows_per_piece, simd};
use crate::{Cost, Slot};
use rayon::prelude::*;

const EPSILON: f32 = 1e-5;

/// y = (x − mean) · r · gain + bias per row, r = 1 / √(variance + 1e-5), variance over the width (not width − 1).
#[derive(Debug, Clone, Copy)]
pub struct LayerNorm {
    /// Rows of x and y.
    pub rows: usize,
    /// Width of x and y.
    pub width: usize,
    /// `[rows, width]`, read.
    pub x: Slot,
    /// `[width]`, read.
    pub gain: Slot,
    /// `[width]`, read.
    pub bias: Slot,
    /// `[rows, width]`, written.
    pub y: Slot,
    /// `[rows, 2]`: mean and r of each row, written, for the backward pass.
    pub statistics: Slot,
}

/// With n = (x − mean) · r and g = dy · gain: dx += r · (g − mean(g) − n · mean(g · n)), dgain = Σ dy · n, dbias = Σ dy.
#[derive(Debug, Clone, Copy)]
pub struct LayerNormBackward {
    /// The forward pass, whose x, gain and statistics are read.
    pub forward: LayerNorm,
    /// `[rows, width]`, read.
    pub y_gradient: Slot,
    /// `[rows, width]`, **added to**: the residual path's gradient is there already.
    pub x_gradient: Slot,
    /// `[width]`, written.
    pub gain_gradient: Slot,
    /// `[width]`, written.
    pub bias_gradient: Slot,
}

impl LayerNorm {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        Cost::of_slots(self.slots())
    }

    pub(crate) fn slots(&self) -> [Slot; 5] {
        [self.x, self.gain, self.bias, self.y, self.statistics]
    }

    pub(crate) fn forward(&self, [x, gain, bias, y, statistics]: [&mut [f32]; 5]) {
        let width = self.width;
        let rows = rows_per_piece(width);
        let pieces = y.par_chunks_mut(rows * width).zip(x.par_chunks(rows * width));
        pieces.zip(statistics.par_chunks_mut(rows * 2)).for_each(|((y, x), statistics)| {
            simd(
                #[inline(always)]
                || {
                    // Rows side by side do not wait for each other's sums and roots.
                    const TOGETHER: usize = 4;
                    let whole = x.len() / (TOGETHER * width) * TOGETHER;
                    let (y, y_rest) = y.split_at_mut(whole * width);
                    let (x, x_rest) = x.split_at(whole * width);
                    let (statistics, statistics_rest) = statistics.split_at_mut(whole * 2);
                    normalise::<TOGETHER>(width, x, gain, bias, y, statistics);
                    normalise::<1>(width, x_rest, gain, bias, y_rest, statistics_rest);
                },
            );
        });
    }
}

/// `ROWS` rows at a time. Exact chunks and slices of one length: the loops are then free of checks and vectorise whole.
#[inline(always)]
fn normalise<const ROWS: usize>(
    width: usize,
    x: &[f32],
    gain: &[f32],
    bias: &[f32],
    y: &mut [f32],
    statistics: &mut [f32],
) {
    let groups = x.chunks_exact(ROWS * width).zip(y.chunks_exact_mut(ROWS * width));
    for ((x, y), statistics) in groups.zip(statistics.chunks_exact_mut(2 * ROWS)) {
        let row = |row: usize| &x[row * width..(row + 1) * width];
        let mean: [f32; ROWS] = std::array::from_fn(|r| sum_of(row(r), row(r), |a, _| a) / width as f32);
        let variance: [f32; ROWS] = std::array::from_fn(|r| {
            sum_of(row(r), row(r), |a, _| (a - mean[r]) * (a - mean[r])) / width as f32
        });
        let inverse = variance.map(|variance| 1.0 / (variance + EPSILON).sqrt());
        for (index, y) in y.chunks_exact_mut(width).enumerate() {
            let (x, mean, r) = (&row(index)[..y.len()], mean[index], inverse[index]);
            let (gain, bias) = (&gain[..y.len()], &bias[..y.len()]);
            for i in 0..y.len() {
                y[i] = ((x[i] - mean) * r).mul_add(gain[i], bias[i]);
            }
            (statistics[2 * index], statistics[2 * index + 1]) = (mean, r);
        }
    }
}

impl LayerNormBackward {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        // dx is read and written.
        Cost::of_slots(self.slots()) + Cost::of_slots([self.x_gradient])
    }

    pub(crate) fn slots(&self) -> [Slot; 7] {
        let LayerNorm { x, gain, statistics, .. } = self.forward;
        [x, gain, statistics, self.y_gradient, self.x_gradient, self.gain_gradient, self.bias_gradient]
    }

    pub(crate) fn backward(&self, [x, gain, statistics, dy, dx, dgain, dbias]: [&mut [f32]; 7]) {
        let width = self.forward.width;
        let rows = rows_per_piece(width);
        let pieces = dx.par_chunks_mut(rows * width).zip(x.par_chunks(rows * width));
        let pieces = pieces.zip(dy.par_chunks(rows * width)).zip(statistics.par_chunks(rows * 2));
        pieces.for_each(|(((dx, x), dy), statistics)| {
            simd(
                #[inline(always)]
                || {
                    let rows = dx.chunks_exact_mut(width).zip(x.chunks_exact(width));
                    for (((dx, x), dy), s) in rows.zip(dy.chunks_exact(width)).zip(statistics.chunks_exact(2))
                    {
                        let (mean, r) = (s[0], s[1]);
                        let (x, dy, gain) = (&x[..dx.len()], &dy[..dx.len()], &gain[..dx.len()]);
                        let mean_g = sum_of(dy, gain, |d, g| d * g) / width as f32;
                        let products = sum_of_three(dy, gain, x, |d, g, x| d * g * ((x - mean) * r));
                        let mean_gn = products / width as f32;
                        for i in 0..dx.len() {
                            let n = (x[i] - mean) * r;
                            dx[i] += r * (dy[i] * gain[i] - mean_g - n * mean_gn);
                        }
                    }
                },
            );
        });
        column_sums(width, x, statistics, dy, dgain, dbias);
    }
}

/// dgain and dbias: sums over all rows, one block of columns at a time so that no thread waits for another.
fn column_sums(
    width: usize,
    x: &[f32],
    statistics: &[f32],
    dy: &[f32],
    dgain: &mut [f32],
    dbias: &mut [f32],
) {
    const BLOCK: usize = 64;
    let (dgain, dbias) = (SharedRows::new(dgain), SharedRows::new(dbias));
    (0..width.div_ceil(BLOCK)).into_par_iter().for_each(|block| {
        let start = block * BLOCK;
        let len = BLOCK.min(width - start);
        // SAFETY: blocks of columns do not overlap.
        let (dgain, dbias) = unsafe { (dgain.slice(start, len), dbias.slice(start, len)) };
        simd(
            #[inline(always)]
            || {
                dgain.fill(0.0);
                dbias.fill(0.0);
                for ((x, dy), s) in x.chunks(width).zip(dy.chunks(width)).zip(statistics.chunks(2)) {
                    let (x, dy, mean, r) = (&x[start..start + len], &dy[start..start + len], s[0], s[1]);
                    for i in 0..len {
                        dgain[i] += dy[i] * ((x[i] - mean) * r);
                        dbias[i] += dy[i];
                    }
                }
            },
        );
    });
}

#[cfg(test)]
mod tests {
    use crate::Device;
    use crate::ops::gradient_check::{Check, Sizes, uniform};
    use crate::ops::{LayerNorm, LayerNormBackward};

    #[test]
    fn gradient_matches_finite_differences() {
        for (rows, width) in [(1, 3), (7, 5), (3, 300)] {
            let reference = |v: &[Vec<f64>]| {
                let mut y = Vec::new();
                for row in v[0].chunks(width) {
                    let mean = row.iter().sum::<f64>() / width as f64;
                    let variance = row.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / width as f64;
                    let normed = row.iter().map(|x| (x - mean) / (variance + 1e-5).sqrt());
                    y.extend(normed.enumerate().map(|(i, n)| n * v[1][i] + v[2][i]));
                }
                y
            };
            let sizes = Sizes::of(&[rows * width, width, width]);
            Check { outputs: rows * width, tolerance: 1e-4 }.run(
                &sizes,
                uniform(-1.0, 2.0),
                reference,
                |s| {
                    let [x, gain, bias] = [s.inputs[0], s.inputs[1], s.inputs[2]];
                    let statistics = s.extra.part(0, rows * 2);
                    let forward = LayerNorm { rows, width, x, gain, bias, y: s.output, statistics };
                    s.device.layer_norm(&forward);
                    s.device.layer_norm_backward(&LayerNormBackward {
                        forward,
                        y_gradient: s.output_gradient,
                        x_gradient: s.gradients[0],
                        gain_gradient: s.gradients[1],
                        bias_gradient: s.gradients[2],
                    });
                },
            );
        }
    }

    #[test]
    fn the_gradient_is_added_to_what_is_there() {
        let mut draw = uniform(0.0, 1.0);
        let x: Vec<f32> = (0..6).map(|_| draw()).collect();
        let mut plan = crate::MemoryPlan::new();
        let slots: Vec<_> = [6, 3, 3, 6, 4, 6, 6, 3, 3].iter().map(|n| plan.slot(*n)).collect();
        let mut device = crate::CpuDevice::new(1).unwrap();
        device.reserve(plan.floats()).unwrap();
        let [xs, gain, bias, y, statistics, dy, dx, dgain, dbias] = slots[..].try_into().unwrap();
        device.write(xs, &x);
        device.fill(gain, 1.0);
        device.write(dy, &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
        let forward = LayerNorm { rows: 2, width: 3, x: xs, gain, bias, y, statistics };
        device.layer_norm(&forward);
        let backward = LayerNormBackward {
            forward,
            y_gradient: dy,
            x_gradient: dx,
            gain_gradient: dgain,
            bias_gradient: dbias,
        };
        let mut once = [0.0; 6];
        device.layer_norm_backward(&backward);
        device.read(dx, &mut once);
        device.fill(dx, 10.0);
        device.layer_norm_backward(&backward);
        let mut added = [0.0; 6];
        device.read(dx, &mut added);
        for i in 0..6 {
            assert!((added[i] - once[i] - 10.0).abs() < 1e-5);
        }
    }
}
