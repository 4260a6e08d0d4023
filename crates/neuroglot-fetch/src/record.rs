//! The record beside a file: which version its bytes belong to.

use crate::{FetchError, Result};
use neuroglot_files::{FilesError, FromIo, replace_file};
use same_file::Handle;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What is known of the version that a part, or a complete file, belongs to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The address, for the eyes of a person only.
    pub url: String,
    /// The server's validator, with its quotes.
    pub etag: Option<String>,
    /// Length of the whole file in bytes.
    pub size: Option<u64>,
    /// SHA-256 of the whole file, if an index gave it.
    pub sha256: Option<String>,
    /// Set once the file has its name: its modification time in ns since 1970.
    #[serde(default)]
    pub complete: Option<u64>,
}

impl Record {
    /// Whether `self` can be the version that `other` describes: nothing that both know differs.
    pub fn agrees_with(&self, other: &Record) -> bool {
        fn same<T: PartialEq>(a: &Option<T>, b: &Option<T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        same(&self.etag, &other.etag) && same(&self.size, &other.size) && same(&self.sha256, &other.sha256)
    }

    /// The validator that `If-Range` may carry: a strong one.
    pub fn strong_etag(&self) -> Option<&str> {
        self.etag.as_deref().filter(|etag| !etag.starts_with("W/"))
    }

    /// Whether something shows that bytes that come later belong to the same version.
    pub fn is_pinned(&self) -> bool {
        self.strong_etag().is_some() || self.sha256.is_some()
    }
}

/// The files of one download, in the folder of the final one.
#[derive(Debug)]
pub(crate) struct Files {
    /// The final name, which only complete files bear.
    pub target: PathBuf,
    /// What has come so far.
    pub part: PathBuf,
    /// The [`Record`].
    record: PathBuf,
}

impl Files {
    pub fn new(target: &Path) -> Result<Files> {
        let name = target.file_name().and_then(|name| name.to_str()).ok_or_else(|| FetchError::Name {
            text: target.display().to_string(),
            expected: "a path of a file",
        })?;
        Ok(Files {
            target: target.to_path_buf(),
            part: target.with_file_name(format!("{name}.part")),
            record: target.with_file_name(format!(".{name}.fetch.json")),
        })
    }

    /// The record, or none if it is absent or damaged.
    pub fn read_record(&self) -> Option<Record> {
        // A record is a few hundred bytes; whatever else lies under its name is not ours.
        let text = neuroglot_files::read(&self.record, 65_536).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Writes the record whole or not at all.
    pub fn write_record(&self, record: &Record) -> Result<()> {
        let text = serde_json::to_vec(record).expect("a record is plain data");
        replace_file(&self.record, &text).map_err(|error| written(&self.record, error))
    }

    /// Removes the record, where the final name says enough.
    pub fn remove_record(&self) {
        // A record that stays is harmless.
        let _ = fs::remove_file(&self.record);
    }

    /// Opens the part for this process alone; waits while another one downloads the same file.
    pub fn lock_part(&self) -> Result<File> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .open(&self.part)
                .map_err(FetchError::io("open", &self.part))?;
            file.lock().map_err(FetchError::io("lock", &self.part))?;
            // While this process waited, the other one may have given the file its final name.
            if is_at(&file, &self.part) {
                return Ok(file);
            }
        }
    }

    /// The record of the final file, if it still is what was downloaded.
    pub fn intact(&self) -> Option<Record> {
        let record = self.read_record()?;
        let (length, modified) = stamp(&self.target)?;
        (record.complete == Some(modified) && record.size == Some(length)).then_some(record)
    }
}

/// The same error as one of this crate.
pub(crate) fn written(path: &Path, error: FilesError) -> FetchError {
    match error {
        FilesError::Io(error) => error.into(),
        error => FetchError::io("write", path)(std::io::Error::other(error)),
    }
}

/// Length in bytes and modification time in ns since 1970 of a plain file.
pub(crate) fn stamp(path: &Path) -> Option<(u64, u64)> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    let modified = metadata.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some((metadata.len(), u64::try_from(modified.as_nanos()).ok()?))
}

/// Whether the open file is the one that lies at `path`.
fn is_at(file: &File, path: &Path) -> bool {
    let open = file.try_clone().and_then(Handle::from_file);
    open.is_ok_and(|open| Handle::from_path(path).is_ok_and(|there| there == open))
}
