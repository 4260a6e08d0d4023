//! A training run with a progress bar, for every command that trains.

use crate::CommandError;
use crate::machine::compute::Compute;
use crate::terminal::console::{Console, one_line};
use crate::terminal::progress::{Kept, TrainingProgress};
use neuroglot::data::Session;
use neuroglot::ensemble::train_ensemble;
use neuroglot::train::{Ranks, RunConfig, RunFolder, Start, Summary, TrainingDevice};
use std::path::{Path, PathBuf};

/// What to train, and where.
pub struct TrainingRun<'a> {
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
    /// The command that goes on with it once it is stopped, in words.
    pub resume_command: &'a str,
    /// Whether the run begins or goes on.
    pub start: Start,
    /// Where to compute.
    pub compute: &'a Compute,
    /// The ranks that train with this process, which is the first of them.
    pub ranks: Option<&'a Ranks>,
}

impl TrainingRun<'_> {
    /// Trains.
    ///
    /// # Errors
    /// Those of [`train`], and a device that cannot be opened.
    pub fn run(&self, console: &Console) -> Result<Summary, CommandError> {
        let mut progress =
            TrainingProgress::new(self.title, Kept::nothing(self.out, self.resume_command), console);
        let TrainingRun { config, sessions, paths, out, start, .. } = *self;
        let mut device = || {
            let open = self.compute.open(console)?;
            Ok(TrainingDevice { device: open.device, ranks: self.ranks })
        };
        let result = train_ensemble(config, sessions, paths, out, start, &mut device, &mut progress);
        if let (Some(ranks), Err(error)) = (self.ranks, &result) {
            ranks.fail(&one_line(error));
        }
        result
    }
}

/// Says of a run that is to go on that there is nothing left to do.
pub fn note_if_finished(run: &Path, console: &Console) {
    let is_finished = RunFolder::open(run)
        .and_then(|folder| Ok(folder.info()?.finished && folder.is_complete()?))
        .unwrap_or(false);
    if is_finished {
        let run = run.display();
        console.note(format!(
            "{run} is finished already; `neuroglot finetune {run}` starts another run from it"
        ));
    }
}
