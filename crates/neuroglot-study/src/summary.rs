//! From finished cells to the results of a study.

use crate::cell::Cell;
use crate::results::{CellSummary, StudyResults};
use crate::scores::MethodScores;
use crate::tables::tables;
use crate::{Stage, State, StudyError, StudyFile, StudyFolder, StudySessions};
use neuroglot_files::{FromIo, remove_leftovers, replace_file};
use neuroglot_train::{RunFolder, late_rise};

impl StudyResults {
    /// What the methods and cells of a study say.
    ///
    /// # Errors
    /// [`StudyError`] names a cell that is another one, or whose files are damaged.
    pub fn of(
        file: &StudyFile,
        sessions: &StudySessions,
        folder: &StudyFolder,
        cells: &[Cell],
        methods: &[MethodScores],
    ) -> Result<Self, StudyError> {
        let cells = cells.iter().map(|cell| summary(file, folder, cell)).collect::<Result<_, _>>()?;
        Ok(Self {
            name: file.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            sessions: sessions.scored.iter().map(|session| session.eid.clone()).collect(),
            seeds: file.seeds.clone(),
            checkpoint: file.checkpoint.clone(),
            tables: tables(file, methods),
            cells,
        })
    }

    /// Writes `study.json`, and each table as Markdown and CSV to `tables`.
    ///
    /// # Errors
    /// [`StudyError`] where a file cannot be written.
    pub fn write(&self, folder: &StudyFolder) -> Result<(), StudyError> {
        let tables = folder.path().join("tables");
        std::fs::create_dir_all(&tables).map_err(StudyError::io("write", &tables))?;
        remove_leftovers(folder.path());
        remove_leftovers(&tables);
        for table in &self.tables {
            replace_file(&tables.join(format!("{}.md", table.id)), table.to_markdown().as_bytes())?;
            replace_file(&tables.join(format!("{}.csv", table.id)), table.to_csv().as_bytes())?;
        }
        let mut json = serde_json::to_vec_pretty(self).expect("results are JSON");
        json.push(b'\n');
        Ok(replace_file(&folder.path().join("study.json"), &json)?)
    }

    /// Cells that are not finished.
    pub fn missing(&self) -> impl Iterator<Item = &CellSummary> {
        self.cells.iter().filter(|cell| !cell.finished)
    }

    /// Runs that were trained too shortly: their validation still rose at the end.
    pub fn trained_too_shortly(&self) -> impl Iterator<Item = &CellSummary> {
        self.cells.iter().filter(|cell| cell.still_rising == Some(true))
    }
}

fn summary(file: &StudyFile, folder: &StudyFolder, cell: &Cell) -> Result<CellSummary, StudyError> {
    let finished = folder.state(file, cell)? == State::Finished;
    let mut summary = CellSummary {
        id: cell.id.clone(),
        stage: cell.stage,
        sessions: cell.sessions.len(),
        finished,
        steps: None,
        parameters: None,
        seconds: None,
        device: None,
        still_rising: None,
    };
    if finished && cell.stage != Stage::Baseline {
        let run = RunFolder::open(&folder.cell(&cell.id))?;
        let info = run.info()?;
        let records = run.metrics()?;
        summary.steps = records.last().map(|record| record.step);
        summary.still_rising = Some(late_rise(&records).is_some());
        summary.parameters = Some(info.parameters);
        summary.seconds = Some(info.seconds);
        summary.device = Some(info.device);
    }
    Ok(summary)
}
