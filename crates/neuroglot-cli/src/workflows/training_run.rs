//! A training run with a progress bar, for every command that trains.

use crate::CommandError;
use crate::machine::compute::Compute;
use crate::machine::devices::Crew;
use crate::terminal::console::{Console, one_line};
use crate::terminal::progress::{Kept, TrainingProgress};
use neuroglot::data::Session;
use neuroglot::ensemble::train_ensemble;
use neuroglot::train::{Meeting, Ranks, RunConfig, Start, Summary, TrainingDevice, follow};
use std::path::{Path, PathBuf};

/// What to train, and where.
#[derive(Clone, Copy)]
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
}

impl TrainingRun<'_> {
    /// Trains.
    ///
    /// # Errors
    /// Those of [`train`], and a device that cannot be opened.
    pub fn run(&self, console: &Console) -> Result<Summary, CommandError> {
        self.run_with(None, console)
    }

    /// Trains with other ranks, of which this process is the first.
    fn run_with(&self, ranks: Option<&Ranks>, console: &Console) -> Result<Summary, CommandError> {
        let mut progress =
            TrainingProgress::new(self.title, Kept::nothing(self.out, self.resume_command), console);
        let TrainingRun { config, sessions, paths, out, start, .. } = *self;
        let mut device = || {
            let open = self.compute.open(console)?;
            Ok(TrainingDevice { device: open.device, ranks })
        };
        let result = train_ensemble(config, sessions, paths, out, start, &mut device, &mut progress);
        if let (Some(ranks), Err(error)) = (ranks, &result) {
            ranks.fail(&one_line(error));
        }
        result
    }

    /// Trains with other ranks, where there are any. `None` on a rank that is not the first, which trains along until it is not
    /// needed any more.
    ///
    /// # Errors
    /// As [`TrainingRun::run`], and ranks that do not come or fail.
    pub fn run_in(
        &self,
        crew: &Crew,
        meeting: Option<Meeting>,
        console: &Console,
    ) -> Result<Option<Summary>, CommandError> {
        let ranks = crew.meet(meeting, self.config, self.sessions, console)?;
        if let (false, Some(ranks)) = (crew.is_first(), &ranks) {
            let mut device = || self.compute.open(console).map(|open| open.device);
            let followed: Result<(), CommandError> = follow(self.sessions, &mut device, ranks);
            return followed.inspect_err(|error| ranks.fail(&one_line(error))).map(|()| None);
        }
        self.run_with(ranks.as_ref(), console).map(Some)
    }
}
