//! What can go wrong when a report is stored.

use std::path::PathBuf;

/// A report could not be stored; nothing half-written is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The path names no file.
    #[error("{path}: not the name of a file; give the report a file name such as report.html")]
    NotAFile {
        /// The path as given.
        path: PathBuf,
    },
    /// Writing, syncing or renaming failed.
    #[error(
        "{path}: cannot write the report ({source}); check that the folder exists, is writable and has space"
    )]
    Write {
        /// The report's path.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}
