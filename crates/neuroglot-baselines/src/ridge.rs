//! Ridge regression: `y = b + x · w` with `b` the unit's mean or PSTH, fitted by [`Ridge`]. A rate is kept above a share of the unit's mean, which is chosen too, since a
//! line knows no sign.

use crate::BaselineError;
use crate::regression::{Predicted, Regression};
use neuroglot_coupling::{Block, Design, Filters, Intercept, Scale};
use neuroglot_fit::{Best, Covariates, Mat, Ridge};

/// Penalties λ to choose from, in the order in which they are tried.
const PENALTIES: [f64; 8] = [30.0, 10.0, 3.0, 1.0, 0.3, 0.1, 0.03, 0.01];

/// Floors of rates to choose from, shares of the mean rate.
pub(crate) const FLOORS: [f64; 5] = [0.02, 0.05, 0.1, 0.2, 0.4];

/// Fits all blocks of a task, of which something is seen, and predicts the test trials. A smaller penalty is tried only as
/// long as the validation score rises.
pub(crate) fn ridge(
    task: &Regression<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Predicted, BaselineError> {
    let (rates, settings) =
        task.with_best_filters(&task.candidates(), progress, |filters, intercept, best| {
            path(task, filters, intercept, best)
        })?;
    Ok(task.predicted(&rates, settings))
}

/// Fits with one penalty after the other.
fn path(
    task: &Regression<'_>,
    candidate: &Filters,
    intercept: Intercept,
    best: &mut Best<(Vec<Vec<f64>>, String)>,
) -> Result<(), BaselineError> {
    let filters = candidate.filters.clone();
    let (design, train) = Design::new(task.train, filters, intercept, Scale::Each, task.first_fitted);
    let per_unit = design.per_unit();
    let blocks = task.blocks.iter().map(|block| RidgeBlock::new(task, block, &train, per_unit, intercept));
    let blocks = blocks.collect::<Result<Vec<_>, _>>()?;
    let validation = design.covariates(task.validation, task.first_scored);
    let mut before = f64::NEG_INFINITY;
    for penalty in PENALTIES {
        let weights: Vec<Mat<f64>> = blocks.iter().map(|block| block.ridge.weights(penalty)).collect();
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
                let test = design.covariates(task.test, task.first_scored);
                let settings = format!(
                    "{}, penalty {penalty}, intercept {}, floor {floor} of the mean",
                    candidate.name,
                    intercept.name()
                );
                (bounded(rates(&test), floor), settings)
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
    ridge: Ridge,
    /// `b`, spikes/bin, `[scored bin, target]`.
    base: Vec<f64>,
}

impl<'a> RidgeBlock<'a> {
    fn new(
        task: &Regression<'_>,
        block: &'a Block,
        train: &Covariates,
        per_unit: usize,
        intercept: Intercept,
    ) -> Result<Self, BaselineError> {
        let covariates = train.groups(&block.inputs, per_unit);
        let residuals = task.residuals(block, intercept);
        let ridge = Ridge::new(&covariates, &residuals, block.hidden_from_targets(per_unit));
        let ridge = ridge.map_err(|error| task.cannot_fit(error))?;
        let base = task.base(intercept, task.first_scored, &block.targets);
        Ok(Self { block, per_unit, ridge, base })
    }

    /// Spikes/bin, `[row, target]`, from covariates of all units; may be negative.
    fn rates(&self, covariates: &Covariates, weights: &Mat<f64>) -> Vec<f64> {
        let covariates = covariates.groups(&self.block.inputs, self.per_unit);
        let mut rates = covariates.times(weights.as_ref());
        rates.iter_mut().zip(self.base.iter().cycle()).for_each(|(rate, base)| *rate += base);
        rates
    }
}
