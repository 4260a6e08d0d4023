//! `neuroglot study`

use crate::CommandError;
use crate::commands::train::recipes;
use crate::machine::compute::DeviceOptions;
use crate::machine::share::share;
use crate::reports::study::report_of_study;
use crate::terminal::console::Console;
use crate::terminal::text_table::TextTable;
use crate::workflows::study_cells::{Outcome, StudyCells};
use clap::Args;
use neuroglot::data::number::counted;
use neuroglot::study::{
    Cell, Shard, State, StudyFile, StudyFolder, StudyResults, StudySessions, cells, gather,
};
use neuroglot::train::Recipe;
use serde_json::json;
use std::path::PathBuf;

/// Train and score a grid of models and baselines, and report on it
///
/// The file says which masks, architectures, pretrainings, recipes, seeds and baselines are set against each other on
/// which sessions (docs/study.md). Each piece of it, a cell, is a folder of its own: a study that was stopped, in
/// whatever way, goes on with the same command, and what is finished is never made again. Several processes, also on
/// several machines that share a file system, make one study together.
#[derive(Debug, Args)]
#[command(
    after_help = "The share of one process of several is --shard, or what a Slurm array (SLURM_ARRAY_TASK_ID and its \
                  like) or a Kubernetes Indexed Job (JOB_COMPLETION_INDEX, with --shards) says; see `neuroglot launch`. \
                  The process that finds all cells finished writes the report. A process computes on one GPU: on a machine \
                  with several, start one for each, such as --shard 1/2 --device cuda:0 and --shard 2/2 --device cuda:1.\n\n\
                  Exit code: 0 when the share is done, 1 when a cell failed, 75 when cells were left to other \
                  processes: run the command again once they are done.\n\n\
                  Example:\n  \
                  neuroglot study study.toml --out study --dry-run\n  \
                  neuroglot study study.toml --out study\n  \
                  neuroglot study study.toml --out study --shard 2/8"
)]
pub struct Arguments {
    /// The study file
    #[arg(value_name = "FILE.toml")]
    file: PathBuf,
    /// Folder for all cells, tables and the report
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where the file's sessions are looked for [default: the folder of the file]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The share of this process, counted from 1
    #[arg(long, value_name = "I/N", conflicts_with_all = ["report_only", "shards"])]
    shard: Option<Shard>,
    /// Number of shares, where the scheduler tells each process its number but not of how many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    shards: Option<u32>,
    /// Start settings from this recipe instead of the file's
    #[arg(long, value_name = "RECIPE", value_parser = recipes())]
    recipe: Option<Recipe>,
    /// List the cells, their shares and how far they are, and do nothing
    #[arg(long, conflicts_with = "report_only")]
    dry_run: bool,
    /// Make the report of what is finished, and nothing else
    #[arg(long)]
    report_only: bool,
    /// Print JSON instead: what was done, or with --dry-run the cells
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Makes a share of a study, and the report if all is finished.
///
/// # Errors
/// A study file or session that cannot be used, cells that failed or were left to others.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let mut file = StudyFile::read(&arguments.file)?;
    if let Some(recipe) = arguments.recipe {
        file.recipes = vec![recipe.into()];
    }
    let sessions = StudySessions::find(&file, arguments.data.as_deref())?;
    let cells = cells(&file, &sessions)?;
    let folder = StudyFolder::new(&arguments.out);
    let compute = arguments.device.with_threads(threads);
    let study = StudyCells { file: &file, folder: &folder, cells: &cells, compute: &compute };
    if arguments.dry_run {
        return list(arguments, &study, console);
    }
    if arguments.report_only {
        return report(arguments, &study, &sessions, console).and_then(|page| console.result(page.display()));
    }
    let shard = arguments.shard()?.unwrap_or(Shard::WHOLE);
    let shares = Shard::assign(&cells, shard.count());
    let outcome = study.make(|index| shard.has_index(shares[index]), console)?;
    let unfinished = study.states()?.into_iter().filter(|state| *state != State::Finished).count();
    let page = match unfinished {
        0 => Some(report(arguments, &study, &sessions, console)?),
        _ => None,
    };
    let finished = cells.len() - unfinished;
    if arguments.json {
        let Outcome { made, failed, left } = outcome;
        console.json(&json!({
            "cells": cells.len(), "finished": finished, "shard": shard.to_string(),
            "made": made, "failed": failed, "left": left, "report": page,
        }))?;
    } else {
        let report = match &page {
            Some(page) => format!("report  {}", page.display()),
            None => "report  when all cells are finished".to_owned(),
        };
        console.result(format!(
            "cells   {finished} of {} finished, {} made now\n{report}",
            cells.len(),
            outcome.made
        ))?;
    }
    verdict(&outcome)
}

