use std::path::{Path, PathBuf};
use thiserror::Error;

/// Why something cannot be written.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file or folder cannot be written.
    #[error("cannot write {}: {source}; make room or choose another folder, what was saved before is still there", path.display())]
    Write {
        /// The file or folder.
        path: PathBuf,
        /// The system's words.
        source: std::io::Error,
    },
    /// A path ends in no name, such as `..`.
    #[error("{}: this is not the name of a file or folder; choose another", path.display())]
    NoName {
        /// The path as given.
        path: PathBuf,
    },
    /// Another process writes there.
    #[error(
        "{} is being written by {holder}: wait until it is done or choose another place; if it does not run any more, \
         remove {} and start again",
        place.display(), lock.display()
    )]
    Held {
        /// What is written.
        place: PathBuf,
        /// The process, where it runs, since when, and its command, as far as they are known.
        holder: String,
        /// The lock file.
        lock: PathBuf,
    },
    /// Something lies where nothing was expected.
    #[error("{} was made by another process meanwhile: it was not replaced, and what was to go there is not kept", path.display())]
    Appeared {
        /// The file or folder.
        path: PathBuf,
    },
    /// The output, or its lock, is not there any more.
    #[error(
        "{} was removed or moved while it was being written (its lock {} is gone): this process stops, and what it has \
         written is not complete; start it again",
        place.display(), lock.display()
    )]
    Lost {
        /// What is written.
        place: PathBuf,
        /// The lock file.
        lock: PathBuf,
    },
    /// Another process has taken the output over, as this one seemed to be dead.
    #[error("{} is being written by {holder} by now, as this process gave no sign of life for long: it stops", place.display())]
    TakenOver {
        /// What is written.
        place: PathBuf,
        /// The process that has it.
        holder: String,
    },
}

impl FilesError {
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> FilesError {
        let path = path.to_owned();
        |source| FilesError::Write { path, source }
    }
}
