//! Several runs and baselines side by side, each with a name of its own.

use crate::CommandError;
use crate::runs::baseline_folder::BaselineFolder;
use neuroglot::eval::{evaluation_folder, read_evaluation};
use neuroglot::tasks::results::Evaluation;
use neuroglot::train::{ModelFolder, RunFolder};
use std::path::{Path, PathBuf};

/// A run, and what it is called in tables.
pub struct NamedRun {
    /// The folder's name, or its path where several folders are called the same.
    pub name: String,
    /// The folder.
    pub folder: ScoredFolder,
}

/// A folder that may hold an evaluation.
pub enum ScoredFolder {
    /// Of a trained model.
    Run(RunFolder),
    /// Of one checkpoint of a trained model.
    Checkpoint(Box<ModelFolder>),
    /// Of a baseline.
    Baseline(BaselineFolder),
}

impl ScoredFolder {
    fn open(path: &Path) -> Result<Self, CommandError> {
        if let Some(folder) = BaselineFolder::open(path) {
            return Ok(Self::Baseline(folder));
        }
        Ok(if ModelFolder::is_checkpoint(path) {
            Self::Checkpoint(Box::new(ModelFolder::open(path, RunFolder::BEST)?))
        } else {
            Self::Run(RunFolder::open(path)?)
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        match self {
            Self::Run(folder) => folder.path(),
            Self::Checkpoint(folder) => folder.path(),
            Self::Baseline(folder) => folder.path(),
        }
    }

    /// Its scores; `None` where it was not evaluated.
    ///
    /// # Errors
    /// A damaged evaluation, or one of another checkpoint of the same run.
    pub fn evaluation(&self) -> Result<Option<Evaluation>, CommandError> {
        let place = evaluation_folder(match self {
            Self::Checkpoint(folder) => folder.home(),
            Self::Run(_) | Self::Baseline(_) => self.path(),
        });
        if !place.exists() {
            return Ok(None);
        }
        let found = read_evaluation(&place)?;
        match self {
            Self::Checkpoint(folder)
                if folder.run().is_some() && folder.checkpoint_name() != found.checkpoint =>
            {
                let (place, path, checkpoint) = (place.display(), folder.path().display(), &found.checkpoint);
                Err(CommandError::Failed(format!(
                    "{place} holds the scores of checkpoint {checkpoint}, not of {path}: evaluate that with an --out of its own"
                )))
            }
            _ => Ok(Some(found)),
        }
    }

    /// Its scores, which it must have.
    ///
    /// # Errors
    /// As [`ScoredFolder::evaluation`], and where there is none.
    pub fn scores(&self) -> Result<Evaluation, CommandError> {
        match self.evaluation()? {
            Some(evaluation) => Ok(evaluation),
            None => Ok(read_evaluation(&evaluation_folder(self.path()))?),
        }
    }

    /// The folder's name.
    fn name(&self) -> String {
        match self {
            Self::Run(folder) => folder.name(),
            Self::Checkpoint(folder) => folder.name(),
            Self::Baseline(folder) => {
                let path = std::path::absolute(folder.path()).unwrap_or_else(|_| folder.path().to_owned());
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                name.unwrap_or_else(|| folder.path().display().to_string())
            }
        }
    }
}

/// Opens run folders, and those of checkpoints and baselines.
///
/// # Errors
/// A path that is neither, or one that is given twice.
pub fn open(paths: &[PathBuf]) -> Result<Vec<NamedRun>, CommandError> {
    for (index, path) in paths.iter().enumerate() {
        if paths[..index].contains(path) {
            return Err(CommandError::Usage(format!("run {} is given twice: leave one out", path.display())));
        }
    }
    let folders = paths.iter().map(|path| ScoredFolder::open(path)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = folders.iter().map(ScoredFolder::name).collect();
    let is_unique = |name: &str| names.iter().filter(|other| *other == name).count() == 1;
    let name_of = |(folder, name): (ScoredFolder, &String)| {
        let name = if is_unique(name) { name.clone() } else { folder.path().display().to_string() };
        NamedRun { name, folder }
    };
    Ok(folders.into_iter().zip(&names).map(name_of).collect())
}
