//! `neuroglot compare`

use crate::CommandError;
use crate::reports::ceilings;
use crate::runs::named_run::{self, NamedRun};
use crate::runs::output_format;
use crate::terminal::console::Console;
use crate::terminal::number::{decimal, signed};
use crate::terminal::text_table::TextTable;
use clap::Args;
use neuroglot::eval::TableColumns;
use neuroglot::eval::comparison::{Difference, Row, Verdict, compare, scored_differently};
use neuroglot::tasks::results::Evaluation;
use serde_json::json;
use std::path::PathBuf;

/// Set evaluated runs side by side, with intervals of their differences
///
/// Scores are means over the units that all runs share, paired by uuid; of several sessions, means over sessions. Differences
/// are from the first run, over the same units, with a bootstrap 95 % interval over units. A run counts as better or worse
/// only where that interval excludes 0.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  neuroglot compare temporal mtm\n  neuroglot compare temporal mtm --out scores.csv"
)]
pub struct Arguments {
    /// Folders of runs, checkpoints or baselines that were evaluated; the first is the one to compare with
    #[arg(required = true, num_args = 2.., value_name = "RUN")]
    runs: Vec<PathBuf>,
    /// All scores in the tables, not only bits/spike and decoding
    #[arg(long)]
    all_scores: bool,
    /// Print JSON instead: the runs, and a row per session, task and score
    #[arg(long)]
    json: bool,
    /// Write a table too, with a row per session, task, score and run: .csv, .parquet or .npz
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Compares runs and prints the tables.
///
/// # Errors
/// A path that is no run, or a run that was not evaluated.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    if let Some(out) = &arguments.out {
        output_format::check_table(out)?;
    }
    let runs = named_run::open(&arguments.runs)?;
    if let Some(out) = &arguments.out {
        comparison_table(&names(&runs), &compare(&evaluations(&runs)?)).write(out)?;
        console.note(format!("kept in {}", out.display()));
    }
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
    // Of a decoded behaviour, the score that it is known by.
    let is_known = |row: &Row| row.decoded && ["accuracy", "r2"].contains(&row.score.as_str());
    let is_shown = |row: &&Row| all_scores || row.score == "bps" || is_known(row);
    let shown: Vec<&Row> = rows.iter().filter(is_shown).collect();
    let has_ceilings = shown.iter().any(|row| row.ceiling.is_some());
    let explained = if has_ceilings { format!("\n{}", ceilings::EXPLAINED) } else { String::new() };
    let blocks: Vec<String> = shown
        .chunk_by(|a, b| a.session == b.session)
        .map(|rows| {
            let title = rows[0].session.as_deref().unwrap_or("all sessions");
            format!("{title}\n{}", table(&names, rows))
        })
        .collect();
    let mut text = format!(
        "{}\n▲ better, ▼ worse than {}: the 95 % interval of the paired difference over units excludes 0",
        blocks.join("\n"),
        names[0]
    );
    if shown.iter().any(|row| row.units.iter().flatten().any(|own| *own != row.shared_units)) {
        text.push_str("\nScores are over the units that all runs share; how many of each run's own they are is beside them");
    }
    text.push_str(&explained);
    Ok(text)
}

/// A row per session (empty for all together), task, score and run, with the run's paired difference from the first.
fn comparison_table(names: &[&str], rows: &[Row]) -> TableColumns {
    let cells: Vec<(&Row, usize)> =
        rows.iter().flat_map(|row| (0..names.len()).map(move |run| (row, run))).collect();
    let difference = |pick: fn(&Difference) -> f64| {
        cells.iter().map(move |(row, run)| row.differences[*run].as_ref().map(pick))
    };
    let verdict = |(row, run): &(&Row, usize)| match row.differences[*run].map(|found| found.verdict) {
        Some(Verdict::Better) => "better",
        Some(Verdict::Worse) => "worse",
        Some(Verdict::Undecided) => "undecided",
        None => "",
    };
    TableColumns::default()
        .texts("eid", cells.iter().map(|(row, _)| row.session.as_deref().unwrap_or("")))
        .texts("task", cells.iter().map(|(row, _)| &row.task))
        .texts("score", cells.iter().map(|(row, _)| &row.score))
        .texts("run", cells.iter().map(|(_, run)| names[*run]))
        .numbers("value", cells.iter().map(|(row, run)| row.values[*run]))
        .numbers("difference", difference(|found| found.mean))
        .numbers("low", difference(|found| found.low))
        .numbers("high", difference(|found| found.high))
        .counts("units", cells.iter().map(|(row, run)| row.differences[*run].map(|found| found.units)))
        .texts("verdict", cells.iter().map(verdict))
        .numbers("ceiling", cells.iter().map(|(row, _)| row.ceiling))
}

fn names(runs: &[NamedRun]) -> Vec<&str> {
    runs.iter().map(|run| run.name.as_str()).collect()
}

fn evaluations(runs: &[NamedRun]) -> Result<Vec<Evaluation>, CommandError> {
    runs.iter().map(|run| run.folder.scores()).collect()
}

fn rows(runs: &[NamedRun], console: &Console) -> Result<Vec<Row>, CommandError> {
    let evaluations = evaluations(runs)?;
    for eid in scored_differently(&evaluations) {
        console.warning(format!(
            "{eid}: the runs were scored on different test trials or bins, so not comparable"
        ));
    }
    Ok(compare(&evaluations))
}

fn table(names: &[&str], rows: &[&Row]) -> TextTable {
    let has_ceiling = rows.iter().any(|row| row.ceiling.is_some());
    let has_state = rows.iter().any(|row| row.state_ceiling.is_some());
    let mut heads = vec!["task".to_owned(), "score".to_owned(), "units".to_owned()];
    heads.extend(names.iter().map(|name| (*name).to_owned()));
    heads.extend(names[1..].iter().map(|name| format!("{name} − {} [95 %]", names[0])));
    heads.extend(has_ceiling.then(|| ceilings::TRUE_RATES.to_owned()));
    heads.extend(has_state.then(|| ceilings::TRUE_STATE.to_owned()));
    let mut table = TextTable::new(heads, 2);
    for row in rows {
        let mut cells = vec![row.task.clone(), score_name(&row.score).to_owned(), units(row)];
        cells.extend(row.values.iter().map(|value| decimal(*value)));
        cells.extend(row.differences[1..].iter().map(|difference| difference_text(difference.as_ref())));
        for (is_shown, ceiling) in [(has_ceiling, row.ceiling), (has_state, row.state_ceiling)] {
            cells.extend(is_shown.then(|| ceiling.map_or(String::new(), |value| decimal(Some(value)))));
        }
        table.push(cells);
    }
    table
}

/// `12`, or `10 of 12, 11` where runs have units that others do not.
fn units(row: &Row) -> String {
    let own: Vec<usize> = row.units.iter().flatten().copied().collect();
    if own.iter().all(|own| *own == row.shared_units) {
        return own.first().map_or(String::new(), usize::to_string);
    }
    let own = row.units.iter().map(|own| own.map_or("n/a".to_owned(), |own| own.to_string()));
    let shared = if row.shared_units == 0 { "none".to_owned() } else { row.shared_units.to_string() };
    format!("{shared} of {}", own.collect::<Vec<_>>().join(", "))
}

fn score_name(score: &str) -> &str {
    match score {
        "bps" => "bits/spike",
        "bps_pooled" => "bits/spike, pooled",
        "d2" => "Poisson D²",
        "r2" => "R²",
        "psth_r2" => "PSTH R²",
        "balanced_accuracy" => "balanced accuracy",
        "auc" => "AUC",
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
