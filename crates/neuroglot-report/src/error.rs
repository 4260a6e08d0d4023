//! What can go wrong when a report is stored.

use std::path::PathBuf;

/// A report could not be stored; nothing half-written is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The name of the file does not say what to write.
    #[error(
        "{}: a page is written where the name ends in .html, and all its figures in one where it ends in .svg; \
         `neuroglot report --figures` writes each as PDF; for a PNG, convert the .svg", path.display()
    )]
    Ending {
        /// The path as given.
        path: PathBuf,
    },
    /// A page without figures was to be written as a picture.
    #[error("{}: the page has no figure; write it as .html", path.display())]
    NoFigure {
        /// The path as given.
        path: PathBuf,
    },
    /// The folder for figures is there already.
    #[error("{} exists already: choose another folder, or ask to overwrite it", folder.display())]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder to overwrite holds something other than figures.
    #[error(
        "{} holds other files than figures, such as {}, and will not be overwritten: choose another folder",
        folder.display(), other.display()
    )]
    NotFigures {
        /// The folder.
        folder: PathBuf,
        /// What is no figure.
        other: PathBuf,
    },
    /// A figure cannot be converted.
    #[error("{}: {problem}; this is a mistake in Neuroglot, please report it", path.display())]
    Pdf {
        /// The file that was to be written.
        path: PathBuf,
        /// What is wrong with the figure.
        problem: String,
    },
    /// It cannot be written.
    #[error(transparent)]
    Files(#[from] neuroglot_files::FilesError),
}
