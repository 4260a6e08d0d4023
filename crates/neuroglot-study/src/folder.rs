//! The folder of a study: a folder per cell, locks beside them, and the report.

use crate::cell::{Cell, Method, Needed, Stage};
use crate::{StudyError, StudyFile};
use neuroglot_eval::{evaluation_folder, read_evaluation};
use neuroglot_files::{
    FilesError, FromIo, OutputLock, RESULTS, recover_folder, remove_leftovers, replace_file,
};
use neuroglot_tasks::results::Evaluation;
use neuroglot_train::RunConfig;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// A study folder: `cells/<stage>/<cell>/`, `tables/`, `study.json`, `report.html`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudyFolder {
    path: PathBuf,
}

/// How far a cell is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing is there.
    Open,
    /// Something is there, and it is not finished.
    Begun,
    /// All is there.
    Finished,
}

/// What a finished cell is, `cell.json`: written last, so a cell that has it is whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Finished {
    /// Version of neuroglot.
    version: String,
    stage: Stage,
    method: Method,
    seed: Option<u64>,
    sessions: Vec<String>,
    needs: Option<Needed>,
    settings: RunConfig,
    tasks: Vec<String>,
    checkpoint: String,
}

impl StudyFolder {
    const FINISHED: &str = "cell.json";

    /// A study's folder, which need not exist.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a cell: a run folder, or that of a baseline.
    pub fn cell(&self, id: &str) -> PathBuf {
        self.path.join("cells").join(id)
    }

    /// Takes a cell for this process alone.
    ///
    /// # Errors
    /// [`StudyError::Files`] where the folder cannot be written. `Ok(Err(_))` says in one line which other process holds it, and
    /// what to do if none does.
    pub fn lock(&self, cell: &Cell) -> Result<Result<OutputLock, String>, StudyError> {
        let mut path = self.cell(&cell.id).into_os_string();
        path.push(".lock");
        let path = PathBuf::from(path);
        let above = path.parent().unwrap_or(&self.path);
        fs::create_dir_all(above).map_err(StudyError::io("write", above))?;
        match OutputLock::at(&path, &self.cell(&cell.id)) {
            Ok(lock) => {
                let folder = self.cell(&cell.id);
                recover_folder(&evaluation_folder(&folder))?;
                remove_leftovers(&folder);
                Ok(Ok(lock))
            }
            Err(FilesError::Held { holder, lock, .. }) => {
                let lock = lock.display();
                let cure = format!("if it does not run any more, remove {lock} and start again");
                Ok(Err(format!("{holder} works on it; {cure}")))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// How far a cell is.
    ///
    /// # Errors
    /// [`StudyError::Folder`] where the finished cell of this name is another one: its settings or sessions differ.
    pub fn state(&self, file: &StudyFile, cell: &Cell) -> Result<State, StudyError> {
        let folder = self.cell(&cell.id);
        let path = folder.join(Self::FINISHED);
        let text = match neuroglot_files::read(&path, RESULTS) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let is_begun = fs::read_dir(&folder).is_ok_and(|mut entries| entries.next().is_some());
                return Ok(if is_begun { State::Begun } else { State::Open });
            }
            Err(error) => return Err(StudyError::io("read", &path)(error)),
        };
        let found: Finished = serde_json::from_slice(&text).map_err(|error| StudyError::Folder {
            path: path.clone(),
            problem: format!(
                "{error}; the file is damaged: remove it to have the cell checked and finished again"
            ),
        })?;
        let expected = Finished::of(file, cell);
        let other = |problem: String| StudyError::Folder {
            path: folder.clone(),
            problem: format!("{problem}: remove this folder to make it again, or choose another --out"),
        };
        let differences = found.settings.differences(&expected.settings);
        if !differences.is_empty() {
            return Err(other(format!("it was made with other settings ({})", differences.join("; "))));
        }
        if found.sessions != expected.sessions {
            let (found, expected) = (found.sessions.join(", "), expected.sessions.join(", "));
            return Err(other(format!("it was made of the sessions {found}, not {expected}")));
        }
        if found.needs != expected.needs {
            return Err(other("the pretraining that it was made from is another one by now".to_owned()));
        }
        // Other tasks or another checkpoint want another evaluation, not another run.
        let is_scored_so = found.tasks == expected.tasks
            && (found.checkpoint == expected.checkpoint || cell.stage == Stage::Baseline);
        Ok(if is_scored_so || !cell.is_scored() { State::Finished } else { State::Begun })
    }

    /// Says that a cell is finished.
    ///
    /// # Errors
    /// [`StudyError::Train`] where the file cannot be written.
    pub fn finish(&self, file: &StudyFile, cell: &Cell) -> Result<(), StudyError> {
        let mut json = serde_json::to_vec_pretty(&Finished::of(file, cell)).expect("a cell is JSON");
        json.push(b'\n');
        Ok(replace_file(&self.cell(&cell.id).join(Self::FINISHED), &json)?)
    }

    /// What the evaluation of a cell found.
    ///
    /// # Errors
    /// [`StudyError::Eval`] where there is none, or it is damaged.
    pub fn evaluation(&self, cell: &Cell) -> Result<Evaluation, StudyError> {
        Ok(read_evaluation(&evaluation_folder(&self.cell(&cell.id)))?)
    }
}

impl Finished {
    fn of(file: &StudyFile, cell: &Cell) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            stage: cell.stage,
            method: cell.method.clone(),
            seed: cell.seed,
            sessions: cell.sessions.iter().map(|session| session.eid.clone()).collect(),
            needs: cell.needs.clone(),
            settings: cell.settings.clone(),
            tasks: file.tasks.clone(),
            checkpoint: file.checkpoint.clone(),
        }
    }
}
