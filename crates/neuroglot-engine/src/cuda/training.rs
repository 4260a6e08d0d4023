//! The loss and the update of the parameters.

use super::device::{CudaDevice, per_element};
use super::driver::{Driver, THREADS};
use crate::ops::{AdamW, PoissonLoss};

/// Elements that a block of `poisson_loss` adds up.
const LOSS_ELEMENTS: usize = 16 * THREADS as usize;

impl<D: Driver> CudaDevice<D> {
    pub(super) fn run_poisson_loss(&mut self, op: &PoissonLoss) {
        let length = op.log_rates.len();
        let blocks = length.div_ceil(LOSS_ELEMENTS);
        let sums = self.scratch_room(blocks * size_of::<f64>());
        let arguments = [
            self.at(op.log_rates).into(),
            self.at(op.counts).into(),
            self.at(op.target).into(),
            self.at(op.gradient).into(),
            sums.into(),
            (length as u64).into(),
        ];
        self.launch("poisson_loss", [blocks as u32, 1], &arguments);
        let arguments = [sums.into(), self.at(op.loss).into(), (blocks as u32).into()];
        self.launch("poisson_loss_sum", [1, 1], &arguments);
    }

    pub(super) fn run_adamw(&mut self, op: &AdamW) {
        let factors = op.factors();
        let length = op.values.len();
        let arguments = [
            self.at(op.values).into(),
            self.at(op.gradients).into(),
            self.at(op.first_moments).into(),
            self.at(op.second_moments).into(),
            (length as u64).into(),
            factors.keep.into(),
            factors.rate.into(),
            factors.beta1.into(),
            factors.rest1.into(),
            factors.beta2.into(),
            factors.rest2.into(),
            factors.root.into(),
            factors.epsilon.into(),
        ];
        self.launch("adamw", per_element(length), &arguments);
    }
}
