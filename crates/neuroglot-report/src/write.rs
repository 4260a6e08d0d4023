//! Stores a page so that a reader sees either the old file or the whole new one.

use crate::ReportError;
use crate::picture::{PageFormat, figures_of};
use neuroglot_files::{FilesError, replace_file};
use std::path::Path;

/// Writes a page to `path`, or its figures alone where the name ends in `.svg`.
pub(crate) fn write_page(path: &Path, html: &str) -> Result<(), ReportError> {
    match PageFormat::of(path)? {
        PageFormat::Html => write_atomically(path, html),
        PageFormat::Svg => {
            let no_figure = || ReportError::NoFigure { path: path.to_owned() };
            write_atomically(path, &figures_of(html).ok_or_else(no_figure)?)
        }
    }
}

/// Writes a page whole, or says why it is no file that could be written.
fn write_atomically(path: &Path, content: &str) -> Result<(), ReportError> {
    replace_file(path, content.as_bytes()).map_err(|error| match error {
        FilesError::NoName { path } => ReportError::NotAFile { path },
        FilesError::Write { path, source } => ReportError::Write { path, source },
        error => ReportError::Write { path: path.to_owned(), source: std::io::Error::other(error) },
    })
}
