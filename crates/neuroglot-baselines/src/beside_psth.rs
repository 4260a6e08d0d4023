//! A model beside the PSTH of each session, which is the least that it has to beat.

use crate::{Baseline, evaluate_baseline};
use neuroglot_data::Session;
use neuroglot_eval::comparison::{ByRun, Difference, SharedScores};
use neuroglot_tasks::results::{Evaluation, Interval, SessionEvaluation};
use neuroglot_tasks::{EvaluationOptions, Task, TaskSelection};

/// Fits the PSTH of each session that was scored in co-smoothing, and keeps how the model differs from it.
pub fn add_beside_psth(evaluation: &mut Evaluation, sessions: &[Session], options: &EvaluationOptions) {
    let selection =
        TaskSelection { tasks: vec![Task::CoSmoothing], behaviours: Vec::new(), every_behaviour: false };
    let options = EvaluationOptions { selection, ..options.clone() };
    for found in &mut evaluation.sessions {
        let session = sessions.iter().find(|session| session.eid() == found.eid);
        found.beside_psth = session.and_then(|session| difference(found, session, &options));
    }
}

/// The model's bits/spike minus those of the PSTH; `None` where either cannot be told.
fn difference(model: &SessionEvaluation, session: &Session, options: &EvaluationOptions) -> Option<Interval> {
    model.tasks.iter().find(|result| result.task == Task::CoSmoothing.name())?;
    let psth = evaluate_baseline(Baseline::Psth, std::slice::from_ref(session), options, &mut |_| ()).ok()?;
    let by_run: [ByRun<'_>; 1] = [vec![psth.sessions.first(), Some(model)]];
    let scores = SharedScores::of(&by_run, Task::CoSmoothing.name(), |unit| unit.bps)?;
    let Difference { mean, low, high, .. } = scores.difference(1, 0)?;
    Some(Interval { mean, low, high })
}
