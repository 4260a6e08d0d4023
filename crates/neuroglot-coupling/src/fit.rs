//! Fitting a coupling with a run's settings.

use crate::{
    Counts, CouplingError, CouplingSettings, Intercept, Judge, RegressionTask, TaskCoupling, mean_bits,
};
use neuroglot_data::Session;
use neuroglot_metrics::bits_per_spike;
use neuroglot_tasks::{Task, regions_of};

/// What the penalty times the number of training rows, trials · bins, is where no validation trial can choose it.
///
/// These are the geometric means of what validation trials chose in ten sessions (IBL, nine of Steinmetz et al., 20 ms bins) for
/// the average of coupling and network; the largest of a task was about three times the smallest. Such a penalty is lower
/// than the best one for the coupling alone, whose errors the network evens out.
fn penalty_times_rows(task: Task) -> f64 {
    match task {
        Task::CoSmoothing => 850.0,
        Task::Forward => 2200.0,
        Task::IntraRegion => 370.0,
        Task::InterRegion => 1200.0,
    }
}

/// The most bins of a trial: a filter has a weight for each pair of them.
const MOST_BINS: usize = 8192;

pub(crate) fn check_bins(eid: &str, bins: usize) -> Result<(), CouplingError> {
    if bins > MOST_BINS {
        return Err(CouplingError::Bins { eid: eid.to_owned(), bins, most: MOST_BINS });
    }
    Ok(())
}

impl TaskCoupling {
    /// Fits the coupling of a task to training trials, given by their indices in the session.
    ///
    /// The start `b` (PSTH or mean) is the one with which the coupling alone predicts the validation trials better; of the
    /// penalties that were tried with it, the one that `judge` scores highest is taken, which may average the coupling's
    /// log-rates with those of a network. Without a judge, the coupling's own bits/spike count. Without validation trials,
    /// `b` is the PSTH, and the penalty is what was usual in other sessions, by the number of training rows.
    ///
    /// `None` where the session cannot have the task ([`Task::why_not`]). Where a task sees nothing, as forward prediction of
    /// a trial of one bin, the coupling is its start.
    ///
    /// # Errors
    /// [`CouplingError`]: settings out of range, no training trial, trials too long, or counts that cannot be regressed on.
    ///
    /// # Panics
    /// If the session has no such trial.
    pub fn fit(
        session: &Session,
        training: &[usize],
        validation: &[usize],
        task: Task,
        settings: &CouplingSettings,
        judge: Option<Judge<'_>>,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Option<Self>, CouplingError> {
        settings.check()?;
        check_bins(session.eid(), session.bins())?;
        if training.is_empty() {
            return Err(CouplingError::NoTrainingTrials { eid: session.eid().to_owned() });
        }
        let regions = regions_of(session);
        if task.why_not(&regions).is_some() {
            return Ok(None);
        }
        let [train, validation] = [training, validation].map(|trials| Counts::of_trials(session, trials));
        let regression = RegressionTask::new(session, &regions, task, &train, &validation)
            .with_most_inputs(settings.most_inputs);
        let filters = regression.filters(&settings.widths, &settings.decays);
        let found = if regression.sees_nothing() {
            Self::of_intercept(&regression, regression.intercept_alone(0).0)
        } else if validation.trials > 0 {
            Self::search(&regression, &[filters], &settings.penalties, judge, progress)?
        } else {
            let penalty = penalty_times_rows(task) / (train.trials * train.bins) as f64;
            Self::with_penalty(&regression, &filters, Intercept::Psth, penalty)?
        };
        Ok(Some(found.rounded()))
    }
}

/// Mean over units of bits/spike, over what a task scores of some trials of a session, of log-rates `[trial, bin, unit]`. It is 0
/// where nothing fires.
///
/// # Panics
/// If there is not one log-rate per trial, bin and unit, or the session has no such trial.
pub fn task_score(session: &Session, trials: &[usize], task: Task, log_rates: &[f32]) -> f64 {
    let (bins, units) = (session.bins(), session.units().len());
    let scored = task.scored(&regions_of(session), bins);
    let counts = session.dense(trials);
    assert_eq!(counts.len(), log_rates.len(), "a log-rate per trial, bin and unit");
    let cut = |values: &[f32]| scored.cut(values, bins, units);
    match scored.units.len() {
        0 => 0.0,
        units => mean_bits(&bits_per_spike(&cut(log_rates), &cut(&counts), units).per_unit),
    }
}
