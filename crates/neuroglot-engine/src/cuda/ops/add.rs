//! One run of floats added to another.

use crate::Slot;
use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_add(&mut self, from: Slot, to: Slot) {
        assert_eq!(from.len(), to.len(), "slots of a sum");
        let arguments = self.slots([from, to]).length(to.len());
        self.launch("add", per_element(to.len()), arguments);
    }
}
