//! Assembling tokens: prefix rows, then one row per bin with its position; and taking the bins back out.

use crate::{Cost, Dropout, Slot};
use rayon::prelude::*;

/// Tokens of each sequence: the row `first` (session), the row `second` (prompt), then bins + positions; all of it
/// times m.
///
/// The prefix rows carry no position. The backward pass takes gradients in the places of all slots, reads that of the tokens and
/// writes the others. With dz = m∘dtokens, bins receive their token's dz, positions and prefix rows its sum over sequences.
#[derive(Debug, Clone, Copy)]
pub struct TokenRows {
    /// Sequences.
    pub batch: usize,
    /// Bins per sequence; tokens = bins + 2.
    pub bins_per_sequence: usize,
    /// Width of a token.
    pub width: usize,
    /// `[batch · bins, width]`, read.
    pub bins: Slot,
    /// `[bins, width]`, read.
    pub positions: Slot,
    /// `[width]`, read.
    pub first: Slot,
    /// `[width]`, read.
    pub second: Slot,
    /// `[batch · (bins + 2), width]`, written. In the backward pass it **becomes dz** where there is a dropout.
    pub tokens: Slot,
    /// m; `None` drops nothing.
    pub dropout: Option<Dropout>,
}

/// Takes the rows of the bins out of the tokens.
#[derive(Debug, Clone, Copy)]
pub struct DropPrefix {
    /// Sequences.
    pub batch: usize,
    /// Rows in front of the bins of a sequence.
    pub prefix: usize,
    /// Bins per sequence.
    pub bins_per_sequence: usize,
    /// Width of a token.
    pub width: usize,
    /// `[batch · (prefix + bins), width]`: read, or written by the backward pass.
    pub tokens: Slot,
    /// `[batch · bins, width]`: written, or read by the backward pass.
    pub bins: Slot,
}

const PREFIX: usize = 2;

impl TokenRows {
    /// What the forward pass costs at least.
    pub fn cost(&self) -> Cost {
        Cost::of_slots(self.slots())
    }

    /// What the backward pass costs at least.
    pub fn backward_cost(&self) -> Cost {
        let is_dropped = self.dropout.is_some_and(|dropout| dropout.is_active());
        self.cost() + Cost::of_slots([if is_dropped { self.tokens } else { Slot::default() }])
    }

    pub(crate) fn slots(&self) -> [Slot; 5] {
        [self.bins, self.positions, self.first, self.second, self.tokens]
    }

    pub(crate) fn forward(&self, [bins, positions, first, second, tokens]: [&mut [f32]; 5]) {
        let (count, width) = (self.bins_per_sequence, self.width);
        let sequence = (count + PREFIX) * width;
        let sequences = tokens.par_chunks_mut(sequence).zip(bins.par_chunks(count * width)).enumerate();
        sequences.for_each(|(index, (tokens, bins))| {
            let (head, tail) = tokens.split_at_mut(PREFIX * width);
            head[..width].copy_from_slice(first);
            head[width..].copy_from_slice(second);
            for ((token, bin), position) in tail.iter_mut().zip(bins).zip(&*positions) {
                *token = bin + position;
            }
            if let Some(dropout) = self.dropout.filter(Dropout::is_active) {
                dropout.multiply(index * sequence, tokens);
            }
        });
    }

    pub(crate) fn backward(&self, [dbins, dpositions, dfirst, dsecond, dtokens]: [&mut [f32]; 5]) {
        let (count, width) = (self.bins_per_sequence, self.width);
        let sequence = (count + PREFIX) * width;
        let sequences = dbins.par_chunks_mut(count * width).zip(dtokens.par_chunks_mut(sequence)).enumerate();
        sequences.for_each(|(index, (dbins, dtokens))| {
            if let Some(dropout) = self.dropout.filter(Dropout::is_active) {
                dropout.multiply(index * sequence, dtokens);
            }
            dbins.copy_from_slice(&dtokens[PREFIX * width..]);
        });
        let dtokens = &*dtokens;
        let sum_of_row = |out: &mut [f32], row: usize| {
            out.fill(0.0);
            for dtokens in dtokens.chunks(sequence) {
                for (out, d) in out.iter_mut().zip(&dtokens[row * width..(row + 1) * width]) {
                    *out += d;
                }
            }
        };
        sum_of_row(dfirst, 0);
        sum_of_row(dsecond, 1);
        let rows = dpositions.par_chunks_mut(width).enumerate();
        rows.with_min_len(8).for_each(|(bin, out)| sum_of_row(out, bin + PREFIX));
    }
}

