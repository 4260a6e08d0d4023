//! Rotary position embedding of queries and keys.

use crate::{Cost, Slot};
use rayon::prelude::*;

/// Rotates queries and keys by their position (Su et al. 2021), in place.
///
/// With d the head width, i < d/2, and the angle a = position · 10000^(−2i/d), the pair (z_i, z_{i+d/2}) becomes
/// (z_i cos a − z_{i+d/2} sin a, z_{i+d/2} cos a + z_i sin a). The inverse rotation is the backward pass.
#[derive(Debug, Clone, Copy)]
pub struct Rope {
    /// Sequences.
    pub batch: usize,
    /// Tokens per sequence; the position is the token's index.
    pub tokens: usize,
    /// Attention heads.
    pub heads: usize,
    /// Width of a head, even.
    pub head_width: usize,
    /// `[tokens, head_width / 2, 2]` of [`rope_table`], read.
    pub table: Slot,
    /// `[batch · tokens, 3 · heads · head_width]`: queries, keys, values; the first two parts are rotated.
    pub qkv: Slot,
    /// Rotate back: the gradient.
    pub inverse: bool,
}

/// cos and sin of every angle, `[tokens, head_width / 2, 2]`.
pub fn rope_table(tokens: usize, head_width: usize) -> Vec<f32> {
    let mut table = Vec::with_capacity(tokens * head_width);
    for position in 0..tokens {
        for i in 0..head_width / 2 {
            let angle = position as f64 * 10000f64.powf(-2.0 * i as f64 / head_width as f64);
            table.extend([angle.cos() as f32, angle.sin() as f32]);
        }
    }
    table
}

impl Rope {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        // Queries and keys are read and written.
        Cost::of_floats(self.table.len() + 2 * (self.qkv.len() / 3 * 2))
    }

    pub(crate) fn slots(&self) -> [Slot; 2] {
        [self.table, self.qkv]
    }

    pub(crate) fn rotate(&self, [table, qkv]: [&mut [f32]; 2]) {
        let hidden = self.heads * self.head_width;
        let sign = if self.inverse { -1.0 } else { 1.0 };
        qkv.par_chunks_mut(3 * hidden).with_min_len(8).enumerate().for_each(|(row, qkv)| {
            let angles = &table[row % self.tokens * self.head_width..][..self.head_width];
            for head in qkv[..2 * hidden].chunks_mut(self.head_width) {
                let (first, second) = head.split_at_mut(self.head_width / 2);
                for ((a, b), angle) in first.iter_mut().zip(second).zip(angles.chunks(2)) {
                    let (cos, sin) = (angle[0], angle[1] * sign);
                    (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::Device;
    use crate::ops::gradient_check::{Check, Sizes, uniform};
    use crate::ops::{Rope, rope_table};

    #[test]
    fn gradient_matches_finite_differences() {
        let (batch, tokens, heads, head_width) = (2, 5, 3, 6);
        let hidden = heads * head_width;
        let reference = |v: &[Vec<f64>]| {
            let mut y = v[0].clone();
            for (row, y) in y.chunks_mut(3 * hidden).enumerate() {
                for part in 0..2 * heads {
                    for i in 0..head_width / 2 {
                        let angle = (row % tokens) as f64 / 10000f64.powf(2.0 * i as f64 / head_width as f64);
                        let (p, q) = (part * head_width + i, part * head_width + i + head_width / 2);
                        let (a, b) = (y[p], y[q]);
                        y[p] = a * angle.cos() - b * angle.sin();
                        y[q] = b * angle.cos() + a * angle.sin();
                    }
                }
            }
            y
        };
        let len = batch * tokens * 3 * hidden;
        Check { outputs: len, tolerance: 1e-5 }.run(&Sizes::of(&[len]), uniform(-1.0, 1.0), reference, |s| {
            let table = s.extra.part(len, tokens * head_width);
            s.device.write(table, &rope_table(tokens, head_width));
            s.device.copy(s.inputs[0], s.output);
            let rope = Rope { batch, tokens, heads, head_width, table, qkv: s.output, inverse: false };
            s.device.rope(&rope);
            s.device.copy(s.output_gradient, s.gradients[0]);
            s.device.rope(&Rope { qkv: s.gradients[0], inverse: true, ..rope });
        });
    }
}
