//! Warnings of commands that use sessions which a model has seen.

use crate::CommandError;
use crate::terminal::console::Console;
use neuroglot::data::Session;
pub use neuroglot::eval::audit::Warn;
use neuroglot::eval::audit::warning;
use neuroglot::train::CheckpointConfig;
use std::path::PathBuf;

/// Warns, in one line, where sessions were seen in training in a way that is not by design. `sessions` are those read
/// from `folders`.
///
/// # Errors
/// A session that cannot be read again.
pub fn warn(
    checkpoint: &CheckpointConfig,
    sessions: &[Session],
    folders: &[PathBuf],
    of: Warn,
    console: &Console,
) -> Result<(), CommandError> {
    let folders = folders.iter().map(|folder| Some(folder.as_path()));
    if let Some(text) = warning(checkpoint, sessions.iter().zip(folders), of)? {
        console.warning(text);
    }
    Ok(())
}
