//! LayerNorm.

use super::column_sums::chunks_of_rows;
use crate::cuda::argument::Numbers;
use crate::cuda::device::{CudaDevice, FLOAT, per_row};
use crate::cuda::driver::{Driver, THREADS};
use crate::ops::{LayerNorm, LayerNormBackward};

/// Rows of a block of `layer_norm_backward`: some for each SM of a large GPU, in large batches several.
const ROWS_PER_NORM: usize = 64;
/// Columns of a block.
const NORM_SLICE: usize = 4 * THREADS as usize;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_layer_norm(&mut self, op: &LayerNorm) {
        let (y, statistics) = (self.numbers(op.y, op.width), self.at(op.statistics));
        let arguments = self.slots([op.x, op.gain, op.bias]).and(y).and(statistics).sizes([op.rows]);
        self.launch("layer_norm", per_row(op.rows), arguments);
    }

    pub(in crate::cuda) fn run_layer_norm_backward(&mut self, op: &LayerNormBackward) {
        let LayerNorm { rows, width, x, gain, statistics, .. } = op.forward;
        let chunks = rows.div_ceil(ROWS_PER_NORM).max(1);
        let of_chunks = chunks * width * FLOAT;
        // Asked for at once: the sums of the chunks' sums must not move those.
        let gain_sums = self.scratch_room(2 * of_chunks + chunks_of_rows(chunks) * width * FLOAT);
        let bias_sums = gain_sums.after(of_chunks);
        let arguments = self.slots([x, gain, statistics, op.y_gradient, op.x_gradient]);
        let arguments = arguments.and(gain_sums).and(bias_sums).sizes([rows, width, ROWS_PER_NORM]);
        let blocks = [chunks as u32, width.div_ceil(NORM_SLICE) as u32];
        self.launch("layer_norm_backward", blocks, arguments);
        for (sums, gradient) in [(gain_sums, op.gain_gradient), (bias_sums, op.bias_gradient)] {
            let sums = Numbers::new(sums, width, false);
            self.column_sums(sums, chunks, width, self.at(gradient), 2 * of_chunks);
        }
    }
}
