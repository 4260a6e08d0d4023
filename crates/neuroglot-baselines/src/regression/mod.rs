//! Units from the activity of other units, or all from the past: tasks as regressions.
//!
//! The covariates of a bin are the counts of the units that a task shows, passed through one or two filters over time:
//! Gaussians around the bin where whole trials are seen (co-smoothing, intra- and inter-region prediction), exponentials
//! over the past in forward prediction. There, training rows are made of all bins, not only of the last: the trial is cut
//! into blocks as long as what is predicted, and each block is predicted from those before it. A rate starts from the
//! unit's mean or from its PSTH over all training trials, and covariates are departures from their own mean or PSTH.
//! Filters, start and penalty are chosen on validation trials, for all units of a task together.

mod block;
mod design;
mod glm;
mod reduced_rank;
mod ridge;

pub(crate) use glm::poisson_glm;
pub(crate) use reduced_rank::reduced_rank;
pub(crate) use ridge::ridge;

use block::Block;
use design::Intercept;

use crate::BaselineError;
use crate::choice::{Best, bits, mean_bits, seconds};
use crate::counts::{Counts, Splits};
use crate::psth::Psth;
use crate::time_filter::{TimeFilter, seen_before};
use neuroglot_data::Session;
use neuroglot_fit::FitError;
use neuroglot_tasks::{PredictedFrom, Task, TestTrials};

/// Standard deviations of Gaussians to choose from, s: one filter, or two side by side.
const WIDTHS: [&[f64]; 4] = [&[0.02], &[0.06], &[0.02, 0.12], &[0.05, 0.3]];

/// Time constants of exponentials to choose from, s.
const DECAYS: [&[f64]; 4] = [&[0.1], &[0.4], &[0.05, 0.4], &[0.2, 2.0]];

/// The same, side by side, to make filters of.
const WIDTH_BASIS: &[f64] = &[0.02, 0.06, 0.2];
const DECAY_BASIS: &[f64] = &[0.05, 0.2, 1.0];

/// The best so far: place of its filters, rates of each block's test rows, and its settings in words.
type BestFilters = Best<(usize, Vec<Vec<f64>>, String)>;

/// One task of one session.
pub(crate) struct RegressionTask<'a> {
    pub eid: &'a str,
    pub splits: &'a Splits,
    pub blocks: Vec<Block>,
    /// The first bin that the task scores.
    pub first_scored: usize,
    /// The first bin that training rows can be made of.
    pub first_fitted: usize,
    is_forward: bool,
    bin_seconds: f64,
    /// Counts of each block's targets in the scored bins of the validation trials, `[row, target]`.
    validation: Vec<Vec<f64>>,
    /// Rates that a regression starts from: means and PSTHs, spikes/bin, `[bin, unit]`.
    mean: Vec<f64>,
    psth: Vec<f64>,
    /// No more spikes than this are expected in a bin, `[unit]`.
    largest: Vec<f64>,
}

/// Filters, and what they are called.
pub(crate) struct Filters {
    pub name: String,
    pub filters: Vec<TimeFilter>,
}

/// Predicted log-rates of the test trials, and what was chosen to make them.
pub(crate) struct Predicted {
    /// ln(spikes/bin), `[trial, bin, unit]`; 0 where the task does not score.
    pub log_rates: Vec<f32>,
    pub settings: String,
}

impl<'a> RegressionTask<'a> {
    pub fn new(session: &'a Session, splits: &'a Splits, test: &TestTrials<'_>, task: Task) -> Self {
        let bins = session.bins();
        let first_scored = task.scored(test.regions(), bins).bins.start;
        let is_forward = task.predicted_from() == PredictedFrom::ThePast;
        let sees_something = |bin: &usize| !is_forward || seen_before(bins, bins - first_scored, *bin) > 0;
        let blocks = Block::of_task(task, test.regions(), bins);
        Self {
            eid: session.eid(),
            splits,
            validation: blocks
                .iter()
                .map(|block| splits.validation.part(first_scored, &block.targets))
                .collect(),
            blocks,
            first_scored,
            first_fitted: (0..bins).find(sees_something).unwrap_or(bins),
            is_forward,
            bin_seconds: session.bin_seconds(),
            mean: splits.train.mean().repeat(bins),
            psth: Psth::of_all_trials(splits, session.bin_seconds()).of(0).to_vec(),
            largest: splits.train.largest(),
        }
    }

    /// Whether nothing at all is seen of any bin, so that there is nothing to regress on.
    pub fn sees_nothing(&self) -> bool {
        self.first_fitted == self.splits.train.bins
    }

    /// Chooses filters with the PSTH as intercept, tries the mean with the best of them, and predicts the test trials with
    /// the best of all. `fit` fits with some filters and an intercept, and offers what it finds.
    fn with_best_filters(
        &self,
        progress: &mut dyn FnMut(usize, usize),
        fit: impl Fn(&Self, (usize, &Filters), Intercept, &mut BestFilters) -> Result<(), BaselineError>,
    ) -> Result<Predicted, BaselineError> {
        let filters = self.filters();
        let mut best = Best::none();
        let total = filters.len() + 1;
        for (place, candidate) in filters.iter().enumerate() {
            fit(self, (place, candidate), Intercept::Psth, &mut best)?;
            progress(place + 1, total);
        }
        let place = best.get().0;
        fit(self, (place, &filters[place]), Intercept::Mean, &mut best)?;
        progress(total, total);
        let (_, rates, settings) = best.take();
        Ok(self.predicted(&rates, settings))
    }