impl DropPrefix {
    /// What the forward pass costs at least.
    pub fn cost(&self) -> Cost {
        // Of the tokens, the bins.
        Cost::of_slots([self.bins, self.bins])
    }

    /// What the backward pass costs at least.
    pub fn backward_cost(&self) -> Cost {
        Cost::of_slots(self.slots())
    }

    pub(crate) fn slots(&self) -> [Slot; 2] {
        [self.tokens, self.bins]
    }

    pub(crate) fn forward(&self, [tokens, bins]: [&mut [f32]; 2]) {
        let (prefix, count) = (self.prefix * self.width, self.bins_per_sequence * self.width);
        bins.par_chunks_mut(count).zip(tokens.par_chunks(prefix + count)).for_each(|(bins, tokens)| {
            bins.copy_from_slice(&tokens[prefix..]);
        });
    }

    pub(crate) fn backward(&self, [dtokens, dbins]: [&mut [f32]; 2]) {
        let (prefix, count) = (self.prefix * self.width, self.bins_per_sequence * self.width);
        dtokens.par_chunks_mut(prefix + count).zip(dbins.par_chunks(count)).for_each(|(dtokens, dbins)| {
            dtokens[..prefix].fill(0.0);
            dtokens[prefix..].copy_from_slice(dbins);
        });
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::gradient_check::{Check, Sizes, uniform};
    use crate::ops::{DropPrefix, TokenRows};
    use crate::{Device, Dropout};

    #[test]
    fn gradient_matches_finite_differences() {
        let (batch, count, width) = (3, 4, 5);
        let key = Dropout { probability: 0.3, seed: 5, step: 1, site: 0 };
        for dropout in [None, Some(key)] {
            let mut m = vec![1.0; batch * (count + 2) * width];
            if let Some(dropout) = dropout {
                dropout.multipliers(0, &mut m);
            }
            let reference = |v: &[Vec<f64>]| {
                let mut y = Vec::new();
                for b in 0..batch {
                    y.extend(v[2].iter().chain(&v[3]));
                    y.extend((0..count * width).map(|i| v[0][b * count * width + i] + v[1][i]));
                }
                y.iter().zip(&m).map(|(y, m)| y * f64::from(*m)).collect::<Vec<f64>>()
            };
            let sizes = Sizes::of(&[batch * count * width, count * width, width, width]);
            let outputs = batch * (count + 2) * width;
            Check { outputs, tolerance: 1e-6 }.run(&sizes, uniform(-1.0, 1.0), reference, |s| {
                let op = TokenRows {
                    batch,
                    bins_per_sequence: count,
                    width,
                    bins: s.inputs[0],
                    positions: s.inputs[1],
                    first: s.inputs[2],
                    second: s.inputs[3],
                    tokens: s.output,
                    dropout,
                };
                s.device.token_rows(&op);
                let [bins, positions, first, second] = [0, 1, 2, 3].map(|input| s.gradients[input]);
                let tokens = s.output_gradient;
                s.device.token_rows_backward(&TokenRows { bins, positions, first, second, tokens, ..op });
            });
        }
    }

    #[test]
    fn dropping_the_prefix_keeps_bins_and_gives_the_prefix_no_gradient() {
        let (batch, prefix, count, width) = (2, 2, 3, 2);
        let reference = |v: &[Vec<f64>]| {
            v[0].chunks((prefix + count) * width)
                .flat_map(|s| s[prefix * width..].to_vec())
                .collect::<Vec<_>>()
        };
        let sizes = Sizes::of(&[batch * (prefix + count) * width]);
        Check { outputs: batch * count * width, tolerance: 1e-6 }.run(
            &sizes,
            uniform(-1.0, 1.0),
            reference,
            |s| {
                let op = DropPrefix {
                    batch,
                    prefix,
                    bins_per_sequence: count,
                    width,
                    tokens: s.inputs[0],
                    bins: s.output,
                };
                s.device.drop_prefix(&op);
                let backward = DropPrefix { tokens: s.gradients[0], bins: s.output_gradient, ..op };
                s.device.drop_prefix_backward(&backward);
            },
        );
    }
}
