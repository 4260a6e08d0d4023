//! Matrix products, by `faer`.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

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
    product_with(y, into, a, b, scale, Par::Seq);
}

/// `y (+)= a · b` on all threads of the current pool.
pub(crate) fn product(y: MatMut<'_, f32>, into: Into, a: Matrix<'_>, b: Matrix<'_>) {
    product_with(y, into, a, b, 1.0, Par::rayon(rayon::current_num_threads()));
}

fn product_with(y: MatMut<'_, f32>, into: Into, a: Matrix<'_>, b: Matrix<'_>, scale: f32, par: Par) {
    let accum = match into {
        Into::Replace => Accum::Replace,
        Into::Add => Accum::Add,
    };
    matmul(y, accum, a.view(), b.view(), scale, par);
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
}
