//! Predictions that share most of their bins: what a bin becomes before the first attention is computed once.

use super::Model;
use crate::ModelError;
use crate::layers::{Encoder, PADDING};
use crate::network::TokenMemory;
use neuroglot_engine::ops::{CountFormat, MarkLayout, MaskedTrials, ShownCounts};
use neuroglot_engine::{Device, MemoryPlan, Slot};
use neuroglot_masks::{Holdout, Marks, Prompt};
use std::sync::Arc;

/// Plans are made for multiples of so many rows, so that few serve all.
const ROWS: usize = 32;

/// Tokens, and the queries, keys and values that the first block makes of them. A token depends on its own counts and its
/// place in the trial only.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedTokens {
    hidden: usize,
    /// `[token, hidden]`.
    tokens: Vec<f32>,
    /// `[token, 3 · hidden]`.
    first_qkv: Vec<f32>,
}

impl CachedTokens {
    /// Session token and prompt token, which stand in front of a trial's bins.
    pub const PREFIX: usize = Encoder::PREFIX;

    /// None yet, with room for `tokens`.
    pub fn with_capacity(hidden: usize, tokens: usize) -> Self {
        let (first_qkv, tokens) =
            (Vec::with_capacity(tokens * 3 * hidden), Vec::with_capacity(tokens * hidden));
        Self { hidden, tokens, first_qkv }
    }

    /// Appends those of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.tokens.append(&mut other.tokens);
        self.first_qkv.append(&mut other.first_qkv);
    }
}

/// Tokens of a prediction: which of which collection go where.
#[derive(Debug, Clone, Copy)]
pub struct CachedTokensPart<'a> {
    /// The collection.
    pub tokens: &'a CachedTokens,
    /// Its first token to take.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// Place in the prediction that receives the first one.
    pub to: usize,
}

/// Memory for tokens that are computed ahead of their trials, and for what they are computed from.
pub(super) struct TokenPlan {
    memory: TokenMemory,
    /// A bin by itself is a trial of one bin.
    rows: MaskedTrials,
}

impl TokenPlan {
    /// Brings counts `[row, unit]` and what is hidden of them, which repeats until all rows are told, to where they are read. Rows
    /// behind them are hidden.
    fn write_rows(&self, device: &mut dyn Device, counts: &[f32], hidden: &[bool]) {
        let MaskedTrials { trials: rows, units, table, marks, .. } = self.rows;
        device.write(table.part(0, counts.len()), counts);
        let given = counts.len() / units;
        let mut holdout = Holdout::nothing(rows, 1, units);
        for (row, hidden) in hidden.chunks(units).cycle().take(given).enumerate() {
            let of_row = (0..units).filter(|unit| hidden[*unit]);
            of_row.for_each(|unit| holdout.hide_unit_in(row, unit));
        }
        (given..rows).for_each(|row| holdout.hide_bin_in(row, 0));
        let Marks { units, bins, scored, .. } = holdout.marks();
        let places: Vec<u32> = (0..rows as u32).collect();
        let words = [&places[..], units, bins, scored].concat();
        device.write(marks, bytemuck::cast_slice(&words));
    }
}

impl Model {
    /// Whether tokens of single bins can be kept and shared by predictions, by [`Model::tokens_of_bins`].
    pub fn caches_tokens(&self) -> bool {
        self.network.token_cache().is_some()
    }

    /// Tokens of bins by themselves: counts `[row, unit]` of the bins `bins` of any trials, and which of them are hidden,
    /// `[row, unit]`, which repeats until all rows are told.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory, [`ModelError::CountStatistics`].
    ///
    /// # Panics
    /// Where there is not one bin per row, or no such bin, or [`Model::caches_tokens`] is false.
    pub fn tokens_of_bins(
        &mut self,
        session: usize,
        bins: &[usize],
        counts: &[f32],
        hidden: &[bool],
    ) -> Result<CachedTokens, ModelError> {
        let units = self.sessions[session].units();
        assert_eq!(counts.len(), bins.len() * units, "one bin for each row of counts");
        let whole = hidden.len().is_multiple_of(units) && counts.len().is_multiple_of(hidden.len());
        assert!(whole, "rows of units that are hidden or not");
        assert!(bins.iter().all(|bin| *bin < self.bins()), "bins of a trial");
        let plan = self.plan_tokens(session, bins.len())?;
        self.count_statistics(session)?;
        plan.write_rows(self.device.as_mut(), counts, hidden);
        let [mean, deviation] = self.statistics_slots[session];
        self.device.shown_counts(&ShownCounts {
            of: plan.rows,
            columns: Slot::default(),
            padding: PADDING,
            mean,
            deviation,
            x: plan.memory.spikes.inputs(0),
        });
        let mut places: Vec<f32> = bins.iter().map(|bin| *bin as f32).collect();
        places.resize(plan.memory.rows, 0.0);
        self.device.write(plan.memory.places, &places);
        let network = self.network.clone();
        if let Some(cache) = network.token_cache() {
            cache.bins(&mut self.context(), &plan.memory);
        }
        Ok(self.read_tokens(&plan.memory, bins.len()))
    }

