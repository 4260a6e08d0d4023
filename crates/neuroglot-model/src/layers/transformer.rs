//! Pre-norm transformer blocks.

use super::{
    AttentionMemory, BatchRule, Mlp, MlpMemory, Norm, NormKind, NormMemory, SelfAttention, Sequence,
};
use crate::context::Context;
use crate::parameters::{Layout, Parameter};
use neuroglot_engine::{Device, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// Sizes and options of the blocks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TransformerSettings {
    pub hidden: usize,
    pub layers: usize,
    pub heads: usize,
    pub mlp: usize,
    pub dropout: f32,
    pub norm: NormKind,
    pub rope: bool,
}

/// z = x + attention(norm1(x)), y = z + mlp(norm2(z)).
#[derive(Debug)]
struct Block {
    norm1: Norm,
    attention: SelfAttention,
    norm2: Norm,
    mlp: Mlp,
    /// All of these.
    piece: Parameter,
}

/// Blocks, one behind the other.
#[derive(Debug)]
pub(crate) struct Transformer {
    settings: TransformerSettings,
    blocks: Vec<Block>,
}

/// What one block keeps for its backward pass.
#[derive(Debug, Clone, Copy)]
struct BlockMemory {
    norm1: NormMemory,
    attention: AttentionMemory,
    /// z and y; empty at inference, where blocks add to x itself.
    middle: Slot,
    output: Slot,
    norm2: NormMemory,
    mlp: MlpMemory,
}

/// Memory of all blocks for one batch shape.
#[derive(Debug)]
pub(crate) struct TransformerMemory {
    sequence: Sequence,
    blocks: Vec<BlockMemory>,
    rope_table: Slot,
    /// Backward pass only: of what a normalisation makes, of what attention makes, and, as factors, of what is wider.
    normed_gradient: Slot,
    attended_gradient: Slot,
    wide_gradient: Slot,
}

impl TransformerMemory {
    /// Where the first block's queries, keys and values lie, `[batch · tokens, 3 · hidden]`.
    pub(crate) fn first_qkv(&self) -> Slot {
        self.blocks.first().map_or(Slot::default(), |block| block.attention.qkv)
    }
}

impl Transformer {
    /// Dropout sites of a block: attention weights, attention output, MLP. Site 0 belongs to the tokens.
    const SITES: u32 = 3;

    pub(crate) fn place(layout: &mut Layout, name: &str, settings: TransformerSettings) -> Self {
        let TransformerSettings { hidden, layers, norm, .. } = settings;
        let block = |layer: usize| {
            let name = |part: &str| format!("{name}.{layer}.{part}");
            let site = 1 + Self::SITES * layer as u32;
            let ((norm1, attention, norm2, mlp), piece) = layout.piece(|layout| {
                let norm1 = Norm::place(layout, &name("ln1"), hidden, norm);
                let attention = SelfAttention::place(layout, &name("attn"), &settings, site);
                let norm2 = Norm::place(layout, &name("ln2"), hidden, norm);
                (norm1, attention, norm2, Mlp::place(layout, &name("mlp"), &settings, site + 2))
            });
            Block { norm1, attention, norm2, mlp, piece }
        };
        Self { settings, blocks: (0..layers).map(block).collect() }
    }

