//! Reading the sessions of a run, filtered as the run asks.

use crate::CommandError;
use crate::console::Console;
use neuroglot::data::{Filter, Session};
use std::path::{Path, PathBuf};

/// Reads sessions and applies a filter; what it leaves out is noted.
///
/// # Errors
/// A session that cannot be read, or of which nothing is left.
pub fn read(paths: &[PathBuf], filter: &Filter, console: &Console) -> Result<Vec<Session>, CommandError> {
    let read_one = |path: &PathBuf| -> Result<Session, CommandError> {
        let (session, report) = filter.apply(&Session::read(path)?)?;
        console.note(report);
        Ok(session)
    };
    paths.iter().map(read_one).collect()
}

/// Paths that still lead to the sessions when a later command is run in another folder.
///
/// # Errors
/// An empty path.
pub fn absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let absolute = |path: &PathBuf| {
        std::path::absolute(path)
            .map_err(|error| CommandError::Usage(format!("session path {}: {error}", quoted(path))))
    };
    paths.iter().map(absolute).collect()
}

fn quoted(path: &Path) -> String {
    format!("`{}`", path.display())
}
