//! What a study says, as it is stored in `study.json` and read by reports.

use crate::cell::Stage;
use crate::estimate::{Column, Difference, Estimate};
use serde::{Deserialize, Serialize};

/// Everything that the finished cells of a study say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StudyResults {
    /// Name of the study.
    pub name: String,
    /// Version of neuroglot.
    pub version: String,
    /// Ids of the sessions that models were scored on.
    pub sessions: Vec<String>,
    /// Seeds averaged.
    pub seeds: Vec<u64>,
    /// Which checkpoint was scored.
    pub checkpoint: String,
    /// The tables, in the order in which they are shown.
    pub tables: Vec<ScoreTable>,
    /// Every cell, in the order of the grid.
    pub cells: Vec<CellSummary>,
}

/// One cell and what it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CellSummary {
    /// Its folder below `cells`.
    pub id: String,
    /// Kind of work.
    pub stage: Stage,
    /// Sessions of the run.
    pub sessions: usize,
    /// Whether it is finished; tables hold finished cells only.
    pub finished: bool,
    /// Optimiser steps done, of a run.
    pub steps: Option<u64>,
    /// Parameters of the model, of a run.
    pub parameters: Option<u64>,
    /// Seconds of training, of a run.
    pub seconds: Option<f64>,
    /// The device, of a run.
    pub device: Option<String>,
    /// Whether validation still rose at the end, of a run: it was trained too shortly.
    #[serde(default)]
    pub still_rising: Option<bool>,
}

/// Methods in rows, tasks and behaviours in columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreTable {
    /// Name of its files, such as `scratch`.
    pub id: String,
    /// Heading.
    pub title: String,
    /// What it sets side by side, and what its rows are compared with.
    pub caption: String,
    /// What its columns hold.
    pub columns: Vec<Column>,
    /// Its rows; those of one group stand together.
    pub rows: Vec<ScoreRow>,
}

/// A method in a table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoreRow {
    /// Group of rows, such as an architecture or a session.
    pub group: String,
    /// What the row is called in its group.
    pub name: String,
    /// The row that it is compared with, by its place in the table; `None` for one that others are compared with.
    pub reference: Option<usize>,
    /// The curve that it is a point of, where the table is drawn as curves; else empty.
    pub curve: String,
    /// Sessions in pretraining; 0 from scratch.
    pub pretraining_sessions: usize,
    /// Training trials of a scored session; 0 for all.
    pub trials: u64,
    /// One per column; `None` where it was not scored. A column averages the sessions in which all rows were scored.
    pub cells: Vec<Option<ScoreCell>>,
}

/// A score and how it compares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreCell {
    /// The score.
    pub score: Estimate,
    /// How it differs from that of the reference row.
    pub difference: Option<Difference>,
}

impl ScoreTable {
    /// Groups in order, each with the places of its rows.
    pub fn groups(&self) -> Vec<(&str, Vec<usize>)> {
        let mut groups: Vec<(&str, Vec<usize>)> = Vec::new();
        for (index, row) in self.rows.iter().enumerate() {
            match groups.last_mut().filter(|(group, _)| *group == row.group) {
                Some((_, rows)) => rows.push(index),
                None => groups.push((&row.group, vec![index])),
            }
        }
        groups
    }

    /// Whether a row is compared with another.
    pub fn has_differences(&self) -> bool {
        self.rows.iter().any(|row| row.reference.is_some())
    }
}
