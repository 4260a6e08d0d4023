//! Training and fine-tuning.

use crate::detached::{computed, detached};
use crate::failure::Failure;
use crate::progress::{TrainingProgress, warn};
use crate::session::Session;
use neuroglot::engine::cuda::Precision;
use neuroglot::engine::{Device, DeviceChoice};
use neuroglot::ensemble::train_ensemble;
use neuroglot::eval::audit::{Warn, warning};
use neuroglot::train::{ModelFolder, Recipe, RunConfig, RunFolder, Start};
use pyo3::prelude::*;
use std::path::{Path, PathBuf};

/// A device by its name.
pub fn device(name: &str) -> Result<DeviceChoice, Failure> {
    name.parse().map_err(|cure| Failure::setting(format!("device = {name}: {cure}")))
}

/// Opens a device as the command does, on the threads of [`computed`](crate::detached::computed), where it is called.
pub fn open(device: DeviceChoice) -> Result<Box<dyn Device>, Failure> {
    Ok(device.open(Precision::Tf32, rayon::current_num_threads())?.device)
}

fn recipe(name: &str) -> Result<Recipe, Failure> {
    name.parse().map_err(Failure::setting)
}

/// All settings of a recipe as TOML, changed by a TOML file, if there is one, and then by `KEY=VALUE` settings.
#[pyfunction]
#[pyo3(signature = (name, config, settings))]
pub fn recipe_settings(
    name: &str,
    config: Option<PathBuf>,
    settings: Vec<String>,
) -> Result<String, Failure> {
    Ok(recipe(name)?.defaults().changed(config.as_deref(), &settings)?.to_toml())
}

/// Every setting by its key, such as `train.batch`.
#[pyfunction]
pub fn setting_keys() -> Vec<String> {
    RunConfig::keys()
}

/// All settings, as TOML, of a run that starts from another one.
#[pyfunction]
#[pyo3(signature = (run, name, settings))]
pub fn fine_tuning_settings(
    run: PathBuf,
    name: Option<&str>,
    settings: Vec<String>,
) -> Result<String, Failure> {
    let mut config = RunConfig::starting_from(&run)?;
    if let Some(name) = name {
        config = config.with_recipe_of_training(recipe(name)?)?;
    }
    Ok(config.changed(None, &settings)?.to_toml())
}

/// Trains all that the settings ask for, on sessions that have passed no filter yet, and writes the run folder. Returns what
/// the filters say.
#[pyfunction]
#[pyo3(signature = (settings, sessions, out, resume, device_name, threads, progress))]
pub fn train(
    py: Python<'_>,
    settings: &str,
    sessions: Vec<PyRef<'_, Session>>,
    out: PathBuf,
    resume: bool,
    device_name: &str,
    threads: usize,
    progress: Option<Py<PyAny>>,
) -> PyResult<Vec<String>> {
    let config = RunConfig::of_toml(settings).map_err(Failure::from)?;
    let choice = device(device_name)?;
    let folders: Vec<Option<PathBuf>> =
        sessions.iter().map(|session| session.folder().map(Path::to_owned)).collect();
    let whole: Vec<_> = sessions.iter().map(|session| session.session().clone()).collect();
    let (sessions, notes, warned) = detached(py, || {
        let filter = config.data.filter();
        let filtered = whole.iter().map(|session| filter.apply(session)).collect::<Result<Vec<_>, _>>()?;
        let (sessions, reports): (Vec<_>, Vec<_>) = filtered.into_iter().unzip();
        let mut warned = None;
        if config.is_fine_tuning() && !resume {
            let base = ModelFolder::open(Path::new(&config.init.from), config.init.from_checkpoint.name())?;
            let places = folders.iter().map(Option::as_deref);
            warned = warning(base.config(), sessions.iter().zip(places), Warn::OfTestTrials)?;
        }
        Ok((sessions, reports.iter().map(ToString::to_string).collect(), warned))
    })?;
    if let Some(text) = warned {
        warn(py, &text)?;
    }
    // Later commands find the sessions of a run again where all of them lie somewhere.
    let paths: Vec<PathBuf> = folders.into_iter().collect::<Option<_>>().unwrap_or_default();
    let start = if resume && RunFolder::open(&out).is_ok() { Start::Resume } else { Start::Fresh };
    computed(py, threads, progress, |progress| {
        let mut observer = TrainingProgress::new(progress);
        let mut device = || open(choice).map(Into::into);
        train_ensemble(&config, &sessions, &paths, &out, start, &mut device, &mut observer)?;
        Ok(notes)
    })
}
