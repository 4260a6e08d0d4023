//! From rows of bins to rows that a decoder reads: the session's token and the prompt's stand in front of those of the
//! bins, blocks let all of them attend to each other, and the bins' come out normalised.

use super::{BatchRule, Embedding, Norm, NormMemory, Sequence, Share, Transformer, TransformerMemory};
use crate::config::PromptRow;
use crate::context::Context;
use crate::network::BatchShape;
use crate::parameters::Layout;
use crate::{ModelConfig, Role};
use neuroglot_engine::ops::{DropPrefix, TokenRows};
use neuroglot_engine::{MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// Session tokens, prompt tokens, blocks and the norm behind them.
#[derive(Debug)]
pub(crate) struct Encoder {
    prompts: Embedding,
    sessions: Embedding,
    pub blocks: Transformer,
    norm: Norm,
    hidden: usize,
    /// Of all tokens.
    dropout: f32,
}

/// Tokens of a batch on their way into the blocks, and rows of bins on their way out.
#[derive(Debug)]
pub(crate) struct EncoderMemory {
    batches: Vec<EncodedBatch>,
    sequence: Sequence,
    /// `[batch · tokens, hidden]`.
    pub tokens: Slot,
    pub blocks: TransformerMemory,
    /// Rows of bins behind the blocks, `[row, hidden]`.
    encoded: Slot,
    /// The same behind the norm: what is read.
    pub normed: NormMemory,
    /// Training only.
    tokens_gradient: Slot,
    encoded_gradient: Slot,
    /// Gradients of what several batches share, of one of them: positions, and a session and a prompt. Empty with one batch.
    of_one_batch: [Slot; 3],
}

/// Trials of a session among all.
#[derive(Debug, Clone, Copy)]
struct EncodedBatch {
    session: usize,
    share: Share,
}

impl EncoderMemory {
    /// Who sees whom in each batch.
    fn rules(&self, prompts: &[PromptRow]) -> Vec<BatchRule> {
        let batches = self.batches.iter().zip(prompts);
        let rule = |(batch, prompt): (&EncodedBatch, &PromptRow)| BatchRule {
            trials: batch.share.count,
            rule: self.sequence.rule(prompt.is_causal),
        };
        batches.map(rule).collect()
    }

    /// Where the rows of a batch lie among those of all.
    pub(crate) fn share(&self, batch: usize) -> Share {
        self.batches[batch].share
    }
}

impl Encoder {
    /// Tokens that stand in front of those of the bins: session and prompt.
    pub(crate) const PREFIX: usize = 2;
    /// Dropout site of the tokens.
    const SITE: u32 = 0;

    pub(crate) fn place(layout: &mut Layout, sessions: usize, config: &ModelConfig) -> Self {
        let hidden = config.hidden;
        let mut rows = |name, rows, role| Embedding::place(layout, name, rows, hidden, role);
        Self {
            prompts: rows("encoder.embedder.embed_prompt", config.prompts.len(), Role::PromptRows),
            sessions: rows("encoder.embedder.embed_session", sessions, Role::SessionRows),
            blocks: Transformer::place(layout, "encoder.layers", config.blocks()),
            norm: Norm::place(layout, "encoder.out_norm", hidden, config.norm),
            hidden,
            dropout: config.embed_dropout as f32,
        }
    }

    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng) {
        self.prompts.initialise(cx, rng);
        self.sessions.initialise(cx, rng);
        self.blocks.initialise(cx, rng);
        self.norm.initialise(cx);
    }

    /// Plans batches, each a session and a number of trials, of some bins with some tokens each.
    pub(crate) fn plan(
        &self,
        plan: &mut MemoryPlan,
        batches: &[BatchShape],
        [bins, tokens_per_bin]: [usize; 2],
        training: bool,
    ) -> EncoderMemory {
        let sequence = Sequence { prefix: Self::PREFIX, bins, tokens_per_bin };
        let trials = batches.iter().map(|batch| batch.trials).sum();
        let (rows, tokens) = (trials * sequence.of_bins(), trials * sequence.tokens());
        let [of_rows, of_tokens] = [rows, tokens].map(|rows| rows * self.hidden);
        let mut first = 0;
        let share = |batch: &BatchShape| {
            let share = Share { first, count: batch.trials, of: trials };
            first += batch.trials;
            EncodedBatch { session: batch.session, share }
        };
        let of_one_batch = [sequence.of_bins(), 1, 1];
        EncoderMemory {
            batches: batches.iter().map(share).collect(),
            sequence,
            tokens: plan.slot(of_tokens),
            blocks: self.blocks.plan(plan, trials, sequence, training),
            encoded: plan.slot(of_rows),
            normed: self.norm.plan(plan, rows),
            tokens_gradient: plan.slot_if(training, of_tokens),
            encoded_gradient: plan.slot_if(training, of_rows),
            of_one_batch: of_one_batch.map(|rows| plan.slot_if(batches.len() > 1, rows * self.hidden)),
        }
    }

    /// Rows of bins `[batch · bins, hidden]` with positions `[bins, hidden]` become tokens, under the prompt of each batch.
    pub(crate) fn tokens(
        &self,
        cx: &mut Context<'_>,
        memory: &EncoderMemory,
        prompts: &[PromptRow],
        rows: Slot,
        positions: Slot,
    ) {
        for (index, (batch, prompt)) in memory.batches.iter().zip(prompts).enumerate() {
            let [first, second] = self.prefix(cx, batch.session, *prompt);
            let slots = [rows, positions, first, second, memory.tokens];
            cx.device.token_rows(&self.token_rows(cx, memory, index, slots));
        }
    }

    /// Rows and tokens of all batches, or their gradients, of which those of one batch are meant.
    fn token_rows(
        &self,
        cx: &Context<'_>,
        memory: &EncoderMemory,
        batch: usize,
        [rows, positions, first, second, tokens]: [Slot; 5],
    ) -> TokenRows {
        let share = memory.share(batch);
        TokenRows {
            batch: share.count,
            bins_per_sequence: memory.sequence.of_bins(),
            width: self.hidden,
            bins: share.part(rows),
            positions,
            first,
            second,
            tokens: share.part(tokens),
            dropout: cx.dropout_at(self.dropout, Self::SITE + cx.site_of_batch(batch)),
        }
    }

    /// The tokens of a session and a prompt, in front of those of the bins.
    pub(crate) fn prefix(&self, cx: &Context<'_>, session: usize, prompt: PromptRow) -> [Slot; Self::PREFIX] {
        [self.sessions.row(cx.p, session), self.prompts.row(cx.p, prompt.row)]
    }

    /// Tokens become what is read. With `has_first_qkv` the first block's queries, keys and values of them are there.
    pub(crate) fn forward(
        &self,
        cx: &mut Context<'_>,
        memory: &EncoderMemory,
        prompts: &[PromptRow],
        has_first_qkv: bool,
    ) {
        let EncoderMemory { tokens, blocks, encoded, normed, .. } = memory;
        let behind = self.blocks.forward(cx, blocks, *tokens, &memory.rules(prompts), has_first_qkv);
        cx.device.drop_prefix(&self.without_prefix(memory, behind, *encoded));
        self.norm.forward(cx, *encoded, normed);
    }

    /// The gradient of what was read, in `rows_gradient`, becomes that of the rows of bins; that of the positions is
    /// written.
    pub(crate) fn backward(
        &self,
        cx: &mut Context<'_>,
        memory: &EncoderMemory,
        prompts: &[PromptRow],
        rows_gradient: Slot,
        positions_gradient: Slot,
    ) {
        let EncoderMemory { encoded, encoded_gradient, tokens, tokens_gradient, of_one_batch, .. } = *memory;
        cx.device.fill(encoded_gradient, 0.0);
        self.norm.backward(cx, encoded, &memory.normed, rows_gradient, encoded_gradient);
        cx.device.drop_prefix_backward(&self.without_prefix(memory, tokens_gradient, encoded_gradient));
        self.blocks.backward(cx, &memory.blocks, tokens, &memory.rules(prompts), tokens_gradient);
        // Prompts and sessions are one parameter each: rows not used in this pass have gradient 0.
        cx.device.fill(self.prompts.gradient(cx.p), 0.0);
        cx.device.fill(self.sessions.gradient(cx.p), 0.0);
        for (index, (batch, prompt)) in memory.batches.iter().zip(prompts).enumerate() {
            let session = self.sessions.row_gradient(cx.p, batch.session);
            let sums = [positions_gradient, session, self.prompts.row_gradient(cx.p, prompt.row)];
            let [positions, first, second] = if index == 0 { sums } else { of_one_batch };
            let gradients = [rows_gradient, positions, first, second, tokens_gradient];
            cx.device.token_rows_backward(&self.token_rows(cx, memory, index, gradients));
            if index > 0 {
                of_one_batch.into_iter().zip(sums).for_each(|(own, sum)| cx.device.add(own, sum));
            }
        }
    }

    fn without_prefix(&self, memory: &EncoderMemory, tokens: Slot, bins: Slot) -> DropPrefix {
        DropPrefix {
            batch: memory.batches.iter().map(|batch| batch.share.count).sum(),
            prefix: Self::PREFIX,
            bins_per_sequence: memory.sequence.of_bins(),
            width: self.hidden,
            tokens,
            bins,
        }
    }
}
