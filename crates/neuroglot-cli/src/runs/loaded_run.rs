//! A trained model in memory, and how commands are told which one.

use crate::CommandError;
use clap::Args;
use neuroglot::engine::Device;
use neuroglot::model::Model;
use neuroglot::train::{CheckpointConfig, ModelFolder, RunConfig, RunFolder};
use std::path::Path;

/// Which checkpoint of a run is meant.
#[derive(Debug, Args)]
pub struct CheckpointOption {
    /// Which checkpoint of a run: the best by train.select, or the last [default: best]
    #[arg(long, value_parser = [RunFolder::BEST, RunFolder::LAST])]
    checkpoint: Option<String>,
}

impl CheckpointOption {
    /// What was asked for.
    pub fn name(&self) -> Option<&str> {
        self.checkpoint.as_deref()
    }
}

/// Opens a checkpoint folder, or a checkpoint of a run folder, [`RunFolder::BEST`] where none is named.
///
/// # Errors
/// Neither there, no such checkpoint yet, a damaged one, or a name beside a folder that is a checkpoint already.
pub fn open_model(path: &Path, checkpoint: Option<&str>) -> Result<ModelFolder, CommandError> {
    let found = ModelFolder::open(path, checkpoint.unwrap_or(RunFolder::BEST))?;
    if let Some(name) = checkpoint
        && ModelFolder::is_checkpoint(path)
        && found.checkpoint_name() != name
    {
        let problem = format!("{} is a checkpoint itself: leave out --checkpoint {name}", path.display());
        return Err(CommandError::Usage(problem));
    }
    Ok(found)
}

/// A model, and what is known of how it was made.
pub struct LoadedRun {
    /// Where it lies.
    pub folder: ModelFolder,
    /// Settings of its run.
    pub config: RunConfig,
    /// What the model was trained on.
    pub checkpoint: CheckpointConfig,
    /// The model, for prediction only.
    pub model: Model,
    /// A checksum of its weights.
    pub weights: String,
}

impl LoadedRun {
    /// Loads a model onto a device.
    ///
    /// # Errors
    /// A damaged checkpoint, or one alone that does not say its settings.
    pub fn open(folder: ModelFolder, device: Box<dyn Device>) -> Result<Self, CommandError> {
        let config = folder.settings()?;
        let (model, weights) = folder.load(device)?;
        Ok(Self { config, checkpoint: folder.config().clone(), model, weights, folder })
    }
}
