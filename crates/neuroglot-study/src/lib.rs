//! A grid of trained models and baselines over many sessions, and what it says.
//!
//! A [`StudyFile`] says which masks, architectures, recipes and seeds are trained, from scratch and after pretraining on
//! other sessions, and which baselines they are set against. [`cells`] makes of it the pieces of work, [`Shard`] shares
//! them among processes, [`StudyFolder`] keeps them apart and tells which are finished, and [`StudyResults`] gathers
//! their evaluations into tables, with intervals over units and over sessions.
//!
//! This crate plans and reads; the cells themselves are trained and evaluated by those who use it. A cell's settings and the
//! name of its folder depend on nothing else in the grid. It is finished once it has `cell.json`, which is written last and
//! says what it is, so that another cell in its place is noticed. Cells that need each other are in one share, and the
//! heaviest groups are given out first.

mod cell;
mod error;
mod estimate;
mod file;
mod file_keys;
mod folder;
mod glue;
mod grid;
mod labels;
mod recipe;
mod results;
mod scores;
mod sessions;
mod shard;
mod summary;
mod table_rows;
mod table_text;
mod tables;

pub use cell::{Cell, Method, Needed, Pretrained, Stage, TrainedMethod};
pub use error::StudyError;
pub use estimate::{Column, Difference, Estimate, FEWEST_SESSIONS, Mark, Range};
pub use file::{Exclusion, Pretraining, Selection, StudyFile};
pub use folder::{State, StudyFolder};
pub use glue::finetuning_settings;
pub use grid::cells;
pub use labels::full as method_name;
pub use recipe::StudyRecipe;
pub use results::{CellSummary, ScoreCell, ScoreRow, ScoreTable, StudyResults};
pub use scores::{MethodScores, SessionScores, gather};
pub use sessions::{StudySession, StudySessions};
pub use shard::Shard;
pub use table_text::{DIFFERENCES, SCORES};
