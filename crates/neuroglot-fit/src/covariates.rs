//! Tall matrices of covariates, and products with them in pieces of a fixed size, so that sums do not depend on the
//! number of threads.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;
use std::borrow::Cow;

/// Rows and columns of a tile of a transposed product.
const TILE: (usize, usize) = (128, 64);

/// Columns of a product of matrices made at a time.
const PANEL: usize = 32;

/// Covariates, `[row, column]`, row by row.
#[derive(Debug, Clone)]
pub struct Covariates {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// `[row, column]`.
    pub values: Vec<f64>,
}

impl Covariates {
    /// Rows multiplied at a time.
    pub(crate) const ROWS_AT_ONCE: usize = 256;

    /// Some groups of columns, where `width` columns side by side make a group.
    pub fn groups(&self, groups: &[usize], width: usize) -> Cow<'_, Self> {
        let columns = groups.len() * width;
        if columns == self.columns {
            return Cow::Borrowed(self);
        }
        let mut values = vec![0.0; self.rows * columns];
        let rows = values.par_chunks_mut(columns.max(1)).zip(self.values.par_chunks(self.columns));
        rows.for_each(|(out, row)| {
            for (out, group) in out.chunks_mut(width).zip(groups) {
                out.copy_from_slice(&row[group * width..][..width]);
            }
        });
        Cow::Owned(Self { rows: self.rows, columns, values })
    }

    /// `X B`, `[row, target]`, of weights `[column, target]`.
    pub fn times(&self, weights: MatRef<'_, f64>) -> Vec<f64> {
        self.times_then(weights, |_, _| ())
    }

    /// [`Covariates::times`]; `change` gets each piece, with the number of its first row.
    pub(crate) fn times_then(
        &self,
        weights: MatRef<'_, f64>,
        change: impl Fn(usize, &mut [f64]) + Sync,
    ) -> Vec<f64> {
        let targets = weights.ncols();
        let mut product = vec![0.0; self.rows * targets];
        if targets == 0 {
            return product;
        }
        let pieces = product.par_chunks_mut(Self::ROWS_AT_ONCE * targets).enumerate();
        pieces.for_each(|(piece, out)| {
            let (first, rows) = (piece * Self::ROWS_AT_ONCE, out.len() / targets);
            let out_view = MatMut::from_row_major_slice_mut(out, rows, targets);
            matmul(out_view, Accum::Replace, self.some_rows(first, rows), weights, 1.0, Par::Seq);
            change(first, out);
        });
        product
    }

    /// `Xᵀ R`, `[column, target]`, of `right` `[row, target]`.
    pub fn transposed_times(&self, right: &[f64], targets: usize) -> Mat<f64> {
        let tiles: Vec<(usize, usize)> = (0..targets)
            .step_by(TILE.1)
            .flat_map(|target| (0..self.columns).step_by(TILE.0).map(move |column| (column, target)))
            .collect();
        let products = tiles.par_iter().map(|(column, target)| {
            let columns = TILE.0.min(self.columns - column);
            let width = TILE.1.min(targets - target);
            let mut product = Mat::zeros(columns, width);
            for first in (0..self.rows).step_by(Self::ROWS_AT_ONCE) {
                let rows = Self::ROWS_AT_ONCE.min(self.rows - first);
                let left = self.some_rows(first, rows).subcols(*column, columns);
                let right = &right[first * targets..][..rows * targets];
                let right = MatRef::from_row_major_slice(right, rows, targets).subcols(*target, width);
                matmul(product.as_mut(), Accum::Add, left.transpose(), right, 1.0, Par::Seq);
            }
            product
        });
        let products: Vec<Mat<f64>> = products.collect();
        let mut whole = Mat::zeros(self.columns, targets);
        for ((column, target), product) in tiles.iter().zip(&products) {
            let part = whole.as_mut().submatrix_mut(*column, *target, product.nrows(), product.ncols());
            { part }.copy_from(product);
        }
        whole
    }

    /// `Xᵀ X / rows`, `[column, column]`.
    pub(crate) fn moments(&self) -> Mat<f64> {
        self.mean_over_rows(self.transposed_times(&self.values, self.columns))
    }

    /// A sum over rows, over their number.
    pub(crate) fn mean_over_rows(&self, mut sum: Mat<f64>) -> Mat<f64> {
        for column in sum.as_mut().col_iter_mut() {
            column.iter_mut().for_each(|value| *value /= self.rows as f64);
        }
        sum
    }

    fn some_rows(&self, first: usize, rows: usize) -> MatRef<'_, f64> {
        let values = &self.values[first * self.columns..][..rows * self.columns];
        MatRef::from_row_major_slice(values, rows, self.columns)
    }
}

