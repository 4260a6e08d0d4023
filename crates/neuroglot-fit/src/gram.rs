//! The second moments of covariates, decorrelated, to solve many penalised systems that share them.

use crate::covariates::product;
use crate::symmetric::{Cholesky, symmetric_eigen};
use crate::{Covariates, FitError, HiddenColumns};
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use rayon::prelude::*;
use std::borrow::Cow;

/// `G = Xᵀ X / rows` by its eigenvalues `Λ` and eigenvectors `Q`.
pub struct Gram {
    values: Vec<f64>,
    /// In columns; none where the covariates are decorrelated already.
    vectors: Option<Mat<f64>>,
}

impl Gram {
    /// Of covariates.
    ///
    /// # Errors
    /// If they cannot be decorrelated.
    pub fn of(covariates: &Covariates) -> Result<Self, FitError> {
        let (values, vectors) = symmetric_eigen(covariates.moments().as_ref())?;
        let values = values.into_iter().map(|value| value.max(0.0)).collect();
        Ok(Self { values, vectors: Some(vectors) })
    }

    /// Of covariates that are decorrelated, given what `Xᵀ X` over the number of rows has in its diagonal.
    pub(crate) fn of_decorrelated(values: Vec<f64>) -> Self {
        Self { values, vectors: None }
    }

    /// Solves `(s_n G + λ I) b_n = c_n` for the columns of `right` `[column, target]`, where `s_n` is `scales[n]`.
    pub(crate) fn solve(&self, right: &Mat<f64>, scales: &[f64], penalty: f64) -> Mat<f64> {
        let mut rotated = self.rotated(right).into_owned();
        for (target, column) in rotated.as_mut().col_iter_mut().enumerate() {
            for (value, eigenvalue) in column.iter_mut().zip(&self.values) {
                *value /= scales[target] * eigenvalue + penalty;
            }
        }
        self.rotated_back(rotated)
    }

    /// `Qᵀ` times right-hand sides `[column, target]`, for [`Gram::solve_hidden`] to solve with several penalties.
    pub(crate) fn rotated<'a>(&self, right: &'a Mat<f64>) -> Cow<'a, Mat<f64>> {
        match &self.vectors {
            Some(vectors) => Cow::Owned(product(vectors.transpose(), right.as_ref())),
            None => Cow::Borrowed(right),
        }
    }

    fn rotated_back(&self, rotated: Mat<f64>) -> Mat<f64> {
        match &self.vectors {
            Some(vectors) => product(vectors.as_ref(), rotated.as_ref()),
            None => rotated,
        }
    }

    /// Solves `(G + λ I) b_n = c_n` without the columns that are hidden from each target: of each system, the rows and
    /// columns of what is hidden are struck out, and the solution is 0 there. `rotated` are the right-hand sides as
    /// [`Gram::rotated`] makes them; what they hold in hidden rows does not matter.
    ///
    /// With `P = (G + λ I)⁻¹` and `E` the hidden unit vectors, the solution is `P (c − E (Eᵀ P E)⁻¹ Eᵀ P c)`.
    pub(crate) fn solve_hidden(&self, rotated: &Mat<f64>, penalty: f64, hidden: &HiddenColumns) -> Mat<f64> {
        let inverse: Vec<f64> = self.values.iter().map(|value| 1.0 / (value + penalty)).collect();
        let mut rotated = rotated.clone();
        for column in rotated.as_mut().col_iter_mut() {
            column.iter_mut().zip(&inverse).for_each(|(value, inverse)| *value *= inverse);
        }
        let correct = |set: usize| -> Vec<(usize, Vec<f64>)> {
            let struck = Struck::new(self, &hidden.sets()[set], &inverse);
            let corrected = |target| (target, struck.corrected(rotated.col_as_slice(target), &inverse));
            hidden.targets_of(set).into_iter().map(corrected).collect()
        };
        let corrected: Vec<Vec<(usize, Vec<f64>)>> =
            (0..hidden.sets().len()).into_par_iter().map(correct).collect();
        for (target, values) in corrected.into_iter().flatten() {
            rotated.col_as_slice_mut(target).copy_from_slice(&values);
        }
        let mut solved = self.rotated_back(rotated);
        hidden.zero_in(&mut solved);
        solved
    }

    /// An element of `Q`.
    fn vector(&self, row: usize, column: usize) -> f64 {
        match &self.vectors {
            Some(vectors) => vectors[(row, column)],
            None => f64::from(u8::from(row == column)),
        }
    }
}

/// What striking out columns takes: `Eᵀ Q`, and the Cholesky factor of `Eᵀ P E`.
struct Struck {
    /// `[hidden, eigenvalue]`.
    rows: Mat<f64>,
    factor: Cholesky,
}

impl Struck {
    fn new(gram: &Gram, hidden: &[usize], inverse: &[f64]) -> Self {
        let count = hidden.len();
        let rows = Mat::from_fn(count, inverse.len(), |row, column| gram.vector(hidden[row], column));
        let weighted =
            Mat::from_fn(count, inverse.len(), |row, column| rows[(row, column)] * inverse[column]);
        let mut system = Mat::zeros(count, count);
        matmul(system.as_mut(), Accum::Replace, weighted.as_ref(), rows.transpose(), 1.0, Par::Seq);
        Self { rows, factor: Cholesky::of(system) }
    }

    /// `Qᵀ` times the solution, from `values` = `Qᵀ P c`.
    fn corrected(&self, values: &[f64], inverse: &[f64]) -> Vec<f64> {
        let mut solved = Mat::zeros(self.rows.nrows(), 1);
        for (column, value) in values.iter().enumerate() {
            let sums = solved.col_as_slice_mut(0).iter_mut();
            sums.zip(self.rows.col(column).iter()).for_each(|(sum, row)| *sum += row * value);
        }
        self.factor.solve(solved.as_mut());
        let solved = solved.col_as_slice(0);
        let corrected = values.iter().zip(inverse).enumerate().map(|(column, (value, inverse))| {
            let rows = self.rows.col(column);
            value - inverse * rows.iter().zip(solved).map(|(row, found)| row * found).sum::<f64>()
        });
        corrected.collect()
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

        let sets = vec![vec![], vec![4], vec![0, 7, 8]];
        let hidden = HiddenColumns::new(sets, (0..targets).map(|target| target % 3).collect());
        let solved = gram.solve_hidden(&gram.rotated(&right), 0.03, &hidden);
        let scales: Vec<f64> = (0..targets).map(|target| 0.1 + (target % 4) as f64).collect();
        let scaled = gram.solve(&right, &scales, 0.03);
        for (target, row) in (0..targets).flat_map(|target| (0..columns).map(move |row| (target, row))) {
            if hidden.from_target(target).contains(&row) {
                assert_eq!(solved[(row, target)], 0.0);
            } else {
                assert!((left(&solved, 1.0, row, target) - right[(row, target)]).abs() < 1e-10);
            }
            assert!((left(&scaled, scales[target], row, target) - right[(row, target)]).abs() < 1e-10);
        }
    }
}
