//! Multi-head attention, recomputed in the backward pass.

use super::linear::{LinearRoom, drop_into};
use crate::cpu::math::{LANES, exp_of_negative, halve, ln_from_one, sum_of};
use crate::cpu::parallel::{SharedRows, simd};
use crate::cpu::products::{Destination, Into, Matrix, product_here};
use crate::{AttentionRule, Cost, Dropout, Slot};
use rayon::prelude::*;
use std::cell::RefCell;

/// Sizes and rules of an attention, the same in both passes.
#[derive(Debug, Clone, Copy)]
pub struct AttentionShape {
    /// Sequences.
    pub batch: usize,
    /// Tokens per sequence.
    pub tokens: usize,
    /// Heads.
    pub heads: usize,
    /// Width d of a head.
    pub head_width: usize,
    /// Allowed pairs.
    pub rule: AttentionRule,
    /// Dropout of the attention weights; its element of sequence b, head h, query q and key k is
    /// ((b · heads + h) · tokens + q) · tokens + k.
    pub dropout: Option<Dropout>,
    /// Dropout of y, whose elements are counted from that of the first sequence of all on.
    pub y_dropout: Option<Dropout>,
    /// Sequences in front of these, such as those of another rule.
    pub first_sequence: usize,
}

/// y = m′∘((m ∘ softmax(Q·Kᵀ / √d over allowed pairs))·V) per sequence and head, m and m′ of the shape's dropouts.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Sizes and rules.
    pub shape: AttentionShape,
    /// `[batch · tokens, 3 · heads · head_width]`: queries, keys, values; read.
    pub qkv: Slot,
    /// `[batch · tokens, heads · head_width]`, written.
    pub y: Slot,
    /// `[batch, heads, tokens]`: ln Σ exp of each query's scores, written, for the backward pass.
    pub log_sums: Slot,
}

/// With P the weights, recomputed from the scores and their log-sums, and dz = m′∘dy: dV = (m∘P)ᵀ·dz, dP = m ∘ (dz·Vᵀ),
/// dS = P ∘ (dP − Σ over keys of P∘dP) / √d, dQ = dS·K, dK = dSᵀ·Q. That sum is also Σ over a head's columns of y∘dy.
#[derive(Debug, Clone, Copy)]
pub struct AttentionBackward {
    /// The forward pass, whose slots are read.
    pub forward: Attention,
    /// dy, `[batch · tokens, heads · head_width]`, read.
    pub y_gradient: Slot,
    /// `[batch · tokens, 3 · heads · head_width]`, written.
    pub qkv_gradient: Slot,
}

/// Queries worked on at once: their scores stay in the second-level cache for sequences of a thousand tokens.
const QUERIES: usize = 128;

/// Floats of y that are dropped at once: whole groups of random bits, which stay in the first-level cache.
const DROPPED: usize = 4096;

thread_local! {
    static SCRATCH: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
}

/// Room of this thread, kept from call to call.
fn with_scratch(len: usize, work: impl FnOnce(&mut [f32])) {
    SCRATCH.with_borrow_mut(|scratch| {
        if scratch.len() < len {
            scratch.resize(len, 0.0);
        }
        work(&mut scratch[..len]);
    });
}

/// Floats from the start of one query's weights to the next: a whole number of vectors, so that no row ends within one.
fn row_of_weights(tokens: usize) -> usize {
    tokens.next_multiple_of(LANES)
}

/// y = a·b in the first columns of rows of weights, on this thread; the floats behind them are left as they fall.
fn product_into_weights(y: &mut [f32], block: Block, a: Matrix<'_>, b: Matrix<'_>) {
    // SAFETY: y is borrowed exclusively.
    unsafe { product_here(Destination::padded(y, block.row()), Into::Replace, a, b) };
}

/// Queries worked on at once, and the keys that any of them may see: the first so many.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Block {
    first: usize,
    queries: usize,
    keys: usize,
}

