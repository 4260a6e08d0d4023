//! All tasks on the test trials of the sessions of a run.

use crate::EvalError;
use crate::comparison::task_of;
use crate::coupled_units::coupled_units;
use crate::decoding::decode_session;
use crate::region_matrix::region_matrix;
use crate::trajectories::trajectories;
use crate::work::{decoding_work, matrix_work, session_work, task_work};
use neuroglot_data::{Filter, Session};
use neuroglot_ensemble::{Ensemble, Predictor};
use neuroglot_masks::Scheme;
use neuroglot_tasks::results::{AloneScores, Evaluation, SessionEvaluation, Skipped};
use neuroglot_tasks::{EvaluationOptions, EvaluationProgress, Source, Task, TestTrials, WorkMeter};
use neuroglot_train::{CheckpointConfig, DataConfig, named_in_short};
use std::collections::HashMap;

/// Evaluates what a run predicts with on the test trials of sessions, which have passed the run's filters.
///
/// # Errors
/// [`EvalError`]: a session that the model does not know or whose units have changed, or one without test trials.
pub fn evaluate(
    ensemble: &mut Ensemble,
    checkpoint: &str,
    sessions: &[Session],
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<Evaluation, EvalError> {
    let mut results = Vec::new();
    let mut total = 0.0;
    // All that stands in the way comes to light before any work is done.
    for session in sessions {
        session_index(ensemble.config(), session)?;
        let behaviours = options.selection.behaviours_of(session).len();
        total += session_work(session, &TestTrials::of(session)?, &options.selection.tasks, behaviours);
    }
    let mut meter = WorkMeter::new(total);
    for session in sessions {
        let index = session_index(ensemble.config(), session)?;
        let found = evaluate_session(ensemble.about(index), session, options, &mut meter, progress)?;
        results.push(SessionEvaluation { coupling: coupled_units(ensemble.couplings(), session), ..found });
    }
    Ok(evaluation_of(ensemble, checkpoint, results))
}

/// What was found of sessions with a checkpoint, without what was asked of it.
pub(crate) fn evaluation_of(
    ensemble: &Ensemble,
    checkpoint: &str,
    sessions: Vec<SessionEvaluation>,
) -> Evaluation {
    Evaluation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mask: ensemble.config().mask.pool.name(),
        checkpoint: checkpoint.to_owned(),
        source: Source::default(),
        sessions,
    }
}

/// What all evaluations are made from: the choice of units and trials, and how intervals are made. Models and baselines add
/// their own.
pub fn evaluation_source(data: &DataConfig, options: &EvaluationOptions) -> Source {
    // The number of trials to train on decides nothing about those that are scored.
    let data = DataConfig { trials: 0, ..data.clone() };
    let data = serde_json::to_string(&data).unwrap_or_default();
    Source::default()
        .with("version", env!("CARGO_PKG_VERSION"))
        .with("choice of units and trials", data)
        .with("seed", options.seed)
        .with("resamples", options.resamples)
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

/// A session as a model sees it: with the units that the model knows, by their uuids, and the trials that the run's filter
/// keeps. Rates of units, which may differ between parts of a session, have no say once a model knows its units.
///
/// # Errors
/// [`EvalError::UnknownSession`], and those of filters.
pub fn as_model_sees(
    config: &CheckpointConfig,
    filter: &Filter,
    session: &Session,
) -> Result<Session, EvalError> {
    let known = &config.sessions[check_known(config, session.eid())?].units;
    let units = session.units().iter().enumerate();
    let places: HashMap<&str, usize> = units.map(|(place, unit)| (unit.uuid.as_str(), place)).collect();
    let chosen: Option<Vec<usize>> =
        known.iter().map(|unit| places.get(unit.uuid.as_str()).copied()).collect();
    // Where names do not tell units apart, the filter must find the same ones again.
    let Some(chosen) = chosen.filter(|_| places.len() == session.units().len()) else {
        return Ok(filter.apply(session)?.0);
    };
    let trials = Filter { drop_no_go: filter.drop_no_go, ..Filter::default() };
    Ok(trials.apply(&session.select_units(&chosen)?)?.0)
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
    session: &Session,
    options: &EvaluationOptions,
    meter: &mut WorkMeter,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<SessionEvaluation, EvalError> {
    let eid = session.eid();
    let test = TestTrials::of(session)?;
    let (regions, trials) = (test.regions(), test.trials().len() as f64);
    let mut found = test.nothing_yet();
    for task in &options.selection.tasks {
        meter.begin(task_work(*task, &test) * trials);
        if let Some(why) = task.why_not(regions) {
            found.skipped.push(Skipped { what: task.name().to_owned(), why: why.to_owned() });
            continue;
        }
        let mut report = |done: usize, total: usize| progress(meter.at(eid, task.name(), done, total));
        let predicted = predictor.of_task(*task, test.trials(), regions, &mut report)?;
        let (mut result, examples) = test.score(*task, &predicted.average, options);
        if *task == Task::CoSmoothing {
            found.details = test.details(*task, &predicted.average, &result.per_unit);
            found.populations = test.population(*task, &predicted.average);
        }
        result.alone = predicted.alone.map(|alone| {
            let [networks, coupling] = alone.map(|log_rates| test.scores(*task, &log_rates, options));
            AloneScores { networks, coupling }
        });
        found.tasks.push(result);
        found.examples.extend(examples);
    }
    let of = |task: Task| task_of(&found, task.name()).map(|result| result.per_unit.as_slice());
    if let (Some(intra), Some(inter)) = (of(Task::IntraRegion), of(Task::InterRegion)) {
        meter.begin(matrix_work(regions.names().len()) * trials);
        let mut report =
            |done: usize, total: usize| progress(meter.at(eid, "region from region", done, total));
        found.region_matrix =
            Some(region_matrix(&mut predictor, &test, (intra, inter), options, &mut report)?);
    }
    let mut report = |task: &str, done: usize, total: usize| {
        meter.begin(decoding_work(session) * trials);
        progress(meter.at(eid, task, done, total));
    };
    let decoded = decode_session(&mut predictor, session, options, None, &mut report)?;
    found.decoding = decoded.results;
    found.skipped.extend(decoded.skipped);
    let activations = predictor.latents(test.trials(), Scheme::Neuron)?;
    match trajectories(&test, &activations, predictor.hidden()) {
        Ok(trajectories) => found.trajectories = Some(trajectories),
        Err(error) => {
            found.skipped.push(Skipped { what: "latent trajectories".to_owned(), why: error.to_string() });
        }
    }
    Ok(found)
}
