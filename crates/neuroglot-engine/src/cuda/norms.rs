//! LayerNorm and ScaleNorm.

use super::device::{CudaDevice, FLOAT, ROWS_PER_CHUNK, SUM_COLUMNS, chunks_of_rows, per_row};
use super::driver::Driver;
use crate::ops::{LayerNorm, LayerNormBackward, ScaleNorm, ScaleNormBackward};

impl<D: Driver> CudaDevice<D> {
    pub(super) fn run_layer_norm(&mut self, op: &LayerNorm) {
        let arguments = [
            self.at(op.x).into(),
            self.at(op.gain).into(),
            self.at(op.bias).into(),
            self.at(op.y).into(),
            self.at(op.statistics).into(),
            (op.rows as u32).into(),
            (op.width as u32).into(),
        ];
        self.launch("layer_norm", per_row(op.rows), &arguments);
    }

    pub(super) fn run_layer_norm_backward(&mut self, op: &LayerNormBackward) {
        let LayerNormBackward { rows, width, .. } = *op;
        let (x, statistics, dy) = (self.at(op.x), self.at(op.statistics), self.at(op.y_gradient));
        let arguments = [
            x.into(),
            self.at(op.gain).into(),
            statistics.into(),
            dy.into(),
            self.at(op.x_gradient).into(),
            (rows as u32).into(),
            (width as u32).into(),
        ];
        self.launch("layer_norm_backward", per_row(rows), &arguments);

        let chunks = chunks_of_rows(rows);
        let gain_sums = self.scratch_room(2 * chunks * width * FLOAT);
        let bias_sums = gain_sums.after(chunks * width * FLOAT);
        let arguments = [
            x.into(),
            statistics.into(),
            dy.into(),
            gain_sums.into(),
            bias_sums.into(),
            (rows as u32).into(),
            (width as u32).into(),
            (ROWS_PER_CHUNK as u32).into(),
        ];
        let blocks = [width.div_ceil(SUM_COLUMNS) as u32, chunks as u32];
        self.launch("layer_norm_sums", blocks, &arguments);
        self.column_sums_of(gain_sums, chunks, width, 1, self.at(op.gain_gradient));
        self.column_sums_of(bias_sums, chunks, width, 1, self.at(op.bias_gradient));
    }

    pub(super) fn run_scale_norm(&mut self, op: &ScaleNorm) {
        let arguments = [
            self.at(op.x).into(),
            self.at(op.gain).into(),
            self.at(op.y).into(),
            self.at(op.statistics).into(),
            (op.rows as u32).into(),
            (op.width as u32).into(),
        ];
        self.launch("scale_norm", per_row(op.rows), &arguments);
    }

    pub(super) fn run_scale_norm_backward(&mut self, op: &ScaleNormBackward) {
        let statistics = self.at(op.statistics);
        let arguments = [
            self.at(op.x).into(),
            self.at(op.gain).into(),
            statistics.into(),
            self.at(op.y_gradient).into(),
            self.at(op.x_gradient).into(),
            (op.rows as u32).into(),
            (op.width as u32).into(),
        ];
        self.launch("scale_norm_backward", per_row(op.rows), &arguments);
        let arguments = [statistics.into(), self.at(op.gain_gradient).into(), (op.rows as u32).into()];
        self.launch("scale_norm_gain", [1, 1], &arguments);
    }
}
