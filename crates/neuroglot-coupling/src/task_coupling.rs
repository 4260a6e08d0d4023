//! A solved coupling, and what it predicts.

use crate::{Counts, Design, Filters, Intercept};
use neuroglot_fit::{Covariates, PoissonWeights};
use neuroglot_tasks::Task;

/// The Poisson regressions of one task of one session, solved.
#[derive(Debug, Clone)]
pub struct TaskCoupling {
    pub(crate) task: Task,
    pub(crate) filters: Filters,
    pub(crate) intercept: Intercept,
    pub(crate) penalty: f64,
    /// The first bin that the task scores.
    pub(crate) first_scored: usize,
    pub(crate) design: Design,
    pub(crate) blocks: Vec<FittedBlock>,
    /// No more spikes than this are expected in a bin, `[unit]`.
    pub(crate) largest: Vec<f64>,
}

/// Units that are predicted from the same covariates.
#[derive(Debug, Clone)]
pub(crate) struct FittedBlock {
    /// Units whose activity makes covariates, rising.
    pub inputs: Vec<usize>,
    /// Units predicted.
    pub targets: Vec<usize>,
    /// `ln b`, `[bin, target]`.
    pub log_base: Vec<f64>,
    /// Weights `[covariate, target]`, 0 for a covariate that is hidden from the target.
    pub weights: PoissonWeights,
}

impl FittedBlock {
    /// `ln b` of the bins from `first` on.
    pub fn log_base_from(&self, first: usize) -> &[f64] {
        &self.log_base[first * self.targets.len()..]
    }

    /// Spikes/bin, `[row, target]`, from covariates of all units in the bins from `first` on; no more than the largest count
    /// of the unit.
    pub fn rates(&self, covariates: &Covariates, per_unit: usize, first: usize, largest: &[f64]) -> Vec<f64> {
        let covariates = covariates.groups(&self.inputs, per_unit);
        let mut rates = self.weights.log_rates(&covariates, self.log_base_from(first));
        for row in rates.chunks_mut(self.targets.len()) {
            for (rate, unit) in row.iter_mut().zip(&self.targets) {
                *rate = rate.exp().clamp(f64::MIN_POSITIVE, largest[*unit]);
            }
        }
        rates
    }
}

impl TaskCoupling {
    /// The task.
    pub fn task(&self) -> Task {
        self.task
    }

    /// What was chosen, in words, such as `smoothing 0.02 s and 0.12 s, penalty 0.25, intercept PSTH`.
    pub fn settings(&self) -> String {
        format!("{}, penalty {}, intercept {}", self.filters.name, self.penalty, self.intercept.name())
    }

    /// Rates of each block's targets in the scored bins, spikes/bin, `[row, target]`.
    pub fn scored_rates(&self, counts: &Counts) -> Vec<Vec<f64>> {
        let covariates = self.design.covariates(counts, self.first_scored);
        let of_block = |block: &FittedBlock| {
            block.rates(&covariates, self.design.per_unit(), self.first_scored, &self.largest)
        };
        self.blocks.iter().map(of_block).collect()
    }
}
