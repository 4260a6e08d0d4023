//! What a checkpoint holds beside its first network: other networks, and couplings.

use crate::checkpoint::{Tensor, Tensors, write_tensors};
use crate::{Checkpoint, CheckpointConfig, ModelFolder, RunFolder, TrainError};
use neuroglot_coupling::{SessionCoupling, SessionDescription};
use neuroglot_engine::Device;
use neuroglot_files::{FromIo, read, replace_folder};
use neuroglot_model::Model;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Values of all parameters of a network, in their order.
pub type NetworkValues = Vec<Vec<f32>>;

/// The file of the couplings of all sessions.
const COUPLINGS: &str = "coupling.safetensors";

/// What `config.json` says of networks and couplings beside the first network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EnsembleContents {
    /// Networks, the first included.
    pub networks: usize,
    /// Couplings, by session; empty where none were solved.
    pub couplings: Vec<SessionDescription>,
}

/// A model in memory.
pub struct LoadedModel {
    /// The first network.
    pub model: Model,
    /// All networks, the first included, where there are several; else empty.
    pub networks: Vec<NetworkValues>,
    /// Couplings, by session.
    pub couplings: Vec<SessionCoupling>,
    /// The first 64 bits of the SHA-256 of its files of weights, in hexadecimal.
    pub digest: String,
}

/// The file of the weights of a network, counted from 1.
fn weights_file(number: usize) -> String {
    if number == 1 { Checkpoint::MODEL.to_owned() } else { format!("member-{number}.safetensors") }
}

impl ModelFolder {
    /// Loads all that the checkpoint holds, for prediction.
    ///
    /// # Errors
    /// [`TrainError`] names the file and what is missing or of another shape.
    pub fn load(&self, device: Box<dyn Device>) -> Result<LoadedModel, TrainError> {
        let contents = self.config().ensemble.clone();
        let count = contents.as_ref().map_or(1, |contents| contents.networks);
        self.load_files((1..=count).map(|number| self.path().join(weights_file(number))), contents, device)
    }

    /// Loads its first network, and beside it those of other checkpoints of the same sessions.
    ///
    /// # Errors
    /// As [`ModelFolder::load`].
    pub fn load_with(&self, others: &[PathBuf], device: Box<dyn Device>) -> Result<LoadedModel, TrainError> {
        let folders = std::iter::once(self.path()).chain(others.iter().map(PathBuf::as_path));
        self.load_files(folders.map(|folder| folder.join(Checkpoint::MODEL)), None, device)
    }

    fn load_files(
        &self,
        files: impl Iterator<Item = PathBuf>,
        contents: Option<EnsembleContents>,
        device: Box<dyn Device>,
    ) -> Result<LoadedModel, TrainError> {
        let (mut digest, mut networks, mut files) = (Sha256::new(), Vec::new(), files.peekable());
        let first = files.next().unwrap_or_else(|| self.path().join(Checkpoint::MODEL));
        let bytes = self.checkpoint().read_weights(&first)?;
        digest.update(&bytes);
        let model = self.checkpoint().load_bytes(&first, &bytes, false, device)?;
        if files.peek().is_some() {
            networks.push((0..model.parameters().len()).map(|index| model.read_parameter(index)).collect());
        }
        for file in files {
            let bytes = self.checkpoint().read_weights(&file)?;
            digest.update(&bytes);
            networks.push(self.checkpoint().values(&file, &bytes, &model)?);
        }
        let couplings = self.read_couplings(contents.as_ref(), |bytes| digest.update(bytes))?;
        let digest = digest.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(LoadedModel { model, networks, couplings, digest })
    }
}

impl ModelFolder {
    /// The couplings of a checkpoint, without its networks.
    ///
    /// # Errors
    /// [`TrainError`] names the file and what is wrong with it.
    pub fn couplings(&self) -> Result<Vec<SessionCoupling>, TrainError> {
        self.read_couplings(self.config().ensemble.as_ref(), |_| ())
    }

    fn read_couplings(
        &self,
        contents: Option<&EnsembleContents>,
        mut see: impl FnMut(&[u8]),
    ) -> Result<Vec<SessionCoupling>, TrainError> {
        let Some(contents) = contents.filter(|contents| !contents.couplings.is_empty()) else {
            return Ok(Vec::new());
        };
        let path = self.path().join(COUPLINGS);
        let bytes = read(&path, MOST_BYTES).map_err(TrainError::io("read", &path))?;
        see(&bytes);
        couplings_of(&path, &bytes, self.config(), &contents.couplings)
    }
}

/// The name of an array of a session's coupling.
fn array_name(eid: &str, name: &str) -> String {
    format!("{eid}/{name}")
}

/// Longest file of couplings that is read.
const MOST_BYTES: u64 = 1 << 34;

fn couplings_of(
    path: &Path,
    bytes: &[u8],
    config: &CheckpointConfig,
    descriptions: &[SessionDescription],
) -> Result<Vec<SessionCoupling>, TrainError> {
    let tensors = Tensors::of(path, bytes)?;
    let wrong = |problem: String| TrainError::Checkpoint { path: path.to_owned(), problem };
    let read = |description: &SessionDescription| {
        let session = config.sessions.iter().find(|session| session.eid == description.eid);
        let session = session.ok_or_else(|| {
            wrong(format!("it has a coupling of session {}, which the model does not know", description.eid))
        })?;
        let array = |name: &str| tensors.array(&array_name(&session.eid, name));
        SessionCoupling::read(description, config.bins, session.units.len(), array)
            .map_err(|error| wrong(error.to_string()))
    };
    descriptions.iter().map(read).collect()
}

impl RunFolder {
    /// Whether the best checkpoint holds all that the settings of the run ask for.
    ///
    /// # Errors
    /// [`TrainError`] where there is no such checkpoint, or it cannot be understood.
    pub fn is_complete(&self) -> Result<bool, TrainError> {
        let (config, best) = (self.config()?, Checkpoint::open(&self.checkpoint(Self::BEST)?)?);
        Ok(!config.is_ensemble() || best.config.ensemble.is_some())
    }
}

/// Adds networks, from checkpoints of the same sessions, and couplings to the best checkpoint of a run, which is replaced whole.
///
/// # Errors
/// [`TrainError`] where a file cannot be read or written.
pub fn complete_checkpoint(
    run: &RunFolder,
    others: &[PathBuf],
    couplings: &[SessionCoupling],
) -> Result<(), TrainError> {
    let best = run.checkpoint(RunFolder::BEST)?;
    let Checkpoint { mut config } = Checkpoint::open(&best)?;
    config.ensemble = Some(EnsembleContents {
        networks: 1 + others.len(),
        couplings: couplings.iter().map(SessionCoupling::description).collect(),
    });
    let arrays = couplings.iter().flat_map(|coupling| {
        coupling.arrays().into_iter().map(|array| Tensor {
            name: array_name(coupling.eid(), &array.name),
            shape: array.shape,
            values: array.values,
        })
    });
    let arrays: Vec<Tensor> = arrays.collect();
    replace_folder(&run.checkpoint_path(RunFolder::BEST), |folder| {
        for (number, from) in (1..).zip(std::iter::once(&best).chain(others)) {
            let (from, to) = (from.join(Checkpoint::MODEL), folder.join(weights_file(number)));
            std::fs::copy(&from, &to).map_err(TrainError::io("copy", &from))?;
        }
        if !arrays.is_empty() {
            write_tensors(&folder.join(COUPLINGS), arrays)?;
        }
        Checkpoint::write_config(folder, &config)
    })
}
