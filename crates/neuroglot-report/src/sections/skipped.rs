//! What was asked for and not evaluated, or only in part, with the reasons.

use super::session_name;
use crate::Report;
use crate::compare::ComparedSession;
use crate::table::{Cell, Group, Row, Table};

/// The table; empty if nothing was skipped.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession]) -> String {
    let mut groups = Vec::new();
    for session in sessions {
        let mut rows: Vec<Row> = Vec::new();
        let mut listed: Vec<(&str, &str, Vec<&str>)> = Vec::new();
        for (run, evaluation) in report.runs.iter().zip(&session.by_run) {
            let skipped = evaluation.iter().flat_map(|evaluation| &evaluation.skipped);
            let decoded = evaluation.iter().flat_map(|evaluation| &evaluation.decoding);
            let notes = decoded.flat_map(|result| result.notes.iter().map(|note| (&result.behaviour, note)));
            for (what, why) in skipped.map(|skipped| (&skipped.what, &skipped.why)).chain(notes) {
                // The same reason in several runs is one line.
                match listed.iter_mut().find(|(other, reason, _)| other == what && reason == why) {
                    Some((_, _, runs)) => runs.push(&run.name),
                    None => listed.push((what, why, vec![&run.name])),
                }
            }
        }
        for (what, why, runs) in listed {
            let cells = vec![Cell::plain(runs.join(", ")), Cell::plain(why)];
            rows.push(Row { head: what.to_string(), cells });
        }
        if !rows.is_empty() {
            groups.push(Group { head: session_name(session), rows });
        }
    }
    if groups.is_empty() {
        return String::new();
    }
    Table {
        caption: "Asked for and not evaluated, or not for all answers.".to_string(),
        heads: &["session", "what"],
        columns: vec!["run".to_string(), "why".to_string()],
        groups,
        words: true,
    }
    .to_html()
}
