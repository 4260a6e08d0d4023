//! What was done: facts of the report, commands that make it again, and facts of each run.

use crate::table::{Cell, Group, Row, Table};
use crate::text::escape;
use crate::{Report, RunSection};
use neuroglot_data::number::counted;
use neuroglot_data::text::distinct;

/// Facts of the report as a list of names and values.
pub(crate) fn list(facts: &[(String, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let facts: String = facts
        .iter()
        .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value)))
        .collect();
    format!("<dl class=\"facts\">\n{facts}</dl>\n")
}

/// The commands that make the page again.
pub(crate) fn commands(commands: &[String]) -> String {
    if commands.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = commands.iter().map(|command| escape(command)).collect();
    format!("<h3>To make this page again</h3>\n<pre><code>{}</code></pre>\n", lines.join("\n"))
}

/// Facts of the runs, one column per run.
pub(crate) fn runs(report: &Report) -> String {
    let facts: Vec<Vec<(String, String)>> = report.runs.iter().map(facts_of).collect();
    let names = distinct(facts.iter().flatten().map(|(name, _)| name.as_str()));
    let rows: Vec<Row> = names
        .into_iter()
        .map(|name| {
            let value = |facts: &Vec<(String, String)>| {
                facts.iter().find(|(key, _)| key == name).map_or("–", |(_, value)| value.as_str()).to_string()
            };
            Row {
                head: name.to_string(),
                cells: facts.iter().map(|facts| Cell::plain(value(facts))).collect(),
            }
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    Table {
        caption: if report.runs.len() == 1 { "The run." } else { "The runs compared." }.to_string(),
        heads: &[""],
        columns: report.runs.iter().map(|run| run.name.clone()).collect(),
        groups: vec![Group::of(rows)],
        words: true,
    }
    .to_html()
}

fn facts_of(run: &RunSection) -> Vec<(String, String)> {
    let mut facts = run.facts.clone();
    match &run.evaluation {
        Some(evaluation) => facts.extend([
            ("masking".to_string(), evaluation.mask.clone()),
            ("checkpoint evaluated".to_string(), evaluation.checkpoint.clone()),
            ("evaluated on".to_string(), counted(evaluation.sessions.len(), "session")),
            ("evaluated by".to_string(), format!("neuroglot {}", evaluation.version)),
        ]),
        None => facts.push(("evaluated on".to_string(), "not evaluated".to_string())),
    }
    facts
}
