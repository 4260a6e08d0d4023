//! Several runs side by side, each with a name of its own.

use crate::CommandError;
use neuroglot::train::RunFolder;
use std::path::{Path, PathBuf};

/// A run and what it is called in tables.
pub struct NamedRun {
    /// The folder's name, or its path where several folders are called the same.
    pub name: String,
    /// The folder.
    pub folder: RunFolder,
}

/// Opens run folders.
///
/// # Errors
/// A path that is no run, or one that is given twice.
pub fn open(paths: &[PathBuf]) -> Result<Vec<NamedRun>, CommandError> {
    for (index, path) in paths.iter().enumerate() {
        if paths[..index].contains(path) {
            return Err(CommandError::Usage(format!("run {} is given twice: leave one out", path.display())));
        }
    }
    let folders = paths.iter().map(|path| RunFolder::open(path)).collect::<Result<Vec<_>, _>>()?;
    let names: Vec<String> = folders.iter().map(RunFolder::name).collect();
    let is_unique = |name: &str| names.iter().filter(|other| *other == name).count() == 1;
    let name_of = |(folder, name): (RunFolder, &String)| {
        let name = if is_unique(name) { name.clone() } else { folder.path().display().to_string() };
        NamedRun { name, folder }
    };
    Ok(folders.into_iter().zip(&names).map(name_of).collect())
}

/// Where a run's evaluation is kept.
pub fn evaluation_folder(run: &Path) -> PathBuf {
    run.join("evaluation")
}
