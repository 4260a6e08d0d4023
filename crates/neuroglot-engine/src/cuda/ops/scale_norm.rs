//! ScaleNorm.

use crate::cuda::device::{CudaDevice, per_row};
use crate::cuda::driver::Driver;
use crate::ops::{ScaleNorm, ScaleNormBackward};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_scale_norm(&mut self, op: &ScaleNorm) {
        let (y, statistics) = (self.numbers(op.y, op.width), self.at(op.statistics));
        let arguments = self.slots([op.x, op.gain]).and(y).and(statistics).sizes([op.rows]);
        self.launch("scale_norm", per_row(op.rows), &arguments);
    }

    pub(in crate::cuda) fn run_scale_norm_backward(&mut self, op: &ScaleNormBackward) {
        let arguments = self.slots([op.x, op.gain, op.statistics, op.y_gradient, op.x_gradient]);
        self.launch("scale_norm_backward", per_row(op.rows), &arguments.sizes([op.rows, op.width]));
        let arguments = self.slots([op.statistics, op.gain_gradient]).sizes([op.rows]);
        self.launch("scale_norm_gain", [1, 1], &arguments);
    }
}
