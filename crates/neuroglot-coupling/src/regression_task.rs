//! One task of one session as regressions of units on the activity of other units, or of all on the past.
//!
//! The covariates of a bin are the counts of the units that a task shows, passed through one or more filters over time:
//! Gaussians around the bin where whole trials are seen (co-smoothing, intra- and inter-region prediction), exponentials
//! over the past in forward prediction. There, training rows are made of all bins, not only of the last: the trial is cut
//! into blocks as long as what is predicted, and each block is predicted from those before it. A rate starts from the
//! unit's mean or from its PSTH over all training trials, and covariates are departures from their own mean or PSTH.
//! Filters, start and penalty are chosen on validation trials, for all units of a task together.

use crate::scoring::{bits, mean_bits, seconds};
use crate::time_filter::seen_before;
use crate::{Block, Counts, Intercept, Psth, TimeFilter};
use neuroglot_data::Session;
use neuroglot_fit::Best;
use neuroglot_masks::Regions;
use neuroglot_tasks::{PredictedFrom, Task};

/// One task of one session.
pub struct RegressionTask<'a> {
    /// Session id.
    pub eid: &'a str,
    /// The task.
    pub task: Task,
    /// What is fitted to.
    pub train: &'a Counts,
    /// What settings are chosen on.
    pub validation: &'a Counts,
    /// Units that are predicted together.
    pub blocks: Vec<Block>,
    /// The first bin that the task scores.
    pub first_scored: usize,
    /// The first bin that training rows can be made of.
    pub first_fitted: usize,
    bin_seconds: f64,
    /// Counts of each block's targets in the scored bins of the validation trials, `[row, target]`.
    scored: Vec<Vec<f64>>,
    /// Rates that a regression starts from: means and PSTHs, spikes/bin, `[bin, unit]`.
    mean: Vec<f64>,
    psth: Vec<f64>,
    /// No more spikes than this are expected in a bin, `[unit]`.
    pub(crate) largest: Vec<f64>,
}

/// Filters over time that stand side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// In words, such as `smoothing 0.02 s and 0.12 s`.
    pub name: String,
    /// Standard deviations or time constants, s.
    pub times: Vec<f64>,
    /// Width of a bin, s.
    pub(crate) bin_seconds: f64,
    /// The filters.
    pub filters: Vec<TimeFilter>,
}

impl Filters {
    /// Gaussians of these standard deviations (s), or exponentials of these time constants (s) over the past, for trials of
    /// so many bins of which a task scores those from `first_scored` on.
    pub fn new(
        times: &[f64],
        from: PredictedFrom,
        bins: usize,
        first_scored: usize,
        bin_seconds: f64,
    ) -> Self {
        let filter = |time: &f64| {
            let in_bins = time / bin_seconds;
            match from {
                // As a weighted mean over a long past, so that filters of all lengths weigh the same.
                PredictedFrom::ThePast => {
                    TimeFilter::past(bins, bins - first_scored, in_bins).scaled(1.0 / in_bins)
                }
                PredictedFrom::OtherUnits => TimeFilter::gaussian(bins, in_bins),
            }
        };
        let what = match from {
            PredictedFrom::ThePast => "time constant",
            PredictedFrom::OtherUnits => "smoothing",
        };
        let words: Vec<String> = times.iter().map(|time| seconds(*time)).collect();
        let name = match times {
            [] => "no covariate".to_owned(),
            _ => format!("{what} {}", words.join(" and ")),
        };
        Self { name, times: times.to_vec(), bin_seconds, filters: times.iter().map(filter).collect() }
    }
}

/// The first bin of which something is seen, or as many as there are bins.
pub(crate) fn first_fitted(from: PredictedFrom, bins: usize, first_scored: usize) -> usize {
    match from {
        PredictedFrom::OtherUnits => 0,
        PredictedFrom::ThePast => {
            let sees_something = |bin: &usize| seen_before(bins, bins - first_scored, *bin) > 0;
            (0..bins).find(sees_something).unwrap_or(bins)
        }
    }
}

impl<'a> RegressionTask<'a> {
    /// A task of a session, whose units lie in these regions, on training and validation trials.
    pub fn new(
        session: &'a Session,
        regions: &Regions,
        task: Task,
        train: &'a Counts,
        validation: &'a Counts,
    ) -> Self {
        let bins = session.bins();
        let first_scored = task.scored(regions, bins).bins.start;
        let new = Self {
            eid: session.eid(),
            task,
            train,
            validation,
            scored: Vec::new(),
            blocks: Vec::new(),
            first_scored,
            first_fitted: first_fitted(task.predicted_from(), bins, first_scored),
            bin_seconds: session.bin_seconds(),
            mean: train.mean().repeat(bins),
            psth: Psth::of_all_trials(train, validation, session.bin_seconds()).of(0).to_vec(),
            largest: train.largest(),
        };
        new.with_blocks(Block::of_task(task, regions, bins))
    }

