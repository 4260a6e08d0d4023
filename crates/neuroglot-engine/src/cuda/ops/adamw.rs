//! The update of the parameters.

use crate::cuda::argument::{Arguments, PartArgument};
use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::ops::{AdamW, AdamWFactors, AdamWPart};

/// Parts that a kernel updates.
const PARTS: usize = 4;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_adamw(&mut self, op: &AdamW<'_>) {
        for parts in op.parts.chunks(PARTS) {
            let slots = self.slots([op.values, op.gradients, op.first_moments, op.second_moments]);
            let AdamWFactors { keep, beta1, rest1, beta2, rest2, epsilon, .. } = op.factors(1);
            let factors = [keep, beta1, rest1, beta2, rest2, epsilon];
            let arguments = factors.into_iter().fold(slots, Arguments::and);
            let none = AdamWPart { offset: 0, len: 0, step: 1 };
            let of_kernel = parts.iter().copied().chain(std::iter::repeat(none)).take(PARTS);
            let arguments = of_kernel.fold(arguments, |arguments, part| {
                arguments.and(PartArgument::new(part, op.factors(part.step)))
            });
            let length = parts.iter().map(|part| part.len).sum();
            self.launch("adamw", per_element(length), arguments);
        }
    }
}
