//! Sums over rows, in two stages where there are many.

use crate::cuda::argument::{Arguments, Numbers};
use crate::cuda::device::{CudaDevice, FLOAT};
use crate::cuda::driver::{Address, Driver};

/// Columns that a block of the kernel adds up.
const SUM_COLUMNS: usize = 32;
/// Rows that it adds up: enough blocks for a large GPU, few enough sums for the second stage.
const ROWS_PER_CHUNK: usize = 128;

/// Parts in which the sums over rows are made, at least one.
pub(super) fn chunks_of_rows(rows: usize) -> usize {
    rows.div_ceil(ROWS_PER_CHUNK).max(1)
}

impl<D: Driver> CudaDevice<D> {
    /// sums `[width]` = Σ over rows of `values` `[rows, width]`; takes the scratch room from `offset` bytes on.
    pub(super) fn column_sums(
        &mut self,
        values: Numbers,
        rows: usize,
        width: usize,
        sums: Address,
        offset: usize,
    ) {
        let chunks = chunks_of_rows(rows);
        if chunks == 1 {
            self.column_sums_of(values, rows, width, 1, sums);
            return;
        }
        let parts = self.scratch_room(offset + chunks * width * FLOAT).after(offset);
        self.column_sums_of(values, rows, width, chunks, parts);
        self.column_sums_of(Numbers::new(parts, width, false), chunks, width, 1, sums);
    }

    /// sums `[chunks, width]`: one stage of it.
    fn column_sums_of(&mut self, values: Numbers, rows: usize, width: usize, chunks: usize, sums: Address) {
        let rows_per_chunk = if chunks == 1 { rows } else { ROWS_PER_CHUNK };
        let blocks = [width.div_ceil(SUM_COLUMNS) as u32, chunks as u32];
        let arguments = Arguments::of([]).and(values).and(sums).sizes([rows, rows_per_chunk]);
        self.launch("column_sums", blocks, arguments);
    }
}
