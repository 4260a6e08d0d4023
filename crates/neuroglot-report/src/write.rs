//! Stores a page so that a reader sees either the old file or the whole new one.

use crate::ReportError;
use crate::picture::{PageFormat, figures_of};
use std::io::Write;
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

/// Writes `content` to a temporary file in the folder of `path`, syncs it and renames it to `path`.
fn write_atomically(path: &Path, content: &str) -> Result<(), ReportError> {
    let Some(name) = path.file_name() else {
        return Err(ReportError::NotAFile { path: path.to_path_buf() });
    };
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let failed = |source| ReportError::Write { path: path.to_path_buf(), source };

    let prefix = format!(".{}.", name.to_string_lossy());
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".part");
    // Temporary files are private by default; a report is as readable as any other file the user makes.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(content.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}
