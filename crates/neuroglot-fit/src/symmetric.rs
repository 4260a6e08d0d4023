//! Symmetric matrices: their eigenvalues, and systems of equations.
//!
//! Everything is sequential, so that the rounding does not depend on the number of threads: callers have many such
//! matrices, and work on those in parallel.

use crate::FitError;
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::ldlt;
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::prelude::default;
use faer::{Mat, MatMut, MatRef, Par};

/// Eigenvalues, ascending, and eigenvectors, in columns.
///
/// # Errors
/// If they are not found.
pub(crate) fn symmetric_eigen(symmetric: MatRef<'_, f64>) -> Result<(Vec<f64>, Mat<f64>), FitError> {
    let size = symmetric.nrows();
    let mut eigenvalues = Diag::zeros(size);
    let mut eigenvectors = Mat::zeros(size, size);
    let scratch = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, default());
    self_adjoint_evd(
        symmetric,
        eigenvalues.as_mut(),
        Some(eigenvectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        default(),
    )
    .map_err(|_| {
        let problem = format!(
            "the eigendecomposition of a {size} × {size} matrix of their products did not converge; \
             check for values of extreme size"
        );
        FitError::new("features", problem)
    })?;
    Ok((eigenvalues.column_vector().iter().copied().collect(), eigenvectors))
}

/// The Cholesky factors `L D Lᵀ` of a positive definite matrix.
pub(crate) struct Cholesky {
    /// `L` below its diagonal of 1, and `D` in the place of that.
    factors: Mat<f64>,
}

impl Cholesky {
    /// Of the lower triangle of a matrix. Where rounding leaves a pivot that is not positive, the smallest positive
    /// number takes its place. A matrix that holds what is no number solves nothing: all solutions are NaN.
    pub(crate) fn of(mut matrix: Mat<f64>) -> Self {
        let size = matrix.nrows();
        let all_positive = vec![1; size];
        let regularization = ldlt::factor::LdltRegularization {
            dynamic_regularization_signs: Some(&all_positive),
            dynamic_regularization_delta: f64::MIN_POSITIVE,
            dynamic_regularization_epsilon: f64::MIN_POSITIVE,
        };
        let scratch = ldlt::factor::cholesky_in_place_scratch::<f64>(size, Par::Seq, default());
        let mut memory = MemBuffer::new(scratch);
        let stack = MemStack::new(&mut memory);
        let found =
            ldlt::factor::cholesky_in_place(matrix.as_mut(), regularization, Par::Seq, stack, default());
        if found.is_err() {
            matrix.fill(f64::NAN);
        }
        Self { factors: matrix }
    }

    /// Solves the system for the columns of `right`, in place.
    pub(crate) fn solve(&self, right: MatMut<'_, f64>) {
        let factors = self.factors.as_ref();
        let scratch = ldlt::solve::solve_in_place_scratch::<f64>(factors.nrows(), right.ncols(), Par::Seq);
        let mut memory = MemBuffer::new(scratch);
        let stack = MemStack::new(&mut memory);
        ldlt::solve::solve_in_place(factors, factors.diagonal(), right, Par::Seq, stack);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eigenvalues_of_two_by_two() {
        // Trace 5, determinant 4: eigenvalues 1 and 4, with eigenvectors along (1, −√2) and (√2, 1).
        let root = 2f64.sqrt();
        let (values, vectors) = symmetric_eigen(faer::mat![[2.0, root], [root, 3.0]].as_ref()).unwrap();
        assert!((values[0] - 1.0).abs() < 1e-14 && (values[1] - 4.0).abs() < 1e-14, "{values:?}");
        assert!((vectors[(1, 0)] / vectors[(0, 0)] + 1.0 / root).abs() < 1e-14);
        assert!((vectors[(1, 1)] / vectors[(0, 1)] - root).abs() < 1e-14);
    }

    #[test]
    fn a_system_of_three_by_hand() {
        // L = [[2, 0, 0], [1, 3, 0], [-1, 2, 1]], of which L Lᵀ is the matrix; x = (1, −2, 3). The upper triangle is not
        // looked at.
        let matrix = faer::mat![[4.0, 9.0, 9.0], [2.0, 10.0, 9.0], [-2.0, 5.0, 6.0]];
        let mut right = faer::mat![[4.0 - 4.0 - 6.0], [2.0 - 20.0 + 15.0], [-2.0 - 10.0 + 18.0]];
        Cholesky::of(matrix).solve(right.as_mut());
        for (row, expected) in [1.0, -2.0, 3.0].into_iter().enumerate() {
            assert!((right[(row, 0)] - expected).abs() < 1e-13, "{right:?}");
        }
    }

    #[test]
    fn a_pivot_of_nothing_is_no_root_of_a_negative_number_and_nan_stays_nan() {
        let mut right = faer::mat![[2.0], [2.0]];
        Cholesky::of(faer::mat![[1.0, 1.0], [1.0, 1.0]]).solve(right.as_mut());
        assert!(right.col_as_slice(0).iter().all(|value| value.is_finite()), "{right:?}");
        Cholesky::of(faer::mat![[f64::NAN, 1.0], [1.0, 1.0]]).solve(right.as_mut());
        assert!(right.col_as_slice(0).iter().all(|value| value.is_nan()), "{right:?}");
    }
}
