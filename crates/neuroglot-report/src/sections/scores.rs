//! The score tables: averaged over sessions, and per session.

use super::score_rows::{DECODING, Measured, ScoreRow, averaged, of_session};
use super::session_name;
use crate::Report;
use crate::compare::ComparedSession;
use crate::table::{Cell, Group, Row, Table};
use crate::text::{escape, listed, task_name};
use neuroglot_data::number::{counted, decimal};
use neuroglot_data::text::distinct;
use neuroglot_eval::comparison::is_same_data;
use neuroglot_tasks::results::SessionEvaluation;

/// All tables; empty if no run was evaluated.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession]) -> String {
    let mut out = String::new();
    if sessions.len() > 1 {
        let rows = averaged(sessions);
        let caption = format!(
            "Averaged over {}. Brackets: 95 % interval over units, of behaviours over test trials; the sessions taken as given.",
            counted(sessions.len(), "session")
        );
        out.push_str("<div class=\"keep\">\n<h3 id=\"scores-all\">All sessions</h3>\n");
        out.push_str(&table(report, &caption, &rows, sessions.len()));
        out.push_str(&note(report, &rows));
        out.push_str("</div>\n");
    }
    for (index, session) in sessions.iter().enumerate() {
        let rows = of_session(session);
        let mut caption = format!("Session {}", session_name(session));
        if let Some(first) = session.first() {
            caption.push_str(&format!(
                ": {}. Brackets: 95 % interval over units, of behaviours over test trials.",
                size(first)
            ));
        }
        out.push_str("<div class=\"keep\">\n");
        if sessions.len() > 1 {
            out.push_str(&format!("<h3 id=\"scores-{index}\">{}</h3>\n", escape(&session_name(session))));
        }
        out.push_str(&table(report, &caption, &rows, 1));
        out.push_str(&note(report, &rows));
        if !is_same_data(&session.by_run) {
            out.push_str(
                "<p class=\"note\"><strong>The runs were scored on different numbers of trials or bins of this \
                 session: their scores cannot be compared.</strong></p>\n",
            );
        }
        out.push_str("</div>\n");
    }
    out
}

fn size(session: &SessionEvaluation) -> String {
    let regions = distinct(session.units.iter().map(|unit| unit.region.as_str())).len();
    format!(
        "{} × {} of {} ms, {} in {}",
        counted(session.trials, "test trial"),
        counted(session.bins, "bin"),
        decimal(session.bin_seconds * 1000.0, if session.bin_seconds >= 0.001 { 0 } else { 2 }),
        counted(session.units.len(), "unit"),
        counted(regions, "region")
    )
}

fn table(report: &Report, caption: &str, rows: &[ScoreRow], sessions: usize) -> String {
    let mut columns: Vec<String> = report.runs.iter().map(|run| run.name.clone()).collect();
    let has_ceilings =
        [rows.iter().any(|row| row.ceiling.is_some()), rows.iter().any(|row| row.state_ceiling.is_some())];
    for (is_there, name) in has_ceilings.into_iter().zip(["true rates", "true state"]) {
        columns.extend(is_there.then(|| format!("ceiling ({name})")));
    }
    let names = distinct(rows.iter().map(|row| row.group.as_str()));
    let groups = names
        .into_iter()
        .map(|name| Group {
            head: task_name(name).to_string(),
            rows: rows
                .iter()
                .filter(|row| row.group == name)
                .map(|row| table_row(row, sessions, has_ceilings))
                .collect(),
        })
        .collect();
    Table { caption: caption.to_string(), heads: &["task", "score"], columns, groups, words: false }.to_html()
}

fn table_row(row: &ScoreRow, sessions: usize, has_ceilings: [bool; 2]) -> Row {
    let mut head = row.name.clone();
    if let Some(chance) = row.chance {
        let chance = if chance == 0.0 { "0".to_string() } else { decimal(chance, 3) };
        head.push_str(&format!(" (chance {chance})"));
    }
    if row.sessions < sessions {
        head.push_str(&format!(" ({} of {sessions} sessions)", row.sessions));
    }
    if let Some(units) = &row.units {
        head.push_str(&format!(" ({units})"));
    }
    let mut cells: Vec<Cell> = row
        .runs
        .iter()
        .enumerate()
        .map(|(run, value)| Cell { bold: row.best == Some(run), ..cell(*value, "n/a") })
        .collect();
    for (is_there, ceiling) in has_ceilings.into_iter().zip([row.ceiling, row.state_ceiling]) {
        cells.extend(is_there.then(|| cell(ceiling, "–")));
    }
    Row { head, cells }
}

/// A score with its interval below it.
pub(crate) fn cell(value: Option<Measured>, otherwise: &str) -> Cell {
    let Some(value) = value else {
        return Cell::plain(otherwise);
    };
    let interval = |(low, high)| format!("[{}, {}]", decimal(low, 3), decimal(high, 3));
    let asides = value.interval.map(interval).into_iter().collect();
    Cell { asides, ..Cell::plain(decimal(value.mean, 3)) }
}

/// What bold means, and in which tasks which run stands out, in words.
fn note(report: &Report, rows: &[ScoreRow]) -> String {
    if report.runs.len() < 2 {
        return String::new();
    }
    let with_interval = |row: &&ScoreRow| {
        row.group != DECODING
            && row.runs.iter().flatten().filter(|value| value.interval.is_some()).count() > 1
    };
    let compared: Vec<&ScoreRow> = rows.iter().filter(with_interval).collect();
    if compared.is_empty() {
        return String::new();
    }
    let tasks_of = |best: Option<usize>| -> Vec<String> {
        let rows = compared.iter().filter(|row| row.best == best);
        rows.map(|row| task_name(&row.group).to_string()).collect()
    };
    let mut sentences = Vec::new();
    for (run, section) in report.runs.iter().enumerate() {
        let tasks = tasks_of(Some(run));
        if !tasks.is_empty() {
            sentences.push(format!("{} stands out in {}", section.name, listed(&tasks)));
        }
    }
    let undecided = tasks_of(None);
    if !undecided.is_empty() {
        sentences.push(format!("no run stands out in {}", listed(&undecided)));
    }
    format!(
        "<p class=\"note\">Bold: the run is better than each other run, by the 95 % interval of their difference, paired \
         unit by unit. Here {}. Scores without an interval are never marked. Scores are over the units that all runs \
         share.</p>\n",
        escape(&sentences.join("; "))
    )
}
