//! A trained model.

use crate::columns::as_dictionary;
use crate::detached::{computed, detached};
use crate::evaluation::Evaluation;
use crate::failure::Failure;
use crate::floats::Floats;
use crate::hub::share;
use crate::progress::warn;
use crate::session::Session;
use crate::training::{device, open};
use neuroglot::baselines::add_beside_psth;
use neuroglot::data::text::nearest_name;
use neuroglot::engine::DeviceChoice;
use neuroglot::ensemble::Ensemble;
use neuroglot::eval::audit::{Warn, warning};
use neuroglot::eval::{
    Hide, as_model_sees, decode, decoding_table, evaluate, evaluation_folder, evaluation_source, latents,
    predicted_log_rates, summary_json, translate, translation_table,
};
use neuroglot::fetch::{HubKind, HubRepository};
use neuroglot::masks::Scheme;
use neuroglot::tasks::{EvaluationOptions, TaskSelection};
use neuroglot::train::{CheckpointConfig, ModelFolder, RunConfig};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// A trained model in memory, and the folder that it was read from.
#[pyclass(frozen, module = "neuroglot._neuroglot")]
pub struct Run {
    folder: ModelFolder,
    config: RunConfig,
    /// A checksum of its weights.
    weights: String,
    known: CheckpointConfig,
    /// Where it computes.
    device: DeviceChoice,
    /// Threads of the CPU that it computes on; 0 is one per core.
    threads: usize,
    ensemble: Mutex<Ensemble>,
}