impl Block {
    /// Floats of a query's weights.
    fn row(&self) -> usize {
        row_of_weights(self.keys)
    }

    fn floats(&self) -> usize {
        self.queries * self.row()
    }
}

/// One head of one sequence.
#[derive(Clone, Copy)]
struct Head {
    tokens: usize,
    head_width: usize,
    /// Floats from a token to the next in `qkv`.
    stride: usize,
    /// Place of this head's queries, keys and values in `qkv`.
    parts: [usize; 3],
    /// First dropout element.
    first_element: usize,
    rule: AttentionRule,
    dropout: Option<Dropout>,
    scale: f32,
}

impl AttentionShape {
    /// Multiply-adds of one product over all allowed pairs, such as that of queries and keys.
    fn multiply_adds(&self) -> usize {
        self.batch * self.heads * self.head_width * self.rule.pairs(self.tokens)
    }

    /// Width of all heads.
    pub(crate) fn hidden(&self) -> usize {
        self.heads * self.head_width
    }

    /// Element of `y_dropout` that y begins with.
    pub(crate) fn first_element_of_y(&self) -> usize {
        self.first_sequence * self.tokens * self.hidden()
    }

    fn head(&self, index: usize) -> Head {
        let (sequence, head) = (index / self.heads, index % self.heads);
        let hidden = self.heads * self.head_width;
        let start = sequence * self.tokens * 3 * hidden + head * self.head_width;
        Head {
            tokens: self.tokens,
            head_width: self.head_width,
            stride: 3 * hidden,
            parts: [start, start + hidden, start + 2 * hidden],
            first_element: index * self.tokens * self.tokens,
            rule: self.rule,
            dropout: self.dropout.filter(Dropout::is_active),
            scale: 1.0 / (self.head_width as f32).sqrt(),
        }
    }
}

impl Attention {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        // Scores, and weighted values.
        Cost::of_slots(self.slots()).with_multiply_adds(2 * self.shape.multiply_adds())
    }

    pub(crate) fn slots(&self) -> [Slot; 3] {
        [self.qkv, self.y, self.log_sums]
    }

    pub(crate) fn forward(&self, [qkv, y, log_sums]: [&mut [f32]; 3]) {
        let AttentionShape { tokens, heads, head_width, .. } = self.shape;
        let hidden = heads * head_width;
        let rows = SharedRows::new(y);
        log_sums.par_chunks_mut(tokens).enumerate().for_each(|(index, log_sums)| {
            let head = self.shape.head(index);
            let (sequence, column) = (index / heads, index % heads * head_width);
            with_scratch(2 * QUERIES.min(tokens) * row_of_weights(tokens), |scratch| {
                for block in head.blocks() {
                    let Block { first, queries, keys } = block;
                    let (weights, multipliers) = scratch.split_at_mut(block.floats());
                    head.scores(qkv, block, weights);
                    simd(
                        #[inline(always)]
                        || head.softmax(block, weights, &mut log_sums[first..first + queries]),
                    );
                    head.drop(block, weights, &mut multipliers[..queries * keys]);
                    let start = (sequence * tokens + first) * hidden + column;
                    let weights = Matrix::strided(weights, queries, keys, block.row());
                    let value = head.rows(qkv, 2, 0, keys);
                    // SAFETY: each head writes to its own columns of its own sequence.
                    unsafe {
                        product_here(
                            Destination::columns(rows, start, hidden),
                            Into::Replace,
                            weights,
                            value,
                        );
                    }
                }
            });
        });
        if let Some(dropout) = self.shape.y_dropout.filter(Dropout::is_active) {
            let first = self.shape.first_element_of_y();
            let pieces = y.par_chunks_mut(DROPPED).enumerate();
            pieces.for_each(|(piece, y)| dropout.multiply(first + piece * DROPPED, y));
        }
    }
}

