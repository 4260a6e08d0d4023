//! A model beside the PSTH of each session: one that predicts units worse than their own average does was not trained
//! enough, whatever its other scores.

use crate::terminal::number::decimal;
use neuroglot::baselines::{Baseline, evaluate_baseline};
use neuroglot::data::Session;
use neuroglot::eval::comparison::{ByRun, Difference, SharedScores, Verdict};
use neuroglot::tasks::results::{Evaluation, IntervalValue, SessionEvaluation};
use neuroglot::tasks::{EvaluationOptions, Task, TaskSelection};

/// Sessions that are named.
const NAMED: usize = 8;

/// Fits the PSTH of each session that was scored in co-smoothing, and keeps how the model differs from it.
pub fn add(evaluation: &mut Evaluation, sessions: &[Session], options: &EvaluationOptions) {
    let selection =
        TaskSelection { tasks: vec![Task::CoSmoothing], behaviours: Vec::new(), every_behaviour: false };
    let options = EvaluationOptions { selection, ..options.clone() };
    for found in &mut evaluation.sessions {
        let session = sessions.iter().find(|session| session.eid() == found.eid);
        found.beside_psth = session.and_then(|session| difference(found, session, &options));
    }
}

/// The model's bits/spike minus those of the PSTH; `None` where either cannot be told.
fn difference(
    model: &SessionEvaluation,
    session: &Session,
    options: &EvaluationOptions,
) -> Option<IntervalValue> {
    model.tasks.iter().find(|result| result.task == Task::CoSmoothing.name())?;
    let psth = evaluate_baseline(Baseline::Psth, std::slice::from_ref(session), options, &mut |_| ()).ok()?;
    let by_run: [ByRun<'_>; 1] = [vec![psth.sessions.first(), Some(model)]];
    let scores = SharedScores::of(&by_run, Task::CoSmoothing.name(), |unit| unit.bps)?;
    let Difference { mean, low, high, .. } = scores.difference(1, 0)?;
    Some(IntervalValue { mean, low, high })
}

/// `a (−0.120)` of each session in which the model lies below the PSTH, with the interval of the difference below 0.
pub fn below(evaluation: &Evaluation) -> Vec<String> {
    let is_below = |difference: &IntervalValue| {
        let IntervalValue { mean, low, high } = *difference;
        Verdict::of(&neuroglot::metrics::Interval { mean, low, high }) == Verdict::Worse
    };
    let below = evaluation.sessions.iter().filter_map(|session| {
        let difference = session.beside_psth.filter(is_below)?;
        Some(format!("{} ({})", session.eid, decimal(Some(difference.mean))))
    });
    let mut below: Vec<String> = below.collect();
    if below.len() > NAMED {
        let more = below.len() - NAMED;
        below.truncate(NAMED);
        below.push(format!("and {more} more"));
    }
    below
}
