//! Ridge regression: `y = b + x · w` with `b` the unit's mean or PSTH, which minimises
//! `mean over rows of (y − b − x · w)² + λ ‖w‖²` with hidden covariates left out (scikit-learn's `Ridge` with
//! `alpha = λ · rows` and no intercept). A rate is kept above a share of the unit's mean, which is chosen too, since a
//! line knows no sign.

use super::design::{Design, Intercept, Scale};
use super::gram::Gram;
use super::products::{times, transposed_times};
use super::{BestFilters, Block, Covariates, Filters, Predicted, RegressionTask};
use crate::BaselineError;
use faer::Mat;

/// Penalties λ to choose from, in the order in which they are tried.
const PENALTIES: [f64; 8] = [30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01];

/// Floors of rates to choose from, shares of the mean rate.
pub(super) const FLOORS: [f64; 5] = [0.02, 0.05, 0.1, 0.2, 0.4];

/// Fits all blocks of a task, of which something is seen, and predicts the test trials. A smaller penalty is tried only as
/// long as the validation score rises.
pub(crate) fn ridge(
    task: &RegressionTask<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Predicted, BaselineError> {
    task.with_best_filters(progress, path)
}

/// Fits with one penalty after the other.
fn path(
    task: &RegressionTask<'_>,
    (place, candidate): (usize, &Filters),
    intercept: Intercept,
    best: &mut BestFilters,
) -> Result<(), BaselineError> {
    let (train, filters) = (&task.splits.train, candidate.filters.clone());
    let design = Design::new(train, filters, intercept, Scale::Each, task.first_fitted);
    let blocks = task.blocks.iter().map(|block| RidgeBlock::new(task, block, &design, intercept));
    let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
    let validation = design.covariates(&task.splits.validation, task.first_scored);
    let mut before = f64::NEG_INFINITY;
    for penalty in PENALTIES {
        let weights: Vec<Mat<f64>> = blocks.iter().map(|block| block.solve(penalty)).collect();
        let rates = |covariates: &Covariates| -> Vec<Vec<f64>> {
            blocks.iter().zip(&weights).map(|(block, weights)| block.rates(covariates, weights)).collect()
        };
        let bounded = |mut rates: Vec<Vec<f64>>, floor: f64| {
            blocks.iter().zip(&mut rates).for_each(|(block, rates)| task.bound(block.block, floor, rates));
            rates
        };
        let unbounded = rates(&validation);
        let mut highest = f64::NEG_INFINITY;
        for floor in FLOORS {
            let score = task.validation_score(&bounded(unbounded.clone(), floor));
            highest = highest.max(score);
            best.offer(score, || {
                let test = design.covariates(&task.splits.test, task.first_scored);
                let settings = format!(
                    "{}, penalty {penalty}, intercept {}, floor {floor} of the mean",
                    candidate.name,
                    intercept.name()
                );
                (place, bounded(rates(&test), floor), settings)
            });
        }
        if highest < before {
            break;
        }
        before = highest;
    }
    Ok(())
}

/// The regressions of one block with one design.
struct RidgeBlock<'a> {
    block: &'a Block,
    per_unit: usize,
    gram: Gram,
    hidden: Vec<Vec<usize>>,
    /// `Xᵀ (y − b) / rows`, `[column, target]`, rotated for the Gram matrix.
    rotated: Mat<f64>,
    /// `b`, spikes/bin, `[scored bin, target]`.
    base: Vec<f64>,
}

impl<'a> RidgeBlock<'a> {
    fn new(
        task: &RegressionTask<'_>,
        block: &'a Block,
        design: &Design,
        intercept: Intercept,
    ) -> Result<Self, BaselineError> {
        let per_unit = design.per_unit();
        let covariates = design.train.of_units(&block.inputs, per_unit);
        let gram = Gram::of(&covariates).ok_or_else(|| task.no_eigenvalues(covariates.columns))?;
        let mut residuals = task.splits.train.part(design.first_bin(), &block.targets);
        let base = task.base(intercept, design.first_bin(), &block.targets);
        residuals.iter_mut().zip(base.iter().cycle()).for_each(|(count, base)| *count -= base);
        let mut right = transposed_times(&covariates, &residuals, block.targets.len());
        for column in right.as_mut().col_iter_mut() {
            column.iter_mut().for_each(|value| *value /= covariates.rows as f64);
        }
        let hidden = block.hidden_columns(per_unit);
        let base = task.base(intercept, task.first_scored, &block.targets);
        let rotated = gram.rotated(&right);
        Ok(Self { block, per_unit, gram, hidden, rotated, base })
    }

    fn solve(&self, penalty: f64) -> Mat<f64> {
        self.gram.solve_hidden(&self.rotated, penalty, &self.hidden, &self.block.hidden_from)
    }

    /// Spikes/bin, `[row, target]`, from covariates of all units; may be negative.
    fn rates(&self, covariates: &Covariates, weights: &Mat<f64>) -> Vec<f64> {
        let covariates = covariates.of_units(&self.block.inputs, self.per_unit);
        let mut rates = times(&covariates, weights.as_ref(), |_, _| ());
        rates.iter_mut().zip(self.base.iter().cycle()).for_each(|(rate, base)| *rate += base);
        rates
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, covariates, hidden, numbers, problem};
    use super::*;

    #[test]
    fn weights_are_those_of_scikit_learn() {
        let problem = problem("ridge");
        let covariates = covariates(&problem);
        let (hidden, hidden_from) = hidden();
        let mut right = transposed_times(&covariates, &numbers(&problem["targets"]), hidden_from.len());
        right /= faer::Scale(covariates.rows as f64);
        let gram = Gram::of(&covariates).unwrap();
        for fit in problem["fits"].as_array().unwrap() {
            let penalty = fit["penalty"].as_f64().unwrap();
            let found = gram.solve_hidden(&gram.rotated(&right), penalty, &hidden, &hidden_from);
            for (target, expected) in fit["targets"].as_array().unwrap().iter().enumerate() {
                let name = format!("penalty {penalty}, target {target}");
                assert_close(found.col_as_slice(target), &numbers(expected), 1e-9, &name);
            }
        }
    }
}
