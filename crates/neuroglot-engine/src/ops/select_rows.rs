//! Some rows of a matrix, and the gradient's way back.

use crate::Slot;

/// y_i = x_{index i}: rows of a weight, where only some outputs are wanted.
#[derive(Debug, Clone, Copy)]
pub struct SelectRows {
    /// Rows of x.
    pub rows: usize,
    /// Width of x and y.
    pub width: usize,
    /// Rows of y.
    pub selected: usize,
    /// `[rows, width]`, read.
    pub x: Slot,
    /// `[selected]`: row numbers as floats (exact below 2²⁴), read. One that is not below `rows` selects nothing: its
    /// row of y becomes 0.
    pub indices: Slot,
    /// `[selected, width]`, written.
    pub y: Slot,
}

/// dx of a selected row is its row of dy, and 0 for all others. No row may be selected twice.
#[derive(Debug, Clone, Copy)]
pub struct SelectRowsBackward {
    /// Rows of x.
    pub rows: usize,
    /// Width of x and y.
    pub width: usize,
    /// Rows of y.
    pub selected: usize,
    /// `[selected]`, read.
    pub indices: Slot,
    /// `[selected, width]`, read.
    pub y_gradient: Slot,
    /// `[rows, width]`, written.
    pub x_gradient: Slot,
}