    /// Filters to choose from.
    pub fn filters(&self) -> Vec<Filters> {
        let grid = if self.is_forward { DECAYS } else { WIDTHS };
        grid.iter().map(|times| self.filters_of(times)).collect()
    }

    /// Filters to be combined.
    pub fn filter_basis(&self) -> Vec<TimeFilter> {
        self.filters_of(if self.is_forward { DECAY_BASIS } else { WIDTH_BASIS }).filters
    }

    fn filters_of(&self, times: &[f64]) -> Filters {
        let bins = self.splits.train.bins;
        let filter = |time: &f64| {
            let in_bins = time / self.bin_seconds;
            match self.is_forward {
                // As a weighted mean over a long past, so that filters of all lengths weigh the same.
                true => TimeFilter::past(bins, bins - self.first_scored, in_bins).scaled(1.0 / in_bins),
                false => TimeFilter::gaussian(bins, in_bins),
            }
        };
        let what = if self.is_forward { "time constant" } else { "smoothing" };
        let words: Vec<String> = times.iter().map(|time| seconds(*time)).collect();
        let name = format!("{what} {}", words.join(" and "));
        Filters { name, filters: times.iter().map(filter).collect() }
    }

    /// Rates that a regression starts from, of the bins from `first` on and of some units, spikes/bin, `[bin, unit]`.
    pub fn base(&self, intercept: Intercept, first: usize, units: &[usize]) -> Vec<f64> {
        let base = match intercept {
            Intercept::Mean => &self.mean,
            Intercept::Psth => &self.psth,
        };
        let rows = base.chunks(self.largest.len()).skip(first);
        rows.flat_map(|row| units.iter().map(|unit| row[*unit])).collect()
    }

    /// Counts of a block's targets in the training trials, less what a regression starts from, from a bin on,
    /// `[row, target]`.
    pub fn residuals(&self, first: usize, block: &Block, intercept: Intercept) -> Vec<f64> {
        let mut residuals = self.splits.train.part(first, &block.targets);
        let base = self.base(intercept, first, &block.targets);
        residuals.iter_mut().zip(base.iter().cycle()).for_each(|(count, base)| *count -= base);
        residuals
    }

    /// Keeps the rates `[row, target]` of a block from below its units' floors and above what they ever reached. A floor
    /// is a share of the unit's mean rate.
    pub fn bound(&self, block: &Block, floor: f64, rates: &mut [f64]) {
        for row in rates.chunks_mut(block.targets.len().max(1)) {
            for (rate, unit) in row.iter_mut().zip(&block.targets) {
                // A rate that is no number is no better known than the mean.
                let known = if rate.is_nan() { self.mean[*unit] } else { *rate };
                *rate = known.clamp(floor * self.mean[*unit], self.largest[*unit]);
            }
        }
    }

    /// The score that settings are chosen by, of validation rates `[row, target]` of each block.
    pub fn validation_score(&self, rates: &[Vec<f64>]) -> f64 {
        mean_bits(&self.validation_bits(rates))
    }

    /// Bits/spike of the targets of all blocks.
    pub fn validation_bits(&self, rates: &[Vec<f64>]) -> Vec<Option<f64>> {
        let of_block = |((block, counts), rates): ((&Block, &Vec<f64>), &Vec<f64>)| {
            if block.targets.is_empty() { Vec::new() } else { bits(rates, counts, block.targets.len()) }
        };
        self.blocks.iter().zip(&self.validation).zip(rates).flat_map(of_block).collect()
    }

    /// Rates `[row, target]` of each block for the test trials, at their places.
    pub fn predicted(&self, rates: &[Vec<f64>], settings: String) -> Predicted {
        let test = &self.splits.test;
        let mut log_rates = vec![0.0; test.values.len()];
        for (block, rates) in self.blocks.iter().zip(rates) {
            let scored = (0..test.trials * test.bins).filter(|row| row % test.bins >= self.first_scored);
            for (row, rates) in scored.zip(rates.chunks(block.targets.len().max(1))) {
                for (unit, rate) in block.targets.iter().zip(rates) {
                    log_rates[row * test.units + unit] = rate.ln() as f32;
                }
            }
        }
        Predicted { log_rates, settings }
    }

    /// What a regression without covariates predicts.
    pub fn intercept_alone(&self) -> Predicted {
        let score = |intercept| {
            let rates = self.intercept_rates(intercept, &self.splits.validation);
            (intercept, self.validation_score(&rates))
        };
        let [psth, mean] = Intercept::ALL.map(score);
        let (best, _) = if mean.1 > psth.1 { mean } else { psth };
        let rates = self.intercept_rates(best, &self.splits.test);
        self.predicted(&rates, format!("no covariate, intercept {}", best.name()))
    }

    fn intercept_rates(&self, intercept: Intercept, counts: &Counts) -> Vec<Vec<f64>> {
        let of_block =
            |block: &Block| self.base(intercept, self.first_scored, &block.targets).repeat(counts.trials);
        self.blocks.iter().map(of_block).collect()
    }

    /// The error of covariates that cannot be regressed on.
    pub fn cannot_fit(&self, source: FitError) -> BaselineError {
        BaselineError::Fit { eid: self.eid.to_owned(), source }
    }
}
