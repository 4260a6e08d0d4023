//! The cells of a study, made by one process's share, cell by cell, beside other processes.

use crate::CommandError;
use crate::machine::compute::Compute;
use crate::runs::sessions;
use crate::terminal::console::{Console, one_line};
use crate::terminal::stop_notice::say_when_stopped;
use crate::workflows::baseline_fit::BaselineFit;
use crate::workflows::model_evaluation::{ModelEvaluation, check_replaceable};
use crate::workflows::training_run::TrainingRun;
use neuroglot::baselines::Baseline;
use neuroglot::coupling::CouplingSettings;
use neuroglot::eval::evaluation_folder;
use neuroglot::study::{Cell, Method, State, StudyFile, StudyFolder, finetuning_settings};
use neuroglot::train::{RunConfig, RunFolder, Start};
use std::path::{Path, PathBuf};

/// A study and where it is made.
pub struct StudyCells<'a> {
    /// What is to be done.
    pub file: &'a StudyFile,
    /// Where it is kept.
    pub folder: &'a StudyFolder,
    /// All cells of the study, each after the one it needs.
    pub cells: &'a [Cell],
    /// Where to compute.
    pub compute: &'a Compute,
}

/// How a process's share went.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Cells made by this process.
    pub made: usize,
    /// Cells that failed.
    pub failed: usize,
    /// Cells left to other processes, or that need a cell which is not finished.
    pub left: usize,
}

/// What became of a cell that was not finished.
enum Attempt {
    Made,
    Failed,
    /// Another process has just finished it.
    Found,
    /// Another process is at it, or the cell that it needs is not finished.
    Left(String),
}

