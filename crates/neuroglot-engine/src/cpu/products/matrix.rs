//! What is multiplied, and where the product goes.

use super::tile::PanelOrder;
use crate::cpu::parallel::SharedRows;

/// Whether a product replaces its destination or is added to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Into {
    Replace,
    Add,
}

/// A row-major matrix that may be read transposed; `stride` floats from row to row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(super) values: &'a [f32],
    /// Rows and columns as stored, before the transposition.
    rows: usize,
    pub(super) columns: usize,
    pub(super) stride: usize,
    pub(super) transposed: bool,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self::strided(values, rows, columns, columns)
    }

    /// `rows` rows of `columns` floats, `stride` apart.
    pub(crate) fn strided(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        assert!(columns <= stride && (rows == 0 || (rows - 1) * stride + columns <= values.len()));
        Self { values, rows, columns, stride, transposed: false }
    }

    pub(crate) fn transpose(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    /// Rows and columns as the product sees them.
    pub(super) fn shape(self) -> (usize, usize) {
        if self.transposed { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    /// The floats of a matrix without gaps, as stored.
    pub(crate) fn values(self) -> &'a [f32] {
        self.values
    }

    pub(super) fn order(self) -> PanelOrder {
        if self.transposed { PanelOrder::Inner } else { PanelOrder::Rows }
    }
}

/// Where a product goes: rows `stride` floats apart.
#[derive(Clone, Copy)]
pub(crate) struct Destination<'a> {
    pub(super) values: SharedRows<'a>,
    pub(super) offset: usize,
    pub(super) stride: usize,
    /// Columns that may be written to; those behind the product's receive anything.
    pub(super) room: usize,
}

impl<'a> Destination<'a> {
    /// A destination without gaps.
    pub(crate) fn dense(values: &'a mut [f32], columns: usize) -> Self {
        Self { values: SharedRows::new(values), offset: 0, stride: columns, room: 0 }
    }

    /// The first columns of rows of `stride` floats; what lies behind them receives anything.
    pub(crate) fn padded(values: &'a mut [f32], stride: usize) -> Self {
        Self { values: SharedRows::new(values), offset: 0, stride, room: stride }
    }

    /// The columns from `offset` on of rows `stride` floats apart.
    ///
    /// # Safety
    /// Nothing else may use the floats that the product writes to.
    pub(crate) unsafe fn columns(values: SharedRows<'a>, offset: usize, stride: usize) -> Self {
        Self { values, offset, stride, room: 0 }
    }
}