impl AttentionBackward {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        // Scores once more, dV, dP, dQ and dK.
        let slots = Cost::of_slots(self.slots()) + Cost::of_slots([self.forward.y]);
        slots.with_multiply_adds(5 * self.forward.shape.multiply_adds())
    }

    /// Those that the CPU reads and writes: y would only spare it a sum.
    pub(crate) fn slots(&self) -> [Slot; 4] {
        [self.forward.qkv, self.forward.log_sums, self.y_gradient, self.qkv_gradient]
    }

    /// `room` takes dz, where a dropout makes it differ from dy.
    pub(crate) fn backward(&self, [qkv, log_sums, dy, dqkv]: [&mut [f32]; 4], room: &mut LinearRoom) {
        let shape = &self.forward.shape;
        let AttentionShape { tokens, heads, head_width, .. } = *shape;
        let dz = shape.y_dropout.filter(Dropout::is_active).map(|dropout| {
            let dz = room.dropped(dy.len());
            let first = shape.first_element_of_y();
            let pieces = dz.par_chunks_mut(DROPPED).zip(dy.par_chunks(DROPPED)).enumerate();
            pieces.for_each(|(piece, (dz, dy))| drop_into(&dropout, first + piece * DROPPED, dy, dz));
            &*dz
        });
        let dy = dz.unwrap_or(dy);
        let hidden = heads * head_width;
        let dqkv = SharedRows::new(dqkv);
        log_sums.par_chunks(tokens).enumerate().for_each(|(index, log_sums)| {
            let head = shape.head(index);
            let dy = &dy[index / heads * tokens * hidden + index % heads * head_width..];
            let product_into = |part: usize, first: usize, into: Into, a: Matrix<'_>, b: Matrix<'_>| {
                // SAFETY: each head writes to its own columns of its own sequence; queries, keys and values have
                // columns of their own.
                unsafe {
                    let place = head.parts[part] + first * head.stride;
                    product_here(Destination::columns(dqkv, place, head.stride), into, a, b);
                }
            };
            let size = QUERIES.min(tokens) * row_of_weights(tokens);
            with_scratch(3 * size, |scratch| {
                for block in head.blocks() {
                    let Block { first, queries, keys } = block;
                    let into = if first == 0 { Into::Replace } else { Into::Add };
                    let (weights, rest) = scratch.split_at_mut(block.floats());
                    let (gradient, multipliers) = rest.split_at_mut(block.floats());
                    let multipliers = &mut multipliers[..queries * keys];
                    head.scores(qkv, block, weights);
                    simd(
                        #[inline(always)]
                        || head.weights(block, weights, &log_sums[first..first + queries]),
                    );
                    let dy = Matrix::strided(&dy[first * hidden..], queries, head_width, hidden);
                    let value = head.rows(qkv, 2, 0, keys);
                    product_into_weights(gradient, block, dy, value.transpose());
                    head.score_gradients(block, weights, gradient, multipliers);
                    let dropped = Matrix::strided(weights, queries, keys, block.row());
                    product_into(2, 0, into, dropped.transpose(), dy);
                    let gradient = Matrix::strided(gradient, queries, keys, block.row());
                    let (query, key) = (head.rows(qkv, 0, first, queries), head.rows(qkv, 1, 0, keys));
                    product_into(0, first, Into::Replace, gradient, key);
                    product_into(1, 0, into, gradient.transpose(), query);
                }
            });
        });
    }
}

impl Head {
    /// All queries in order, the first with all keys. In long causal sequences those of the prefix, which see every key,
    /// are a block apart, so that others need no keys behind their last.
    fn blocks(&self) -> impl Iterator<Item = Block> {
        let (tokens, rule) = (self.tokens, self.rule);
        let is_long = rule.causal && tokens > QUERIES;
        let prefix = if is_long { rule.prefix.min(QUERIES) } else { 0 };
        let block = move |first: usize, queries: usize| Block {
            first,
            queries,
            keys: if first == 0 { tokens } else { rule.key_end(first + queries - 1, tokens) },
        };
        let others = (prefix..tokens).step_by(QUERIES);
        let others = others.map(move |first| block(first, QUERIES.min(tokens - first)));
        (prefix > 0).then(|| block(0, prefix)).into_iter().chain(others)
    }

