//! A trained model on disk: a run folder of which one checkpoint is meant, or a checkpoint folder, in its run or alone.

use crate::trainer::MOMENTS;
use crate::{Checkpoint, CheckpointConfig, RunConfig, RunFolder, TrainError};
use neuroglot_files::FromIo;
use std::path::{Path, PathBuf};

/// A checkpoint folder, with the run that it lies in, if it lies in one.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFolder {
    path: PathBuf,
    /// What the user called it.
    given: PathBuf,
    run: Option<RunFolder>,
    checkpoint: Checkpoint,
}

impl ModelFolder {
    /// Settings of a run beside `config.json`: how a checkpoint that does not say them is given them.
    const SETTINGS: &str = "config.toml";

    /// Opens a checkpoint folder, or the checkpoint `name` (`best` or `last`) of a run folder.
    ///
    /// # Errors
    /// [`TrainError`]: a path that is neither, no such checkpoint yet, or a damaged one.
    pub fn open(path: &Path, name: &str) -> Result<Self, TrainError> {
        let given = path.to_owned();
        if Self::is_checkpoint(path) {
            let (path, run) = (path.to_owned(), run_around(path));
            return Ok(Self { checkpoint: Checkpoint::open(&path)?, path, given, run });
        }
        let run = RunFolder::open(path).map_err(|_| TrainError::RunFolder {
            path: path.to_owned(),
            problem: "no run here (a run folder holds config.toml), and no checkpoint (which holds config.json); make a \
                      run with `neuroglot train`"
                .to_owned(),
        })?;
        let path = run.checkpoint(name)?;
        Ok(Self { checkpoint: Checkpoint::open(&path)?, path, given, run: Some(run) })
    }

    /// Whether a folder is that of a checkpoint.
    pub fn is_checkpoint(path: &Path) -> bool {
        path.join(Checkpoint::CONFIG).is_file()
    }

    /// The checkpoint folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run folder that it lies in, if it does.
    pub fn run(&self) -> Option<&RunFolder> {
        self.run.as_ref()
    }

    /// Where things that belong to the model are kept: the run folder, or, of a checkpoint alone, its own folder.
    pub fn home(&self) -> &Path {
        self.run.as_ref().map_or(&self.path, RunFolder::path)
    }

    /// `best` or `last` of a run; the folder's name of a checkpoint alone.
    pub fn checkpoint_name(&self) -> String {
        let path = std::path::absolute(&self.path).unwrap_or_else(|_| self.path.clone());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // While a checkpoint is replaced, the whole one may lie in a neighbour.
        let name = name.strip_prefix('.').unwrap_or(&name);
        name.strip_suffix(".new").or(name.strip_suffix(".old")).unwrap_or(name).to_owned()
    }

    /// What it is called beside others: the run's name, with the checkpoint's where that was given.
    pub fn name(&self) -> String {
        match &self.run {
            Some(run) if Self::is_checkpoint(&self.given) => {
                format!("{}/{}", run.name(), self.checkpoint_name())
            }
            Some(run) => run.name(),
            None => self.checkpoint_name(),
        }
    }

    /// What `config.json` says.
    pub fn config(&self) -> &CheckpointConfig {
        &self.checkpoint.config
    }

    pub(crate) fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The checkpoint itself.
    pub fn into_checkpoint(self) -> Checkpoint {
        self.checkpoint
    }

    /// The settings of the run that made the model.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] of a checkpoint alone that was written before checkpoints kept them; the cure is a copy
    /// of the run's `config.toml` in its folder.
    pub fn settings(&self) -> Result<RunConfig, TrainError> {
        if let Some(run) = &self.run {
            return run.config();
        }
        if let Some(config) = self.config().run_config() {
            return Ok(config);
        }
        let beside = self.path.join(Self::SETTINGS);
        if beside.is_file() {
            return RunConfig::load(Some(&beside), &[]);
        }
        Err(TrainError::Checkpoint {
            path: self.path.join(Checkpoint::CONFIG),
            problem: "it was written before checkpoints kept the settings of their run, so which units it takes and how it \
                      was trained are not known: copy the run's config.toml into this folder"
                .to_owned(),
        })
    }

    /// Files of weights: of its networks and of couplings, without those that only resuming needs.
    ///
    /// # Errors
    /// [`TrainError::Io`] of a folder that cannot be listed.
    pub fn weight_files(&self) -> Result<Vec<PathBuf>, TrainError> {
        let failed = || TrainError::io("list", &self.path);
        let entries = std::fs::read_dir(&self.path).map_err(failed())?;
        let paths = entries.map(|entry| Ok(entry.map_err(failed())?.path()));
        let mut paths = paths.collect::<Result<Vec<_>, TrainError>>()?;
        paths.retain(|path| {
            path.extension().is_some_and(|ending| ending == "safetensors") && !path.ends_with(MOMENTS)
        });
        paths.sort();
        Ok(paths)
    }

    /// The folders of the sessions that it was trained on.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] of a checkpoint alone, which knows its sessions by eid and not by place, and of a run whose
    /// sessions were in no folder.
    pub fn session_folders(&self) -> Result<Vec<PathBuf>, TrainError> {
        let missing = match &self.run {
            None => "a checkpoint by itself does not say where its sessions lie",
            Some(run) => match run.info()?.sessions {
                sessions if sessions.is_empty() => "its sessions were in no folder when it was trained",
                sessions => return Ok(sessions),
            },
        };
        let known: Vec<&str> = self.config().sessions.iter().map(|session| session.eid.as_str()).collect();
        Err(TrainError::Checkpoint {
            path: self.path.clone(),
            problem: format!("{missing}: name their folders ({})", named_in_short(&known)),
        })
    }
}

/// The run that a checkpoint folder lies in: the folder above, if the checkpoint has the name that runs give.
fn run_around(path: &Path) -> Option<RunFolder> {
    // A path of one word, such as `best` or `.`, has its folder in the present one.
    let has_folder = path.parent().is_some_and(|above| !above.as_os_str().is_empty());
    let path = if has_folder { path.to_owned() } else { std::path::absolute(path).ok()? };
    let is_of_a_run = [RunFolder::BEST, RunFolder::LAST].iter().any(|name| path.ends_with(name));
    path.parent().filter(|_| is_of_a_run).and_then(|above| RunFolder::open(above).ok())
}

/// `a, b, c and 12 more`: names of sessions for a message of one line.
pub fn named_in_short(eids: &[&str]) -> String {
    const MOST: usize = 8;
    match eids.len().saturating_sub(MOST) {
        0 => eids.join(", "),
        more => format!("{} and {more} more", eids[..MOST].join(", ")),
    }
}
