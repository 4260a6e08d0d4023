//! Self-attention of the tokens of a trial, added to what comes in.

use super::{Linear, TransformerSettings};
use crate::context::Context;
use crate::parameters::Layout;
use crate::{ParameterInfo, Role};
use neuroglot_engine::ops::{self, Attention, AttentionBackward, AttentionShape, Rope, Then, rope_table};
use neuroglot_engine::{AttentionRule, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// The tokens of a trial: prefix tokens, then bins of equally many tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence {
    pub prefix: usize,
    pub bins: usize,
    pub tokens_per_bin: usize,
}

impl Sequence {
    /// Tokens of all bins.
    pub(crate) fn of_bins(&self) -> usize {
        self.bins * self.tokens_per_bin
    }

    /// All tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.prefix + self.of_bins()
    }

    /// Who sees whom.
    pub(crate) fn rule(&self, causal: bool) -> AttentionRule {
        let Self { prefix, tokens_per_bin, .. } = *self;
        AttentionRule { prefix, tokens_per_bin, used_per_bin: tokens_per_bin, causal }
    }

    /// Angles of all tokens: those of a bin share a position.
    pub(crate) fn rope_table(&self, head_width: usize) -> Vec<f32> {
        let positions = rope_table(self.prefix + self.bins, head_width);
        let (prefix, bins) = positions.split_at(self.prefix * head_width);
        let bins = bins.chunks(head_width).flat_map(|bin| bin.repeat(self.tokens_per_bin));
        prefix.iter().copied().chain(bins).collect()
    }
}

/// Trials that attend under one rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchRule {
    pub trials: usize,
    pub rule: AttentionRule,
}

/// Some of the equally long parts of a slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    pub first: usize,
    pub count: usize,
    /// All there are.
    pub of: usize,
}

impl Share {
    pub(crate) fn part(self, slot: Slot) -> Slot {
        let len = slot.len() / self.of;
        slot.part(self.first * len, self.count * len)
    }
}

/// r + dropout(out(attention(q(x), k(x), v(x)))).
#[derive(Debug, Clone, Copy)]
pub(crate) struct SelfAttention {
    /// Query, key and value lie side by side: one product makes all three.
    qkv: Linear,
    qkv_parts: [Linear; 3],
    out: Linear,
    heads: usize,
    rope: bool,
    dropout: f32,
    /// Of the attention weights; that of the output is the next.
    site: u32,
}

/// What attention keeps of the tokens of a batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AttentionMemory {
    batch: usize,
    tokens: usize,
    /// Queries, keys and values, `[batch · tokens, 3 · hidden]`.
    pub qkv: Slot,
    log_sums: Slot,
    attended: Slot,
    /// Angles of the tokens, which all blocks share; empty without rotation.
    rope_table: Slot,
}

impl SelfAttention {
    pub(crate) fn place(layout: &mut Layout, name: &str, settings: &TransformerSettings, site: u32) -> Self {
        let TransformerSettings { hidden, heads, rope, dropout, .. } = *settings;
        let mut parts = |part: &str, shape: &[usize]| {
            let info = |which| ParameterInfo::new(format!("{name}.{which}.{part}"), shape, Role::Trunk);
            layout.place_adjacent(["query", "key", "value"].map(info))
        };
        let (weights, biases) = (parts("weight", &[hidden, hidden]), parts("bias", &[hidden]));
        let layer = |weight, bias, outputs| Linear { weight, bias, inputs: hidden, outputs };
        Self {
            qkv: layer(weights[0].through(weights[2]), biases[0].through(biases[2]), 3 * hidden),
            qkv_parts: [0, 1, 2].map(|part| layer(weights[part], biases[part], hidden)),
            out: Linear::place(layout, &format!("{name}.out_proj"), hidden, hidden),
            heads,
            rope,
            dropout,
            site,
        }
    }

