//! The loss and the update of the parameters.

use super::argument::Arguments;
use super::device::{CudaDevice, per_element};
use super::driver::{Driver, THREADS};
use crate::ops::{AdamW, AdamWFactors, PoissonLoss};

/// Elements that a block of `poisson_loss` adds up.
const LOSS_ELEMENTS: usize = 16 * THREADS as usize;

impl<D: Driver> CudaDevice<D> {
    pub(super) fn run_poisson_loss(&mut self, op: &PoissonLoss) {
        let length = op.log_rates.len();
        let blocks = length.div_ceil(LOSS_ELEMENTS);
        let sums = self.scratch_room(blocks * size_of::<f64>());
        let slots = self.slots([op.log_rates, op.counts, op.target, op.gradient]);
        self.launch("poisson_loss", [blocks as u32, 1], &slots.and(sums).length(length));
        let arguments = Arguments::of([sums, self.at(op.loss)]).sizes([blocks]);
        self.launch("poisson_loss_sum", [1, 1], &arguments);
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
