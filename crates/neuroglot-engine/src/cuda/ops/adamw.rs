//! The update of the parameters.

use crate::cuda::argument::Arguments;
use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::ops::{AdamW, AdamWFactors};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_adamw(&mut self, op: &AdamW) {
        let length = op.values.len();
        let slots = self.slots([op.values, op.gradients, op.first_moments, op.second_moments]);
        let AdamWFactors { keep, rate, beta1, rest1, beta2, rest2, root, epsilon } = op.factors();
        let factors = [keep, rate, beta1, rest1, beta2, rest2, root, epsilon];
        let arguments = factors.into_iter().fold(slots.length(length), Arguments::and);
        self.launch("adamw", per_element(length), &arguments);
    }
}
