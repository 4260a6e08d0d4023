//! Products of small matrices that are stored row by row. They are sequential: callers have many of them.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

/// Values as a matrix of so many columns.
pub(crate) fn rows(values: &[f64], columns: usize) -> MatRef<'_, f64> {
    MatRef::from_row_major_slice(values, values.len() / columns.max(1), columns)
}

/// `left · right`.
pub(crate) fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Vec<f64> {
    let mut out = vec![0.0; left.nrows() * right.ncols()];
    let view = MatMut::from_row_major_slice_mut(&mut out, left.nrows(), right.ncols());
    matmul(view, Accum::Replace, left, right, 1.0, Par::Seq);
    out
}

/// Adds `factor · left · right` to `out`.
pub(crate) fn add_product(out: &mut [f64], left: MatRef<'_, f64>, right: MatRef<'_, f64>, factor: f64) {
    let out = MatMut::from_row_major_slice_mut(out, left.nrows(), right.ncols());
    matmul(out, Accum::Add, left, right, factor, Par::Seq);
}

/// `[column]`.
pub(crate) fn column_sums(values: &[f64], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for row in values.chunks(columns) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_and_sums_by_hand() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0, -1.0]);
        // [[1, 2], [3, 4], [5, 6]] times (1, −1).
        assert_eq!(product(rows(&a, 2), rows(&b, 1)), [-1.0, -1.0, -1.0]);
        let mut sums = [10.0, 20.0];
        add_product(&mut sums, rows(&a, 2).transpose(), rows(&[1.0, 0.0, 2.0], 1), 3.0);
        assert_eq!(sums, [10.0 + 3.0 * 11.0, 20.0 + 3.0 * 14.0]);
        assert_eq!(column_sums(&a, 2), [9.0, 12.0]);
        assert!(product(rows(&[], 0), rows(&[], 3)).is_empty());
    }
}
