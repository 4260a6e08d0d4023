//! Ridge regressions of many targets on shared covariates.

use crate::{Covariates, FitError, Gram, HiddenColumns};
use faer::Mat;

/// Ridge regressions that minimise `mean over rows of (y − x · w)² + λ ‖w‖²`, with the weights of hidden covariates 0
/// (scikit-learn's `Ridge` with `alpha = λ · rows` and no intercept).
pub struct Ridge {
    gram: Gram,
    hidden: HiddenColumns,
    /// `Xᵀ Y / rows`, `[column, target]`, rotated for the Gram matrix.
    rotated: Mat<f64>,
}

impl Ridge {
    /// Of targets `[row, target]`; the work that all penalties share is done here.
    ///
    /// # Errors
    /// If the covariates cannot be decorrelated.
    pub fn new(covariates: &Covariates, targets: &[f64], hidden: HiddenColumns) -> Result<Self, FitError> {
        let gram = Gram::of(covariates)?;
        let right = covariates.mean_over_rows(covariates.transposed_times(targets, hidden.targets()));
        let rotated = gram.rotated(&right).into_owned();
        Ok(Self { gram, hidden, rotated })
    }

    /// The weights with one penalty λ, `[column, target]`.
    pub fn weights(&self, penalty: f64) -> Mat<f64> {
        self.gram.solve_hidden(&self.rotated, penalty, &self.hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{assert_close, covariates, hidden, numbers, problem};

    #[test]
    fn weights_are_those_of_scikit_learn() {
        let problem = problem("ridge");
        let ridge = Ridge::new(&covariates(&problem), &numbers(&problem["targets"]), hidden()).unwrap();
        for fit in problem["fits"].as_array().unwrap() {
            let penalty = fit["penalty"].as_f64().unwrap();
            let found = ridge.weights(penalty);
            for (target, expected) in fit["targets"].as_array().unwrap().iter().enumerate() {
                let name = format!("penalty {penalty}, target {target}");
                assert_close(found.col_as_slice(target), &numbers(expected), 1e-9, &name);
            }
        }
    }
}
