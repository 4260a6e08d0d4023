//! ScaleNorm.

use crate::cuda::device::{CudaDevice, per_row};
use crate::cuda::driver::Driver;
use crate::ops::{ScaleNorm, ScaleNormBackward};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_scale_norm(&mut self, op: &ScaleNorm) {
        let (y, statistics) = (self.numbers(op.y, op.width), self.at(op.statistics));
        let arguments = self.slots([op.x, op.gain]).and(y).and(statistics).sizes([op.rows]);
        self.launch("scale_norm", per_row(op.rows), arguments);
    }

    pub(in crate::cuda) fn run_scale_norm_backward(&mut self, op: &ScaleNormBackward) {
        let ScaleNorm { rows, width, x, gain, statistics, .. } = op.forward;
        let arguments = self.slots([x, gain, statistics, op.y_gradient, op.x_gradient]);
        self.launch("scale_norm_backward", per_row(rows), arguments.sizes([rows, width]));
        let arguments = self.slots([statistics, op.gain_gradient]).sizes([rows]);
        self.launch("scale_norm_gain", [1, 1], arguments);
    }
}
