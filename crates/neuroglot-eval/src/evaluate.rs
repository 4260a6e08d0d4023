//! All tasks on the test trials of the sessions of a run.

use crate::conditions::Conditions;
use crate::decoding::decode;
use crate::examples::examples;
use crate::holdout::{Predictor, first_predicted_bin};
use crate::region_matrix::region_matrix;
use crate::results::{Evaluation, SessionEvaluation, Skipped, TaskResult, UnitLabel, UnitScores};
use crate::scoring::Scored;
use crate::trials::{Trials, part};
use crate::{EvalError, Task, TaskSelection};
use neuroglot_data::{Session, Split};
use neuroglot_model::{Model, Regions};
use neuroglot_train::{CheckpointConfig, MaskPool};

/// What to evaluate, and how intervals are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvaluationOptions {
    /// Tasks and behaviours.
    pub selection: TaskSelection,
    /// Bootstrap resamples of the interval over units.
    pub resamples: usize,
    /// Seed of the bootstrap.
    pub seed: u64,
}

impl Default for EvaluationOptions {
    fn default() -> Self {
        Self { selection: TaskSelection::default(), resamples: 1000, seed: 42 }
    }
}

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvaluationProgress<'a> {
    /// Session id.
    pub eid: &'a str,
    /// Task or behaviour under way.
    pub task: &'a str,
    /// Units, regions or trials done.
    pub done: usize,
    /// Of how many.
    pub total: usize,
}

/// Evaluates a model on the test trials of sessions, which have passed the run's filters.
///
/// # Errors
/// [`EvalError`]: a session that the model does not know or whose units have changed, or one without test trials.
pub fn evaluate(
    model: &mut Model,
    config: &CheckpointConfig,
    checkpoint: &str,
    sessions: &[Session],
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<Evaluation, EvalError> {
    let mut results = Vec::new();
    for session in sessions {
        let index = session_index(config, session)?;
        let predictor = Predictor { model, session: index };
        results.push(evaluate_session(predictor, config.mask.scheme, session, options, progress)?);
    }
    Ok(Evaluation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mask: config.mask.scheme.name().to_owned(),
        checkpoint: checkpoint.to_owned(),
        sessions: results,
    })
}

/// Where the model has the stitchers of a session.
pub(crate) fn session_index(config: &CheckpointConfig, session: &Session) -> Result<usize, EvalError> {
    let eid = session.eid();
    let Some(index) = config.sessions.iter().position(|known| known.eid == eid) else {
        let known = config.sessions.iter().map(|known| known.eid.as_str()).collect::<Vec<_>>().join(", ");
        return Err(EvalError::UnknownSession { eid: eid.to_owned(), known });
    };
    config.sessions[index].check(session)?;
    if session.bins() != config.bins || session.bin_seconds() != config.bin_seconds {
        let problem = format!(
            "{} bins of {} s a trial, and the model was trained with {} of {} s",
            session.bins(),
            session.bin_seconds(),
            config.bins,
            config.bin_seconds
        );
        return Err(neuroglot_train::TrainError::Session { eid: eid.to_owned(), problem }.into());
    }
    Ok(index)
}

