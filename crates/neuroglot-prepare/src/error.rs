//! What can be wrong with a source.

use neuroglot_files::FromIo;
use std::path::{Path, PathBuf};

/// A source cannot be turned into a session.
///
/// Each message names the file, the field where it is known, and the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// The operating system refused an operation on a file or folder.
    #[error(transparent)]
    Io(#[from] neuroglot_files::IoError),
    /// A file is not what its name says, or ends too early.
    #[error("{file} cannot be decoded, it is truncated or corrupt ({problem}): copy or download it again")]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What the decoder said.
        problem: String,
    },
    /// A file is of a kind, or packed in a way, that is not read, though nothing is wrong with it.
    #[error("{file} uses {feature}, which is not read: {cure}")]
    Unread {
        /// The file or folder.
        file: PathBuf,
        /// What it uses.
        feature: String,
        /// How to make one that is read.
        cure: String,
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
        problem: Box<str>,
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
    /// The session of another source is where this one is to be; the message names both sources.
    #[error("{0}")]
    SameIdentifier(String),
    /// It could not be downloaded; the message names the address and the cure.
    #[error("{0}")]
    Download(String),
    /// What is left is no session.
    #[error(transparent)]
    Data(#[from] neuroglot_data::DataError),
}

impl PrepareError {
    pub(crate) fn field(
        file: &Path,
        field: impl Into<String>,
        problem: impl Into<String>,
        cure: &'static str,
    ) -> PrepareError {
        PrepareError::Field { file: file.to_owned(), field: field.into(), problem: problem.into(), cure }
    }

    pub(crate) fn missing(place: &Path, what: impl Into<String>, cure: impl Into<String>) -> PrepareError {
        PrepareError::Missing { place: place.to_owned(), what: what.into(), cure: cure.into() }
    }

    pub(crate) fn corrupt(file: &Path, problem: impl Into<String>) -> PrepareError {
        PrepareError::Corrupt { file: file.to_owned(), problem: problem.into() }
    }

    pub(crate) fn option(place: &Path, problem: impl Into<String>) -> PrepareError {
        PrepareError::Option { place: place.to_owned(), problem: problem.into() }
    }

    /// For `map_err` on reads of a file that may be damaged: what the system refuses is nothing that the file is to blame for.
    pub(crate) fn damaged(path: &Path) -> impl Fn(std::io::Error) -> PrepareError {
        let file = path.to_owned();
        move |error| match system_error(&error) {
            Some(source) => PrepareError::io("read", &file)(source),
            None => PrepareError::corrupt(&file, error.to_string()),
        }
    }
}

/// What the system said, if that is behind an error: too many open files, a disk that fails.
fn system_error(error: &std::io::Error) -> Option<std::io::Error> {
    if let Some(code) = error.raw_os_error() {
        return Some(std::io::Error::from_raw_os_error(code));
    }
    let mut inner: Option<&(dyn std::error::Error + 'static)> = error.get_ref().map(|inner| inner as _);
    while let Some(error) = inner {
        if let Some(code) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::raw_os_error) {
            return Some(std::io::Error::from_raw_os_error(code));
        }
        inner = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};

    #[test]
    fn what_the_system_refuses_is_no_corrupt_file() {
        let told = |error: Error| PrepareError::damaged(Path::new("x.npy"))(error).to_string();
        // 5 is EIO and 24 EMFILE on Linux, macOS and BSD.
        let wrapped = Error::other(Error::from_raw_os_error(24));
        for error in [Error::from_raw_os_error(5), wrapped] {
            let message = told(error);
            assert!(message.starts_with("cannot read x.npy: ") && !message.contains("corrupt"), "{message}");
        }
        let short = told(ErrorKind::UnexpectedEof.into());
        assert!(short.contains("truncated or corrupt"), "{short}");
    }
}
