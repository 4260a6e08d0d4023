//! The folder of a run: what was asked for, how it went, and its checkpoints.

use crate::files::{remove_unfinished, whole_folder};
use crate::{Checkpoint, RunConfig, TrainError, replace_file};
use neuroglot_files::RESULTS;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// A run folder: `config.toml`, `run.json`, `metrics.jsonl`, `best/`, `last/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    path: PathBuf,
}

/// Where the data were and what ran, `run.json`: all that two equal runs may differ in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Version of neuroglot.
    pub version: String,
    /// Session folders, as given.
    pub sessions: Vec<PathBuf>,
    /// The device in words.
    pub device: String,
    /// Parameters of the model.
    pub parameters: u64,
    /// Seconds spent, over all resumptions, up to the last save.
    pub seconds: f64,
    /// Whether all epochs are done (or training stopped early).
    pub finished: bool,
}

/// A line of `metrics.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EpochRecord {
    /// Epochs done, counted from 1; 0 before the first step, where a run says how well it starts.
    pub epoch: u64,
    /// Optimiser steps done.
    pub step: u64,
    /// Mean training loss per hidden entry (nats): eˡ − y·l. Not a number (`null` in the file) before the first step.
    #[serde(deserialize_with = "number_or_nan")]
    pub loss: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Scores by session and scheme, in epochs with a validation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub validation: BTreeMap<String, BTreeMap<String, SchemeScores>>,
    /// The score that chooses the best checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

/// JSON has no NaN: it is written as `null`.
fn number_or_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// Validation scores of one scheme.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SchemeScores {
    /// Mean over units of bits/spike.
    pub bps: Option<f64>,
    /// Pooled bits/spike.
    pub bps_pooled: Option<f64>,
    /// Mean R² of the 50 most active units.
    pub r2: Option<f64>,
}

impl RunFolder {
    /// Name of the checkpoint with the best validation score.
    pub const BEST: &str = "best";
    /// Name of the last checkpoint.
    pub const LAST: &str = "last";
    const CONFIG: &str = "config.toml";
    const INFO: &str = "run.json";
    pub(crate) const METRICS: &str = "metrics.jsonl";

    /// Makes a new run folder, with its configuration.
    ///
    /// # Errors
    /// [`TrainError::RunFolder`] where there is something there already.
    pub(crate) fn create(path: &Path, config: &RunConfig) -> Result<Self, TrainError> {
        let folder = Self { path: path.to_owned() };
        if path.is_dir() {
            // All that a kill in the very first moment leaves.
            remove_unfinished(path)?;
        }
        let occupied = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()) || path.is_file();
        if occupied {
            let problem = if folder.config_path().exists() {
                "there is a run here already; add --resume to go on with it, or choose another --out"
            } else {
                "this folder is not empty; choose another --out"
            };
            return Err(folder.wrong(problem));
        }
        fs::create_dir_all(path).map_err(TrainError::write(path))?;
        replace_file(&folder.config_path(), config.to_toml().as_bytes())?;
        Ok(folder)
    }

    /// Opens a run folder.
    ///
    /// # Errors
    /// [`TrainError::RunFolder`] where there is none.
    pub fn open(path: &Path) -> Result<Self, TrainError> {
        let folder = Self { path: path.to_owned() };
        if !folder.config_path().is_file() {
            return Err(
                folder.wrong("no run here (a run folder holds config.toml); make one with `neuroglot train`")
            );
        }
        Ok(folder)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's name.
    pub fn name(&self) -> String {
        let path = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        path.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
    }

    /// The settings of the run.
    ///
    /// # Errors
    /// [`TrainError`] where the file cannot be read or understood.
    pub fn config(&self) -> Result<RunConfig, TrainError> {
        RunConfig::load(Some(&self.config_path()), &[])
    }

    /// Where the data were and what ran.
    ///
    /// # Errors
    /// [`TrainError`] where the file cannot be read or understood.
    pub fn info(&self) -> Result<RunInfo, TrainError> {
        let path = self.path.join(Self::INFO);
        let text = neuroglot_files::read(&path, RESULTS).map_err(TrainError::read(&path))?;
        serde_json::from_slice(&text).map_err(|error| TrainError::ConfigFile {
            path,
            problem: format!("{error}; the file is damaged"),
        })
    }

    pub(crate) fn write_info(&self, info: &RunInfo) -> Result<(), TrainError> {
        let mut json = serde_json::to_vec_pretty(info).expect("run information is JSON");
        json.push(b'\n');
        replace_file(&self.path.join(Self::INFO), &json)
    }

    /// The folder of a checkpoint, `best` or `last`.
    ///
    /// # Errors
    /// [`TrainError::RunFolder`] where there is no such checkpoint yet.
    pub fn checkpoint(&self, name: &str) -> Result<PathBuf, TrainError> {
        let path = whole_folder(&self.path.join(name));
        if !path.join(Checkpoint::CONFIG).is_file() {
            return Err(self.wrong(&format!("there is no checkpoint `{name}` yet; train on with --resume")));
        }
        Ok(path)
    }

    pub(crate) fn checkpoint_path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The lines of `metrics.jsonl`.
    ///
    /// # Errors
    /// [`TrainError`] where the file cannot be read, or a line cannot be understood.
    pub fn metrics(&self) -> Result<Vec<EpochRecord>, TrainError> {
        let path = self.metrics_path();
        let text = neuroglot_files::read_text(&path, RESULTS).map_err(TrainError::read(&path))?;
        let lines = text.lines().enumerate().map(|(index, line)| {
            serde_json::from_str(line).map_err(|error| TrainError::ConfigFile {
                path: path.clone(),
                problem: format!("line {}: {error}", index + 1),
            })
        });
        lines.collect()
    }

    /// Appends a line and returns the file's length.
    pub(crate) fn append(&self, record: &EpochRecord) -> Result<u64, TrainError> {
        let path = self.metrics_path();
        let mut line = serde_json::to_vec(record).expect("a record is JSON");
        line.push(b'\n');
        let append = || -> std::io::Result<u64> {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(&line)?;
            Ok(file.metadata()?.len())
        };
        append().map_err(TrainError::write(&path))
    }

    /// Makes sure that every line is on the disk, before a checkpoint counts on it.
    pub(crate) fn sync_metrics(&self) -> Result<(), TrainError> {
        let path = self.metrics_path();
        match OpenOptions::new().append(true).open(&path).and_then(|file| file.sync_all()) {
            // Before the first epoch ends there is no line to keep.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(TrainError::write(&path)),
        }
    }

    /// Cuts the metrics back to the length they had when the last checkpoint was saved.
    pub(crate) fn truncate_metrics(&self, len: u64) -> Result<(), TrainError> {
        let path = self.metrics_path();
        let truncate = || -> std::io::Result<()> {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            file.set_len(len)?;
            file.sync_all()
        };
        truncate().map_err(TrainError::write(&path))
    }

    fn config_path(&self) -> PathBuf {
        self.path.join(Self::CONFIG)
    }

    fn metrics_path(&self) -> PathBuf {
        self.path.join(Self::METRICS)
    }

    pub(crate) fn wrong(&self, problem: &str) -> TrainError {
        TrainError::RunFolder { path: self.path.clone(), problem: problem.to_owned() }
    }
}
