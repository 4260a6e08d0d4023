//! What can go wrong when a report is stored.

use std::path::PathBuf;

/// A report could not be stored; nothing half-written is left behind.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The name of the file does not say what to write.
    #[error(
        "{}: a page is written where the name ends in .html, and its figures where it ends in .svg; for a PDF, print the \
         page, and for a PNG, convert the .svg", path.display()
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
    /// It cannot be written.
    #[error(transparent)]
    Files(#[from] neuroglot_files::FilesError),
}
