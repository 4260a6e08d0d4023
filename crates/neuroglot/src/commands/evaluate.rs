//! `neuroglot evaluate`

use crate::CommandError;
use crate::compute::DeviceOptions;
use crate::console::Console;
use crate::evaluating::Evaluating;
use crate::number::{counted, decimal};
use crate::text_table::TextTable;
use clap::Args;
use neuroglot::eval::results::{SessionEvaluation, TaskResult};
use neuroglot::eval::summary_json;
use neuroglot::train::RunFolder;
use std::path::PathBuf;

/// Score a trained model on test trials
///
/// Tasks: co-smoothing (each unit from all others), forward (the last tenth of the bins from those before),
/// intra-region (each unit from its region), inter-region (each region from the others), and decoding of behaviour.
/// Scores are bits/spike over a unit's own mean rate; 0 is no better than knowing that mean.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot evaluate mtm\n  \
                        neuroglot evaluate mtm --tasks co-smoothing,choice --json > scores.json")]
pub struct Arguments {
    /// A run folder
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Session folders [default: those the run was trained on]
    #[arg(value_name = "SESSION")]
    sessions: Vec<PathBuf>,
    /// Tasks and behaviours, separated by commas [default: the four tasks, choice, wheel-speed and
    /// whisker-motion-energy]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    tasks: Option<Vec<String>>,
    /// Which checkpoint: the best by validation score, or the last
    #[arg(long, value_parser = [RunFolder::BEST, RunFolder::LAST], default_value = RunFolder::BEST)]
    checkpoint: String,
    /// Folder for evaluation.json, summary.json and units.parquet [default: RUN/evaluation]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Print the scores as JSON, an object per session and in it one per task
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Evaluates, keeps the results and prints the scores.
///
/// # Errors
/// A run, checkpoint or session that cannot be used, an unknown task, a folder that cannot be written.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let evaluating = Evaluating {
        run: &arguments.run,
        checkpoint: &arguments.checkpoint,
        sessions: &arguments.sessions,
        tasks: arguments.tasks.as_deref(),
        out: arguments.out.as_deref(),
        compute: &arguments.device.with_threads(threads),
    };
    let evaluation = evaluating.run(console)?;
    if arguments.json {
        return console.json(&summary_json(&evaluation));
    }
    let blocks: Vec<String> = evaluation.sessions.iter().map(in_words).collect();
    console.result(blocks.join("\n"))
}

/// The scores of one session as tables.
pub fn in_words(session: &SessionEvaluation) -> String {
    let (trials, units) = (counted(session.trials, "test trial"), counted(session.units.len(), "unit"));
    let mut text = format!("{}  {trials}, {units}\n", session.eid);
    if !session.tasks.is_empty() {
        text.push_str(&task_table(&session.tasks).to_string());
    }
    if !session.decoding.is_empty() {
        let mut table = TextTable::new(["behaviour", "score", "", "chance"].map(String::from).into(), 2);
        for decoded in &session.decoding {
            let metric = if decoded.metric == "r2" { "R²" } else { &decoded.metric };
            let row = [decoded.behaviour.clone(), metric.to_owned()];
            let numbers = [decoded.score, decoded.chance].map(|value| decimal(Some(value)));
            table.push(row.into_iter().chain(numbers).collect());
        }
        text.push_str(&table.to_string());
    }
    text
}

fn task_table(tasks: &[TaskResult]) -> TextTable {
    let has_ceiling = tasks.iter().any(|task| task.ceiling.is_some());
    let has_conditions = tasks.iter().any(|task| task.scores.psth_r2.is_some());
    let mut heads = vec!["task", "bits/spike", "[95 %]", "pooled", "D²", "R²"];
    heads.extend(has_conditions.then_some("PSTH R²"));
    heads.extend(has_ceiling.then_some("ceiling"));
    let mut table = TextTable::new(heads.into_iter().map(str::to_owned).collect(), 1);
    for task in tasks {
        let scores = &task.scores;
        let interval = scores.bps.map_or(String::new(), |bps| {
            format!("[{}, {}]", decimal(Some(bps.low)), decimal(Some(bps.high)))
        });
        let mut row = vec![task.task.clone(), decimal(scores.bps.map(|bps| bps.mean)), interval];
        row.extend([scores.bps_pooled, scores.d2, scores.r2].map(decimal));
        row.extend(has_conditions.then(|| decimal(scores.psth_r2)));
        let ceiling = task.ceiling.and_then(|ceiling| ceiling.bps).map(|bps| bps.mean);
        row.extend(has_ceiling.then(|| decimal(ceiling)));
        table.push(row);
    }
    table
}