    /// `scale` on values, √2 more, and on the output.
    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng, scale: f64) {
        for (part, scale) in self.qkv_parts.iter().zip([1.0, 1.0, scale * 2f64.sqrt()]) {
            part.initialise(cx, rng, scale);
        }
        self.out.initialise(cx, rng, scale);
    }

    pub(crate) fn plan(
        &self,
        plan: &mut MemoryPlan,
        batch: usize,
        tokens: usize,
        rope_table: Slot,
    ) -> AttentionMemory {
        let rows = batch * tokens;
        AttentionMemory {
            batch,
            tokens,
            qkv: plan.slot(rows * self.qkv.outputs),
            log_sums: plan.slot(rows * self.heads),
            attended: plan.factors(rows * self.out.inputs),
            rope_table,
        }
    }

    /// Queries, keys and values of some rows, before any rotation: they depend on nothing but their own row.
    pub(crate) fn project(&self, cx: &mut Context<'_>, rows: usize, x: Slot, qkv: Slot) {
        cx.device.linear(&self.qkv.forward(cx.p, rows, x, qkv));
    }

    /// Attends with what [`SelfAttention::project`] has written. Adds to `residual` and writes to `y`; an empty
    /// `residual` adds to `y` itself.
    pub(crate) fn forward(
        &self,
        cx: &mut Context<'_>,
        memory: &AttentionMemory,
        rules: &[BatchRule],
        residual: Slot,
        y: Slot,
    ) {
        let AttentionMemory { batch, tokens, qkv, attended, .. } = *memory;
        if self.rope {
            cx.device.rope(&self.rotation(memory, qkv, false));
        }
        for (_, op) in self.by_rule(cx, memory, rules) {
            cx.device.attention(&op);
        }
        cx.device.linear(&ops::Linear {
            then: Then::Residual { x: residual, dropout: None },
            ..self.out.forward(cx.p, batch * tokens, attended, y)
        });
    }

    /// Writes to `x_gradient`, x being what the queries were made of; the residual's gradient is that of y. Takes room for
    /// the gradients of what was attended, `[batch · tokens, hidden]`, and of queries, keys and values.
    pub(crate) fn backward(
        &self,
        cx: &mut Context<'_>,
        memory: &AttentionMemory,
        rules: &[BatchRule],
        x: Slot,
        y_gradient: Slot,
        [attended_gradient, qkv_gradient]: [Slot; 2],
        x_gradient: Slot,
    ) {
        // What is rotated is no factor yet.
        let qkv_gradient = if self.rope { qkv_gradient.floats() } else { qkv_gradient };
        let AttentionMemory { batch, tokens, attended, .. } = *memory;
        let rows = batch * tokens;
        cx.device.linear_backward(&self.out.backward(cx.p, rows, attended, y_gradient, attended_gradient));
        for (share, forward) in self.by_rule(cx, memory, rules) {
            let [y_gradient, qkv_gradient] = [attended_gradient, qkv_gradient].map(|slot| share.part(slot));
            cx.device.attention_backward(&AttentionBackward { forward, y_gradient, qkv_gradient });
        }
        if self.rope {
            cx.device.rope(&self.rotation(memory, qkv_gradient, true));
        }
        cx.device.linear_backward(&self.qkv.backward(cx.p, rows, x, qkv_gradient, x_gradient));
    }

    fn head_width(&self) -> usize {
        self.out.inputs / self.heads
    }

    /// Where each batch lies, and its attention. No two batches drop the same weights.
    fn by_rule(
        &self,
        cx: &Context<'_>,
        memory: &AttentionMemory,
        rules: &[BatchRule],
    ) -> Vec<(Share, Attention)> {
        let (mut first, mut batches) = (0, Vec::new());
        for (index, BatchRule { trials, rule }) in rules.iter().copied().enumerate() {
            let site = self.site + cx.site_of_batch(index);
            let dropout = cx.dropout_at(self.dropout, site);
            let shape = AttentionShape {
                batch: trials,
                tokens: memory.tokens,
                heads: self.heads,
                head_width: self.head_width(),
                rule,
                dropout,
                y_dropout: cx.dropout_at(self.dropout, self.site + 1),
                first_sequence: first,
            };
            let share = Share { first, count: trials, of: memory.batch };
            let [qkv, y, log_sums] =
                [memory.qkv, memory.attended, memory.log_sums].map(|slot| share.part(slot));
            batches.push((share, Attention { shape, qkv, y, log_sums }));
            first += trials;
        }
        batches
    }

    fn rotation(&self, memory: &AttentionMemory, qkv: Slot, inverse: bool) -> Rope {
        Rope {
            batch: memory.batch,
            tokens: memory.tokens,
            heads: self.heads,
            head_width: self.head_width(),
            table: memory.rope_table,
            qkv,
            inverse,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_of_a_bin_share_its_rotation() {
        let sequence = |tokens_per_bin| Sequence { prefix: 2, bins: 3, tokens_per_bin };
        let one = sequence(1).rope_table(4);
        assert_eq!(one, rope_table(5, 4));
        let three = sequence(3).rope_table(4);
        let positions = [0, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4];
        assert_eq!(three.len(), 4 * positions.len());
        for (angles, position) in three.chunks(4).zip(positions) {
            assert_eq!(angles, &one[4 * position..][..4]);
        }
    }
}
