//! `neuroglot learning-curve`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::runs::sessions;
use crate::terminal::console::Console;
use crate::terminal::number::decimal;
use crate::terminal::shell;
use crate::terminal::text_table::TextTable;
use crate::workflows::fine_tune_settings;
use crate::workflows::learning_curve::{LearningCurve, Point, curves};
use clap::Args;
use neuroglot::files::{OutputLock, replace_file};
use neuroglot::report;
use neuroglot::tasks::Task;
use neuroglot::train::RunConfig;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Fine-tune on more and more trials of a session, and see what they bring
///
/// For each number of calibration trials a model is fine-tuned on as many steps and scored on all test trials. More
/// trials hold all of fewer, and validation and test trials are the same throughout. DIR keeps the runs,
/// learning-curve.json and learning-curve.html; started again, the command goes on where it was stopped, and other numbers
/// of trials are put beside those that are there.
#[derive(Debug, Args)]
#[command(
    after_help = "All points are trained on one device: a session is never spread over several GPUs.\n\n\
                        Example:\n  \
                        neuroglot learning-curve mtm data/new_aligned --trials 16,32,64,128 --out curve --scratch"
)]
pub struct Arguments {
    /// A run folder, or one of its checkpoints
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// A session folder
    #[arg(value_name = "SESSION")]
    session: PathBuf,
    /// Numbers of calibration trials, separated by commas
    #[arg(long, value_name = "LIST", value_delimiter = ',', required = true)]
    trials: Vec<usize>,
    /// Folder of the runs and results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Optimiser steps of each point, rounded up to whole passes over its trials
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=10_000_000))]
    steps: u64,
    /// Train models that start at random too, with the same settings and steps
    #[arg(long)]
    scratch: bool,
    /// Settings of the runs.
    #[command(flatten)]
    options: fine_tune_settings::FineTuneOptions,
    /// Print learning-curve.json
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Makes the runs, the file and the page, and prints the table.
///
/// # Errors
/// Those of training and evaluation, and a folder that cannot be written.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let _lock = OutputLock::inside(&arguments.out)?;
    let config = arguments.options.change(&RunConfig::starting_from(&arguments.run)?, &[])?;
    let paths = std::slice::from_ref(&arguments.session);
    let read = sessions::read(paths, &config.data.filter(), console)?;
    let places = sessions::absolute(paths)?;
    let ([session], [path]) = (&read[..], &places[..]) else { return Ok(()) };
    let compute = arguments.device.with_threads(threads);
    let (steps, scratch) = (arguments.steps, arguments.scratch);
    let (trials, out) = (&arguments.trials, &arguments.out);
    let (config, compute, earlier) = (&config, &compute, &earlier_points(out, session.eid(), steps)?);
    let points = LearningCurve { config, session, path, trials, earlier, steps, scratch, out, compute }
        .run(console)?;
    let found = json!({
        "run": arguments.run,
        "session": session.eid(),
        "steps": steps,
        "points": points,
    });
    let mut text = format!("{found:#}");
    text.push('\n');
    replace_file(&out.join("learning-curve.json"), text.as_bytes())?;
    let page = out.join("learning-curve.html");
    page_of(arguments, session.eid(), &points).write(&page)?;
    if arguments.json {
        return console.json(&found);
    }
    console.result(format!("{}{}", table(&points), page.display()))
}

/// Start and number of trials of the points that the folder holds.
///
/// # Errors
/// Points of another session or of other steps, which cannot stand on one page with new ones.
fn earlier_points(out: &Path, eid: &str, steps: u64) -> Result<Vec<(String, usize)>, CommandError> {
    let path = out.join("learning-curve.json");
    // What is not there, or not whole, is made anew.
    let text = neuroglot::files::read(&path, neuroglot::files::RESULTS).unwrap_or_default();
    let Ok(found) = serde_json::from_slice::<Value>(&text) else { return Ok(Vec::new()) };
    for (what, had, now) in
        [("session", &found["session"], json!(eid)), ("steps", &found["steps"], json!(steps))]
    {
        if *had != now {
            let problem = format!("it holds points of {what} {had}, not {now}: choose another --out");
            return Err(CommandError::Failed(format!("{}: {problem}", path.display())));
        }
    }
    let of_point = |point: &Value| {
        Some((point["start"].as_str()?.to_owned(), usize::try_from(point["trials"].as_u64()?).ok()?))
    };
    Ok(found["points"].as_array().into_iter().flatten().filter_map(of_point).collect())
}

fn page_of(arguments: &Arguments, eid: &str, points: &[Point]) -> report::LearningCurve {
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let trials: BTreeSet<usize> = points.iter().map(|point| point.trials).collect();
    let trials: Vec<String> = trials.iter().map(usize::to_string).collect();
    let has_scratch = points.iter().any(|point| point.start == "from-scratch");
    let scratch = if has_scratch { " --scratch" } else { "" };
    report::LearningCurve {
        title: format!("Calibration trials of {eid}"),
        subtitle: "A trained model was fine-tuned on more and more trials of a session, for as many steps, and scored on \
                   test trials that it never saw. Scores are bits/spike, means over units."
            .to_owned(),
        facts: vec![
            fact("model", arguments.run.display().to_string()),
            fact("session", eid.to_owned()),
            fact("steps", arguments.steps.to_string()),
        ],
        commands: vec![format!(
            "neuroglot learning-curve {} {} --trials {} --steps {}{scratch}{} --out {}",
            shell::word(&arguments.run),
            shell::word(&arguments.session),
            trials.join(","),
            arguments.steps,
            arguments.options.typed(),
            shell::word(&arguments.out)
        )],
        score: "bits/spike".to_owned(),
        curves: curves(points),
    }
}

fn table(points: &[Point]) -> TextTable {
    let tasks = Task::ALL.map(Task::name);
    let mut table = TextTable::new(["trials", "start", "steps"].into_iter().chain(tasks), 2);
    for point in points {
        let scores = tasks.map(|task| decimal(point.scores.get(task).and_then(|scores| scores.bps)));
        let row = [point.trials.to_string(), point.start.to_owned(), point.steps.to_string()];
        table.push(row.into_iter().chain(scores));
    }
    table
}
