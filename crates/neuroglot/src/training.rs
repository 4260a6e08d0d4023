//! Training with a progress bar, for every command that trains.

use crate::CommandError;
use crate::compute::Compute;
use crate::console::Console;
use crate::progress::TrainingProgress;
use neuroglot::data::Session;
use neuroglot::train::{RunConfig, Start, Summary, train};
use std::path::{Path, PathBuf};

/// What to train, and where.
pub struct Training<'a> {
    /// In front of progress lines; empty where there is only one run.
    pub title: &'a str,
    /// All settings.
    pub config: &'a RunConfig,
    /// Sessions that have passed the run's filters.
    pub sessions: &'a [Session],
    /// Their folders.
    pub paths: &'a [PathBuf],
    /// The run folder.
    pub out: &'a Path,
    /// Whether the run begins or goes on.
    pub start: Start,
    /// Where to compute.
    pub compute: &'a Compute,
}

impl Training<'_> {
    /// Trains.
    ///
    /// # Errors
    /// Those of [`train`], and a device that cannot be opened.
    pub fn run(&self, console: &Console) -> Result<Summary, CommandError> {
        let device = self.compute.open(console)?.device;
        let mut progress = TrainingProgress::new(self.title, console);
        let Training { config, sessions, paths, out, start, .. } = *self;
        Ok(train(config, sessions, paths, out, start, device, &mut progress)?)
    }
}
