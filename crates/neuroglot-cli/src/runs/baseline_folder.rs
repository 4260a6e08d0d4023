//! The folder of a baseline: `baseline.json` beside its evaluation.

use crate::CommandError;
use neuroglot::baselines::Choice;
use neuroglot::files::replace_file;
use neuroglot::tasks::TaskSelection;
use neuroglot::train::DataConfig;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const INFO: &str = "baseline.json";

/// A folder that `neuroglot baseline` made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaselineFolder {
    path: PathBuf,
}

/// How a baseline was made, and what it chose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaselineInfo {
    /// Version of neuroglot.
    pub version: String,
    /// Its name.
    pub baseline: String,
    /// Session folders.
    pub sessions: Vec<PathBuf>,
    /// Which units and trials were taken.
    pub data: DataConfig,
    /// Tasks and behaviours asked for; `None` stands for the usual ones.
    pub tasks: Option<Vec<String>>,
    /// Decides what is random.
    pub seed: u64,
    /// Seconds spent.
    pub seconds: f64,
    /// Settings that validation trials chose.
    pub choices: Vec<Choice>,
}

impl BaselineInfo {
    /// This one, with what an earlier one says of scores that stay beside.
    pub fn beside(self, earlier: BaselineInfo) -> Self {
        let tasks = match (&self.tasks, &earlier.tasks) {
            (None, None) => None,
            (new, earlier) => {
                let usual = || TaskSelection::default().names();
                let mut names = earlier.clone().unwrap_or_else(usual);
                names.extend(new.clone().unwrap_or_else(usual));
                let mut known = BTreeSet::new();
                names.retain(|name| known.insert(name.clone()));
                Some(names)
            }
        };
        let mut sessions = earlier.sessions;
        sessions
            .extend(self.sessions.into_iter().filter(|path| !sessions.contains(path)).collect::<Vec<_>>());
        let is_new = |choice: &Choice| {
            self.choices.iter().any(|new| (&new.eid, &new.what) == (&choice.eid, &choice.what))
        };
        let mut choices: Vec<Choice> = earlier.choices.into_iter().filter(|choice| !is_new(choice)).collect();
        choices.extend(self.choices);
        Self { tasks, sessions, choices, seconds: earlier.seconds + self.seconds, ..self }
    }
}

impl BaselineFolder {
    /// Opens a folder, if it is one of a baseline.
    pub fn open(path: &Path) -> Option<Self> {
        path.join(INFO).is_file().then(|| Self { path: path.to_owned() })
    }

    /// Keeps how a baseline was made.
    ///
    /// # Errors
    /// A file that cannot be written.
    pub fn write(path: &Path, info: &BaselineInfo) -> Result<(), CommandError> {
        let mut text = serde_json::to_vec_pretty(info)
            .map_err(|error| CommandError::Failed(format!("cannot write {INFO}: {error}")))?;
        text.push(b'\n');
        Ok(replace_file(&path.join(INFO), &text)?)
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How the baseline was made.
    ///
    /// # Errors
    /// A file that cannot be read or understood.
    pub fn info(&self) -> Result<BaselineInfo, CommandError> {
        let path = self.path.join(INFO);
        let wrong = |problem: String| {
            let cure = "make it again with `neuroglot baseline`";
            CommandError::Failed(format!("{}: {problem}; {cure}", path.display()))
        };
        let text = neuroglot::files::read(&path, neuroglot::files::RESULTS)
            .map_err(|error| wrong(error.to_string()))?;
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))
    }
}
