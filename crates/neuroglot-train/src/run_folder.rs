//! The folder of a run: what was asked for, how it went, and its checkpoints.

use crate::{Checkpoint, RunConfig, TrainError};
use neuroglot_files::FromIo;
use neuroglot_files::{OutputLock, RESULTS, is_ours, replace_file, whole_folder};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, ErrorKind, Write};
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
    /// What the run was imported from, if it was not trained here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imported: Option<ImportSource>,
}

/// What a run was imported from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportSource {
    /// The published checkpoint.
    pub file: PathBuf,
    /// The table of its sessions.
    pub table: PathBuf,
    /// The folder from which the table's relative session paths lead to the sessions.
    pub folder: PathBuf,
    /// Attention heads that were asked for.
    pub heads: usize,
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
    /// The score that chooses the best checkpoint; `None` where no score does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
}

impl EpochRecord {
    /// Mean over sessions and schemes of the pooled validation bits/spike, in epochs with a validation.
    pub fn mean_bits_per_spike(&self) -> Option<f64> {
        let schemes = self.validation.values().flat_map(|schemes| schemes.values());
        let scores: Vec<f64> = schemes.filter_map(|scores| scores.bps_pooled).collect();
        (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64)
    }
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

/// `metrics.jsonl` is shorter than the last checkpoint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LostMetrics {
    /// Bytes of the whole lines that are left.
    pub kept: u64,
    /// Bytes that the checkpoint says.
    pub expected: u64,
}

/// Bytes of the lines at the start of a file that are whole.
fn whole_lines(file: &fs::File) -> std::io::Result<u64> {
    let mut lines = BufReader::new(file);
    let (mut kept, mut line) = (0, Vec::new());
    loop {
        line.clear();
        let bytes = lines.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") || serde_json::from_slice::<EpochRecord>(&line).is_err() {
            return Ok(kept);
        }
        kept += bytes as u64;
    }
}

impl RunFolder {
    /// Name of the best checkpoint, by `train.select`.
    pub const BEST: &str = "best";
    /// Name of the last checkpoint.
    pub const LAST: &str = "last";
    const CONFIG: &str = "config.toml";
    const INFO: &str = "run.json";
    pub(crate) const METRICS: &str = "metrics.jsonl";

    /// Claims a folder for a new run, which it becomes with [`RunFolder::settle`]. Until then it counts as empty, so that a
    /// beginning that was cut off is begun anew.
    ///
    /// # Errors
    /// [`TrainError::RunFolder`] where there is something there already, [`TrainError::Files`] where another process has it.
    pub(crate) fn claim(path: &Path) -> Result<(Self, OutputLock), TrainError> {
        let folder = Self::at(path);
        if path.is_file() {
            return Err(folder.wrong("there is a file of this name; choose another --out"));
        }
        let lock = OutputLock::inside(path)?;
        folder.check_free()?;
        Ok((folder, lock))
    }

    /// Makes sure that a whole run can be put here, and empties the folder of what a beginning that was cut off has left.
    pub(crate) fn make_room(path: &Path) -> Result<(), TrainError> {
        if path.symlink_metadata().is_err() {
            return Ok(());
        }
        if Self::open(path).is_ok() {
            return Err(Self::at(path).wrong("there is a run here already; choose another --out"));
        }
        let (folder, _lock) = Self::claim(path)?;
        match fs::remove_file(folder.path.join(Self::INFO)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(TrainError::io("write", path)(error)),
            _ => Ok(()),
        }
    }

    /// A folder whose files may be written one by one, as nobody looks for a run in it yet.
    pub(crate) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Makes sure that a new run may be made here: nothing is here, or what a beginning that was cut off has left.
    pub(crate) fn check_free(&self) -> Result<(), TrainError> {
        if self.config_path().exists() {
            let problem =
                "there is a run here already; add --resume to go on with it, or choose another --out";
            return Err(self.wrong(problem));
        }
        let is_beginning = |name: &str| name == Self::INFO && self.info().is_ok();
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        if names.any(|name| !is_ours(&name) && !is_beginning(&name)) {
            Err(self.wrong("this folder is not empty; choose another --out"))
        } else {
            Ok(())
        }
    }

    /// Writes `run.json` and, of a new run, `config.toml`. In this order: a folder with settings is a run, and to go on with
    /// one its sessions must be known.
    pub(crate) fn settle(&self, config: &RunConfig, info: &RunInfo) -> Result<(), TrainError> {
        self.write_info(info)?;
        if self.config_path().exists() {
            Ok(())
        } else {
            Ok(replace_file(&self.config_path(), config.to_toml().as_bytes())?)
        }
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
        if self.config_path().exists() && !path.exists() {
            return Err(self.wrong(
                "there is no run.json, so its sessions are not known: to go on with it, name its sessions and add --resume",
            ));
        }
        let text = neuroglot_files::read(&path, RESULTS).map_err(TrainError::io("read", &path))?;
        serde_json::from_slice(&text).map_err(|error| TrainError::ConfigFile {
            path,
            problem: format!("{error}; the file is damaged"),
        })
    }

