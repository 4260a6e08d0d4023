//! All tasks on the test trials of the sessions of a run.

use crate::decoding::decode;
use crate::holdout::Predictor;
use crate::progress::{EvaluationProgress, WorkMeter, decoding_work, matrix_work, session_work, task_work};
use crate::region_matrix::region_matrix;
use crate::results::{Evaluation, SessionEvaluation, Skipped, TaskResult};
use crate::test_trials::TestTrials;
use crate::{EvalError, Source, Task, TaskSelection};
use neuroglot_data::Session;
use neuroglot_model::Model;
use neuroglot_train::{CheckpointConfig, MaskPool, named_in_short};

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
    let mut total = 0.0;
    // All that stands in the way comes to light before any work is done.
    for session in sessions {
        session_index(config, session)?;
        let behaviours = options.selection.behaviours_of(session).len();
        total += session_work(session, &TestTrials::of(session)?, &options.selection.tasks, behaviours);
    }
    let mut meter = WorkMeter::new(total);
    for session in sessions {
        let index = session_index(config, session)?;
        let predictor = Predictor { model, session: index };
        let pool = config.mask.scheme;
        results.push(evaluate_session(predictor, pool, session, options, &mut meter, progress)?);
    }
    Ok(Evaluation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mask: config.mask.scheme.name().to_owned(),
        checkpoint: checkpoint.to_owned(),
        source: Source::default(),
        sessions: results,
    })
}

/// The place of a session among those of a model, which is all that can be told before it is filtered.
///
/// # Errors
/// [`EvalError::UnknownSession`] names those that the model knows.
pub fn check_known(config: &CheckpointConfig, eid: &str) -> Result<usize, EvalError> {
    config.sessions.iter().position(|known| known.eid == eid).ok_or_else(|| {
        let known: Vec<&str> = config.sessions.iter().map(|known| known.eid.as_str()).collect();
        EvalError::UnknownSession { eid: eid.to_owned(), known: named_in_short(&known) }
    })
}

/// Where the model has the stitchers of a session.
pub(crate) fn session_index(config: &CheckpointConfig, session: &Session) -> Result<usize, EvalError> {
    let eid = session.eid();
    let index = check_known(config, eid)?;
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
    meter: &mut WorkMeter,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<SessionEvaluation, EvalError> {
    let eid = session.eid();
    let test = TestTrials::of(session)?;
    let (units, regions, trials) =
        (session.units().len(), test.regions.names().len(), test.trials.len() as f64);
    let (mut tasks, mut examples, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for task in &options.selection.tasks {
        meter.begin(task_work(*task, units, regions) * trials);
        if let Some(why) = test.why_not(*task) {
            skipped.push(Skipped { what: task.name().to_owned(), why });
            continue;
        }
        let mut report = |done: usize, total: usize| {
            let share = meter.share(done, total);
            progress(EvaluationProgress { eid, task: task.name(), done, total, share });
        };
        let prompt = task.prompt(pool);
        let log_rates = predictor.of_task(*task, &test.trials, &test.regions, prompt, &mut report)?;
        let (result, shown) = test.score(*task, &log_rates, options);
        tasks.push(result);
        examples.extend(shown);
    }
    let of = |task: Task| tasks.iter().find(|result: &&TaskResult| result.task == task.name());
    let matrix = match (of(Task::IntraRegion), of(Task::InterRegion)) {
        (Some(intra), Some(inter)) => {
            let prompt = Task::InterRegion.prompt(pool);
            let scores = (&intra.per_unit[..], &inter.per_unit[..]);
            meter.begin(matrix_work(regions) * trials);
            let mut report = |done: usize, total: usize| {
                let share = meter.share(done, total);
                progress(EvaluationProgress { eid, task: "region from region", done, total, share });
            };
            Some(region_matrix(&mut predictor, &test, prompt, scores, options, &mut report)?)
        }
        _ => None,
    };
    let mut report = |task: &str| {
        meter.begin(decoding_work(session) * trials);
        progress(EvaluationProgress { eid, task, done: 0, total: 1, share: meter.share(0, 1) });
    };
    let (decoding, missing) = decode(&mut predictor, pool, session, options, &mut report)?;
    skipped.extend(missing);
    Ok(SessionEvaluation { tasks, decoding, skipped, examples, region_matrix: matrix, ..test.nothing_yet() })
}
