//! Where a session came from: `provenance.json` in its folder.

use neuroglot_files::FromIo;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use neuroglot_data::SharedTime;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{BehaviourNotes, PrepareError, PrepareOptions, Selection, SourceOptions, Species};

/// Name of the file in a session's folder.
pub const PROVENANCE_FILE: &str = "provenance.json";

/// Longer files are no provenance.
const MAX_BYTES: u64 = 1 << 30;

/// What a session was made of, how, and what was left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Version of Neuroglot that made it.
    pub version: String,
    /// Identifier of the session.
    pub eid: String,
    /// The animal.
    pub subject: String,
    /// Species of the animal.
    #[serde(default)]
    pub species: Species,
    /// What was read.
    pub source: SourceRecord,
    /// How it was read.
    pub reading: SourceOptions,
    /// How it was cut into trials; none for sessions that were aligned already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<PrepareOptions>,
    /// The volume that coordinates were looked up in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub annotation: Option<FileRecord>,
    /// Trials that were found, kept and left out.
    pub trials: Selection,
    /// Units that were found, kept and left out.
    pub units: Selection,
    /// Number of units in each region.
    pub regions: BTreeMap<String, usize>,
    /// Missing values of each behaviour.
    pub behaviours: BTreeMap<String, BehaviourNotes>,
    /// Share of the validation and test bins that lie in training windows; none where it is not known.
    #[serde(default)]
    pub shared_time: Option<SharedTime>,
    /// What should be known about the session.
    pub notes: Vec<String>,
}

/// A source as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRecord {
    /// What kind of source: `ibl-alf`, `nwb`, …
    pub kind: String,
    /// What it was called on the command line.
    pub name: String,
    /// Where it was, from the root of the file system on.
    #[serde(default)]
    pub place: Option<PathBuf>,
    /// The files that were read.
    pub files: Vec<FileRecord>,
    /// Files beside them that their links led to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub linked: Vec<FileRecord>,
    /// Files that links name and that were not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub absent: Vec<PathBuf>,
}

/// A file as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Where it was.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// When it was last changed, ns since 1970.
    pub modified: u128,
    /// SHA-256 of its content, in hexadecimal digits.
    pub sha256: String,
}

impl FileRecord {
    /// Looks at files and hashes them, in parallel.
    ///
    /// # Errors
    /// [`PrepareError::Io`].
    pub fn of_all(files: &[PathBuf]) -> Result<Vec<FileRecord>, PrepareError> {
        files.par_iter().map(|file| FileRecord::of(file)).collect()
    }

    /// Looks at a file and hashes it.
    ///
    /// # Errors
    /// [`PrepareError::Io`].
    pub fn of(file: &Path) -> Result<FileRecord, PrepareError> {
        let (bytes, modified) = size_and_time(file)?;
        Ok(FileRecord { path: file.to_owned(), bytes, modified, sha256: sha256(file)? })
    }

    /// Whether a file has this content, wherever it is.
    fn is_copy(&self, file: &Path) -> bool {
        size_and_time(file).is_ok_and(|(bytes, _)| bytes == self.bytes)
            && sha256(file).is_ok_and(|sha256| sha256 == self.sha256)
    }

    /// Whether the file is still what it was: by size and time, or, where only the time differs, by content.
    fn is_unchanged(&self) -> bool {
        match size_and_time(&self.path) {
            Ok((bytes, modified)) if bytes == self.bytes => {
                modified == self.modified || sha256(&self.path).is_ok_and(|sha256| sha256 == self.sha256)
            }
            _ => false,
        }
    }
}

fn size_and_time(file: &Path) -> Result<(u64, u128), PrepareError> {
    let metadata = file.metadata().map_err(PrepareError::io("read", file))?;
    let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    Ok((metadata.len(), modified.map_or(0, |time| time.as_nanos())))
}

fn sha256(file: &Path) -> Result<String, PrepareError> {
    neuroglot_files::sha256(file).map_err(PrepareError::io("read", file))
}

impl Provenance {
    /// Reads `provenance.json` of a session's folder; `None` if there is none.
    ///
    /// # Errors
    /// [`PrepareError::Io`], and [`PrepareError::Corrupt`] if it is none.
    pub fn read(session: &Path) -> Result<Option<Provenance>, PrepareError> {
        let path = session.join(PROVENANCE_FILE);
        let text = match neuroglot_files::read(&path, MAX_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(PrepareError::io("read", &path)(error)),
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| PrepareError::corrupt(&path, error.to_string()))
    }

    /// The file's content.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain data can be written as JSON");
        text.push('\n');
        text
    }

    /// Whether the session was made of the source `name` at `place`, which has these files now: that has its name (of
    /// what was downloaded) or lies where it lay, or its files are copies of those that were read.
    pub fn is_of(&self, name: &str, place: &Path, files: &[PathBuf]) -> bool {
        let is_path = Path::new(name) == place;
        let is_there = match &self.source.place {
            Some(recorded) if is_path => std::path::absolute(place).is_ok_and(|place| place == *recorded),
            _ => self.source.name == name,
        };
        let (own, copies) = (&self.source.files, || self.source.files.iter().zip(files));
        is_there || (own.len() == files.len() && copies().all(|(own, file)| own.is_copy(file)))
    }

    /// Whether making the session again would give the same: from the same files, with the same options, by the same
    /// version.
    pub fn is_current(
        &self,
        name: &str,
        files: &[PathBuf],
        reading: &SourceOptions,
        options: &PrepareOptions,
        annotation: Option<&FileRecord>,
    ) -> bool {
        self.version == env!("CARGO_PKG_VERSION")
            && self.source.name == name
            && self.reading == *reading
            && self.options.as_ref().is_none_or(|own| own == options)
            && self.annotation.as_ref().map(|own| &own.sha256) == annotation.map(|other| &other.sha256)
            && self.source.files.iter().map(|file| &file.path).eq(files)
            && self.source.files.par_iter().chain(&self.source.linked).all(FileRecord::is_unchanged)
            && !self.source.absent.iter().any(|file| file.exists())
    }
}
