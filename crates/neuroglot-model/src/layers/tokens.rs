//! The tokens of a trial: that of its session and that of its prompt, then rows of bins with their positions.

use super::{Embedding, Sequence};
use crate::context::Context;
use crate::parameters::Layout;
use crate::{Prompt, Role};
use neuroglot_engine::ops::{DropPrefix, TokenRows, TokenRowsBackward};
use neuroglot_engine::{MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// Session tokens, prompt tokens, and the dropout of all tokens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tokens {
    prompts: Embedding,
    sessions: Embedding,
    hidden: usize,
    dropout: f32,
}

/// Tokens of a batch on their way into the blocks, and rows of bins on their way out.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TokensMemory {
    session: usize,
    batch: usize,
    sequence: Sequence,
    /// `[batch · tokens, hidden]`.
    pub tokens: Slot,
    /// Training only.
    pub tokens_gradient: Slot,
}

impl Tokens {
    /// Tokens that stand in front of those of the bins: session and prompt.
    pub(crate) const PREFIX: usize = 2;
    /// Dropout site of the tokens.
    const SITE: u32 = 0;

    pub(crate) fn place(
        layout: &mut Layout,
        name: &str,
        sessions: usize,
        hidden: usize,
        dropout: f32,
    ) -> Self {
        let mut place = |part: &str, rows: usize, role: Role| {
            Embedding::place(layout, &format!("{name}.{part}"), rows, hidden, role)
        };
        let prompts = place("embed_prompt", Prompt::COUNT, Role::PromptRows);
        let sessions = place("embed_session", sessions, Role::SessionRows);
        Self { prompts, sessions, hidden, dropout }
    }

    pub(crate) fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng) {
        self.prompts.initialise(cx, rng);
        self.sessions.initialise(cx, rng);
    }

    /// Plans trials of `bins` bins of a session.
    pub(crate) fn plan(
        &self,
        plan: &mut MemoryPlan,
        session: usize,
        batch: usize,
        [bins, tokens_per_bin]: [usize; 2],
        training: bool,
    ) -> TokensMemory {
        let sequence = Sequence { prefix: Self::PREFIX, bins, tokens_per_bin };
        let len = batch * sequence.tokens() * self.hidden;
        let tokens_gradient = if training { plan.slot(len) } else { Slot::default() };
        TokensMemory { session, batch, sequence, tokens: plan.slot(len), tokens_gradient }
    }

    /// Rows of bins `[batch · bins, hidden]` and positions `[bins, hidden]` become tokens.
    pub(crate) fn forward(
        &self,
        cx: &mut Context<'_>,
        memory: &TokensMemory,
        prompt: Prompt,
        rows: Slot,
        positions: Slot,
    ) {
        let [first, second] = self.prefix(cx, memory.session, prompt);
        cx.device.token_rows(&TokenRows {
            batch: memory.batch,
            bins_per_sequence: memory.sequence.of_bins(),
            width: self.hidden,
            bins: rows,
            positions,
            first,
            second,
            tokens: memory.tokens,
            dropout: cx.dropout_at(self.dropout, Self::SITE),
        });
    }

    /// The tokens of a session and a prompt, in front of those of the bins.
    pub(crate) fn prefix(&self, cx: &Context<'_>, session: usize, prompt: Prompt) -> [Slot; Self::PREFIX] {
        [self.sessions.row(cx.p, session), self.prompts.row(cx.p, prompt.row())]
    }

    /// Takes the rows of the bins out of what the blocks made of the tokens.
    pub(crate) fn drop_prefix(&self, cx: &mut Context<'_>, memory: &TokensMemory, encoded: Slot, rows: Slot) {
        cx.device.drop_prefix(&self.without_prefix(memory, encoded, rows));
    }

    /// The gradient of the rows becomes that of the tokens, `tokens_gradient` of the memory.
    pub(crate) fn drop_prefix_backward(
        &self,
        cx: &mut Context<'_>,
        memory: &TokensMemory,
        rows_gradient: Slot,
    ) {
        cx.device.drop_prefix_backward(&self.without_prefix(memory, memory.tokens_gradient, rows_gradient));
    }

    fn without_prefix(&self, memory: &TokensMemory, tokens: Slot, bins: Slot) -> DropPrefix {
        DropPrefix {
            batch: memory.batch,
            prefix: Self::PREFIX,
            bins_per_sequence: memory.sequence.of_bins(),
            width: self.hidden,
            tokens,
            bins,
        }
    }

    /// Writes the gradients of rows and positions.
    pub(crate) fn backward(
        &self,
        cx: &mut Context<'_>,
        memory: &TokensMemory,
        prompt: Prompt,
        rows_gradient: Slot,
        positions_gradient: Slot,
    ) {
        // Prompts and sessions are one parameter each: rows not used in this batch have gradient 0.
        cx.device.fill(self.prompts.gradient(cx.p), 0.0);
        cx.device.fill(self.sessions.gradient(cx.p), 0.0);
        cx.device.token_rows_backward(&TokenRowsBackward {
            batch: memory.batch,
            bins_per_sequence: memory.sequence.of_bins(),
            width: self.hidden,
            tokens_gradient: memory.tokens_gradient,
            dropout: cx.dropout_at(self.dropout, Self::SITE),
            bins_gradient: rows_gradient,
            positions_gradient,
            first_gradient: self.sessions.row_gradient(cx.p, memory.session),
            second_gradient: self.prompts.row_gradient(cx.p, prompt.row()),
        });
    }
}

impl TokensMemory {
    /// How the tokens of a trial lie.
    pub(crate) fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Rows of all bins of all trials.
    pub(crate) fn rows(&self) -> usize {
        self.batch * self.sequence.of_bins()
    }
}