impl StudyCells<'_> {
    /// Makes all cells for which `is_mine` holds and that are not finished.
    ///
    /// A cell that fails is reported, and the others are made nevertheless. One that another process works on is left to
    /// it, and one that needs an unfinished cell is left for the next time; both are tried again as long as something
    /// gets done.
    ///
    /// # Errors
    /// A folder that cannot be written, or a finished cell of other settings.
    pub fn make(&self, is_mine: impl Fn(usize) -> bool, console: &Console) -> Result<Outcome, CommandError> {
        let _notice = say_when_stopped(format!(
            "finished cells are kept in {}; the same command goes on with the others",
            self.folder.path().display()
        ));
        // All differences from what is there come to light before any work is done.
        let states = self.states()?;
        let mine = (0..self.cells.len()).filter(|index| is_mine(*index));
        let mut open: Vec<usize> = mine.filter(|index| states[*index] != State::Finished).collect();
        let total = open.len();
        let mut outcome = Outcome::default();
        let mut left = Vec::new();
        while !open.is_empty() {
            left.clear();
            let mut has_advanced = false;
            let mut next = Vec::new();
            for index in open {
                let cell = &self.cells[index];
                let place = format!("{}/{total}", outcome.made + outcome.failed + 1);
                let attempt = self.attempt(cell, &place, console)?;
                has_advanced |= matches!(attempt, Attempt::Made | Attempt::Found);
                match attempt {
                    Attempt::Made => outcome.made += 1,
                    Attempt::Found => {}
                    Attempt::Failed => outcome.failed += 1,
                    Attempt::Left(reason) => {
                        left.push(format!("{}: {reason}", cell.id));
                        next.push(index);
                    }
                }
            }
            open = if has_advanced { next } else { Vec::new() };
        }
        for line in &left {
            console.warning(line);
        }
        outcome.left = left.len();
        Ok(outcome)
    }

    /// How far each cell is, `[cell]`.
    ///
    /// # Errors
    /// A finished cell of other settings.
    pub fn states(&self) -> Result<Vec<State>, CommandError> {
        let state = |cell: &Cell| Ok(self.folder.state(self.file, cell)?);
        self.cells.iter().map(state).collect()
    }

    fn attempt(&self, cell: &Cell, place: &str, console: &Console) -> Result<Attempt, CommandError> {
        let needed = cell.needs.as_ref().map(|needed| &needed.id);
        if let Some(needed) = self.cells.iter().find(|other| needed == Some(&other.id))
            && self.folder.state(self.file, needed)? != State::Finished
        {
            return Ok(Attempt::Left(format!("it needs {}, which is not finished", needed.id)));
        }
        let _lock = match self.folder.lock(cell)? {
            Ok(lock) => lock,
            Err(reason) => return Ok(Attempt::Left(reason)),
        };
        // It may have been finished between the first look and the lock.
        if self.folder.state(self.file, cell)? == State::Finished {
            return Ok(Attempt::Found);
        }
        match self.make_cell(cell, &format!("{place} {}", cell.id), console) {
            Ok(()) => Ok(Attempt::Made),
            Err(error) => {
                console.warning(format!("{} failed: {}", cell.id, one_line(&error)));
                Ok(Attempt::Failed)
            }
        }
    }

    fn make_cell(&self, cell: &Cell, title: &str, console: &Console) -> Result<(), CommandError> {
        let folder = self.folder.cell(&cell.id);
        let paths: Vec<PathBuf> = cell.sessions.iter().map(|session| session.path.clone()).collect();
        console.note(title);
        match &cell.method {
            Method::Baseline(baseline) => self.fit(*baseline, cell, &folder, &paths, console)?,
            Method::Trained(_) => self.train(cell, &folder, &paths, title, console)?,
        }
        Ok(self.folder.finish(self.file, cell)?)
    }

    fn train(
        &self,
        cell: &Cell,
        folder: &Path,
        paths: &[PathBuf],
        title: &str,
        console: &Console,
    ) -> Result<(), CommandError> {
        let begun = folder.join("config.toml").exists().then(|| RunFolder::open(folder)).transpose()?;
        let config = self.config(cell, begun.as_ref())?;
        let sessions = sessions::read(paths, &config.data.filter(), &Console::new(true))?;
        let training = TrainingRun {
            title,
            config: &config,
            sessions: &sessions,
            paths,
            out: folder,
            resume_command: "the same command",
            start: if begun.is_some() { Start::Resume } else { Start::Fresh },
            compute: self.compute,
        };
        training.run(console)?;
        if cell.is_scored() {
            let evaluation = ModelEvaluation {
                run: folder,
                checkpoint: Some(&self.file.checkpoint),
                sessions: paths,
                tasks: Some(&self.file.tasks),
                out: Some(&evaluation_folder(folder)),
                // A cell holds what the study file asks for.
                fresh: true,
                advises: false,
                compute: self.compute,
            };
            evaluation.run(console)?;
        }
        Ok(())
    }

    /// The settings of a cell's run; those of a fine-tuning say what it starts from. A run that is begun has started from
    /// it already, and keeps the words in which it was told, however the study's folder is called by now.
    fn config(&self, cell: &Cell, begun: Option<&RunFolder>) -> Result<RunConfig, CommandError> {
        let mut settings = cell.settings.clone();
        if !cell.is_scored() {
            // Others start from its first network alone.
            settings.train.members = 1;
            settings.coupling = CouplingSettings::default();
        }
        let Some(needed) = &cell.needs else { return Ok(settings) };
        let from = match begun {
            Some(folder) => PathBuf::from(folder.config()?.init.from),
            None => self.folder.cell(&needed.id),
        };
        Ok(settings.changed(None, &finetuning_settings(&from, &self.file.checkpoint))?)
    }

    fn fit(
        &self,
        baseline: Baseline,
        cell: &Cell,
        folder: &Path,
        paths: &[PathBuf],
        console: &Console,
    ) -> Result<(), CommandError> {
        check_replaceable(&evaluation_folder(folder))?;
        let settings = &cell.settings;
        let sessions = sessions::read(paths, &settings.data.filter(), &Console::new(true))?;
        let fit = BaselineFit {
            title: baseline.name(),
            baseline,
            sessions: &sessions,
            paths,
            data: &settings.data,
            tasks: Some(&self.file.tasks),
            seed: settings.seed,
            out: folder,
            fresh: true,
        };
        fit.run(console).map(drop)
    }
}
