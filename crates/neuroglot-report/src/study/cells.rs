//! Every cell, and what it took.

use crate::table::{Cell, Group, Row, Table};
use neuroglot_data::number::decimal;
use neuroglot_study::{CellSummary, StudyResults};

/// A row per cell, by kind of work.
pub(super) fn html(results: &StudyResults) -> String {
    let number = |value: Option<u64>| Cell::plain(value.map_or("–".to_owned(), |value| value.to_string()));
    let row = |cell: &CellSummary| {
        let seconds = cell.seconds.map_or("–".to_owned(), |seconds| decimal(seconds, 1));
        let state = if cell.finished { "finished" } else { "not finished" };
        let device = cell.device.clone().unwrap_or_else(|| "–".to_owned());
        Row {
            head: cell.id.split_once('/').map_or(cell.id.as_str(), |(_, name)| name).to_owned(),
            cells: vec![
                number(Some(cell.sessions as u64)),
                number(cell.steps),
                number(cell.parameters),
                Cell::plain(seconds),
                Cell::plain(device),
                Cell::plain(state),
            ],
        }
    };
    let mut groups: Vec<Group> = Vec::new();
    for cell in &results.cells {
        let stage = cell.stage.name();
        match groups.iter_mut().find(|group| group.head == stage) {
            Some(group) => group.rows.push(row(cell)),
            None => groups.push(Group { head: stage.to_owned(), rows: vec![row(cell)] }),
        }
    }
    let columns = ["sessions", "steps", "parameters", "training (s)", "device", "state"];
    Table {
        caption: "The cells of the study; steps are of the optimiser.".to_owned(),
        heads: &["", "cell"],
        columns: columns.map(str::to_owned).to_vec(),
        groups,
        words: true,
    }
    .to_html()
}
