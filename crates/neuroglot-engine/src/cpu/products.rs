//! Matrix products, by `faer`.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Whether a product replaces its destination or is added to it.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Into {
    Replace,
    Add,
}

/// A row-major matrix that may be read transposed; `stride` floats from row to row.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub values: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub stride: usize,
    pub transposed: bool,
}

impl<'a> Matrix<'a> {
    pub(crate) fn new(values: &'a [f32], rows: usize, columns: usize) -> Self {
        Self { values, rows, columns, stride: columns, transposed: false }
    }

    /// `rows` rows of `columns` floats, `stride` apart.
    pub(crate) fn strided(values: &'a [f32], rows: usize, columns: usize, stride: usize) -> Self {
        Self { values, rows, columns, stride, transposed: false }
    }

    pub(crate) fn transpose(self) -> Self {
        Self { transposed: !self.transposed, ..self }
    }

    fn view(self) -> MatRef<'a, f32> {
        let needed = if self.rows == 0 { 0 } else { (self.rows - 1) * self.stride + self.columns };
        let view = if self.stride == self.columns {
            MatRef::from_row_major_slice(&self.values[..needed], self.rows, self.columns)
        } else {
            MatRef::from_row_major_slice_with_stride(self.values, self.rows, self.columns, self.stride)
        };
        if self.transposed { view.transpose() } else { view }
    }
}

/// A row-major destination without gaps.
pub(crate) fn dense(y: &mut [f32], rows: usize, columns: usize) -> MatMut<'_, f32> {
    MatMut::from_row_major_slice_mut(y, rows, columns)
}

/// `y (+)= scale · a · b` on this thread.
pub(crate) fn product_here(y: MatMut<'_, f32>, into: Into, a: Matrix<'_>, b: Matrix<'_>, scale: f32) {
    let accum = match into {
        Into::Replace => Accum::Replace,
        Into::Add => Accum::Add,
    };
    matmul(y, accum, a.view(), b.view(), scale, Par::Seq);
}

/// `y (+)= a · b` on all threads of the current pool; `y` is `[a.rows, b.columns]`, row-major.
///
/// Rows are shared out in two pieces per thread: one piece packs `b` once, so few large pieces are best, and a second
/// one lets a thread that is done early help. An element's sum runs over the inner dimension in one order whatever the
/// piece, so results do not depend on the number of threads (tested below).
pub(crate) fn product(y: &mut [f32], into: Into, a: Matrix<'_>, b: Matrix<'_>) {
    assert!(!a.transposed, "rows of a transposed matrix are not contiguous");
    let columns = if b.transposed { b.rows } else { b.columns };
    let rows = a.rows.div_ceil(2 * rayon::current_num_threads()).next_multiple_of(16);
    let pieces = y.par_chunks_mut(rows * columns).zip(a.values.par_chunks(rows * a.stride));
    pieces.for_each(|(y, values)| {
        let rows = y.len() / columns;
        product_here(dense(y, rows, columns), into, Matrix { values, rows, ..a }, b, 1.0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu::parallel::SharedRows;

    #[test]
    fn a_product_into_some_columns_leaves_the_others_alone() {
        let a: Vec<f32> = (0..25).map(|i| i as f32).collect();
        let b: Vec<f32> = (0..45).map(|i| i as f32 * 0.5).collect();
        for transposed in [false, true] {
            let mut y = vec![7.0; 45];
            let left = Matrix::new(&a, 5, 5);
            let left = if transposed { left.transpose() } else { left };
            // SAFETY: nothing else refers to these columns.
            let columns = unsafe { SharedRows::new(&mut y).columns(3, 5, 3, 9) };
            product_here(columns, Into::Replace, left, Matrix::strided(&b[3..42], 5, 3, 9), 1.0);
            let mut expected = vec![7.0; 45];
            for (row, column) in (0..15).map(|i| (i / 3, i % 3)) {
                let a = |k: usize| if transposed { a[k * 5 + row] } else { a[row * 5 + k] };
                expected[row * 9 + 3 + column] = (0..5).map(|k| a(k) * b[3 + k * 9 + column]).sum();
            }
            assert_eq!(y, expected);
        }
    }

    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        for (rows, inner, columns) in [(1632, 512, 300), (300, 1632, 512), (77, 1336, 65), (5, 3, 2)] {
            let mut draw = crate::ops::gradient_check::uniform(-1.0, 1.0);
            let a: Vec<f32> = (0..rows * inner).map(|_| draw()).collect();
            let b: Vec<f32> = (0..inner * columns).map(|_| draw()).collect();
            let multiply = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                let mut y = vec![1.0; rows * columns];
                let (a, b) = (Matrix::new(&a, rows, inner), Matrix::new(&b, columns, inner));
                pool.install(|| product(&mut y, Into::Add, a, b.transpose()));
                y
            };
            let one = multiply(1);
            for threads in [2, 3, 7] {
                assert!(multiply(threads) == one, "{rows} x {inner} x {columns} on {threads} threads");
            }
        }
    }
}
