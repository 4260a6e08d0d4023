//! A solved coupling, and what it predicts.

use crate::design::rounded;
use crate::{Counts, Design, Filters};
use neuroglot_fit::{Covariates, Mat, PoissonWeights};
use neuroglot_masks::Holdout;
use neuroglot_tasks::Task;
use rayon::prelude::*;

/// The Poisson regressions of one task of one session, solved.
///
/// Its numbers are of the precision of f32 from the end of [`TaskCoupling::fit`] on, so that one that was kept predicts the
/// same as before, to the bit.
#[derive(Debug, Clone)]
pub struct TaskCoupling {
    pub(crate) task: Task,
    pub(crate) filters: Filters,
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

    /// The L2 penalty that was chosen; 0 where the task sees nothing.
    pub fn penalty(&self) -> f64 {
        self.penalty
    }

    /// What was chosen, in words, such as `smoothing 0.02 s and 0.12 s, penalty 0.25, intercept PSTH`.
    pub fn settings(&self) -> String {
        let Self { filters, penalty, design, .. } = self;
        format!("{}, penalty {penalty}, intercept {}", filters.name, design.intercept().name())
    }

    /// Number of units of the session.
    pub fn units(&self) -> usize {
        self.largest.len()
    }

    /// Bins of a trial.
    pub fn bins(&self) -> usize {
        self.design.expected.len() / self.units()
    }

    /// The units that the task predicts, in rising order.
    pub fn units_predicted(&self) -> Vec<usize> {
        let mut units: Vec<usize> = self.blocks.iter().flat_map(|block| &block.targets).copied().collect();
        units.sort();
        units
    }

    /// Logarithm of the largest training count of each unit in a bin, at least that of 1: `[unit]`. Nothing above it is predicted.
    pub fn most_log_rates(&self) -> Vec<f32> {
        self.largest.iter().map(|largest| largest.ln() as f32).collect()
    }

    /// Log-rates `[trial, bin, unit]` of trials of these counts, `[trial, bin, unit]`, where the holdout, of a single trial,
    /// hides the same of each. NaN marks units that the task does not predict, as those of no region in region tasks.
    ///
    /// A count that is hidden is not read: the average over training trials in this bin stands in its place. If the
    /// regressions start from the PSTH, its departure is thus exactly 0; if they start from the mean, it is that of an average
    /// trial, and 0 in the mean over the bins.
    ///
    /// What the task hides from a unit has weight 0 for it, and forward prediction takes each bin from the blocks before
    /// its own alone. So one call in which nothing is hidden predicts all units in all bins as the task asks for it.
    ///
    /// # Panics
    /// If counts, holdout or log-rates have not this coupling's bins and units.
    pub fn log_rates(&self, counts: &[f32], holdout: &Holdout, out: &mut [f32]) {
        let (bins, units, per_unit) = (self.bins(), self.units(), self.design.per_unit());
        let of_holdout = (holdout.trials(), holdout.bins(), holdout.units());
        assert_eq!(of_holdout, (1, bins, units), "a holdout of one trial of the session");
        assert!(counts.len() == out.len() && counts.len().is_multiple_of(bins * units), "whole trials");
        let trials = counts.par_chunks(bins * units).zip(out.par_chunks_mut(bins * units));
        trials.for_each(|(counts, out)| {
            let entries = counts.iter().zip(holdout.hidden()).zip(&self.design.expected);
            let seen = entries.map(|((count, hidden), expected)| match hidden {
                true => *expected,
                false => f64::from(*count),
            });
            let counts = Counts { trials: 1, bins, units, values: seen.collect() };
            let mut covariates = self.design.covariates(&counts, 0);
            // Nothing is seen of bins before those that were fitted.
            covariates.values[..self.design.first_bin() * units * per_unit].fill(0.0);
            out.fill(f32::NAN);
            for block in &self.blocks {
                let rates = block.rates(&covariates, per_unit, 0, &self.largest);
                for (out, rates) in out.chunks_mut(units).zip(rates.chunks(block.targets.len())) {
                    for (unit, rate) in block.targets.iter().zip(rates) {
                        out[*unit] = rate.ln() as f32;
                    }
                }
            }
        });
    }

    /// Rates of each block's targets in the scored bins, spikes/bin, `[row, target]`, where the task's own holdouts hide.
    pub fn scored_rates(&self, counts: &Counts) -> Vec<Vec<f64>> {
        let covariates = self.design.covariates(counts, self.first_scored);
        let of_block = |block: &FittedBlock| {
            block.rates(&covariates, self.design.per_unit(), self.first_scored, &self.largest)
        };
        self.blocks.iter().map(of_block).collect()
    }

    /// The same with every number rounded to f32.
    pub(crate) fn rounded(mut self) -> Self {
        self.design = self.design.rounded();
        for FittedBlock { log_base, weights: PoissonWeights { intercepts, weights }, .. } in &mut self.blocks
        {
            *log_base = rounded(log_base);
            *intercepts = rounded(intercepts);
            *weights = Mat::from_fn(weights.nrows(), weights.ncols(), |row, column| {
                f64::from(weights[(row, column)] as f32)
            });
        }
        self
    }
}
