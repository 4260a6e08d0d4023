//! Poisson regression with a logarithmic link: `y ~ Poisson(exp(ln b + a + x · w))` with `b` the unit's mean or PSTH, an
//! intercept `a` and an L2 penalty on `w` ([`PoissonRegressions`]).

use super::design::{Design, Intercept, Scale};
use super::{BestFilters, Block, Filters, Predicted, RegressionTask};
use crate::BaselineError;
use neuroglot_fit::{Covariates, Gram, HiddenColumns, PoissonRegressions, PoissonWeights};
use std::f64::consts::LN_2;

/// Penalties λ to choose from, in the order in which they are tried: each fit starts from the one before.
const PENALTIES: [f64; 7] = [2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03];

/// A fit is good enough where the objective is expected to fall by no more, nats/spike.
const TOLERANCE: f64 = 1e-4 * LN_2;

/// Fits all blocks of a task, of which something is seen, and predicts the test trials. A smaller penalty is tried only as
/// long as the validation score rises.
pub(crate) fn poisson_glm(
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
    let blocks = task.blocks.iter().map(|block| GlmBlock::new(task, block, &design, intercept));
    let mut blocks = blocks.collect::<Result<Vec<_>, _>>()?;
    let validation = design.covariates(&task.splits.validation, task.first_scored);
    let mut before = f64::NEG_INFINITY;
    for penalty in PENALTIES {
        blocks.iter_mut().for_each(|block| block.fit(&design, penalty));
        let rates = |covariates: &Covariates| -> Vec<Vec<f64>> {
            blocks.iter().map(|block| block.rates(task, covariates)).collect()
        };
        let score = task.validation_score(&rates(&validation));
        best.offer(score, || {
            let test = design.covariates(&task.splits.test, task.first_scored);
            let settings = format!("{}, penalty {penalty}, intercept {}", candidate.name, intercept.name());
            (place, rates(&test), settings)
        });
        if score < before {
            break;
        }
        before = score;
    }
    Ok(())
}

/// The regressions of one block with one design.
struct GlmBlock<'a> {
    block: &'a Block,
    per_unit: usize,
    gram: Gram,
    hidden: HiddenColumns,
    /// `[row, target]`.
    counts: Vec<f64>,
    /// `ln b`, of the bins of training rows and of those scored, `[bin, target]`.
    fitted_offsets: Vec<f64>,
    scored_offsets: Vec<f64>,
    weights: PoissonWeights,
}

impl<'a> GlmBlock<'a> {
    fn new(
        task: &RegressionTask<'_>,
        block: &'a Block,
        design: &Design,
        intercept: Intercept,
    ) -> Result<Self, BaselineError> {
        let per_unit = design.per_unit();
        let covariates = design.train.groups(&block.inputs, per_unit);
        let gram = Gram::of(&covariates).map_err(|error| task.cannot_fit(error))?;
        let offsets = |first| -> Vec<f64> {
            task.base(intercept, first, &block.targets).iter().map(|rate| rate.ln()).collect()
        };
        Ok(Self {
            block,
            per_unit,
            gram,
            hidden: block.hidden_from_targets(per_unit),
            counts: task.splits.train.part(design.first_bin(), &block.targets),
            fitted_offsets: offsets(design.first_bin()),
            scored_offsets: offsets(task.first_scored),
            weights: PoissonWeights::zero(covariates.columns, block.targets.len()),
        })
    }

    /// Fits from where the last fit ended.
    fn fit(&mut self, design: &Design, penalty: f64) {
        let regressions = PoissonRegressions {
            covariates: &design.train.groups(&self.block.inputs, self.per_unit),
            gram: &self.gram,
            counts: &self.counts,
            prior_count: 0.0,
            offsets: &self.fitted_offsets,
            hidden: &self.hidden,
        };
        self.weights = regressions.fit(penalty, &self.weights, TOLERANCE);
    }

    /// Spikes/bin, `[row, target]`, from covariates of all units.
    fn rates(&self, task: &RegressionTask<'_>, covariates: &Covariates) -> Vec<f64> {
        let covariates = covariates.groups(&self.block.inputs, self.per_unit);
        let log_rates = self.weights.log_rates(&covariates, &self.scored_offsets);
        let mut rates: Vec<f64> = log_rates.into_iter().map(f64::exp).collect();
        task.bound(self.block, f64::MIN_POSITIVE, &mut rates);
        rates
    }
}
