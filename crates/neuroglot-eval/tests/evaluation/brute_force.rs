//! The tasks as they are defined: one prediction per trial and scored unit, and every unit scored by itself.

use crate::support::dense;
use neuroglot_data::{Session, Split};
use neuroglot_masks::{Holdout, Prompt};
use neuroglot_metrics::{bits_per_spike, poisson_d2, psth_r2, single_trial_r2};
use neuroglot_model::Model;
use neuroglot_tasks::Task;
use neuroglot_tasks::results::UnitScores;
use std::collections::BTreeMap;

/// Log-rates `[bin, unit]` of one trial with some entries hidden: `hides(bin, unit)`.
pub fn log_rates(
    model: &mut Model,
    place: usize,
    session: &Session,
    trial: usize,
    prompt: Prompt,
    hides: impl Fn(usize, usize) -> bool,
) -> Vec<f32> {
    let mut holdout = Holdout::nothing(1, session.bins(), session.units().len());
    holdout.hide(|_, bin, unit| hides(bin, unit));
    let counts = dense(session, trial);
    let mut found = vec![0.0; counts.len()];
    model.log_rates(place, prompt, &counts, &holdout, &mut found).unwrap();
    found
}

/// The region of a unit, if it lies in one.
pub fn region(session: &Session, unit: usize) -> Option<&str> {
    let region = session.units()[unit].region.as_str();
    (!["root", "void"].contains(&region)).then_some(region)
}

/// Whether a task hides an entry while it scores `target`.
fn hides(session: &Session, task: Task, target: usize, bin: usize, unit: usize) -> bool {
    match task {
        Task::CoSmoothing => unit == target,
        Task::Forward => bin >= first_bin(session, task),
        Task::IntraRegion => unit == target || region(session, unit) != region(session, target),
        Task::InterRegion => region(session, unit) == region(session, target),
    }
}

/// First bin scored: all but in forward prediction, which scores the last tenth.
pub fn first_bin(session: &Session, task: Task) -> usize {
    let bins = session.bins();
    if task == Task::Forward { bins - usize::max(1, bins / 10) } else { 0 }
}

pub fn scores_units_outside_regions(task: Task) -> bool {
    matches!(task, Task::CoSmoothing | Task::Forward)
}

/// Predicted log-rates of one unit in the scored bins of the test trials, `[trial, bin]`.
pub fn predicted(
    model: &mut Model,
    place: usize,
    session: &Session,
    task: Task,
    prompt: Prompt,
    target: usize,
) -> Vec<f32> {
    let trials = session.trials_in(Split::Test).into_iter();
    let predictions = trials.flat_map(|trial| {
        let hides = |bin, unit| hides(session, task, target, bin, unit);
        let found = log_rates(model, place, session, trial, prompt, hides);
        column(session, task, target, &found)
    });
    predictions.collect()
}

/// Scored bins of one unit, of a trial's values `[bin, unit]`.
pub fn column(session: &Session, task: Task, unit: usize, values: &[f32]) -> Vec<f32> {
    let rows = values.chunks(session.units().len()).skip(first_bin(session, task));
    rows.map(|row| row[unit]).collect()
}

/// Counts of one unit in the scored bins of the test trials, `[trial, bin]`.
pub fn counts(session: &Session, task: Task, unit: usize) -> Vec<f32> {
    let trials = session.trials_in(Split::Test).into_iter();
    trials.flat_map(|trial| column(session, task, unit, &dense(session, trial))).collect()
}

/// Scores of one unit, from its log-rates and counts alone.
pub fn unit_scores(session: &Session, task: Task, unit: usize, log_rates: &[f32]) -> UnitScores {
    let counts = counts(session, task, unit);
    let rates: Vec<f64> = log_rates.iter().map(|log_rate| f64::from(*log_rate).exp()).collect();
    let bins = session.bins() - first_bin(session, task);
    UnitScores {
        spikes: counts.iter().map(|count| f64::from(*count)).sum(),
        bps: bits_per_spike(log_rates, &counts, 1).per_unit[0],
        d2: poisson_d2(log_rates, &counts, 1)[0],
        r2: single_trial_r2(&rates, &counts, 1)[0],
        psth_r2: psth_r2(&rates, &counts, bins, 1, &conditions(session))[0],
        ceiling_bps: None,
        state_ceiling_bps: None,
    }
}

/// A number per test trial, equal where block, choice and reward are.
fn conditions(session: &Session) -> Vec<usize> {
    let mut numbers = BTreeMap::new();
    let trials = session.trials_in(Split::Test).into_iter();
    let number = |trial: usize| {
        let value = |name| session.behaviour_per_trial(name).unwrap()[trial].to_bits();
        let next = numbers.len();
        *numbers.entry(["block", "choice", "reward"].map(value)).or_insert(next)
    };
    trials.map(number).collect()
}

/// Mean of what is defined.
pub fn mean(values: impl IntoIterator<Item = Option<f64>>) -> Option<f64> {
    let defined: Vec<f64> = values.into_iter().flatten().collect();
    (!defined.is_empty()).then(|| defined.iter().sum::<f64>() / defined.len() as f64)
}
