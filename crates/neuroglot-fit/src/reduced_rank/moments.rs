//! What one set of rows tells about a reduced-rank regression.

use crate::covariates::product;
use crate::symmetric::Cholesky;
use crate::{Covariates, HiddenColumns};
use faer::Mat;
use rayon::prelude::*;

/// Moments of one set: all that the error depends on.
pub struct SetMoments {
    /// `A = Xᵀ X / rows`, `[column, column]`.
    pub(super) moments: Mat<f64>,
    /// `C = Xᵀ Y / rows` with targets of variance 1, `[column, target]`; 0 where hidden.
    pub(super) right: Mat<f64>,
    /// Standard deviations `s` of the targets.
    deviations: Vec<f64>,
    pub(super) hidden: HiddenColumns,
    /// The columns of `A` that are hidden together, `[column, hidden]` of each set of hidden columns.
    hidden_moments: Vec<Mat<f64>>,
}

/// What the moments tell about some `Z` `[column, latent]`.
pub(super) struct Projected {
    /// Half the penalised squared error, but for the variance of the targets, with the best `W`.
    pub error: f64,
    /// Its gradient by `Z`, `[column, latent]`.
    pub gradient: Mat<f64>,
    /// The best `W`, `[latent, target]`.
    pub w: Mat<f64>,
}

impl SetMoments {
    /// Of targets `[row, target]`, which weigh the same whatever their variance.
    pub fn new(covariates: &Covariates, mut targets: Vec<f64>, hidden: HiddenColumns) -> Self {
        let width = hidden.targets();
        let rows = covariates.rows as f64;
        let mut squares = vec![0.0; width];
        for row in targets.chunks(width.max(1)) {
            squares.iter_mut().zip(row).for_each(|(sum, value)| *sum += value * value);
        }
        let deviations: Vec<f64> = squares.iter().map(|square| (square / rows).sqrt()).collect();
        for row in targets.chunks_mut(width.max(1)) {
            for (value, deviation) in row.iter_mut().zip(&deviations) {
                *value /= if *deviation > 0.0 { deviation * rows } else { rows };
            }
        }
        let moments = covariates.moments();
        let mut right = covariates.transposed_times(&targets, width);
        hidden.zero_in(&mut right);
        let columns = |hidden: &Vec<usize>| {
            Mat::from_fn(moments.nrows(), hidden.len(), |row, place| moments[(row, hidden[place])])
        };
        let hidden_moments = hidden.sets().iter().map(columns).collect();
        Self { moments, right, deviations, hidden, hidden_moments }
    }

    pub(super) fn columns(&self) -> usize {
        self.moments.nrows()
    }

    pub(super) fn targets(&self) -> usize {
        self.hidden.targets()
    }

    /// Finds the best `W` for `Z`, target by target: `(Z₀ᵀ A Z₀ + λ I) W_n = Z₀ᵀ C_n`, where `Z₀` is `Z` with 0 in the
    /// hidden rows. At the best `W`, the error changes with `Z` as if `W` stayed (Golub and Pereyra 1973).
    pub(super) fn project(&self, z: &Mat<f64>, penalty: f64) -> Projected {
        let through = product(self.moments.as_ref(), z.as_ref());
        let inner = product(z.transpose(), through.as_ref());
        let right = product(z.transpose(), self.right.as_ref());
        let groups: Vec<Group> = (0..self.hidden.sets().len())
            .into_par_iter()
            .map(|set| {
                let (hidden, targets) = (&self.hidden.sets()[set], self.hidden.targets_of(set));
                let z = some_rows(z, hidden);
                let system = self.system(set, &z, &some_rows(&through, hidden), &inner, penalty);
                let mut w =
                    Mat::from_fn(z.ncols(), targets.len(), |latent, place| right[(latent, targets[place])]);
                system.solve(w.as_mut());
                // What the hidden columns add to A Z W.
                let added =
                    product(self.hidden_moments[set].as_ref(), product(z.as_ref(), w.as_ref()).as_ref());
                Group { targets, w, added }
            })
            .collect();
        let mut w = Mat::zeros(z.ncols(), self.targets());
        for group in &groups {
            for (place, target) in group.targets.iter().enumerate() {
                w.col_as_slice_mut(*target).copy_from_slice(group.w.col_as_slice(place));
            }
        }
        let mut slopes = product(through.as_ref(), w.as_ref());
        for group in &groups {
            for (place, target) in group.targets.iter().enumerate() {
                let known = self.right.col_as_slice(*target).iter().zip(group.added.col_as_slice(place));
                let slopes = slopes.col_as_slice_mut(*target).iter_mut();
                slopes.zip(known).for_each(|(slope, (right, added))| *slope -= right + added);
            }
        }
        self.hidden.zero_in(&mut slopes);
        let explained = |target: usize| -> f64 {
            right.col_as_slice(target).iter().zip(w.col_as_slice(target)).map(|(a, b)| a * b).sum()
        };
        let error = -0.5 * (0..self.targets()).map(explained).sum::<f64>();
        Projected { error, gradient: product(slopes.as_ref(), w.transpose()), w }
    }

    /// `Z₀ᵀ A Z₀ + λ I` of a set of hidden columns, from the hidden rows of `Z` and of `A Z`, and `Zᵀ A Z`.
    fn system(
        &self,
        set: usize,
        z: &Mat<f64>,
        through: &Mat<f64>,
        inner: &Mat<f64>,
        penalty: f64,
    ) -> Cholesky {
        let among_hidden = some_rows(&self.hidden_moments[set], &self.hidden.sets()[set]);
        let seen = through - product(among_hidden.as_ref(), z.as_ref());
        let lost = product(through.transpose(), z.as_ref()) + product(z.transpose(), seen.as_ref());
        Cholesky::of(Mat::from_fn(z.ncols(), z.ncols(), |row, column| {
            inner[(row, column)] - lost[(row, column)] + if row == column { penalty } else { 0.0 }
        }))
    }

    /// Weights of the covariates `Z W`, in units of the targets, `[column, target]`.
    pub(super) fn weights(&self, z: &Mat<f64>, penalty: f64) -> Mat<f64> {
        let mut weights = product(z.as_ref(), self.project(z, penalty).w.as_ref());
        self.hidden.zero_in(&mut weights);
        for (column, deviation) in weights.as_mut().col_iter_mut().zip(&self.deviations) {
            column.iter_mut().for_each(|weight| *weight *= *deviation);
        }
        weights
    }
}

/// The best `W` `[latent, target]` of targets from which the same is hidden, and what that would add to `A Z W`,
/// `[column, target]`.
struct Group {
    targets: Vec<usize>,
    w: Mat<f64>,
    added: Mat<f64>,
}

fn some_rows(matrix: &Mat<f64>, rows: &[usize]) -> Mat<f64> {
    Mat::from_fn(rows.len(), matrix.ncols(), |row, column| matrix[(rows[row], column)])
}