    /// T-Fixup style scaling (Huang et al. 2020): 0.67·L^(−1/4) on the attention output and the MLP, √2 more on values.
    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng) {
        let scale = 0.67 * (self.settings.layers as f64).powf(-0.25);
        for block in &self.blocks {
            block.norm1.initialise(cx);
            block.norm2.initialise(cx);
            block.attention.initialise(cx, rng, scale);
            block.mlp.initialise(cx, rng, scale);
        }
    }

    /// Plans the memory of one batch shape. At inference the blocks share theirs.
    pub(crate) fn plan(
        &self,
        plan: &mut MemoryPlan,
        batch: usize,
        sequence: Sequence,
        training: bool,
    ) -> TransformerMemory {
        let TransformerSettings { hidden, mlp, heads, rope, .. } = self.settings;
        let tokens = sequence.tokens();
        let rows = batch * tokens;
        let rope_table = plan.slot_if(rope, tokens * hidden / heads);
        let kept = if training { self.blocks.len() } else { self.blocks.len().min(1) };
        let kept = self.blocks[..kept].iter().map(|block| BlockMemory {
            norm1: block.norm1.plan_factors(plan, rows),
            attention: block.attention.plan(plan, batch, tokens, rope_table),
            middle: plan.slot_if(training, rows * hidden),
            output: plan.slot_if(training, rows * hidden),
            norm2: block.norm2.plan_factors(plan, rows),
            mlp: block.mlp.plan(plan, rows, training),
        });
        let mut blocks: Vec<BlockMemory> = kept.collect();
        blocks.resize(self.blocks.len(), blocks[0]);
        TransformerMemory {
            sequence,
            blocks,
            rope_table,
            normed_gradient: plan.slot_if(training, rows * hidden),
            attended_gradient: plan.slot_if(training, rows * hidden),
            wide_gradient: if training { plan.factors(rows * mlp.max(3 * hidden)) } else { Slot::default() },
        }
    }

    /// Writes what the blocks need besides their input, when a plan comes into use.
    pub(crate) fn write_constants(&self, device: &mut dyn Device, memory: &TransformerMemory) {
        if self.settings.rope {
            let head_width = self.settings.hidden / self.settings.heads;
            device.write(memory.rope_table, &memory.sequence.rope_table(head_width));
        }
    }

    /// Plans the memory of [`Transformer::first_qkv`].
    pub(crate) fn plan_first(&self, plan: &mut MemoryPlan, rows: usize) -> (NormMemory, Slot) {
        (self.blocks[0].norm1.plan(plan, rows), plan.slot(rows * 3 * self.settings.hidden))
    }

    /// Queries, keys and values of the first block, for tokens that stand by themselves: they depend on nothing but
    /// their own token.
    pub(crate) fn first_qkv(
        &self,
        cx: &mut Context<'_>,
        rows: usize,
        tokens: Slot,
        (norm, qkv): &(NormMemory, Slot),
    ) {
        self.blocks[0].norm1.forward(cx, tokens, norm);
        self.blocks[0].attention.project(cx, rows, norm.y, *qkv);
    }

    /// Runs all blocks on tokens `[batch · tokens, hidden]` and returns the slot of the result, at inference that of the
    /// tokens. With `has_first_qkv` the first block's queries, keys and values are there already.
    pub(crate) fn forward(
        &self,
        cx: &mut Context<'_>,
        memory: &TransformerMemory,
        tokens: Slot,
        rules: &[BatchRule],
        has_first_qkv: bool,
    ) -> Slot {
        let rows = tokens.len() / self.settings.hidden;
        let mut x = tokens;
        for (layer, (block, m)) in self.blocks.iter().zip(&memory.blocks).enumerate() {
            if layer > 0 || !has_first_qkv {
                block.norm1.forward(cx, x, &m.norm1);
                block.attention.project(cx, rows, m.norm1.y, m.attention.qkv);
            }
            // At inference residuals are added in place, to the tokens themselves.
            let in_place = m.output.is_empty();
            let residual = |x: Slot| if in_place { Slot::default() } else { x };
            let [middle, output] = if in_place { [x; 2] } else { [m.middle, m.output] };
            block.attention.forward(cx, &m.attention, rules, residual(x), middle);
            block.norm2.forward(cx, middle, &m.norm2);
            block.mlp.forward(cx, &m.mlp, m.norm2.y, residual(middle), output);
            x = output;
        }
        x
    }

    /// Runs all blocks backward. `gradient` holds that of the result and becomes that of the tokens.
    pub(crate) fn backward(
        &self,
        cx: &mut Context<'_>,
        memory: &TransformerMemory,
        tokens: Slot,
        rules: &[BatchRule],
        gradient: Slot,
    ) {
        let TransformerSettings { hidden, mlp, .. } = self.settings;
        let rows = tokens.len() / hidden;
        let normed_gradient = memory.normed_gradient;
        let wide = |width: usize| memory.wide_gradient.part(0, rows * width);
        for (layer, (block, m)) in self.blocks.iter().zip(&memory.blocks).enumerate().rev() {
            let x = if layer == 0 { tokens } else { memory.blocks[layer - 1].output };
            block.mlp.backward(cx, &m.mlp, m.norm2.y, gradient, wide(mlp), normed_gradient);
            block.norm2.backward(cx, m.middle, &m.norm2, normed_gradient, gradient);
            let scratch = [memory.attended_gradient, wide(3 * hidden)];
            block.attention.backward(cx, &m.attention, rules, m.norm1.y, gradient, scratch, normed_gradient);
            block.norm1.backward(cx, x, &m.norm1, normed_gradient, gradient);
            cx.p.piece_is_complete(cx.device, block.piece);
        }
    }
}
