//! A folder with every figure twice.

use super::Figure;
use super::pdf::PdfMaker;
use crate::{Report, ReportError};
use neuroglot_files::{FilesError, FromIo, OutputLock, StagedFolder, replace_file};
use std::ffi::OsStr;
use std::path::Path;

/// Endings of the files of a figure.
const ENDINGS: [&str; 2] = ["svg", "pdf"];

impl Report {
    /// Writes every figure as SVG and as PDF into a folder, which appears complete or not at all. With `overwrite`, a folder
    /// of figures that is there already is replaced whole.
    ///
    /// # Errors
    /// [`ReportError::Exists`] if the folder exists and `overwrite` is false; [`ReportError::NotFigures`] if it is to be
    /// overwritten and holds other files; [`ReportError::NoFigure`] if the report has none; [`ReportError::Pdf`];
    /// [`ReportError::Files`] if it cannot be written or another process writes there.
    pub fn write_figures(&self, folder: &Path, overwrite: bool) -> Result<(), ReportError> {
        let _lock = OutputLock::beside(folder)?;
        check_place(folder, overwrite)?;
        let figures = self.figures();
        if figures.is_empty() {
            return Err(ReportError::NoFigure { path: folder.to_owned() });
        }
        let staged = StagedFolder::new(folder)?;
        let maker = PdfMaker::new();
        for Figure { name, svg } in &figures {
            let pdf = maker
                .pdf(svg)
                .map_err(|problem| ReportError::Pdf { path: folder.join(format!("{name}.pdf")), problem })?;
            for (ending, content) in ENDINGS.into_iter().zip([svg.as_bytes(), &pdf]) {
                replace_file(&staged.path().join(format!("{name}.{ending}")), content)?;
            }
        }
        Ok(if overwrite { staged.replace() } else { staged.create() }?)
    }
}

/// Makes sure that nothing but a folder of figures is in the way, and that only if it may be overwritten.
fn check_place(folder: &Path, overwrite: bool) -> Result<(), ReportError> {
    if folder.symlink_metadata().is_err() {
        return Ok(());
    }
    if !overwrite {
        return Err(ReportError::Exists { folder: folder.to_owned() });
    }
    // Replacing removes all that is in the folder, which may be a mistyped path.
    let failed = |error| ReportError::Files(FilesError::io("read", folder)(error));
    for entry in folder.read_dir().map_err(failed)? {
        let file = entry.map_err(failed)?;
        let path = file.path();
        let is_figure =
            path.extension().and_then(OsStr::to_str).is_some_and(|ending| ENDINGS.contains(&ending));
        if !is_figure || !file.file_type().map_err(failed)?.is_file() {
            return Err(ReportError::NotFigures { folder: folder.to_owned(), other: path });
        }
    }
    Ok(())
}
