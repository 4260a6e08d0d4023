//! What a model has to beat.

use crate::detached::computed;
use crate::evaluation::Evaluation;
use crate::failure::Failure;
use crate::session::Session;
use neuroglot::baselines::{Baseline, evaluate_baseline as evaluate};
use neuroglot::tasks::EvaluationOptions;
use pyo3::prelude::*;

/// The name of every baseline.
#[pyfunction]
pub fn baseline_names() -> Vec<&'static str> {
    Baseline::ALL.map(Baseline::name).into()
}

/// Fits a baseline to each session and scores it on its test trials.
#[pyfunction]
#[pyo3(signature = (name, sessions, tasks, threads, progress))]
pub fn evaluate_baseline(
    py: Python<'_>,
    name: &str,
    sessions: Vec<PyRef<'_, Session>>,
    tasks: Option<Vec<String>>,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Evaluation> {
    let baseline: Baseline = name.parse().map_err(Failure::from)?;
    let sessions: Vec<neuroglot::data::Session> =
        sessions.iter().map(|session| session.session().as_ref().clone()).collect();
    let options = EvaluationOptions::of_tasks(tasks.as_deref(), &sessions).map_err(Failure::from)?;
    computed(py, threads, progress, |progress| {
        Ok(Evaluation::new(evaluate(baseline, &sessions, &options, &mut |at| progress.evaluation(&at))?))
    })
}
