//! Models and sessions of the Hugging Face hub.

use crate::detached::computed;
use crate::failure::Failure;
use crate::progress::Progress;
use neuroglot::eval::{SharedModel, shared_model};
use neuroglot::fetch::{HubClient, HubFolder, HubKind, HubRepository, HubUpload};
use neuroglot::train::ModelFolder;
use pyo3::prelude::*;
use std::path::{Path, PathBuf};

/// The folder of a model `owner/name` or `owner/name@revision`, downloaded unless it is here.
#[pyfunction]
pub fn model_of_hub(py: Python<'_>, name: &str, progress: Option<Py<PyAny>>) -> PyResult<PathBuf> {
    let repository = HubRepository::parse(HubKind::Model, name).map_err(Failure::from)?;
    computed(py, 0, progress, |progress| {
        let hub = HubClient::from_env();
        let model = hub.model(&repository)?;
        download(&hub, &repository, &model, progress)
    })
}

/// The folders of the sessions of `owner/name`, or of `owner/name/folder` alone, downloaded unless they are here.
#[pyfunction]
pub fn sessions_of_hub(py: Python<'_>, name: &str, progress: Option<Py<PyAny>>) -> PyResult<Vec<PathBuf>> {
    let (repository, folder) = HubRepository::with_folder(name).map_err(Failure::from)?;
    computed(py, 0, progress, |progress| {
        let hub = HubClient::from_env();
        let sessions = hub.sessions(&repository, folder.as_deref())?;
        sessions.iter().map(|session| download(&hub, &repository, session, progress)).collect()
    })
}

fn download(
    hub: &HubClient,
    repository: &HubRepository,
    folder: &HubFolder,
    progress: &mut Progress,
) -> Result<PathBuf, Failure> {
    let mut tell = |done: u64, total: Option<u64>| tell(progress, repository, done, total);
    Ok(hub.download(repository, folder, &mut tell)?)
}

fn tell(progress: &mut Progress, repository: &HubRepository, done: u64, total: Option<u64>) {
    progress.tell(|| format!("hub:{repository}"), done as f64 / total.unwrap_or(done).max(1) as f64);
}

/// Puts a model whose weights have a checksum onto the hub; returns the commit, and why the card has no scores.
pub fn share(
    folder: &ModelFolder,
    checksum: &str,
    evaluation: &Path,
    repository: &HubRepository,
    is_private: bool,
    message: &str,
    progress: &mut Progress,
) -> Result<(String, Option<String>), Failure> {
    let SharedModel { card, config, weights, unscored } =
        shared_model(folder, checksum, evaluation, &repository.name)?;
    let files = HubUpload::model(card, config, weights);
    let mut tell = |done: u64, total: Option<u64>| tell(progress, repository, done, total);
    let commit = HubClient::from_env().upload(repository, &files, message, is_private, &mut tell)?;
    Ok((commit, unscored))
}
