//! Reading the sessions of a run, filtered as the run asks.

use crate::CommandError;
use crate::terminal::console::Console;
use neuroglot::data::{Filter, Session};
use neuroglot::eval::check_known;
use neuroglot::train::ModelFolder;
use std::path::{Path, PathBuf};

/// Reads sessions and applies a filter; what it leaves out is noted.
///
/// # Errors
/// A session that cannot be read, or of which nothing is left.
pub fn read(paths: &[PathBuf], filter: &Filter, console: &Console) -> Result<Vec<Session>, CommandError> {
    paths.iter().map(|path| filtered(&Session::read(path)?, filter, console)).collect()
}

fn filtered(session: &Session, filter: &Filter, console: &Console) -> Result<Session, CommandError> {
    let (session, report) = filter.apply(session)?;
    console.note(report);
    Ok(session)
}

/// Reads sessions of a model and applies its filter. That a session is none of the model's is said before anything that
/// is wrong with it.
///
/// # Errors
/// As [`read`], and a session that the model does not know.
pub fn read_known(
    paths: &[PathBuf],
    model: &ModelFolder,
    console: &Console,
) -> Result<Vec<Session>, CommandError> {
    let filter = model.settings()?.data.filter();
    let read_one = |path: &PathBuf| {
        let session = Session::read(path)?;
        check_known(model.config(), session.eid())?;
        filtered(&session, &filter, console)
    };
    paths.iter().map(read_one).collect()
}

/// Paths that still lead to the sessions when a later command is run in another folder.
///
/// # Errors
/// An empty path, and one in a folder whose name is no text, which no run could keep.
pub fn absolute(paths: &[PathBuf]) -> Result<Vec<PathBuf>, CommandError> {
    let absolute = |path: &PathBuf| {
        let wrong = |problem: &str| CommandError::Usage(format!("session path {}: {problem}", quoted(path)));
        let absolute = std::path::absolute(path).map_err(|error| wrong(&error.to_string()))?;
        match absolute.to_str() {
            Some(_) => Ok(absolute),
            None => Err(wrong("it lies in a folder whose name is not UTF-8: rename the folder")),
        }
    };
    paths.iter().map(absolute).collect()
}

fn quoted(path: &Path) -> String {
    format!("`{}`", path.display())
}