/// A product of matrices, some columns of it at a time.
pub(crate) fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
    let firsts: Vec<usize> = (0..right.ncols()).step_by(PANEL).collect();
    let panel = |first: &usize| {
        let width = PANEL.min(right.ncols() - first);
        let mut panel = Mat::zeros(left.nrows(), width);
        matmul(panel.as_mut(), Accum::Replace, left, right.subcols(*first, width), 1.0, Par::Seq);
        panel
    };
    let panels: Vec<Mat<f64>> = firsts.par_iter().map(panel).collect();
    let mut whole = Mat::zeros(left.nrows(), right.ncols());
    for (first, panel) in firsts.iter().zip(&panels) {
        whole.as_mut().subcols_mut(*first, panel.ncols()).copy_from(panel);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More rows than a piece and more columns and targets than a tile, neither a multiple of it.
    fn example() -> (Covariates, Vec<f64>, usize) {
        let (rows, columns, targets) = (Covariates::ROWS_AT_ONCE + 3, TILE.0 + 5, TILE.1 + 2);
        let value = |place: usize| ((place * 7919 % 101) as f64 - 50.0) / 16.0;
        let values = (0..rows * columns).map(value).collect();
        (Covariates { rows, columns, values }, (0..rows * targets).map(|p| value(p + 13)).collect(), targets)
    }

    #[test]
    fn pieces_and_tiles_make_the_whole_product() {
        let (x, right, targets) = example();
        let product = x.transposed_times(&right, targets);
        let weights =
            Mat::from_fn(x.columns, targets, |column, target| (column % 3) as f64 - (target % 2) as f64);
        let times = x.times_then(weights.as_ref(), |first, piece| piece[0] += first as f64);
        for column in [0, TILE.0 - 1, TILE.0, x.columns - 1] {
            for target in [0, TILE.1 - 1, TILE.1, targets - 1] {
                let expected: f64 =
                    (0..x.rows).map(|r| x.values[r * x.columns + column] * right[r * targets + target]).sum();
                assert!((product[(column, target)] - expected).abs() < 1e-8);
            }
        }
        for row in [0, 1, Covariates::ROWS_AT_ONCE, x.rows - 1] {
            let dot = |target: usize| -> f64 {
                (0..x.columns).map(|c| x.values[row * x.columns + c] * weights[(c, target)]).sum()
            };
            let changed = if row == Covariates::ROWS_AT_ONCE { Covariates::ROWS_AT_ONCE as f64 } else { 0.0 };
            assert!((times[row * targets] - dot(0) - changed).abs() < 1e-9);
            assert!((times[row * targets + targets - 1] - dot(targets - 1)).abs() < 1e-9);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (x, right, targets) = example();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| x.transposed_times(&right, targets))
        };
        assert_eq!(with_threads(1), with_threads(3));
    }

    #[test]
    fn groups_of_columns_are_chosen_side_by_side() {
        let x = Covariates { rows: 2, columns: 4, values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0] };
        assert_eq!(x.groups(&[1], 2).values, [2.0, 3.0, 6.0, 7.0]);
        assert_eq!(x.groups(&[0, 1], 2).values, x.values);
    }
}
