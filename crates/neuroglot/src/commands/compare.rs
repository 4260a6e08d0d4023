//! `neuroglot compare`

use crate::CommandError;
use crate::console::Console;
use crate::number::{decimal, signed};
use crate::runs::{self, NamedRun, evaluation_folder};
use crate::text_table::TextTable;
use clap::Args;
use neuroglot::eval::comparison::{Difference, Row, Verdict, compare, scored_differently};
use neuroglot::eval::read_evaluation;
use serde_json::json;
use std::path::PathBuf;

/// Set evaluated runs side by side, with intervals of their differences
///
/// Differences are from the first run, paired unit by unit, with a bootstrap 95 % interval over units. A run counts as
/// better or worse only where that interval excludes 0.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  neuroglot compare temporal mtm")]
pub struct Arguments {
    /// Run folders that were evaluated; the first is the one to compare with
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// All scores in the tables, not only bits/spike and decoding
    #[arg(long)]
    all_scores: bool,
    /// Print JSON instead: the runs, and a row per session, task and score
    #[arg(long)]
    json: bool,
}

/// Compares runs and prints the tables.
///
/// # Errors
/// A path that is no run, or a run that was not evaluated.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    let runs = runs::open(&arguments.runs)?;
    if arguments.json {
        let rows = rows(&runs, console)?;
        return console.json(&json!({ "runs": names(&runs), "rows": rows }));
    }
    console.result(table_of_runs(&runs, arguments.all_scores, console)?)
}

/// The tables, one per session and, of several sessions, one of all together.
///
/// # Errors
/// A run that was not evaluated.
pub fn table_of_runs(runs: &[NamedRun], all_scores: bool, console: &Console) -> Result<String, CommandError> {
    let names = names(runs);
    let rows = rows(runs, console)?;
    let is_shown = |row: &&Row| all_scores || row.decoded || row.score == "bps";
    let shown: Vec<&Row> = rows.iter().filter(is_shown).collect();
    let blocks: Vec<String> = shown
        .chunk_by(|a, b| a.session == b.session)
        .map(|rows| {
            let title = rows[0].session.as_deref().unwrap_or("all sessions");
            format!("{title}\n{}", table(&names, rows))
        })
        .collect();
    Ok(format!(
        "{}\n▲ better, ▼ worse than {}: the 95 % interval of the paired difference over units excludes 0",
        blocks.join("\n"),
        names[0]
    ))
}

fn names(runs: &[NamedRun]) -> Vec<&str> {
    runs.iter().map(|run| run.name.as_str()).collect()
}

fn rows(runs: &[NamedRun], console: &Console) -> Result<Vec<Row>, CommandError> {
    let read = |run: &NamedRun| read_evaluation(&evaluation_folder(run.folder.path()));
    let evaluations = runs.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    for eid in scored_differently(&evaluations) {
        console.warning(format!(
            "{eid}: the runs were scored on different test trials or bins, so not comparable"
        ));
    }
    Ok(compare(&evaluations))
}

fn table(names: &[&str], rows: &[&Row]) -> TextTable {
    let has_ceiling = rows.iter().any(|row| row.ceiling.is_some());
    let mut heads = vec!["task".to_owned(), "score".to_owned()];
    heads.extend(names.iter().map(|name| (*name).to_owned()));
    heads.extend(names[1..].iter().map(|name| format!("{name} − {} [95 %]", names[0])));
    heads.extend(has_ceiling.then(|| "ceiling".to_owned()));
    let mut table = TextTable::new(heads, 2);
    for row in rows {
        let mut cells = vec![row.task.clone(), score_name(&row.score).to_owned()];
        cells.extend(row.values.iter().map(|value| decimal(*value)));
        cells.extend(row.differences[1..].iter().map(|difference| difference_text(difference.as_ref())));
        cells.extend(has_ceiling.then(|| row.ceiling.map_or(String::new(), |value| decimal(Some(value)))));
        table.push(cells);
    }
    table
}

fn score_name(score: &str) -> &str {
    match score {
        "bps" => "bits/spike",
        "bps_pooled" => "bits/spike, pooled",
        "d2" => "Poisson D²",
        "r2" => "R²",
        "psth_r2" => "PSTH R²",
        metric => metric,
    }
}

fn difference_text(difference: Option<&Difference>) -> String {
    let Some(Difference { mean, low, high, verdict, .. }) = difference else { return String::new() };
    let mark = match verdict {
        Verdict::Better => "▲",
        Verdict::Worse => "▼",
        Verdict::Undecided => " ",
    };
    format!("{} [{}, {}] {mark}", signed(*mean), signed(*low), signed(*high))
}
