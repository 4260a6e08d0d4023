//! The table that says which stitcher of a checkpoint belongs to which session.

use crate::{DataConfig, TrainError};
use neuroglot_files::FromIo;
use neuroglot_masks::MaskPool;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// What a published checkpoint does not say of itself; a TOML or JSON file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionTable {
    /// The sessions to import, in the order that the run will have.
    pub sessions: Vec<TableSession>,
    /// Attention heads, which no shape tells: 8 where nothing is said, as published.
    #[serde(default = "published_heads")]
    pub heads: usize,
    /// Whether the model rotates queries and keys, which no shape tells.
    #[serde(default)]
    pub rope: bool,
    /// What it was trained with, which decides how it is prompted in evaluation.
    #[serde(default = "MaskPool::multi_task")]
    pub mask: MaskPool,
    /// Which units it was trained on, as in the settings of a run; the published ones on all.
    #[serde(default)]
    pub data: DataConfig,
    /// The file that it was read from.
    #[serde(skip)]
    pub file: Option<PathBuf>,
}

/// A session of the table.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSession {
    /// Its folder, from where the command is run.
    pub path: PathBuf,
    /// Key of its stitchers in the checkpoint: the reference has the number of units.
    pub stitcher: String,
    /// Row of its token in the session embedding; may be left out where there is only one.
    pub row: Option<usize>,
}

fn published_heads() -> usize {
    8
}

impl SessionTable {
    /// Reads a table: JSON where the file is called so, else TOML.
    ///
    /// # Errors
    /// [`TrainError`] names the file and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, TrainError> {
        let text = neuroglot_files::read_text(path, neuroglot_files::SETTINGS)
            .map_err(TrainError::io("read", path))?;
        let is_json = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json"));
        let table: Result<SessionTable, String> = if is_json {
            serde_json::from_str(&text).map_err(|error| error.to_string())
        } else {
            toml::from_str(&text).map_err(|error| error.to_string())
        };
        let fail = |problem: String| TrainError::ConfigFile { path: path.to_owned(), problem };
        let mut table =
            table.map_err(|problem| fail(problem.split_whitespace().collect::<Vec<_>>().join(" ")))?;
        table.file = Some(path.to_owned());
        if table.sessions.is_empty() {
            return Err(fail("it names no session: add one with its path, stitcher and row".to_owned()));
        }
        Ok(table)
    }
}
