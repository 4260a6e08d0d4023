//! Rotary positions.

use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::ops::Rope;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_rope(&mut self, op: &Rope) {
        let rows = op.batch * op.tokens;
        let pairs_per_row = 2 * op.heads * (op.head_width / 2);
        let arguments = self.slots(op.slots()).sizes([rows, op.tokens, op.heads, op.head_width]);
        let arguments = arguments.and(if op.inverse { -1.0f32 } else { 1.0 });
        self.launch("rope", per_element(rows * pairs_per_row), arguments);
    }
}
