//! What an architecture is to the rest: the seam between networks, which know neurons and layers, and their host, which
//! knows batches, losses and the optimiser.
//!
//! A network is placed (its parameters are given names, shapes and roles), planned (memory that its passes share, then
//! memory for each batch shape), and run forward and backward. One that adds something to the log-rates of another adds
//! it in [`Pass::forward`] and carries the same `log_rates_gradient` to it in [`Pass::backward`].

use crate::config::PromptRow;
use crate::context::{Context, DropoutKey};
use crate::layers::{NormMemory, SpikeMemory};
use crate::parameters::Parameters;
use crate::unit_rows::UnitRows;
use neuroglot_engine::{Device, MemoryPlan, PassKey, Slot};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// An architecture with its parameters in place.
pub(crate) trait Network: Send + Sync {
    /// Draws all parameters.
    fn initialise(&self, cx: &mut Context<'_>, rng: &mut ChaCha8Rng);

    /// Sets the biases of the output, so that rates start at log-rates `[unit]` of some sessions, ln(spikes/bin).
    fn set_output_bias(&self, cx: &mut Context<'_>, log_rates: &[(usize, Vec<f32>)]);

    /// Plans what stays from pass to pass.
    fn plan_shared(&mut self, plan: &mut MemoryPlan, training: bool);

    /// Writes what never changes to what stays.
    fn write_constants(&self, _device: &mut dyn Device) {}

    /// How the units of a session stand in the rows that passes read and write.
    fn unit_rows(&self, session: usize) -> UnitRows<'_>;

    /// Whether a pass may have several batches, of different sessions.
    fn joins_sessions(&self) -> bool {
        false
    }

    /// Computes what passes of a session need of the parameters alone, whatever the batch. A pass of several sessions does so by
    /// itself.
    fn prepare(&self, cx: &mut Context<'_>, session: usize);

    /// Plans the memory of one batch shape.
    fn plan(self: Arc<Self>, plan: &mut MemoryPlan, shape: &PassShape) -> Box<dyn Pass>;

    /// Tokens that predictions may share; `None` where a bin by itself does not make its tokens.
    fn token_cache(&self) -> Option<&dyn TokenCache> {
        None
    }
}

/// A network with memory for batches of one shape.
pub(crate) trait Pass: Send + Sync {
    /// Where the host writes and reads of a batch.
    fn slots(&self, batch: usize) -> PassSlots;

    /// Writes what never changes, when the pass comes into use.
    fn write_constants(&self, _device: &mut dyn Device) {}

    /// Computes log-rates of the inputs, under the prompt of each batch.
    fn forward(&self, cx: &mut Context<'_>, prompts: &[PromptRow]);

    /// Carries the gradients of the log-rates of each batch to all parameters that batches of these sessions have one for, summed
    /// over the batches. Where none are given, log-rates have no say: the host has written the gradient of what the decoder reads to
    /// [`PassSlots::activations_gradient`].
    fn backward(&self, cx: &mut Context<'_>, prompts: &[PromptRow], log_rates_gradients: &[Slot]);
}

/// What the host writes and reads of a pass.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PassSlots {
    /// What the network reads of counts, as [`UnitRows`] lays it out; written by the host of the network.
    pub inputs: Slot,
    /// Numbers of the wanted units, to be written; empty where all are computed.
    pub units: Slot,
    /// Tokens of [`Use::PredictionOfTokens`], to be written in place of the inputs.
    pub tokens: TokenSlots,
    /// As [`UnitRows`] lays them out.
    pub log_rates: Slot,
    /// What the decoder reads, `[row, hidden]`.
    pub activations: Slot,
    /// Its gradient, in memory that is free once the pass has run forward.
    pub activations_gradient: Slot,
}

/// Tokens, and the first block's queries, keys and values of them.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TokenSlots {
    /// `[token, hidden]`.
    pub tokens: Slot,
    /// `[token, 3 · hidden]`.
    pub first_qkv: Slot,
}

/// What a plan is made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PassShape {
    /// One batch, or in training several of different sessions that share the trunk's operations.
    pub batches: Vec<BatchShape>,
    pub use_of: Use,
}

/// Trials of one session in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BatchShape {
    pub session: usize,
    pub trials: usize,
    /// Log-rates of each row: [`UnitRows::outputs`].
    pub outputs: usize,
    pub counts: CountSource,
    /// Whether single entries are hidden, and not only units or bins.
    pub has_entries: bool,
}

/// Where the counts of a batch are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CountSource {
    /// They are sent with the batch.
    Given,
    /// In the table of this number.
    Kept(usize),
}

/// What a pass is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// Loss and gradients.
    Training,
    /// Log-rates of counts.
    Prediction,
    /// Log-rates of tokens of a [`TokenCache`].
    PredictionOfTokens,
}

impl PassShape {
    pub(crate) fn is_training(&self) -> bool {
        self.use_of == Use::Training
    }

    /// Trials of all batches.
    pub(crate) fn trials(&self) -> usize {
        self.batches.iter().map(|batch| batch.trials).sum()
    }

    /// What tells its passes from others; `None` of several batches, which hardly ever meet again.
    pub(crate) fn key(
        &self,
        prompts: &[PromptRow],
        dropout: Option<DropoutKey>,
        sums_mark: usize,
    ) -> Option<PassKey> {
        let ([batch], [prompt]) = (&self.batches[..], prompts) else { return None };
        let table = match batch.counts {
            CountSource::Given => 0,
            CountSource::Kept(number) => 1 + number,
        };
        let marks = usize::from(dropout.is_some()) + 2 * usize::from(batch.has_entries);
        let kind = self.use_of as usize + 4 * (marks + 4 * (sums_mark + Parameters::SUMS_MARKS * table));
        let BatchShape { session, trials, outputs, .. } = *batch;
        Some([session, trials, outputs, kind, prompt.row, usize::from(prompt.is_causal)])
    }
}

/// Tokens that depend on nothing but their own bin and their place in the trial, so that predictions whose inputs share
/// most of their bins need not compute them again.
pub(crate) trait TokenCache {
    /// Plans tokens of `rows` bins of any trials of a session.
    fn plan(&self, plan: &mut MemoryPlan, session: usize, rows: usize) -> TokenMemory;

    /// Computes the tokens of bins from their counts and places.
    fn bins(&self, cx: &mut Context<'_>, memory: &TokenMemory);

    /// Computes the tokens in front of a trial's, in the first rows.
    fn prefix(&self, cx: &mut Context<'_>, memory: &TokenMemory, prompt: PromptRow);
}

/// Memory for tokens that are computed ahead of their trials.
#[derive(Debug)]
pub(crate) struct TokenMemory {
    pub session: usize,
    pub rows: usize,
    /// Place of each row's bin in its trial, to be written.
    pub places: Slot,
    /// What is computed.
    pub slots: TokenSlots,
    /// Counts `[row, unit]`, to be written, and what is made of them on the way.
    pub spikes: SpikeMemory,
    pub positions: Slot,
    pub norm: NormMemory,
}
