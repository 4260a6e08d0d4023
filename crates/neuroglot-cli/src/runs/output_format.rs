//! What `--out FILE` is written as: the ending of its name says it, and one that cannot be kept is refused before any work.

use crate::CommandError;
use neuroglot::eval::{TableFormat, is_zarr};
use neuroglot::report::{PageFormat, ReportError};
use std::path::Path;

/// Checks that a table can be written as a file's name asks.
///
/// # Errors
/// The endings that there are.
pub fn check_table(out: &Path) -> Result<TableFormat, CommandError> {
    TableFormat::of(out)
        .ok_or_else(|| refused(out, "write a table to a file that ends in .csv, .parquet or .npz"))
}

/// Checks that predictions can be written as a name asks: as a table, or as arrays in a Zarr folder.
///
/// # Errors
/// The endings that there are.
pub fn check_predictions(out: &Path) -> Result<(), CommandError> {
    if is_zarr(out) || TableFormat::of(out).is_some() {
        return Ok(());
    }
    Err(refused(
        out,
        "write a table to a file that ends in .csv, .parquet or .npz, or arrays to a folder that ends in .zarr",
    ))
}

/// A file that holds a page, its figures, or the numbers behind them as a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageOrTable {
    /// A page or its figures.
    Page(PageFormat),
    /// A table.
    Table,
}

impl PageOrTable {
    /// What a file's name asks for.
    ///
    /// # Errors
    /// The endings that there are.
    pub fn of(out: &Path) -> Result<PageOrTable, CommandError> {
        if TableFormat::of(out).is_some() {
            return Ok(PageOrTable::Table);
        }
        match PageFormat::of(out) {
            Ok(format) => Ok(PageOrTable::Page(format)),
            Err(ReportError::Ending { .. }) => Err(refused(
                out,
                "write a page to a file that ends in .html, its figure to .svg, or the scores as a table to .csv, \
                 .parquet or .npz; for a PDF, print the page (`report --figures` writes those of its figures), and for a PNG, convert the .svg",
            )),
            Err(error) => Err(error.into()),
        }
    }
}

/// Refuses the name of a file where results are kept in a folder.
///
/// # Errors
/// What to write instead.
pub fn check_folder(out: &Path) -> Result<(), CommandError> {
    let page = matches!(PageFormat::of(out), Ok(PageFormat::Html | PageFormat::Svg));
    if page || TableFormat::of(out).is_some() {
        return Err(refused(out, "results are kept in a folder: give it a name without such an ending"));
    }
    Ok(())
}

fn refused(out: &Path, cure: &str) -> CommandError {
    CommandError::Usage(format!("--out {}: {cure}", out.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ending_that_cannot_be_kept_is_refused() {
        for out in ["a.parquet", "a.csv", "a.NPZ"] {
            assert!(check_table(Path::new(out)).is_ok());
            assert_eq!(PageOrTable::of(Path::new(out)).unwrap(), PageOrTable::Table);
            assert!(check_folder(Path::new(out)).is_err());
        }
        assert_eq!(PageOrTable::of(Path::new("a.svg")).unwrap(), PageOrTable::Page(PageFormat::Svg));
        for out in ["a.pdf", "a.png", "a.xlsx", "a"] {
            assert!(check_table(Path::new(out)).is_err());
            let error = PageOrTable::of(Path::new(out)).unwrap_err().to_string();
            assert!(error.contains(".html") && error.contains(".npz"), "{error}");
            assert!(check_folder(Path::new(out)).is_ok());
        }
        assert!(check_folder(Path::new("scores.svg")).is_err());
    }
}