    pub(crate) fn write_info(&self, info: &RunInfo) -> Result<(), TrainError> {
        // A path that is no text is the one thing that JSON cannot hold.
        let json = serde_json::to_vec_pretty(info).map_err(|error| self.wrong(&error.to_string()));
        let mut json = json?;
        json.push(b'\n');
        Ok(replace_file(&self.path.join(Self::INFO), &json)?)
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
        let text = neuroglot_files::read_text(&path, RESULTS).map_err(TrainError::io("read", &path))?;
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
        append().map_err(TrainError::io("write", &path))
    }

    /// Makes sure that every line is on the disk, before a checkpoint counts on it.
    pub(crate) fn sync_metrics(&self) -> Result<(), TrainError> {
        let path = self.metrics_path();
        match OpenOptions::new().append(true).open(&path).and_then(|file| file.sync_all()) {
            // Before the first epoch ends there is no line to keep.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            result => result.map_err(TrainError::io("write", &path)),
        }
    }

    /// Cuts the metrics back to the length that they had when the last checkpoint was saved, and returns it.
    ///
    /// Where lines were lost since, those that are left are kept, and the length is theirs: what is missing is never made
    /// up. `Err` of the pair says how many bytes there should be.
    pub(crate) fn truncate_metrics(&self, len: u64) -> Result<Result<u64, LostMetrics>, TrainError> {
        let path = self.metrics_path();
        let truncate = || -> std::io::Result<Result<u64, LostMetrics>> {
            let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path)?;
            let found = file.metadata()?.len();
            let kept = if found < len { whole_lines(&file)? } else { len };
            file.set_len(kept)?;
            file.sync_all()?;
            Ok(if kept < len { Err(LostMetrics { kept, expected: len }) } else { Ok(len) })
        };
        truncate().map_err(TrainError::io("write", &path))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> (tempfile::TempDir, RunFolder) {
        let root = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(root.path());
        (root, folder)
    }

    fn record(epoch: u64) -> EpochRecord {
        let (loss, learning_rate, validation) = (0.5, 1e-3, BTreeMap::new());
        EpochRecord { epoch, step: epoch, loss, learning_rate, validation, score: None }
    }

    #[test]
    fn metrics_are_cut_back_to_what_the_checkpoint_says() {
        let (_root, folder) = run();
        let len = folder.append(&record(1)).unwrap();
        folder.append(&record(2)).unwrap();
        assert_eq!(folder.truncate_metrics(len).unwrap(), Ok(len));
        assert_eq!(folder.metrics().unwrap(), [record(1)]);
    }

    #[test]
    fn metrics_that_were_lost_are_not_made_up() {
        let (_root, folder) = run();
        let first = folder.append(&record(1)).unwrap();
        let expected = folder.append(&record(2)).unwrap();
        let path = folder.metrics_path();
        // Cut in the middle of a line; padded as earlier versions did; gone.
        let text = fs::read(&path).unwrap();
        fs::write(&path, &text[..text.len() - 3]).unwrap();
        assert_eq!(folder.truncate_metrics(expected).unwrap(), Err(LostMetrics { kept: first, expected }));
        assert_eq!(folder.metrics().unwrap(), [record(1)]);
        fs::remove_file(&path).unwrap();
        assert_eq!(folder.truncate_metrics(expected).unwrap(), Err(LostMetrics { kept: 0, expected }));
        assert!(folder.metrics().unwrap().is_empty());
    }

    #[test]
    fn a_beginning_that_was_cut_off_is_begun_anew_and_other_folders_are_refused() {
        let (root, folder) = run();
        let info = RunInfo {
            version: String::new(),
            sessions: vec!["a".into()],
            device: String::new(),
            parameters: 1,
            seconds: 0.0,
            finished: false,
            imported: None,
        };
        folder.write_info(&info).unwrap();
        let (folder, lock) = RunFolder::claim(root.path()).unwrap();
        folder.settle(&RunConfig::default(), &info).unwrap();
        drop(lock);
        let error = RunFolder::claim(root.path()).unwrap_err().to_string();
        assert!(error.contains("there is a run here already; add --resume"), "{error}");

        let (root, _) = run();
        fs::write(root.path().join("run.json"), "{\"mine\": 1}").unwrap();
        let error = RunFolder::claim(root.path()).unwrap_err().to_string();
        assert!(error.contains("this folder is not empty"), "{error}");
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
    }
}