fn evaluate_session(
    mut predictor: Predictor<'_>,
    pool: MaskPool,
    session: &Session,
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<SessionEvaluation, EvalError> {
    let eid = session.eid();
    let trials = Trials::of(session, session.trials_in(Split::Test));
    if trials.len() == 0 {
        return Err(EvalError::NoTestTrials { eid: eid.to_owned() });
    }
    let regions = Regions::new(session.units().iter().map(|unit| unit.region.as_str()));
    let conditions = Conditions::of(session, &trials.indices);
    let (mut tasks, mut shown, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for task in &options.selection.tasks {
        if let Some(why) = why_not(*task, &regions) {
            skipped.push(Skipped { what: task.name().to_owned(), why });
            continue;
        }
        let mut report = |done: usize, total: usize| {
            progress(EvaluationProgress { eid, task: task.name(), done, total });
        };
        let log_rates = predictor.of_task(*task, &trials, &regions, task.prompt(pool), &mut report)?;
        let first_bin = if *task == Task::Forward { first_predicted_bin(trials.bins) } else { 0 };
        let result = score(*task, &trials, &regions, &conditions, &log_rates, first_bin, options);
        shown.extend(examples(task.name(), &trials, &conditions, &log_rates, first_bin, &result.per_unit));
        tasks.push(result);
    }
    let of = |task: Task| tasks.iter().find(|result: &&TaskResult| result.task == task.name());
    let matrix = match (of(Task::IntraRegion), of(Task::InterRegion)) {
        (Some(intra), Some(inter)) => {
            let prompt = Task::InterRegion.prompt(pool);
            let (intra, inter) = (&intra.per_unit, &inter.per_unit);
            Some(region_matrix(&mut predictor, &trials, &regions, prompt, intra, inter)?)
        }
        _ => None,
    };
    let mut report = |task: &str| progress(EvaluationProgress { eid, task, done: 0, total: 1 });
    let (decoding, missing) =
        decode(&mut predictor, pool, session, &options.selection.behaviours, &mut report)?;
    skipped.extend(missing);
    let label =
        |unit: &neuroglot_data::Unit| UnitLabel { uuid: unit.uuid.clone(), region: unit.region.clone() };
    Ok(SessionEvaluation {
        eid: eid.to_owned(),
        subject: session.subject().to_owned(),
        trials: trials.len(),
        bins: session.bins(),
        bin_seconds: session.bin_seconds(),
        units: session.units().iter().map(label).collect(),
        tasks,
        decoding,
        skipped,
        examples: shown,
        region_matrix: matrix,
    })
}

/// Why a task cannot be done in a session.
fn why_not(task: Task, regions: &Regions) -> Option<String> {
    match (task, regions.names().len()) {
        (Task::IntraRegion | Task::InterRegion, 0) => Some("no unit of the session has a region".to_owned()),
        (Task::InterRegion, 1) => Some("the session has only one region".to_owned()),
        _ => None,
    }
}

/// Scores the entries of a task; units that it does not score have no scores.
fn score(
    task: Task,
    trials: &Trials,
    regions: &Regions,
    conditions: &Conditions,
    log_rates: &[f32],
    first_bin: usize,
    options: &EvaluationOptions,
) -> TaskResult {
    let by_region = matches!(task, Task::IntraRegion | Task::InterRegion);
    let scored: Vec<usize> =
        (0..trials.units).filter(|unit| !by_region || regions.of_unit(*unit).is_some()).collect();
    let cut = |values: &[f32]| part(values, trials.bins, trials.units, first_bin, &scored);
    let counts = cut(&trials.counts);
    let scores_of = |log_rates: &[f32]| {
        let scored = Scored {
            log_rates: &cut(log_rates),
            counts: &counts,
            bins: trials.bins - first_bin,
            units: scored.len(),
            conditions: conditions.exist().then_some(conditions.of_trial.as_slice()),
        };
        scored.scores(options.resamples, options.seed)
    };
    let (scores, of_scored) = scores_of(log_rates);
    let ceiling = trials.true_log_rates.as_deref().map(scores_of);
    let nothing = UnitScores { spikes: 0.0, bps: None, d2: None, r2: None, psth_r2: None, ceiling_bps: None };
    let mut per_unit = vec![nothing; trials.units];
    for (place, unit) in scored.iter().enumerate() {
        let ceiling_bps = ceiling.as_ref().and_then(|(_, units)| units[place].bps);
        per_unit[*unit] = UnitScores { ceiling_bps, ..of_scored[place] };
    }
    TaskResult { task: task.name().to_owned(), scores, ceiling: ceiling.map(|(scores, _)| scores), per_unit }
}