    /// The session token and the prompt token.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory, [`ModelError::Prompt`].
    ///
    /// # Panics
    /// Where [`Model::caches_tokens`] is false.
    pub fn tokens_of_prefix(&mut self, session: usize, prompt: Prompt) -> Result<CachedTokens, ModelError> {
        let prompt = self.config.prompt_row(prompt)?;
        let plan = self.plan_tokens(session, CachedTokens::PREFIX)?;
        let network = self.network.clone();
        if let Some(cache) = network.token_cache() {
            cache.prefix(&mut self.context(), &plan.memory, prompt);
        }
        Ok(self.read_tokens(&plan.memory, CachedTokens::PREFIX))
    }

    /// [`Model::log_rates_of`] trials of cached tokens: for each trial those of its prefix, then those of its bins. Parts
    /// are laid one over the other in their order, and must fill all places.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch, [`ModelError::Prompt`].
    ///
    /// # Panics
    /// As [`Model::log_rates_of`], and where a part takes or fills tokens that are not there.
    pub fn log_rates_of_tokens<'a>(
        &mut self,
        session: usize,
        prompt: Prompt,
        units: &[usize],
        trials: usize,
        parts: impl IntoIterator<Item = CachedTokensPart<'a>>,
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        let prompt = self.config.prompt_row(prompt)?;
        self.ask_for(session, units);
        let pass = self.pass_of_tokens(session, trials)?;
        let slots = pass.pass.slots(0).tokens;
        for CachedTokensPart { tokens, first, count, to } in parts {
            let mut write = |slot: Slot, width: usize, values: &[f32]| {
                let values = &values[first * width..(first + count) * width];
                self.device.write(slot.part(to * width, values.len()), values);
            };
            write(slots.tokens, tokens.hidden, &tokens.tokens);
            write(slots.first_qkv, 3 * tokens.hidden, &tokens.first_qkv);
        }
        self.run_prediction(&pass, prompt, log_rates);
        Ok(())
    }

    fn plan_tokens(&mut self, session: usize, rows: usize) -> Result<Arc<TokenPlan>, ModelError> {
        let rows = rows.next_multiple_of(ROWS).max(ROWS);
        let is_it = |plan: &&Arc<TokenPlan>| (plan.memory.session, plan.memory.rows) == (session, rows);
        let known = self.token_plans.iter().find(is_it);
        let plan = match known {
            Some(known) => known.clone(),
            None => {
                let cache = self.network.token_cache().expect("a bin of this model is more than one token");
                let mut plan = MemoryPlan::after(&self.shared);
                let memory = cache.plan(&mut plan, session, rows);
                let units = self.sessions[session].units();
                let table = plan.slot(rows * units);
                let marks = plan.slot(MarkLayout::new(rows, 1, units, false).words());
                let (format, has_entries) = (CountFormat::F32, false);
                let rows = MaskedTrials { trials: rows, bins: 1, units, table, format, marks, has_entries };
                self.device.reserve(plan.floats())?;
                let planned = Arc::new(TokenPlan { memory, rows });
                self.token_plans.push(planned.clone());
                planned
            }
        };
        self.prepare(session);
        // Constants of the pass in use may lie where these tokens go.
        self.pass_in_use = None;
        Ok(plan)
    }

    fn read_tokens(&self, plan: &TokenMemory, tokens: usize) -> CachedTokens {
        let hidden = plan.slots.tokens.len() / plan.rows;
        let read = |slot: Slot, width: usize| {
            let mut values = vec![0.0; tokens * width];
            self.device.read(slot.part(0, tokens * width), &mut values);
            values
        };
        CachedTokens {
            hidden,
            tokens: read(plan.slots.tokens, hidden),
            first_qkv: read(plan.slots.first_qkv, 3 * hidden),
        }
    }
}
