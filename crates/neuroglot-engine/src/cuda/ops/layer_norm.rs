//! LayerNorm.

use super::column_sums::{ROWS_PER_CHUNK, SUM_COLUMNS, chunks_of_rows};
use crate::cuda::device::{CudaDevice, FLOAT, per_row};
use crate::cuda::driver::Driver;
use crate::ops::{LayerNorm, LayerNormBackward};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_layer_norm(&mut self, op: &LayerNorm) {
        let arguments = self.slots([op.x, op.gain, op.bias, op.y, op.statistics]);
        let arguments = arguments.sizes([op.rows, op.width]);
        self.launch("layer_norm", per_row(op.rows), &arguments);
    }

    pub(in crate::cuda) fn run_layer_norm_backward(&mut self, op: &LayerNormBackward) {
        let LayerNormBackward { rows, width, .. } = *op;
        let arguments = self.slots([op.x, op.gain, op.statistics, op.y_gradient, op.x_gradient]);
        self.launch("layer_norm_backward", per_row(rows), &arguments.sizes([rows, width]));

        let chunks = chunks_of_rows(rows);
        let gain_sums = self.scratch_room(2 * chunks * width * FLOAT);
        let bias_sums = gain_sums.after(chunks * width * FLOAT);
        let slots = self.slots([op.x, op.statistics, op.y_gradient]);
        let arguments = slots.and(gain_sums).and(bias_sums).sizes([rows, width, ROWS_PER_CHUNK]);
        let blocks = [width.div_ceil(SUM_COLUMNS) as u32, chunks as u32];
        self.launch("layer_norm_sums", blocks, &arguments);
        self.column_sums_of(gain_sums, chunks, width, 1, self.at(op.gain_gradient));
        self.column_sums_of(bias_sums, chunks, width, 1, self.at(op.bias_gradient));
    }
}
