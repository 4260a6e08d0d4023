//! The commands that train one model, which differ in where its settings come from.

use super::training_run::TrainingRun;
use crate::CommandError;
use crate::machine::devices::TrainingDevices;
use crate::runs::overlap::{self, Warn};
use crate::runs::place::{Place, folders_of_sessions};
use crate::runs::sessions;
use crate::terminal::console::Console;
use crate::terminal::shell::word;
use neuroglot::data::Session;
use neuroglot::files::OutputLock;
use neuroglot::train::{EpochRecord, ModelFolder, RunConfig, RunFolder, Start, Summary};
use std::path::{Path, PathBuf};

/// What the options of such a command say.
pub struct TrainingCommand<'a> {
    /// Its name, `train` or `finetune`.
    pub name: &'static str,
    /// The sessions; none where a run goes on with its own.
    pub sessions: &'a [Place],
    /// The run folder.
    pub out: &'a Path,
    /// Whether the run goes on.
    pub resume: bool,
    /// Where to compute.
    pub devices: &'a TrainingDevices,
}

/// A run that is trained.
pub struct Trained {
    /// Its settings.
    pub config: RunConfig,
    /// Its sessions.
    pub sessions: Vec<Session>,
    /// Its epochs.
    pub records: Vec<EpochRecord>,
    /// How it went.
    pub summary: Summary,
}

impl TrainingCommand<'_> {
    /// Trains. `settings` gives those of the run and the model that it starts from, if there is one. `None` on a rank that is not
    /// the first.
    ///
    /// # Errors
    /// Settings or sessions that cannot be used, a folder that cannot be written, a loss that is no number.
    pub fn run(
        &self,
        threads: usize,
        console: &Console,
        settings: impl FnOnce(&Console) -> Result<(RunConfig, Option<PathBuf>), CommandError>,
    ) -> Result<Option<Trained>, CommandError> {
        let mut crew = self.devices.crew(threads)?;
        let console = &crew.console(console);
        if crew.is_first() {
            OutputLock::check_free_inside(self.out)?;
        }
        let (config, base) = settings(console)?;
        let config = if self.resume { config } else { crew.with_lanes(config) };
        let meeting = crew.start_others()?;
        let paths = if self.sessions.is_empty() {
            RunFolder::open(self.out)?.info()?.sessions
        } else {
            folders_of_sessions(self.sessions, console)?
        };
        let sessions = sessions::read(&paths, &config.data.filter(), console)?;
        if let (Some(base), false, true) = (base, self.resume, crew.is_first()) {
            let base = ModelFolder::open(&base, config.init.from_checkpoint.name())?;
            overlap::warn(base.config(), &sessions, &paths, Warn::OfTestTrials, console)?;
        }
        if self.resume {
            note_if_finished(self.out, console);
        }
        let (name, out, devices) = (self.name, word(self.out), self.devices.typed());
        let training = TrainingRun {
            title: "",
            config: &config,
            sessions: &sessions,
            paths: &sessions::absolute(&paths)?,
            out: self.out,
            resume_command: &format!("`neuroglot {name} --resume --out {out}{devices}`"),
            start: if self.resume { Start::Resume } else { Start::Fresh },
            compute: &crew.compute,
        };
        let Some(summary) = training.run_in(&crew, meeting, console)? else { return Ok(None) };
        let records = RunFolder::open(self.out)?.metrics()?;
        Ok(Some(Trained { config, sessions, records, summary }))
    }
}

/// Says of a run that is to go on that there is nothing left to do.
fn note_if_finished(run: &Path, console: &Console) {
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
