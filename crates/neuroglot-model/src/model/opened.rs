//! Predictions that share most of their bins: what a bin becomes before the first attention is computed once.

use super::Model;
use super::layers::{OPENED_ROWS, OpeningSlots, PREFIX, Use};
use crate::{ModelError, Prompt};
use neuroglot_engine::{MemoryPlan, Slot};
use std::sync::Arc;

/// Tokens, and the queries, keys and values that the first block makes of them. A row depends on its own counts and its
/// place in the trial only.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenedRows {
    hidden: usize,
    /// `[row, hidden]`.
    tokens: Vec<f32>,
    /// `[row, 3 · hidden]`.
    first_block: Vec<f32>,
}

impl OpenedRows {
    /// Rows of the session token and the prompt token, which stand in front of a trial's.
    pub const PREFIX: usize = PREFIX;

    /// No rows yet, with room for `rows`.
    pub fn with_capacity(hidden: usize, rows: usize) -> Self {
        Self {
            hidden,
            tokens: Vec::with_capacity(rows * hidden),
            first_block: Vec::with_capacity(rows * 3 * hidden),
        }
    }

    /// Appends the rows of `other`.
    pub fn append(&mut self, mut other: Self) {
        self.tokens.append(&mut other.tokens);
        self.first_block.append(&mut other.first_block);
    }
}

/// Rows of a prediction: which rows of which collection go where.
#[derive(Debug, Clone, Copy)]
pub struct OpenedPart<'a> {
    /// The collection.
    pub rows: &'a OpenedRows,
    /// Its first row to take.
    pub first: usize,
    /// How many.
    pub count: usize,
    /// Row of the prediction that receives the first one.
    pub to: usize,
}

impl Model {
    /// Whether bins can be opened by themselves, by [`Model::open`]: only where a bin is one token.
    pub fn opens_bins(&self) -> bool {
        (0..self.sessions.len()).all(|session| self.layers.ends.patches(session).is_none())
    }

    /// Opens bins by themselves: counts `[row, unit]` of the bins `bins` of any trials.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory.
    ///
    /// # Panics
    /// Where there is not one bin per row, or no such bin, or [`Model::opens_bins`] is false.
    pub fn open(&mut self, session: usize, bins: &[usize], inputs: &[f32]) -> Result<OpenedRows, ModelError> {
        assert!(self.opens_bins(), "a bin of this model is more than one token");
        let units = self.sessions[session].units();
        assert_eq!(inputs.len(), bins.len() * units, "one bin for each row of counts");
        assert!(bins.iter().all(|bin| *bin < self.bins()), "bins of a trial");
        let slots = self.plan_opening(session, bins.len())?;
        let rest = slots.inputs.part(inputs.len(), slots.rows * units - inputs.len());
        self.device.write(slots.inputs.part(0, inputs.len()), inputs);
        self.device.fill(rest, 0.0);
        let mut places: Vec<f32> = bins.iter().map(|bin| *bin as f32).collect();
        places.resize(slots.rows, 0.0);
        self.device.write(slots.places, &places);
        self.layers.open_rows(self.device.as_mut(), &slots);
        Ok(self.read_opened(&slots, bins.len()))
    }

    /// Opens the session token and the prompt token.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory.
    pub fn open_prefix(&mut self, session: usize, prompt: Prompt) -> Result<OpenedRows, ModelError> {
        let slots = self.plan_opening(session, PREFIX)?;
        self.layers.open_prefix(self.device.as_mut(), &slots, prompt);
        Ok(self.read_opened(&slots, PREFIX))
    }

    /// [`Model::log_rates_of`] trials of opened rows: for each trial those of its prefix, then those of its bins. Parts
    /// are laid one over the other in their order, and must fill all rows.
    ///
    /// # Errors
    /// [`ModelError::Engine`] where the device has too little memory for the batch.
    ///
    /// # Panics
    /// As [`Model::log_rates_of`], and where a part takes or fills rows that are not there.
    pub fn log_rates_of_opened<'a>(
        &mut self,
        session: usize,
        prompt: Prompt,
        units: &[usize],
        trials: usize,
        parts: impl IntoIterator<Item = OpenedPart<'a>>,
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        self.want(session, units);
        let slots = self.plan_prediction(session, trials, Use::PredictionOfOpened)?;
        let hidden = self.layers.config.hidden;
        for OpenedPart { rows, first, count, to } in parts {
            let mut write = |slot: Slot, width: usize, values: &[f32]| {
                let values = &values[first * width..(first + count) * width];
                self.device.write(slot.part(to * width, values.len()), values);
            };
            write(slots.tokens, hidden, &rows.tokens);
            write(slots.trunk.first_qkv(), 3 * hidden, &rows.first_block);
        }
        self.run_prediction(&slots, prompt, log_rates);
        Ok(())
    }

    fn plan_opening(&mut self, session: usize, rows: usize) -> Result<Arc<OpeningSlots>, ModelError> {
        let rows = rows.next_multiple_of(OPENED_ROWS).max(OPENED_ROWS);
        let known = self.openings.iter().find(|slots| (slots.session, slots.rows) == (session, rows));
        let slots = match known {
            Some(slots) => slots.clone(),
            None => {
                let mut plan = MemoryPlan::after(&self.kept);
                let slots = Arc::new(self.layers.plan_opening(&mut plan, session, rows));
                self.device.reserve(plan.floats())?;
                self.openings.push(slots.clone());
                slots
            }
        };
        self.prepare(session);
        // Constants of the plan in use may lie where these rows go.
        self.plan_in_use = None;
        Ok(slots)
    }

    fn read_opened(&self, slots: &OpeningSlots, rows: usize) -> OpenedRows {
        let hidden = self.layers.config.hidden;
        let read = |slot: Slot, width: usize| {
            let mut values = vec![0.0; rows * width];
            self.device.read(slot.part(0, rows * width), &mut values);
            values
        };
        OpenedRows {
            hidden,
            tokens: read(slots.tokens, hidden),
            first_block: read(slots.first.qkv, 3 * hidden),
        }
    }
}
