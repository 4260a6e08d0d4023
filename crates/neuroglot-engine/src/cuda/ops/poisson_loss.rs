//! The loss.

use super::masked_trials::width;
use crate::cuda::argument::Arguments;
use crate::cuda::device::CudaDevice;
use crate::cuda::driver::{Driver, THREADS};
use crate::ops::PoissonLoss;

/// Elements that a block of `poisson_loss` adds up.
const LOSS_ELEMENTS: usize = 16 * THREADS as usize;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_poisson_loss(&mut self, op: &PoissonLoss) {
        let length = op.log_rates.len();
        let blocks = length.div_ceil(LOSS_ELEMENTS);
        let sums = self.scratch_room(blocks * size_of::<f64>());
        let arguments = self.masked_trials(&op.of, op.columns).and(self.at(op.log_rates));
        let arguments = arguments.and(self.at(op.gradient)).and(sums).length(length);
        let arguments = arguments.sizes([width(&op.of, op.columns)]);
        self.launch("poisson_loss", [blocks as u32, 1], arguments);
        let arguments = Arguments::of([sums, self.at(op.loss)]).sizes([blocks]);
        self.launch("poisson_loss_sum", [1, 1], arguments);
    }
}
