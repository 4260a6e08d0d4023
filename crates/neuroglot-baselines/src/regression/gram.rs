//! The second moments of covariates, decorrelated, to solve many penalised systems that share them.

use super::design::Covariates;
use super::products::{product, transposed_times};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use neuroglot_fit::symmetric_eigen;
use rayon::prelude::*;

/// `G = Xᵀ X / rows` by its eigenvalues `Λ` and eigenvectors `Q`.
pub(super) struct Gram {
    values: Vec<f64>,
    /// In columns.
    vectors: Mat<f64>,
}

impl Gram {
    /// Of covariates; `None` where the eigenvalues cannot be found.
    pub fn of(covariates: &Covariates) -> Option<Self> {
        let mut moments = transposed_times(covariates, &covariates.values, covariates.columns);
        for column in moments.as_mut().col_iter_mut() {
            column.iter_mut().for_each(|value| *value /= covariates.rows as f64);
        }
        let (values, vectors) = symmetric_eigen(moments.as_ref()).ok()?;
        Some(Self { values: values.into_iter().map(|value| value.max(0.0)).collect(), vectors })
    }

    /// Solves `(s_n G + λ I) b_n = c_n` for the columns of `right` `[column, target]`, where `s_n` is `scales[n]`.
    pub fn solve(&self, right: &Mat<f64>, scales: &[f64], penalty: f64) -> Mat<f64> {
        let mut rotated = self.rotated(right);
        for (target, column) in rotated.as_mut().col_iter_mut().enumerate() {
            for (value, eigenvalue) in column.iter_mut().zip(&self.values) {
                *value /= scales[target] * eigenvalue + penalty;
            }
        }
        product(self.vectors.as_ref(), rotated.as_ref())
    }

    /// `Qᵀ` times right-hand sides `[column, target]`, for [`Gram::solve_hidden`] to solve with several penalties.
    pub fn rotated(&self, right: &Mat<f64>) -> Mat<f64> {
        product(self.vectors.transpose(), right.as_ref())
    }

    /// Solves `(G + λ I) b_n = c_n` without the columns that are hidden from each target: of each system, the rows and
    /// columns of `hidden[hidden_from[n]]` are struck out, and the solution is 0 there. `rotated` are the right-hand
    /// sides as [`Gram::rotated`] makes them; what they hold in hidden rows does not matter.
    ///
    /// With `P = (G + λ I)⁻¹` and `E` the hidden unit vectors, the solution is `P (c − E (Eᵀ P E)⁻¹ Eᵀ P c)`.
    pub fn solve_hidden(
        &self,
        rotated: &Mat<f64>,
        penalty: f64,
        hidden: &[Vec<usize>],
        hidden_from: &[usize],
    ) -> Mat<f64> {
        let inverse: Vec<f64> = self.values.iter().map(|value| 1.0 / (value + penalty)).collect();
        let mut rotated = rotated.clone();
        for column in rotated.as_mut().col_iter_mut() {
            column.iter_mut().zip(&inverse).for_each(|(value, inverse)| *value *= inverse);
        }
        let correct = |group: usize| -> Vec<(usize, Vec<f64>)> {
            let targets = (0..hidden_from.len()).filter(|target| hidden_from[*target] == group);
            let struck = Struck::new(&self.vectors, &hidden[group], &inverse);
            targets.map(|target| (target, struck.corrected(rotated.col_as_slice(target), &inverse))).collect()
        };
        let corrected: Vec<Vec<(usize, Vec<f64>)>> = (0..hidden.len()).into_par_iter().map(correct).collect();
        for (target, values) in corrected.into_iter().flatten() {
            rotated.col_as_slice_mut(target).copy_from_slice(&values);
        }
        let mut solved = product(self.vectors.as_ref(), rotated.as_ref());
        for (target, group) in hidden_from.iter().enumerate() {
            hidden[*group].iter().for_each(|column| solved[(*column, target)] = 0.0);
        }
        solved
    }
}

/// What striking out columns takes: `Eᵀ Q`, and the Cholesky factor of `Eᵀ P E`.
struct Struck {
    /// `[hidden, eigenvalue]`.
    rows: Mat<f64>,
    /// Lower triangle of `[hidden, hidden]`, row by row.
    factor: Vec<f64>,
}

