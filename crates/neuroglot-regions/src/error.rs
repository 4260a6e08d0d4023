//! What can be wrong with a parcellation's name or an annotation volume.

use std::path::{Path, PathBuf};

/// A name is none of the four parcellations.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no parcellation {name:?}: write allen, beryl, cosmos or swanson")]
pub struct UnknownParcellation {
    /// The name that was given.
    pub name: String,
}

/// An annotation volume cannot be read. Each message names the file, the field where one is to blame, and the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnnotationError {
    /// The operating system refused an operation on a file or folder.
    #[error(transparent)]
    Io(#[from] neuroglot_files::IoError),
    /// A field of the header is missing, contradictory or not supported.
    #[error("field `{field}` of {path}: {problem}")]
    Field {
        /// The file.
        path: PathBuf,
        /// The field's name in the NRRD format.
        field: &'static str,
        /// What is wrong with it, and the cure.
        problem: String,
    },
    /// The file is no NRRD file, not the annotation of the whole brain, or damaged.
    #[error("{path} {problem}")]
    Volume {
        /// The file.
        path: PathBuf,
        /// What is wrong with it, and the cure.
        problem: String,
    },
}

impl AnnotationError {
    pub(crate) fn volume(path: &Path, problem: impl Into<String>) -> Self {
        AnnotationError::Volume { path: path.to_owned(), problem: problem.into() }
    }
}
