//! Products with tall matrices of covariates, in pieces of a fixed size, so that sums do not depend on the number of
//! threads.

use super::design::Covariates;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use rayon::prelude::*;

/// Rows multiplied at a time.
pub(super) const ROWS: usize = 256;

/// Rows and columns of a tile of a transposed product.
const TILE: (usize, usize) = (128, 64);

/// Columns of a product of matrices made at a time.
const PANEL: usize = 32;

/// `X B`, `[row, target]`, of weights `[column, target]`. `change` gets each piece, with the number of its first row.
pub(super) fn times(
    covariates: &Covariates,
    weights: MatRef<'_, f64>,
    change: impl Fn(usize, &mut [f64]) + Sync,
) -> Vec<f64> {
    let targets = weights.ncols();
    let mut product = vec![0.0; covariates.rows * targets];
    if targets == 0 {
        return product;
    }
    let pieces = product.par_chunks_mut(ROWS * targets).enumerate();
    pieces.for_each(|(piece, out)| {
        let (first, rows) = (piece * ROWS, out.len() / targets);
        let out_view = MatMut::from_row_major_slice_mut(out, rows, targets);
        matmul(out_view, Accum::Replace, some_rows(covariates, first, rows), weights, 1.0, Par::Seq);
        change(first, out);
    });
    product
}

/// `Xᵀ R`, `[column, target]`, of `right` `[row, target]`.
pub(super) fn transposed_times(covariates: &Covariates, right: &[f64], targets: usize) -> Mat<f64> {
    let tiles: Vec<(usize, usize)> = (0..targets)
        .step_by(TILE.1)
        .flat_map(|target| (0..covariates.columns).step_by(TILE.0).map(move |column| (column, target)))
        .collect();
    let products = tiles.par_iter().map(|(column, target)| {
        let columns = TILE.0.min(covariates.columns - column);
        let width = TILE.1.min(targets - target);
        let mut product = Mat::zeros(columns, width);
        for first in (0..covariates.rows).step_by(ROWS) {
            let rows = ROWS.min(covariates.rows - first);
            let left = some_rows(covariates, first, rows).subcols(*column, columns);
            let right = &right[first * targets..][..rows * targets];
            let right = MatRef::from_row_major_slice(right, rows, targets).subcols(*target, width);
            matmul(product.as_mut(), Accum::Add, left.transpose(), right, 1.0, Par::Seq);
        }
        product
    });
    let products: Vec<Mat<f64>> = products.collect();
    let mut whole = Mat::zeros(covariates.columns, targets);
    for ((column, target), product) in tiles.iter().zip(&products) {
        let part = whole.as_mut().submatrix_mut(*column, *target, product.nrows(), product.ncols());
        { part }.copy_from(product);
    }
    whole
}

/// A product of matrices, some columns of it at a time.
pub(super) fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Mat<f64> {
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

fn some_rows(covariates: &Covariates, first: usize, rows: usize) -> MatRef<'_, f64> {
    let columns = covariates.columns;
    MatRef::from_row_major_slice(&covariates.values[first * columns..][..rows * columns], rows, columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// More rows than a piece and more columns and targets than a tile, neither a multiple of it.
    fn example() -> (Covariates, Vec<f64>, usize) {
        let (rows, columns, targets) = (ROWS + 3, TILE.0 + 5, TILE.1 + 2);
        let value = |place: usize| ((place * 7919 % 101) as f64 - 50.0) / 16.0;
        let values = (0..rows * columns).map(value).collect();
        (Covariates { rows, columns, values }, (0..rows * targets).map(|p| value(p + 13)).collect(), targets)
    }

    #[test]
    fn pieces_and_tiles_make_the_whole_product() {
        let (x, right, targets) = example();
        let product = transposed_times(&x, &right, targets);
        let weights =
            Mat::from_fn(x.columns, targets, |column, target| (column % 3) as f64 - (target % 2) as f64);
        let times = times(&x, weights.as_ref(), |first, piece| piece[0] += first as f64);
        for column in [0, TILE.0 - 1, TILE.0, x.columns - 1] {
            for target in [0, TILE.1 - 1, TILE.1, targets - 1] {
                let expected: f64 =
                    (0..x.rows).map(|r| x.values[r * x.columns + column] * right[r * targets + target]).sum();
                assert!((product[(column, target)] - expected).abs() < 1e-8);
            }
        }
        for row in [0, 1, ROWS, x.rows - 1] {
            let dot = |target: usize| -> f64 {
                (0..x.columns).map(|c| x.values[row * x.columns + c] * weights[(c, target)]).sum()
            };
            let changed = if row == ROWS { ROWS as f64 } else { 0.0 };
            assert!((times[row * targets] - dot(0) - changed).abs() < 1e-9);
            assert!((times[row * targets + targets - 1] - dot(targets - 1)).abs() < 1e-9);
        }
    }

    #[test]
    fn the_number_of_threads_changes_no_bit() {
        let (x, right, targets) = example();
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| transposed_times(&x, &right, targets))
        };
        assert_eq!(with_threads(1), with_threads(3));
    }
}