impl Struck {
    fn new(vectors: &Mat<f64>, hidden: &[usize], inverse: &[f64]) -> Self {
        let count = hidden.len();
        let rows = Mat::from_fn(count, inverse.len(), |row, column| vectors[(hidden[row], column)]);
        let weighted =
            Mat::from_fn(count, inverse.len(), |row, column| rows[(row, column)] * inverse[column]);
        let mut system = Mat::zeros(count, count);
        matmul(system.as_mut(), Accum::Replace, weighted.as_ref(), rows.transpose(), 1.0, Par::Seq);
        let mut factor: Vec<f64> =
            (0..count * count).map(|place| system[(place / count, place % count)]).collect();
        cholesky(&mut factor, count);
        Self { rows, factor }
    }

    /// `Qᵀ` times the solution, from `values` = `Qᵀ P c`.
    fn corrected(&self, values: &[f64], inverse: &[f64]) -> Vec<f64> {
        let count = self.rows.nrows();
        let mut solved: Vec<f64> = vec![0.0; count];
        for (column, value) in values.iter().enumerate() {
            solved.iter_mut().zip(self.rows.col(column).iter()).for_each(|(sum, row)| *sum += row * value);
        }
        cholesky_solve(&self.factor, &mut solved);
        let corrected = values.iter().zip(inverse).enumerate().map(|(column, (value, inverse))| {
            let rows = self.rows.col(column);
            value - inverse * rows.iter().zip(&solved).map(|(row, found)| row * found).sum::<f64>()
        });
        corrected.collect()
    }
}

/// Solves a system, given the Cholesky factor that [`cholesky`] makes of its matrix.
pub(super) fn cholesky_solve(factor: &[f64], right: &mut [f64]) {
    let count = right.len();
    for row in 0..count {
        let factor = &factor[row * count..][..=row];
        let known: f64 = factor[..row].iter().zip(&*right).map(|(a, b)| a * b).sum();
        right[row] = (right[row] - known) / factor[row];
    }
    for row in (0..count).rev() {
        let factor = &factor[row * count..][..=row];
        right[row] /= factor[row];
        let found = right[row];
        right.iter_mut().zip(&factor[..row]).for_each(|(rest, factor)| *rest -= factor * found);
    }
}

/// Replaces the lower triangle of a positive definite matrix, stored row by row, by its Cholesky factor.
pub(super) fn cholesky(matrix: &mut [f64], size: usize) {
    for row in 0..size {
        let (above, from_row) = matrix.split_at_mut(row * size);
        for column in 0..=row {
            let other = if column < row { &above[column * size..][..=column] } else { &[][..] };
            let known: f64 = if column < row {
                from_row[..column].iter().zip(other).map(|(a, b)| a * b).sum()
            } else {
                from_row[..column].iter().map(|a| a * a).sum()
            };
            let rest = from_row[column] - known;
            // Rounding must not make a root of a negative number.
            from_row[column] =
                if column < row { rest / other[column] } else { rest.max(f64::MIN_POSITIVE).sqrt() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Every system is checked by putting its solution in.
    #[test]
    fn solutions_solve_the_systems_without_the_hidden_columns() {
        let (rows, columns, targets) = (40, 9, 70);
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let values = (0..rows * columns).map(|_| random.random_range(-1.0..1.0)).collect();
        let covariates = Covariates { rows, columns, values };
        let moment = |a: usize, b: usize| -> f64 {
            covariates.values.chunks(columns).map(|row| row[a] * row[b]).sum::<f64>() / rows as f64
        };
        let right = Mat::from_fn(columns, targets, |_, _| random.random_range(-1.0..1.0));
        let left = |solved: &Mat<f64>, scale: f64, row: usize, target: usize| -> f64 {
            let penalty = |column| if row == column { 0.03 } else { 0.0 };
            let term = |column| (scale * moment(row, column) + penalty(column)) * solved[(column, target)];
            (0..columns).map(term).sum()
        };
        let gram = Gram::of(&covariates).unwrap();

        let hidden = [vec![], vec![4], vec![0, 7, 8]];
        let hidden_from: Vec<usize> = (0..targets).map(|target| target % 3).collect();
        let solved = gram.solve_hidden(&gram.rotated(&right), 0.03, &hidden, &hidden_from);
        let scales: Vec<f64> = (0..targets).map(|target| 0.1 + (target % 4) as f64).collect();
        let scaled = gram.solve(&right, &scales, 0.03);
        for (target, row) in (0..targets).flat_map(|target| (0..columns).map(move |row| (target, row))) {
            if hidden[hidden_from[target]].contains(&row) {
                assert_eq!(solved[(row, target)], 0.0);
            } else {
                assert!((left(&solved, 1.0, row, target) - right[(row, target)]).abs() < 1e-10);
            }
            assert!((left(&scaled, scales[target], row, target) - right[(row, target)]).abs() < 1e-10);
        }
    }
}
