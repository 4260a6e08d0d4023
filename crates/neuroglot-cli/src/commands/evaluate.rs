//! `neuroglot evaluate`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::reports::ceilings;
use crate::runs::loaded_run::CheckpointOption;
use crate::runs::place::{Place, folders_of_sessions};
use crate::terminal::console::Console;
use crate::terminal::number::{decimal, ends};
use crate::terminal::text_table::TextTable;
use crate::workflows::model_evaluation::ModelEvaluation;
use clap::Args;
use neuroglot::data::BehaviourKind;
use neuroglot::data::number::counted;
use neuroglot::eval::summary_json;
use neuroglot::tasks::results::{DecodingResult, SessionEvaluation, TaskResult};
use std::path::PathBuf;

/// Score a trained model on test trials
///
/// Tasks: co-smoothing (each unit from all others), forward (the last tenth of the bins from those before),
/// intra-region (each unit from its region), inter-region (each region from the others), and decoding of behaviour.
/// Scores are bits/spike over a unit's own mean rate; 0 is no better than knowing that mean. Where a model averages networks
/// with a coupling of units, each is also scored alone. Beside the accuracy of a
/// decoded behaviour stands chance, that of always answering what is most frequent in the training trials; balanced
/// accuracy and AUC do not depend on how frequent answers are.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot evaluate mtm\n  \
                        neuroglot evaluate mtm --tasks co-smoothing,choice --json > scores.json\n  \
                        neuroglot evaluate mtm --tasks behaviours,block:categories\n  \
                        neuroglot evaluate mtm/last data/a_aligned --out last-scores\n  \
                        neuroglot evaluate hub:our-lab/striatum data/a_aligned --out striatum-scores")]
pub struct Arguments {
    /// A run folder, one of its checkpoints, or hub:OWNER/NAME
    #[arg(value_name = "RUN")]
    run: Place,
    /// Session folders, or hub:OWNER/NAME [default: those the run was trained on]
    #[arg(value_name = "SESSION")]
    sessions: Vec<Place>,
    /// Tasks and behaviours, separated by commas [default: the four tasks and all behaviours]
    ///
    /// `behaviours` stands for all that a session has. Texts and whole numbers of at most 10 different values are decoded as
    /// categories (accuracy), all else as numbers (R²); `block:categories` or `reward:continuous` says which.
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    tasks: Option<Vec<String>>,
    /// Which checkpoint.
    #[command(flatten)]
    checkpoint: CheckpointOption,
    /// Folder for evaluation.json, summary.json and units.parquet [default: RUN/evaluation]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Replace all scores in the folder. Without this, those stay that are not made again, if they are of the same weights
    /// and settings
    #[arg(long)]
    fresh: bool,
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
    if let (Place::Hub(name), None) = (&arguments.run, &arguments.out) {
        return Err(CommandError::Usage(format!(
            "hub:{name} is kept in a cache: say where scores go with --out DIR"
        )));
    }
    let evaluation = ModelEvaluation {
        run: &arguments.run.of_run(console)?,
        checkpoint: arguments.checkpoint.name(),
        sessions: &folders_of_sessions(&arguments.sessions, console)?,
        tasks: arguments.tasks.as_deref(),
        out: arguments.out.as_deref(),
        fresh: arguments.fresh,
        advises: true,
        compute: &arguments.device.with_threads(threads),
    };
    let evaluation = evaluation.run(console)?;
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
        text.push_str(&decoding_table(&session.decoding).to_string());
        text.push_str(&assumptions(&session.decoding));
    }
    text
}

fn decoding_table(decoding: &[DecodingResult]) -> TextTable {
    let has_classes = decoding.iter().any(|decoded| !decoded.classes.is_empty());
    let mut heads = vec!["behaviour", "score", "", "[95 %]", "chance"];
    heads.extend(has_classes.then_some(["balanced", "[95 %]", "AUC", "[95 %]"]).into_iter().flatten());
    let mut table = TextTable::new(heads, 2);
    for decoded in decoding {
        let metric = if decoded.metric == "r2" { "R²" } else { &decoded.metric };
        let mut row = vec![decoded.behaviour.clone(), metric.to_owned(), decimal(Some(decoded.score))];
        row.extend([ends(decoded.interval), decimal(Some(decoded.chance))]);
        if has_classes {
            let of_classes = !decoded.classes.is_empty();
            for value in [decoded.balanced_accuracy, decoded.auc] {
                let mean = if of_classes { decimal(value.map(|value| value.mean)) } else { String::new() };
                row.extend([mean, ends(value)]);
            }
        }
        table.push(row);
    }
    table
}

/// What numbers were taken for, where nobody said it.
fn assumptions(decoding: &[DecodingResult]) -> String {
    let of = |metric: &str| -> Vec<String> {
        let assumed =
            decoding.iter().filter(|decoded| decoded.metric == metric && decoded.behaviour != "choice");
        assumed
            .filter_map(|decoded| Some(format!("{} ({})", decoded.behaviour, decoded.assumed.as_ref()?)))
            .collect()
    };
    let mut text = String::new();
    for (metric, kind) in [("accuracy", BehaviourKind::Categories), ("r2", BehaviourKind::Continuous)] {
        let found = of(metric);
        if !found.is_empty() {
            text.push_str(&format!("taken as {}: {}\n", kind.name(), found.join(", ")));
        }
    }
    text
}

fn task_table(tasks: &[TaskResult]) -> TextTable {
    let has_ceiling = tasks.iter().any(|task| task.ceiling.is_some());
    let has_state = tasks.iter().any(|task| task.state_ceiling.is_some());
    let has_parts = tasks.iter().any(|task| task.alone.is_some());
    let has_conditions = tasks.iter().any(|task| task.scores.psth_r2.is_some());
    let mut heads = vec!["task", "bits/spike", "[95 %]", "pooled", "D²", "R²"];
    heads.extend(has_conditions.then_some("PSTH R²"));
    heads.extend(has_parts.then_some(["networks", "coupling"]).into_iter().flatten());
    heads.extend(has_ceiling.then_some(ceilings::TRUE_RATES));
    heads.extend(has_state.then_some(ceilings::TRUE_STATE));
    let mut table = TextTable::new(heads, 1);
    for task in tasks {
        let scores = &task.scores;
        let mut row = vec![task.task.clone(), decimal(scores.bps.map(|bps| bps.mean)), ends(scores.bps)];
        row.extend([scores.bps_pooled, scores.d2, scores.r2].map(decimal));
        row.extend(has_conditions.then(|| decimal(scores.psth_r2)));
        let [networks, coupling] =
            [task.alone.map(|alone| alone.networks), task.alone.map(|alone| alone.coupling)];
        let beside = [
            (has_parts, networks),
            (has_parts, coupling),
            (has_ceiling, task.ceiling),
            (has_state, task.state_ceiling),
        ];
        for (is_shown, ceiling) in beside {
            let mean = ceiling.and_then(|ceiling| ceiling.bps).map(|bps| bps.mean);
            row.extend(is_shown.then(|| decimal(mean)));
        }
        table.push(row);
    }
    table
}
