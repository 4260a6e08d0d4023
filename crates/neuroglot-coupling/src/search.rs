//! The search of a coupling: Poisson regressions with falling penalties, each start and all filters that are to be tried.

use crate::task_coupling::FittedBlock;
use crate::{Block, CouplingError, Design, Filters, Intercept, RegressionTask, Scale, TaskCoupling};
use neuroglot_fit::{Best, Covariates, Gram, HiddenColumns, PoissonRegressions, PoissonWeights};
use std::f64::consts::LN_2;

/// A fit is good enough where the objective is expected to fall by no more, nats/spike.
const TOLERANCE: f64 = 1e-4 * LN_2;

/// Scores log-rates of the validation trials, `[trial, bin, unit]`, NaN where the task scores nothing. The higher, the better.
pub type Judge<'a> = &'a mut dyn FnMut(&[f32]) -> f64;

impl TaskCoupling {
    /// The coupling of a task of which something is seen, with the filters and the start that predict the validation trials
    /// best by themselves. Penalties are tried in their order, each fit starting from the one before, as long as this score
    /// rises and one step more. Of these penalties, the one that `judge` scores highest is taken; without a judge, the
    /// coupling's own score counts.
    ///
    /// # Errors
    /// [`CouplingError::Fit`].
    pub fn search(
        task: &RegressionTask<'_>,
        candidates: &[Filters],
        penalties: &[f64],
        mut judge: Option<Judge<'_>>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Self, CouplingError> {
        task.with_best_filters(candidates, progress, |filters, intercept, best| {
            let mut path = Path::new(task, filters, intercept)?;
            let validation = path.design.covariates(task.validation, task.first_scored);
            let (mut before, mut highest, mut found) = (f64::NEG_INFINITY, f64::NEG_INFINITY, Best::none());
            for penalty in penalties {
                path.fit(*penalty);
                let rates = path.rates(&validation);
                let own = task.validation_score(&rates);
                let score = judge
                    .as_mut()
                    .map_or(own, |judge| judge(&task.log_rates(&rates, task.validation.trials, f32::NAN)));
                found.offer(score, || path.coupling(*penalty));
                highest = highest.max(own);
                if own < before {
                    break;
                }
                before = own;
            }
            best.offer(highest, || found.take());
            Ok(())
        })
    }

    /// The coupling with these filters, this start and this penalty.
    ///
    /// # Errors
    /// [`CouplingError::Fit`].
    pub(crate) fn with_penalty(
        task: &RegressionTask<'_>,
        filters: &Filters,
        intercept: Intercept,
        penalty: f64,
    ) -> Result<Self, CouplingError> {
        let mut path = Path::new(task, filters, intercept)?;
        path.fit(penalty);
        Ok(path.coupling(penalty))
    }

    /// The coupling of a task that sees nothing.
    pub(crate) fn of_intercept(task: &RegressionTask<'_>, intercept: Intercept) -> Self {
        let of_block = |Block { targets, .. }: &Block| FittedBlock {
            inputs: Vec::new(),
            log_base: log_base(task, intercept, targets),
            targets: targets.clone(),
            weights: PoissonWeights::zero(0, targets.len()),
        };
        Self {
            task: task.task,
            filters: task.filters(&[], &[]),
            penalty: 0.0,
            first_scored: task.first_scored,
            design: Design::of_expected(task.train.psth(), task.train.units, Vec::new(), intercept, 0),
            blocks: task.blocks.iter().map(of_block).collect(),
            largest: task.largest.clone(),
        }
    }
}

/// `ln b`, `[bin, target]`.
fn log_base(task: &RegressionTask<'_>, intercept: Intercept, targets: &[usize]) -> Vec<f64> {
    task.base(intercept, 0, targets).into_iter().map(f64::ln).collect()
}

/// Fits with one design, each from where the last one ended.
struct Path<'a> {
    task: &'a RegressionTask<'a>,
    filters: &'a Filters,
    design: Design,
    /// Covariates of the training rows.
    train: Covariates,
    blocks: Vec<BlockPath>,
}

/// The regressions of one block.
struct BlockPath {
    gram: Gram,
    hidden: HiddenColumns,
    /// `[row, target]`.
    counts: Vec<f64>,
    fitted: FittedBlock,
}

impl<'a> Path<'a> {
    fn new(
        task: &'a RegressionTask<'a>,
        filters: &'a Filters,
        intercept: Intercept,
    ) -> Result<Self, CouplingError> {
        let (design, train) =
            Design::new(task.train, filters.filters.clone(), intercept, Scale::Each, task.first_fitted);
        let new = |block: &Block| -> Result<BlockPath, CouplingError> {
            let per_unit = design.per_unit();
            let covariates = train.groups(&block.inputs, per_unit);
            let cannot_fit = |source| CouplingError::Fit { eid: task.eid.to_owned(), source };
            Ok(BlockPath {
                gram: Gram::of(&covariates).map_err(cannot_fit)?,
                hidden: block.hidden_from_targets(per_unit),
                counts: task.train.part(task.first_fitted, &block.targets),
                fitted: FittedBlock {
                    inputs: block.inputs.clone(),
                    targets: block.targets.clone(),
                    log_base: log_base(task, intercept, &block.targets),
                    weights: PoissonWeights::zero(covariates.columns, block.targets.len()),
                },
            })
        };
        let blocks = task.blocks.iter().map(new).collect::<Result<_, _>>()?;
        Ok(Self { task, filters, design, train, blocks })
    }

    fn fit(&mut self, penalty: f64) {
        for BlockPath { gram, hidden, counts, fitted } in &mut self.blocks {
            let regressions = PoissonRegressions {
                covariates: &self.train.groups(&fitted.inputs, self.design.per_unit()),
                gram,
                counts,
                prior_count: 0.0,
                offsets: fitted.log_base_from(self.task.first_fitted),
                hidden,
            };
            fitted.weights = regressions.fit(penalty, &fitted.weights, TOLERANCE);
        }
    }

    /// Rates of each block in the scored bins, from covariates of all units.
    fn rates(&self, covariates: &Covariates) -> Vec<Vec<f64>> {
        let of_block = |block: &BlockPath| {
            let (per_unit, first) = (self.design.per_unit(), self.task.first_scored);
            block.fitted.rates(covariates, per_unit, first, &self.task.largest)
        };
        self.blocks.iter().map(of_block).collect()
    }

    fn coupling(&self, penalty: f64) -> TaskCoupling {
        let task = self.task;
        TaskCoupling {
            task: task.task,
            filters: self.filters.clone(),
            penalty,
            first_scored: task.first_scored,
            design: self.design.clone(),
            blocks: self.blocks.iter().map(|block| block.fitted.clone()).collect(),
            largest: task.largest.clone(),
        }
    }
}