impl Run {
    fn with_ensemble<T>(&self, ask: impl FnOnce(&mut Ensemble) -> Result<T, Failure>) -> Result<T, Failure> {
        // Asking changes nothing that another question would see, however it ended.
        ask(&mut self.ensemble.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn view(&self, session: &Session) -> Result<neuroglot::data::Session, Failure> {
        Ok(as_model_sees(&self.known, &self.config.data.filter(), session.session())?)
    }

    /// Sessions as the model sees them; warns where test trials were seen in training.
    fn views(
        &self,
        py: Python<'_>,
        sessions: &[PyRef<'_, Session>],
        of: Warn,
    ) -> PyResult<Vec<neuroglot::data::Session>> {
        let sessions: Vec<&Session> = sessions.iter().map(|session| &**session).collect();
        let (views, warned) = detached(py, || {
            let views = sessions.iter().map(|session| self.view(session)).collect::<Result<Vec<_>, _>>()?;
            let folders = sessions.iter().map(|session| session.folder());
            let warned = warning(&self.known, views.iter().zip(folders), of)?;
            Ok((views, warned))
        })?;
        if let Some(text) = warned {
            warn(py, &text)?;
        }
        Ok(views)
    }
}

fn scheme(name: Option<&str>) -> Result<Option<Scheme>, Failure> {
    let parse = |name: &str| {
        let nearest = || nearest_name(name, &Scheme::ALL.map(Scheme::name));
        let problem = |error| format!("prompt: {error}; the nearest is {}", nearest());
        name.parse::<Scheme>().map_err(|error| Failure::setting(problem(error)))
    };
    name.map(parse).transpose()
}

/// Says what was left out, and what keeps classes of decoded behaviours from being learned or scored.
fn warn_of_decoding(py: Python<'_>, evaluation: &neuroglot::tasks::results::Evaluation) -> PyResult<()> {
    for session in &evaluation.sessions {
        for remark in session.remarks(|_| true) {
            warn(py, &format!("{}: {remark}", session.eid))?;
        }
    }
    Ok(())
}

#[pymethods]
impl Run {
    /// Opens a run folder, or the folder of a checkpoint.
    #[staticmethod]
    fn open(
        py: Python<'_>,
        path: PathBuf,
        checkpoint: &str,
        device_name: &str,
        threads: usize,
    ) -> PyResult<Self> {
        let choice = device(device_name)?;
        let run = computed(py, threads, None, |_| {
            let folder = ModelFolder::open(&path, checkpoint)?;
            let config = folder.settings()?;
            let (ensemble, weights) = Ensemble::open(&folder, open(choice)?)?;
            let known = ensemble.config().clone();
            let ensemble = Mutex::new(ensemble);
            Ok(Self { folder, config, weights, known, device: choice, threads, ensemble })
        })?;
        if run.config.is_ensemble() && run.known.ensemble.is_none() {
            let path = run.folder.path().display();
            let text = format!(
                "{path} holds one network and no coupling, though the settings of its run ask for more: these are added to \
                 the best checkpoint when all training is done"
            );
            warn(py, &text)?;
        }
        Ok(run)
    }

    /// Puts the model onto the hub; returns the commit, and why the card has no scores.
    fn share(
        &self,
        py: Python<'_>,
        repository: &str,
        is_private: bool,
        message: &str,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(String, Option<String>)> {
        let repository = HubRepository::parse(HubKind::Model, repository).map_err(Failure::from)?;
        let evaluation = evaluation_folder(self.folder.home());
        computed(py, self.threads, progress, |progress| {
            share(&self.folder, &self.weights, &evaluation, &repository, is_private, message, progress)
        })
    }

    /// The folder of the run, or of a checkpoint alone.
    #[getter]
    fn home(&self) -> &Path {
        self.folder.home()
    }

    /// All settings as TOML.
    #[getter]
    fn settings(&self) -> String {
        self.config.to_toml()
    }

    /// What is known of the model, `config.json`.
    #[getter]
    fn description(&self) -> String {
        serde_json::to_string(&self.known).unwrap_or_default()
    }

    /// A checksum of the weights.
    #[getter]
    fn weights(&self) -> &str {
        &self.weights
    }

    /// Folders of the sessions that it was trained on.
    fn session_folders(&self) -> Result<Vec<PathBuf>, Failure> {
        Ok(self.folder.session_folders()?)
    }

    /// A session as the model sees it.
    #[pyo3(name = "view")]
    fn view_of(&self, py: Python<'_>, session: PyRef<'_, Session>) -> PyResult<Session> {
        let session = &*session;
        detached(py, || Ok(Session::new(self.view(session)?)))
    }

    /// The session as the model sees it, its rates (spikes/s) or log-rates, ln(spikes/bin), `[trial, bin, unit]`, and which
    /// entries of a trial were hidden, `[bin, unit]` as bytes.
    #[pyo3(signature = (session, units, regions, bins, prompt, log))]
    fn predict(
        &self,
        py: Python<'_>,
        session: PyRef<'_, Session>,
        units: Vec<String>,
        regions: Vec<String>,
        bins: Vec<String>,
        prompt: Option<&str>,
        log: bool,
    ) -> PyResult<(Session, Floats, Vec<u8>)> {
        let hide = Hide { units, regions, bins };
        let told = hide.scheme(&self.known.mask.pool, scheme(prompt)?).map_err(Failure::from)?;
        let view = self.views(py, &[session], Warn::OfTestTrials)?.remove(0);
        computed(py, self.threads, None, |_| {
            let holdout = hide.holdout(&view)?;
            let (trials, mut values) = self
                .with_ensemble(|ensemble| Ok(predicted_log_rates(ensemble, &view, told.scheme, &holdout)?))?;
            if !log {
                let bin_seconds = view.bin_seconds() as f32;
                values.iter_mut().for_each(|value| *value = value.exp() / bin_seconds);
            }
            let floats = Floats::new(values, &[trials.len(), trials.bins, trials.units]);
            let hidden = holdout.hidden().iter().map(|hidden| u8::from(*hidden)).collect();
            Ok((Session::new(view), floats, hidden))
        })
    }

    /// The session as the model sees it, and its latents `[trial, bin, hidden]`.
    #[pyo3(signature = (session, prompt))]
    fn latents(
        &self,
        py: Python<'_>,
        session: PyRef<'_, Session>,
        prompt: Option<&str>,
    ) -> PyResult<(Session, Floats)> {
        let scheme =
            Hide::default().scheme(&self.known.mask.pool, scheme(prompt)?).map_err(Failure::from)?.scheme;
        let session = &*session;
        computed(py, self.threads, None, |_| {
            let view = self.view(session)?;
            self.with_ensemble(|ensemble| {
                let latents = latents(ensemble, &view, scheme)?;
                let shape = [view.trials(), view.bins(), ensemble.hidden()];
                Ok((Session::new(view), Floats::new(latents, &shape)))
            })
        })
    }

    /// Embeddings of the units that the model knows of a session, `[unit, hidden]`.
    fn unit_embeddings(&self, py: Python<'_>, session: usize) -> PyResult<Floats> {
        computed(py, self.threads, None, |_| {
            self.with_ensemble(|ensemble| {
                let values = ensemble.unit_embeddings(session)?;
                let hidden = ensemble.hidden();
                Ok(Floats::new(values, &[self.known.sessions[session].units.len(), hidden]))
            })
        })
    }

    /// Embeddings of all sessions, `[session, hidden]`.
    fn session_embeddings(&self, py: Python<'_>) -> PyResult<Floats> {
        computed(py, self.threads, None, |_| {
            self.with_ensemble(|ensemble| {
                let values = ensemble.session_embeddings()?;
                let hidden = ensemble.hidden();
                Ok(Floats::new(values, &[self.known.sessions.len(), hidden]))
            })
        })
    }

    /// Scores sessions on their test trials.
    #[pyo3(signature = (sessions, tasks, progress))]
    fn evaluate(
        &self,
        py: Python<'_>,
        sessions: Vec<PyRef<'_, Session>>,
        tasks: Option<Vec<String>>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Evaluation> {
        let views = self.views(py, &sessions, Warn::OfBase)?;
        let options = EvaluationOptions::of_tasks(tasks.as_deref(), &views).map_err(Failure::from)?;
        let name = self.folder.checkpoint_name();
        let evaluation = computed(py, self.threads, progress, |progress| {
            let found = self.with_ensemble(|ensemble| {
                Ok(evaluate(ensemble, &name, &views, &options, &mut |at| progress.evaluation(&at))?)
            })?;
            let source = evaluation_source(&self.config.data, &options).with("weights", &self.weights);
            let mut evaluation = neuroglot::tasks::results::Evaluation { source, ..found };
            add_beside_psth(&mut evaluation, &views, &options);
            Ok(evaluation)
        })?;
        warn_of_decoding(py, &evaluation)?;
        Ok(Evaluation::new(evaluation))
    }

    /// Decodes behaviours: the scores as JSON, and what was decoded as a table.
    #[pyo3(signature = (sessions, targets, end_to_end, progress))]
    fn decode<'py>(
        &self,
        py: Python<'py>,
        sessions: Vec<PyRef<'_, Session>>,
        targets: Vec<String>,
        end_to_end: bool,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<(String, Bound<'py, PyDict>)> {
        let views = self.views(py, &sessions, Warn::OfTestTrials)?;
        let selection = TaskSelection::of_targets(&targets, &views).map_err(Failure::from)?;
        let options = EvaluationOptions { selection, ..EvaluationOptions::default() };
        let name = self.folder.checkpoint_name();
        let decoding = computed(py, self.threads, progress, |progress| {
            let to_train = end_to_end.then(|| open(self.device)).transpose()?;
            self.with_ensemble(|ensemble| {
                Ok(decode(ensemble, &name, &views, &options, to_train, &mut |at| progress.evaluation(&at))?)
            })
        })?;
        warn_of_decoding(py, &decoding.evaluation)?;
        let scores = summary_json(&decoding.evaluation).to_string();
        Ok((scores, as_dictionary(py, decoding_table(&decoding, &views))?))
    }

    /// Predicts each region of a session from each other one, as a table.
    #[pyo3(signature = (session, progress))]
    fn translate<'py>(
        &self,
        py: Python<'py>,
        session: PyRef<'_, Session>,
        progress: Option<Py<PyAny>>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let view = self.views(py, &[session], Warn::OfTestTrials)?.remove(0);
        let translation = computed(py, self.threads, progress, |progress| {
            let options = EvaluationOptions::default();
            self.with_ensemble(|ensemble| {
                Ok(translate(ensemble, &view, &options, &mut |at| progress.evaluation(&at))?)
            })
        })?;
        as_dictionary(py, translation_table(&translation))
    }
}
