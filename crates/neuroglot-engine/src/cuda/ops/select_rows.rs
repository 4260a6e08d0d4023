//! Some rows of a matrix.

use crate::Device;
use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::ops::{SelectRows, SelectRowsBackward};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_select_rows(&mut self, op: &SelectRows) {
        let length = op.selected * op.width;
        let arguments = self.slots([op.x, op.indices, op.y]).length(length).sizes([op.rows, op.width]);
        self.launch("select_rows", per_element(length), &arguments);
    }

    pub(in crate::cuda) fn run_select_rows_backward(&mut self, op: &SelectRowsBackward) {
        let length = op.selected * op.width;
        self.fill(op.x_gradient, 0.0);
        let arguments = self.slots([op.y_gradient, op.indices, op.x_gradient]).length(length);
        let arguments = arguments.sizes([op.rows, op.width]);
        self.launch("select_rows_backward", per_element(length), &arguments);
    }
}