    fn with_blocks(mut self, blocks: Vec<Block>) -> Self {
        let scored_of = |block: &Block| self.validation.part(self.first_scored, &block.targets);
        self.scored = blocks.iter().map(scored_of).collect();
        self.blocks = blocks;
        self
    }

    /// With no more inputs of each target than so many, the most active of those that it sees; 0 leaves all.
    pub fn with_most_inputs(mut self, most: usize) -> Self {
        let activity: Vec<f64> = self.train.mean();
        let blocks = std::mem::take(&mut self.blocks).into_iter();
        let blocks = blocks.flat_map(|block| block.with_most_inputs(most, &activity)).collect();
        self.with_blocks(blocks)
    }

    /// Whether nothing at all is seen of any bin, so that there is nothing to regress on.
    pub fn sees_nothing(&self) -> bool {
        self.first_fitted == self.train.bins
    }

    /// Tries filters with the PSTH as intercept, then the mean with the best of them, and returns the best of all. `fit` fits
    /// with some filters and an intercept, and offers what it finds.
    ///
    /// # Errors
    /// Those of `fit`.
    pub fn with_best_filters<T, E>(
        &self,
        candidates: &[Filters],
        progress: &mut dyn FnMut(usize, usize),
        mut fit: impl FnMut(&Filters, Intercept, &mut Best<T>) -> Result<(), E>,
    ) -> Result<T, E> {
        let (mut best, mut place) = (Best::none(), 0);
        let total = candidates.len() + 1;
        for (number, candidate) in candidates.iter().enumerate() {
            let before = best.score();
            fit(candidate, Intercept::Psth, &mut best)?;
            if best.score() != before {
                place = number;
            }
            progress(number + 1, total);
        }
        fit(&candidates[place], Intercept::Mean, &mut best)?;
        progress(total, total);
        Ok(best.take())
    }

    /// Filters of these times, s, as the task needs them: `widths` of Gaussians where it sees whole trials, `decays` of
    /// exponentials where it sees the past.
    pub fn filters(&self, widths: &[f64], decays: &[f64]) -> Filters {
        let from = self.task.predicted_from();
        let times = match from {
            PredictedFrom::OtherUnits => widths,
            PredictedFrom::ThePast => decays,
        };
        Filters::new(times, from, self.train.bins, self.first_scored, self.bin_seconds)
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

    /// Counts of a block's targets in the training trials, less what a regression starts from, from the first fitted bin on,
    /// `[row, target]`.
    pub fn residuals(&self, block: &Block, intercept: Intercept) -> Vec<f64> {
        let mut residuals = self.train.part(self.first_fitted, &block.targets);
        let base = self.base(intercept, self.first_fitted, &block.targets);
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
        self.blocks.iter().zip(&self.scored).zip(rates).flat_map(of_block).collect()
    }

    /// Logarithms of rates `[row, target]` of each block in the scored bins, at their places `[trial, bin, unit]`; other places
    /// hold `elsewhere`.
    pub fn log_rates(&self, rates: &[Vec<f64>], trials: usize, elsewhere: f32) -> Vec<f32> {
        let Counts { bins, units, .. } = *self.train;
        let mut log_rates = vec![elsewhere; trials * bins * units];
        for (block, rates) in self.blocks.iter().zip(rates) {
            let scored = (0..trials * bins).filter(|row| row % bins >= self.first_scored);
            for (row, rates) in scored.zip(rates.chunks(block.targets.len().max(1))) {
                for (unit, rate) in block.targets.iter().zip(rates) {
                    log_rates[row * units + unit] = rate.ln() as f32;
                }
            }
        }
        log_rates
    }

    /// The better intercept where nothing else is known, and the rates that it predicts for so many trials, `[row, target]`
    /// of each block.
    pub fn intercept_alone(&self, trials: usize) -> (Intercept, Vec<Vec<f64>>) {
        let rates = |intercept, trials| -> Vec<Vec<f64>> {
            let of_block =
                |block: &Block| self.base(intercept, self.first_scored, &block.targets).repeat(trials);
            self.blocks.iter().map(of_block).collect()
        };
        let [psth, mean] =
            Intercept::ALL.map(|intercept| self.validation_score(&rates(intercept, self.validation.trials)));
        let best = if mean > psth { Intercept::Mean } else { Intercept::Psth };
        (best, rates(best, trials))
    }
}
