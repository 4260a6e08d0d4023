//! What the operating system refuses, and what keeps an output from being written.

use std::path::PathBuf;
use thiserror::Error;

/// The operating system refused an operation on a file or folder.
#[derive(Debug, Error)]
#[error("cannot {action} {}: {source}{}", path.display(), self.cure())]
pub struct IoError {
    /// What was attempted, as a verb: "open", "read", "write", …
    pub action: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the operating system said.
    pub source: std::io::Error,
}

impl IoError {
    fn cure(&self) -> &'static str {
        match self.action {
            "write" => "; make room or choose another folder, what was saved before is still there",
            _ => "",
        }
    }
}

/// Every error that an [`IoError`] may be.
pub trait FromIo: From<IoError> {
    /// For `map_err` on operations of the standard library.
    fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| IoError { action, path, source }.into()
    }
}

impl<E: From<IoError>> FromIo for E {}

/// Why something cannot be written.
#[derive(Debug, Error)]
pub enum FilesError {
    /// A file or folder cannot be written.
    #[error(transparent)]
    Io(#[from] IoError),
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
