//! What can be wrong with a source.

use std::path::PathBuf;

/// A source cannot be turned into a session.
///
/// Each message names the file, the field where it is known, and the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The operating system refused an operation on a file or folder.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was attempted, as a verb: "open", "read", …
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file is not what its name says, or ends too early.
    #[error("{file} cannot be decoded, it is truncated or corrupt ({problem}): copy or download it again")]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What the decoder said.
        problem: String,
    },
    /// Something that every source of its kind has is not there.
    #[error("{place} has no {what}: {cure}")]
    Missing {
        /// The file or folder that was searched.
        place: PathBuf,
        /// What was looked for.
        what: String,
        /// What to do about it.
        cure: String,
    },
    /// A field of a file (a column, a data set, an array) contradicts the others or its meaning.
    #[error("{field} of {file} {problem}: {cure}")]
    Field {
        /// The file.
        file: PathBuf,
        /// The field.
        field: String,
        /// What is wrong with it.
        problem: String,
        /// What to do about it.
        cure: &'static str,
    },
    /// A link to another object, or into another file, that cannot be followed.
    #[error("{link} of {file} is a link to {target}, {problem}: {cure}")]
    Link {
        /// The file with the link.
        file: PathBuf,
        /// The link.
        link: String,
        /// What it leads to.
        target: String,
        /// Why it cannot be followed.
        problem: String,
        /// What to do about it.
        cure: String,
    },
    /// An option that this source cannot satisfy.
    #[error("{place}: {problem}")]
    Option {
        /// The source.
        place: PathBuf,
        /// What is wrong, and what would be right.
        problem: String,
    },
    /// No trial or unit is left.
    #[error("{place}: none of {found} {what}s is left ({reasons}): loosen the rules")]
    NothingLeft {
        /// The source.
        place: PathBuf,
        /// "trial" or "unit".
        what: &'static str,
        /// Number of them in the source.
        found: usize,
        /// What left out how many.
        reasons: String,
    },
    /// Another session is where this one is to be.
    #[error("{folder} exists already and was made otherwise: choose another folder, or ask to overwrite it")]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// It could not be downloaded; the message names the address and the cure.
    #[error("{0}")]
    Download(String),
    /// What is left is no session.
    #[error(transparent)]
    Data(#[from] neuroglot_data::DataError),
}

impl PrepareError {
    /// For `map_err` on operations of the standard library.
    pub(crate) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(std::io::Error) -> PrepareError {
        let path = path.into();
        move |source| PrepareError::Io { action, path, source }
    }
}
