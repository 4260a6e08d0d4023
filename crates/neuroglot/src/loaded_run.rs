//! A trained run with its model in memory.

use crate::CommandError;
use neuroglot::engine::Device;
use neuroglot::model::Model;
use neuroglot::train::{Checkpoint, CheckpointConfig, RunConfig, RunFolder};
use std::path::Path;

/// A run folder, its settings, and the model of one of its checkpoints.
pub struct LoadedRun {
    /// The folder.
    pub folder: RunFolder,
    /// Settings of the run.
    pub config: RunConfig,
    /// What the model was trained on.
    pub checkpoint: CheckpointConfig,
    /// The model, for prediction only.
    pub model: Model,
}

impl LoadedRun {
    /// Loads a checkpoint of a run, [`RunFolder::BEST`] or [`RunFolder::LAST`], onto a device.
    ///
    /// # Errors
    /// No run there, no such checkpoint yet, or a damaged one.
    pub fn open(run: &Path, checkpoint: &str, device: Box<dyn Device>) -> Result<Self, CommandError> {
        let folder = RunFolder::open(run)?;
        let config = folder.config()?;
        let place = folder.checkpoint(checkpoint)?;
        let checkpoint = Checkpoint::open(&place)?;
        let model = checkpoint.load(&place, false, device)?;
        Ok(Self { folder, config, checkpoint: checkpoint.config, model })
    }
}
