//! What a step begins and ends with: what is shown of counts, the loss, the update of the parameters.

use super::argument::Arguments;
use super::device::{CudaDevice, per_element};
use super::driver::{Address, Driver, THREADS};
use crate::Slot;
use crate::ops::{AdamW, AdamWFactors, MaskedTrials, PoissonLoss, ShownCounts};

/// Elements that a block of `poisson_loss` adds up.
const LOSS_ELEMENTS: usize = 16 * THREADS as usize;

/// Columns of a row.
fn width(of: &MaskedTrials, columns: Slot) -> usize {
    if columns.is_empty() { of.units } else { columns.len() }
}

impl<D: Driver> CudaDevice<D> {
    pub(super) fn run_poisson_loss(&mut self, op: &PoissonLoss) {
        let length = op.log_rates.len();
        let blocks = length.div_ceil(LOSS_ELEMENTS);
        let sums = self.scratch_room(blocks * size_of::<f64>());
        let arguments = self.masked_trials(&op.of, op.columns).and(self.at(op.log_rates));
        let arguments = arguments.and(self.at(op.gradient)).and(sums).length(length);
        let arguments = arguments.sizes([width(&op.of, op.columns)]);
        self.launch("poisson_loss", [blocks as u32, 1], &arguments);
        let arguments = Arguments::of([sums, self.at(op.loss)]).sizes([blocks]);
        self.launch("poisson_loss_sum", [1, 1], &arguments);
    }

    pub(super) fn run_shown_counts(&mut self, op: &ShownCounts) {
        let length = op.x.len();
        let [mean, deviation] = [op.mean, op.deviation].map(|slot| self.at_or_nowhere(slot));
        let arguments = self.masked_trials(&op.of, op.columns).and(op.padding).and(mean).and(deviation);
        let arguments = arguments.and(self.at(op.x)).length(length).sizes([width(&op.of, op.columns)]);
        self.launch("shown_counts", per_element(length), &arguments);
    }

    /// Trials and the numbers of units of columns, as kernels take them.
    fn masked_trials(&self, of: &MaskedTrials, columns: Slot) -> Arguments {
        let argument = (*of, [of.table, of.marks].map(|slot| self.at(slot)));
        Arguments::of([]).and(argument).and(self.at_or_nowhere(columns))
    }

    fn at_or_nowhere(&self, slot: Slot) -> Address {
        if slot.is_empty() { Address(0) } else { self.at(slot) }
    }

    pub(super) fn run_adamw(&mut self, op: &AdamW) {
        let length = op.values.len();
        let slots = self.slots([op.values, op.gradients, op.first_moments, op.second_moments]);
        let AdamWFactors { keep, rate, beta1, rest1, beta2, rest2, root, epsilon } = op.factors();
        let factors = [keep, rate, beta1, rest1, beta2, rest2, root, epsilon];
        let arguments = factors.into_iter().fold(slots.length(length), Arguments::and);
        self.launch("adamw", per_element(length), &arguments);
    }
}
