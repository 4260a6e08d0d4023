//! Some rows of a matrix.

use crate::Device;
use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::ops::SelectRows;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_select_rows(&mut self, op: &SelectRows) {
        let length = op.selected * op.width;
        let arguments = self.slots(op.slots()).length(length).sizes([op.rows, op.width]);
        self.launch("select_rows", per_element(length), arguments);
    }

    pub(in crate::cuda) fn run_select_rows_backward(&mut self, op: &SelectRows) {
        let length = op.selected * op.width;
        self.fill(op.x, 0.0);
        let arguments = self.slots([op.y, op.indices, op.x]).length(length);
        let arguments = arguments.sizes([op.rows, op.width]);
        self.launch("select_rows_backward", per_element(length), arguments);
    }
}
