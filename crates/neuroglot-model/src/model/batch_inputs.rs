//! What a batch sends to the device: where its trials are, what is hidden of them, and counts that are not there yet.

use super::{BatchCounts, Model};
use crate::ModelError;
use crate::network::{BatchShape, CountSource};
use crate::unit_rows::UnitRows;
use neuroglot_engine::ops::{CountFormat, MarkLayout, MaskedTrials};
use neuroglot_engine::{MemoryPlan, Slot};
use neuroglot_masks::{Holdout, Marks};

/// Memory for the inputs of a batch shape.
#[derive(Debug, Clone, Copy)]
pub(super) struct BatchInputs {
    pub trials: MaskedTrials,
    /// The unit behind each column of the inputs; empty where they are the units in their order.
    pub columns: Slot,
    /// Of the log-rates, in training; empty where [`PassSlots::units`](crate::network::PassSlots::units) says it.
    pub output_columns: Slot,
}

impl BatchCounts<'_> {
    /// Number of trials of so many counts.
    pub(super) fn trials(&self, counts: usize) -> usize {
        match self {
            BatchCounts::Given(given) => given.len() / counts,
            BatchCounts::Kept(_, trials) => trials.len(),
        }
    }

    /// As a pass is told of them.
    pub(super) fn source(&self) -> CountSource {
        match self {
            BatchCounts::Given(_) => CountSource::Given,
            BatchCounts::Kept(kept, _) => CountSource::Kept(kept.index),
        }
    }
}

impl Model {
    /// Plans the inputs of a batch shape.
    pub(super) fn plan_inputs(
        &self,
        plan: &mut MemoryPlan,
        batch: &BatchShape,
        training: bool,
    ) -> BatchInputs {
        let BatchShape { session, trials, counts, has_entries, .. } = *batch;
        let (bins, units) = (self.bins, self.sessions[session].units());
        let (table, format) = match counts {
            CountSource::Given => (plan.slot(trials * bins * units), CountFormat::F32),
            CountSource::Kept(number) => {
                let table = self.table(session, number);
                (table.slot, table.format)
            }
        };
        let marks = plan.slot(MarkLayout::new(trials, bins, units, has_entries).words());
        let mut columns = |wanted: bool| match self.network.unit_rows(session) {
            UnitRows::Patches(layout) if wanted => plan.slot(layout.sources().len()),
            _ => Slot::default(),
        };
        BatchInputs {
            trials: MaskedTrials { trials, bins, units, table, format, marks, has_entries },
            columns: columns(true),
            output_columns: columns(training),
        }
    }

    /// Writes what is sent for a batch.
    ///
    /// # Panics
    /// Where counts and holdout are not of the same trials, or trials are not kept.
    pub(super) fn write_inputs(
        &mut self,
        inputs: &BatchInputs,
        session: usize,
        counts: BatchCounts<'_>,
        holdout: &Holdout,
    ) -> Result<(), ModelError> {
        self.count_statistics(session)?;
        let MaskedTrials { trials, bins, units, table, marks, .. } = inputs.trials;
        assert_eq!([holdout.bins(), holdout.units()], [bins, units], "a holdout of other trials");
        assert!([1, trials].contains(&holdout.trials()), "a holdout of one trial or of all");
        let mut words = std::mem::take(&mut self.buffers.marks);
        words.clear();
        match counts {
            BatchCounts::Given(counts) => {
                self.device.write(table, counts);
                words.extend(0..trials as u32);
            }
            BatchCounts::Kept(kept, of_batch) => {
                let known = self.table(session, kept.index).places as u32;
                assert!(of_batch.iter().all(|trial| trial.place < known), "trials that are kept");
                let reversed = |is_reversed: bool| if is_reversed { MarkLayout::REVERSED } else { 0 };
                words.extend(of_batch.iter().map(|trial| trial.place | reversed(trial.is_reversed)));
            }
        }
        let Marks { units, bins, entries, scored } = holdout.marks();
        let times = trials / holdout.trials().max(1);
        let repeat = |words: &mut Vec<u32>, part: &[u32]| (0..times).for_each(|_| words.extend(part));
        repeat(&mut words, units);
        repeat(&mut words, bins);
        words.extend(scored);
        repeat(&mut words, entries.unwrap_or(&[]));
        self.device.write(marks, bytemuck::cast_slice(&words));
        self.buffers.marks = words;
        Ok(())
    }

    /// Writes what never changes, when a pass comes into use.
    pub(super) fn write_columns(&mut self, inputs: &BatchInputs, session: usize) {
        let units = self.sessions[session].units();
        let numbers = |units_of: &[Option<usize>]| -> Vec<f32> {
            units_of.iter().map(|unit| unit.unwrap_or(units) as f32).collect()
        };
        if let UnitRows::Patches(layout) = self.network.unit_rows(session) {
            self.device.write(inputs.columns, &numbers(layout.sources()));
            if !inputs.output_columns.is_empty() {
                self.device.write(inputs.output_columns, &numbers(&layout.own_units()));
            }
        }
    }
}
