//! A trained model in memory, and how commands are told which one.

use crate::CommandError;
use crate::terminal::console::Console;
use clap::Args;
use neuroglot::engine::Device;
use neuroglot::ensemble::Ensemble;
use neuroglot::train::{ModelFolder, RunConfig, RunFolder};
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

/// A model in memory, and what is known of how it was made.
pub struct LoadedRun {
    /// Where it lies.
    pub folder: ModelFolder,
    /// Settings of its run.
    pub config: RunConfig,
    /// What it predicts with.
    pub ensemble: Ensemble,
    /// A checksum of its weights.
    pub weights: String,
}

impl LoadedRun {
    /// Loads a model onto a device; that it lacks what its settings ask for is said.
    ///
    /// # Errors
    /// A damaged checkpoint, or one alone that does not say its settings.
    pub fn open(
        folder: ModelFolder,
        device: Box<dyn Device>,
        console: &Console,
    ) -> Result<Self, CommandError> {
        let config = folder.settings()?;
        let (ensemble, weights) = Ensemble::open(&folder, device)?;
        if config.is_ensemble() && folder.config().ensemble.is_none() {
            console.warning(format!(
                "{} holds one network and no coupling, though the settings of its run ask for more: these are added to the \
                 best checkpoint when all training is done (`neuroglot train --resume` goes on with it)",
                folder.path().display()
            ));
        }
        Ok(Self { config, ensemble, weights, folder })
    }
}
