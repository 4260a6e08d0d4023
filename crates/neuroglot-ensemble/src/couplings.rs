//! Solving the couplings beside trained networks.

use crate::{Ensemble, EnsembleError};
use neuroglot_coupling::{
    CouplingSettings, SessionCoupling, TaskJudge, average_log_rates, most_log_rates, task_score,
};
use neuroglot_data::{Session, Split};
use neuroglot_tasks::{Task, Trials, regions_of};
use std::collections::HashMap;

/// Solves the coupling of one session for every task that it allows, on its training trials. Its penalty is the one with which
/// its average with the networks is best on validation trials.
///
/// `progress(task, done, total)` counts what networks predict of a task for the judging, and then the fits.
///
/// # Errors
/// [`EnsembleError::Coupling`] where a regression cannot be solved, and those of asking the networks.
pub(crate) fn solve_coupling(
    ensemble: &mut Ensemble,
    (index, session): (usize, &Session),
    training: &[usize],
    settings: &CouplingSettings,
    progress: &mut dyn FnMut(Task, usize, usize),
) -> Result<SessionCoupling, EnsembleError> {
    let validation = session.trials_in(Split::Validation);
    let regions = regions_of(session);
    let mut networks = HashMap::new();
    if !validation.is_empty() {
        let trials = Trials::of(session, validation.clone());
        for task in Task::ALL.into_iter().filter(|task| task.why_not(&regions).is_none()) {
            progress(task, 0, 1);
            let mut of_networks = |done, total| {
                if done > 0 {
                    progress(task, done, total);
                }
            };
            let log_rates =
                ensemble.about(index).networks_of_task(task, &trials, &regions, &mut of_networks)?;
            networks.insert(task.name(), log_rates);
        }
    }
    let most = most_log_rates(session, training);
    let mut judge = |task: Task, coupling: &[f32]| {
        let mut averaged = networks[task.name()].clone();
        average_log_rates(settings.weight, coupling, &most, &mut averaged);
        task_score(session, &validation, task, &averaged)
    };
    let judge: Option<TaskJudge<'_>> = if networks.is_empty() { None } else { Some(&mut judge) };
    Ok(SessionCoupling::fit(session, training, &validation, settings, judge, progress)?)
}
