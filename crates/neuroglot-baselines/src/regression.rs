//! Regressions on the activity of other units, or on the past: what they try, and what they predict of the test trials.

use crate::BaselineError;
use crate::splits::Splits;
use neuroglot_coupling::{Counts, Filters, RegressionTask, TaskCoupling};
use neuroglot_data::Session;
use neuroglot_fit::FitError;
use neuroglot_masks::Regions;
use neuroglot_tasks::Task;
use std::ops::Deref;

/// Standard deviations of Gaussians to choose from, s: one filter, or two side by side.
const WIDTHS: [&[f64]; 4] = [&[0.02], &[0.06], &[0.02, 0.12], &[0.05, 0.3]];

/// Time constants of exponentials to choose from, s.
const DECAYS: [&[f64]; 4] = [&[0.1], &[0.4], &[0.05, 0.4], &[0.2, 2.0]];

/// The same, side by side, to make filters of.
const WIDTH_BASIS: &[f64] = &[0.02, 0.06, 0.2];
const DECAY_BASIS: &[f64] = &[0.05, 0.2, 1.0];

/// Penalties of Poisson regressions to choose from, in the order in which they are tried.
const PENALTIES: [f64; 7] = [2.0, 1.0, 0.5, 0.25, 0.12, 0.06, 0.03];

/// One task of one session, and the trials to predict.
pub(crate) struct Regression<'a> {
    task: RegressionTask<'a>,
    pub test: &'a Counts,
}

/// Predicted log-rates of the test trials, and what was chosen to make them.
pub(crate) struct Predicted {
    /// ln(spikes/bin), `[trial, bin, unit]`; 0 where the task does not score.
    pub log_rates: Vec<f32>,
    pub settings: String,
}

impl<'a> Deref for Regression<'a> {
    type Target = RegressionTask<'a>;

    fn deref(&self) -> &RegressionTask<'a> {
        &self.task
    }
}

impl<'a> Regression<'a> {
    pub fn new(session: &'a Session, splits: &'a Splits, regions: &Regions, task: Task) -> Self {
        let task = RegressionTask::new(session, regions, task, &splits.train, &splits.validation);
        Self { task, test: &splits.test }
    }

    /// Filters to choose from.
    pub fn candidates(&self) -> Vec<Filters> {
        WIDTHS.iter().zip(DECAYS).map(|(widths, decays)| self.task.filters(widths, decays)).collect()
    }

    /// Filters to be combined.
    pub fn basis(&self) -> Filters {
        self.task.filters(WIDTH_BASIS, DECAY_BASIS)
    }

    /// Rates `[row, target]` of each block for the test trials, at their places.
    pub fn predicted(&self, rates: &[Vec<f64>], settings: String) -> Predicted {
        Predicted { log_rates: self.task.log_rates(rates, self.test.trials, 0.0), settings }
    }

    /// What a regression without covariates predicts.
    pub fn intercept_alone(&self) -> Predicted {
        let (intercept, rates) = self.task.intercept_alone(self.test.trials);
        self.predicted(&rates, format!("no covariate, intercept {}", intercept.name()))
    }

    /// The error of covariates that cannot be regressed on.
    pub fn cannot_fit(&self, source: FitError) -> BaselineError {
        BaselineError::Fit { eid: self.eid.to_owned(), source }
    }
}

/// Poisson regressions on all units that a task shows: [`TaskCoupling`], with more filters to choose from.
pub(crate) fn poisson_glm(
    task: &Regression<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Predicted, BaselineError> {
    let coupling = TaskCoupling::search(task, &task.candidates(), &PENALTIES, None, progress)?;
    Ok(task.predicted(&coupling.scored_rates(task.test), coupling.settings()))
}
