//! Stores a page so that a reader sees either the old file or the whole new one.

use crate::ReportError;
use crate::picture::{PageFormat, figures_of};
use neuroglot_files::replace_file;
use std::path::Path;

/// Writes a page to `path`, or its figures alone where the name ends in `.svg`.
pub(crate) fn write_page(path: &Path, html: &str) -> Result<(), ReportError> {
    match PageFormat::of(path)? {
        PageFormat::Html => Ok(replace_file(path, html.as_bytes())?),
        PageFormat::Svg => {
            let no_figure = || ReportError::NoFigure { path: path.to_owned() };
            Ok(replace_file(path, figures_of(html).ok_or_else(no_figure)?.as_bytes())?)
        }
    }
}
