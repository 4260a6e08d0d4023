//! Some rows of a matrix, and the gradient's way back.

use crate::{Cost, Slot};
use rayon::prelude::*;

/// y_i = x_{index i}: rows of a weight, where only some outputs are wanted.
///
/// The backward pass takes gradients in the places of x and y: dx of a selected row is its row of dy, and 0 for all others. No
/// row may be selected twice then.
#[derive(Debug, Clone, Copy)]
pub struct SelectRows {
    /// Rows of x.
    pub rows: usize,
    /// Width of x and y.
    pub width: usize,
    /// Rows of y.
    pub selected: usize,
    /// `[rows, width]`: read, or written by the backward pass.
    pub x: Slot,
    /// `[selected]`: row numbers as floats (exact below 2²⁴), read. One that is not below `rows` selects nothing: its
    /// row of y becomes 0.
    pub indices: Slot,
    /// `[selected, width]`: written, or read by the backward pass.
    pub y: Slot,
}

impl SelectRows {
    /// What the forward pass costs at least.
    pub fn cost(&self) -> Cost {
        // Of x, what is selected.
        Cost::of_slots([self.indices, self.y, self.y])
    }

    /// What the backward pass costs at least.
    pub fn backward_cost(&self) -> Cost {
        Cost::of_slots(self.slots())
    }

    pub(crate) fn slots(&self) -> [Slot; 3] {
        [self.x, self.indices, self.y]
    }

    pub(crate) fn forward(&self, [x, indices, y]: [&mut [f32]; 3]) {
        y.par_chunks_mut(self.width).zip(&*indices).with_min_len(32).for_each(|(y, index)| match row_number(
            *index, self.rows,
        ) {
            Some(row) => y.copy_from_slice(&x[row * self.width..][..self.width]),
            None => y.fill(0.0),
        });
    }

    pub(crate) fn backward(&self, [dx, indices, dy]: [&mut [f32]; 3]) {
        dx.fill(0.0);
        for (dy, index) in dy.chunks_exact(self.width).zip(&*indices) {
            if let Some(row) = row_number(*index, self.rows) {
                dx[row * self.width..][..self.width].copy_from_slice(dy);
            }
        }
    }
}

fn row_number(index: f32, rows: usize) -> Option<usize> {
    Some(index as usize).filter(|row| *row < rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CpuDevice, Device, MemoryPlan};

    #[test]
    fn rows_go_out_and_their_gradients_come_back_to_their_places() {
        let mut plan = MemoryPlan::new();
        let [x, indices, y] = [8, 3, 6].map(|len| plan.slot(len));
        let mut device = CpuDevice::new(1).unwrap();
        device.reserve(plan.floats()).unwrap();
        device.write(x, &[0.0, 1.0, 10.0, 11.0, 20.0, 21.0, 30.0, 31.0]);
        device.write(indices, &[3.0, 1.0, 4.0]);
        let op = SelectRows { rows: 4, width: 2, selected: 3, x, indices, y };
        device.select_rows(&op);
        let mut found = [0.0; 6];
        device.read(y, &mut found);
        assert_eq!(found, [30.0, 31.0, 10.0, 11.0, 0.0, 0.0]);
        device.select_rows_backward(&op);
        let mut found = [0.0; 8];
        device.read(x, &mut found);
        assert_eq!(found, [0.0, 0.0, 10.0, 11.0, 0.0, 0.0, 30.0, 31.0]);
    }
}