    /// Rows of this head's queries (part 0), keys (1) or values (2).
    fn rows<'a>(&self, qkv: &'a [f32], part: usize, first: usize, count: usize) -> Matrix<'a> {
        let start = self.parts[part] + first * self.stride;
        let span = (count - 1) * self.stride + self.head_width;
        Matrix::strided(&qkv[start..start + span], count, self.head_width, self.stride)
    }

    /// Q·Kᵀ of some queries; pairs that are not allowed get −∞, as does what fills up a row.
    fn scores(&self, qkv: &[f32], block: Block, scores: &mut [f32]) {
        let key = self.rows(qkv, 1, 0, block.keys).transpose();
        let query = self.rows(qkv, 0, block.first, block.queries);
        product_into_weights(scores, block, query, key);
        let rows = scores.chunks_exact_mut(block.row());
        if !self.rule.causal && !self.rule.has_unused() {
            rows.for_each(|scores| scores[block.keys..].fill(f32::NEG_INFINITY));
            return;
        }
        for (row, scores) in rows.enumerate() {
            let query = block.first + row;
            let own = scores[query];
            let end = self.rule.key_end(query, block.keys);
            scores[end..].fill(f32::NEG_INFINITY);
            if self.rule.has_unused() {
                for bin in scores[self.rule.prefix.min(end)..end].chunks_mut(self.rule.tokens_per_bin) {
                    let used = self.rule.used_per_bin.min(bin.len());
                    bin[used..].fill(f32::NEG_INFINITY);
                }
            }
            scores[query] = own;
        }
    }

    /// Scores become weights; their log-sums are kept.
    #[inline(always)]
    fn softmax(&self, block: Block, scores: &mut [f32], log_sums: &mut [f32]) {
        let larger = |a: f32, b: f32| if a > b { a } else { b };
        let rows = scores.chunks_exact_mut(block.row());
        let mut row_sums = [1.0; QUERIES];
        for ((scores, log_sum), row_sum) in rows.zip(log_sums.iter_mut()).zip(&mut row_sums) {
            let (vectors, _) = scores.as_chunks_mut::<LANES>();
            let mut maxima = [f32::NEG_INFINITY; LANES];
            for scores in vectors.iter() {
                for lane in 0..LANES {
                    maxima[lane] = larger(scores[lane], maxima[lane]);
                }
            }
            let largest = halve(maxima, larger);
            let mut sums = [0.0; LANES];
            for scores in vectors.iter_mut() {
                for lane in 0..LANES {
                    scores[lane] = exp_of_negative((scores[lane] - largest) * self.scale);
                    sums[lane] += scores[lane];
                }
            }
            let sum = halve(sums, |a, b| a + b);
            let inverse = 1.0 / sum;
            for scores in vectors.iter_mut() {
                for lane in 0..LANES {
                    scores[lane] *= inverse;
                }
            }
            (*log_sum, *row_sum) = (largest * self.scale, sum);
        }
        for (log_sum, row_sum) in log_sums.iter_mut().zip(&row_sums) {
            *log_sum += ln_from_one(*row_sum);
        }
    }

    /// Scores become weights again, by their log-sums.
    #[inline(always)]
    fn weights(&self, block: Block, scores: &mut [f32], log_sums: &[f32]) {
        let rows = scores.chunks_exact_mut(block.row());
        for (scores, log_sum) in rows.zip(log_sums) {
            for scores in scores.as_chunks_mut::<LANES>().0 {
                for lane in 0..LANES {
                    scores[lane] = exp_of_negative(scores[lane].mul_add(self.scale, -log_sum));
                }
            }
        }
    }

    /// Multipliers of the weights of a block, `[query, key]`.
    #[inline(always)]
    fn multipliers(&self, dropout: &Dropout, block: Block, multipliers: &mut [f32]) {
        let start = self.first_element + block.first * self.tokens;
        if block.keys == self.tokens {
            return dropout.multipliers(start, multipliers);
        }
        for (query, multipliers) in multipliers.chunks_exact_mut(block.keys).enumerate() {
            dropout.multipliers(start + query * self.tokens, multipliers);
        }
    }

    fn drop(&self, block: Block, weights: &mut [f32], multipliers: &mut [f32]) {
        let Some(dropout) = &self.dropout else { return };
        simd(
            #[inline(always)]
            || {
                self.multipliers(dropout, block, multipliers);
                let rows = weights.chunks_exact_mut(block.row());
                for (weights, m) in rows.zip(multipliers.chunks_exact(block.keys)) {
                    for (weight, m) in weights.iter_mut().zip(m) {
                        *weight *= m;
                    }
                }
            },
        );
    }

    /// `gradient` holds dy·Vᵀ and becomes dS / √d; `weights` become m∘P, which the value gradient needs.
    fn score_gradients(
        &self,
        block: Block,
        weights: &mut [f32],
        gradient: &mut [f32],
        multipliers: &mut [f32],
    ) {
        simd(
            #[inline(always)]
            || {
                match &self.dropout {
                    Some(dropout) => self.multipliers(dropout, block, multipliers),
                    None => multipliers.fill(1.0),
                }
                let row = block.row();
                let rows = weights.chunks_exact_mut(row).zip(gradient.chunks_exact_mut(row));
                for ((weights, gradient), m) in rows.zip(multipliers.chunks_exact(block.keys)) {
                    let weights = &mut weights[..block.keys];
                    let (gradient, m) = (&mut gradient[..weights.len()], &m[..weights.len()]);
                    for (gradient, m) in gradient.iter_mut().zip(m) {
                        *gradient *= m;
                    }
                    let mean = sum_of(weights, gradient, |p, dp| p * dp);
                    for i in 0..weights.len() {
                        gradient[i] = weights[i] * (gradient[i] - mean) * self.scale;
                        weights[i] *= m[i];
                    }
                }
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Block, QUERIES};
    use crate::ops::gradient_check::{Check, Sizes, uniform};
    use crate::ops::{Attention, AttentionBackward, AttentionShape};
    use crate::{AttentionRule, Device, Dropout};

    #[test]
    fn a_long_causal_sequence_meets_about_half_of_its_keys() {
        let rule = AttentionRule { prefix: 2, tokens_per_bin: 10, used_per_bin: 10, causal: true };
        let blocks = |rule, tokens| -> Vec<Block> {
            let (dropout, y_dropout, first_sequence) = (None, None, 0);
            let (batch, heads, head_width) = (1, 1, 1);
            let shape =
                AttentionShape { batch, tokens, heads, head_width, rule, dropout, y_dropout, first_sequence };
            shape.head(0).blocks().collect()
        };
        let scores = |blocks: &[Block]| blocks.iter().map(|block| block.queries * block.keys).sum::<usize>();
        let causal = blocks(rule, 1002);
        assert!(scores(&causal) < 1002 * 1002 * 6 / 10, "{causal:?}");
        assert_eq!(causal.iter().map(|block| block.queries).sum::<usize>(), 1002);
        assert_eq!(scores(&blocks(AttentionRule { causal: false, ..rule }, 1002)), 1002 * 1002);
        // A short one stays whole.
        assert_eq!(blocks(rule, QUERIES), [Block { first: 0, queries: QUERIES, keys: QUERIES }]);
    }

    #[test]
    fn gradient_matches_finite_differences_under_every_rule() {
        let causal = AttentionRule { prefix: 2, tokens_per_bin: 1, used_per_bin: 1, causal: true };
        let patches = AttentionRule { prefix: 2, tokens_per_bin: 3, used_per_bin: 2, causal: true };
        let key = Dropout { probability: 0.3, seed: 1, step: 2, site: 3 };
        let bare = AttentionRule { prefix: 0, ..causal };
        // More than 128 tokens take several blocks of queries, under a causal rule with ever more keys.
        let cases = [
            (2, 5, 1, 3, AttentionRule::full(), None),
            (2, 7, 3, 2, causal, Some(key)),
            (1, 11, 2, 4, patches, None),
            (1, 11, 2, 4, AttentionRule { causal: false, ..patches }, Some(key)),
            (1, 150, 1, 2, AttentionRule { causal: false, ..causal }, None),
            (1, 150, 1, 2, bare, None),
            (1, 150, 1, 2, causal, Some(key)),
            (1, 175, 1, 2, patches, Some(key)),
        ];
        for (batch, tokens, heads, head_width, rule, dropout) in cases {
            let hidden = heads * head_width;
            let mut m = vec![1.0; batch * heads * tokens * tokens];
            // y is dropped where weights are, and stands behind three other sequences.
            let (y_dropout, first_sequence) = (dropout.map(|key| Dropout { site: 9, ..key }), 3);
            let first_of_y = first_sequence * tokens * hidden;
            let mut m_of_y = vec![1.0; first_of_y + batch * tokens * hidden];
            if let (Some(dropout), Some(y_dropout)) = (dropout, y_dropout) {
                dropout.multipliers(0, &mut m);
                y_dropout.multipliers(0, &mut m_of_y);
            }
            let m_of_y = &m_of_y[first_of_y..];
            let reference = |v: &[Vec<f64>]| {
                let at = |b: usize, part: usize, token: usize, head: usize, i: usize| {
                    v[0][(b * tokens + token) * 3 * hidden + part * hidden + head * head_width + i]
                };
                let mut y = vec![0.0; batch * tokens * hidden];
                for (b, head, q) in triples(batch, heads, tokens) {
                    let score = |k: usize| {
                        (0..head_width).map(|i| at(b, 0, q, head, i) * at(b, 1, k, head, i)).sum::<f64>()
                            / (head_width as f64).sqrt()
                    };
                    let e: Vec<f64> =
                        (0..tokens).map(|k| if rule.allows(q, k) { score(k).exp() } else { 0.0 }).collect();
                    let sum: f64 = e.iter().sum();
                    for k in 0..tokens {
                        let m = f64::from(m[((b * heads + head) * tokens + q) * tokens + k]);
                        for i in 0..head_width {
                            y[(b * tokens + q) * hidden + head * head_width + i] +=
                                m * e[k] / sum * at(b, 2, k, head, i);
                        }
                    }
                }
                y.iter().zip(m_of_y).map(|(y, m)| y * f64::from(*m)).collect()
            };
            let sizes = Sizes::of(&[batch * tokens * 3 * hidden]);
            let check = Check { outputs: batch * tokens * hidden, tolerance: 2e-5 };
            check.run(&sizes, uniform(-1.5, 1.5), reference, |s| {
                let (qkv, log_sums) = (s.inputs[0], s.extra.part(0, batch * heads * tokens));
                let shape = AttentionShape {
                    batch,
                    tokens,
                    heads,
                    head_width,
                    rule,
                    dropout,
                    y_dropout,
                    first_sequence,
                };
                let forward = Attention { shape, qkv, y: s.output, log_sums };
                s.device.attention(&forward);
                s.device.attention_backward(&AttentionBackward {
                    forward,
                    y_gradient: s.output_gradient,
                    qkv_gradient: s.gradients[0],
                });
            });
        }
    }

    fn triples(a: usize, b: usize, c: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..a * b * c).map(move |i| (i / (b * c), i / c % b, i % c))
    }
}