/// The error that the exit code tells of.
fn verdict(outcome: &Outcome) -> Result<(), CommandError> {
    match *outcome {
        Outcome { failed: 0, left: 0, .. } => Ok(()),
        Outcome { failed: 0, left, .. } => Err(CommandError::Unfinished(format!(
            "{} left to other processes or waiting for them: run the same command again once they are done",
            counted(left, "cell")
        ))),
        Outcome { failed, .. } => Err(CommandError::Failed(format!(
            "{} failed, as said above: put right what is wrong and run the same command again",
            counted(failed, "cell")
        ))),
    }
}

impl Arguments {
    /// The share asked for, or that of the scheduler; `None` is all there is to do.
    fn shard(&self) -> Result<Option<Shard>, CommandError> {
        share(self.shard, self.shards, !self.dry_run)
    }
}

/// Writes tables, `study.json` and the page, whose path it returns.
fn report(
    arguments: &Arguments,
    study: &StudyCells,
    sessions: &StudySessions,
    console: &Console,
) -> Result<PathBuf, CommandError> {
    let StudyCells { file, folder, cells, .. } = *study;
    let methods = gather(file, folder, cells)?;
    if methods.is_empty() {
        let problem = "no scored cell is finished yet; run the study first, without --report-only";
        return Err(CommandError::Failed(format!("{}: {problem}", folder.path().display())));
    }
    let results = StudyResults::of(file, sessions, folder, cells, &methods)?;
    let missing = results.missing().count();
    if missing > 0 {
        console.warning(format!(
            "{missing} of {} are not finished: the report is of the others",
            counted(cells.len(), "cell")
        ));
    }
    let short: Vec<&str> = results.trained_too_shortly().map(|cell| cell.id.as_str()).collect();
    if !short.is_empty() {
        console.warning(format!(
            "trained too shortly, validation still rose at the end: {}; epochs under [train] of the study file \
             says how long they train",
            short.join(", ")
        ));
    }
    results.write(folder)?;
    let page = folder.path().join("report.html");
    let command = command(arguments);
    report_of_study(file, &results, &methods, &command).write(&page)?;
    Ok(page)
}

/// The command that makes the study again.
fn command(arguments: &Arguments) -> String {
    let word = crate::terminal::shell::word;
    let mut command = format!("neuroglot study {} --out {}", word(&arguments.file), word(&arguments.out));
    if let Some(data) = &arguments.data {
        command.push_str(&format!(" --data {}", word(data)));
    }
    if let Some(recipe) = arguments.recipe {
        command.push_str(&format!(" --recipe {}", recipe.name()));
    }
    command
}

fn list(arguments: &Arguments, study: &StudyCells, console: &Console) -> Result<(), CommandError> {
    let shard = arguments.shard()?;
    let count = shard.map_or(arguments.shards.unwrap_or(1) as usize, Shard::count);
    let (shares, states) = (Shard::assign(study.cells, count), study.states()?);
    let rows = || study.cells.iter().zip(&shares).zip(&states);
    if arguments.json {
        let cells: Vec<_> =
            rows().map(|((cell, share), state)| in_json(cell, *share, count, *state)).collect();
        return console.json(&cells);
    }
    let mut table = TextTable::new(["cell", "needs", "share", "state"], 2);
    for ((cell, share), state) in rows() {
        let needs = cell.needs.as_ref().map_or("", |needed| &needed.id);
        table.push([&cell.id, needs, &format!("{}/{count}", share + 1), state_name(*state)]);
    }
    let finished = states.iter().filter(|state| **state == State::Finished).count();
    let mine = shard.map_or(String::new(), |shard| {
        format!("; {} in share {shard}", shares.iter().filter(|share| shard.has_index(**share)).count())
    });
    console.result(format!("{table}{}, {finished} finished{mine}", counted(study.cells.len(), "cell")))
}

fn in_json(cell: &Cell, share: usize, count: usize, state: State) -> serde_json::Value {
    json!({
        "cell": cell.id,
        "stage": cell.stage,
        "method": cell.method,
        "seed": cell.seed,
        "sessions": cell.sessions.iter().map(|session| &session.eid).collect::<Vec<_>>(),
        "needs": cell.needs.as_ref().map(|needed| &needed.id),
        "share": format!("{}/{count}", share + 1),
        "state": state_name(state),
    })
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Open => "open",
        State::Begun => "begun",
        State::Finished => "finished",
    }
}
