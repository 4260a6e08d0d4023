//! `neuroglot decode`

use crate::CommandError;
use crate::commands::evaluate::in_words;
use crate::machine::compute::DeviceOptions;
use crate::runs::loaded_run::{CheckpointOption, LoadedRun, open_model};
use crate::runs::output_format;
use crate::runs::overlap::{self, Warn};
use crate::runs::place::{Place, folders_of_sessions};
use crate::runs::sessions;
use crate::terminal::console::Console;
use crate::terminal::progress::EvaluationBar;
use crate::workflows::model_evaluation::warn_of_decoding;
use clap::Args;
use neuroglot::eval::{decode, decoding_table, summary_json};
use neuroglot::files::OutputLock;
use neuroglot::tasks::{EvaluationOptions, TaskSelection};
use std::path::PathBuf;

/// Decode behaviour from a trained model, trial by trial
///
/// What a session has beside its spikes is decoded from the model's log-rates with nothing hidden and from the counts: by
/// decoders of each, fitted to training and validation trials, whose outputs are averaged. Scores on test trials are those of
/// `neuroglot evaluate`: accuracy beside chance, balanced accuracy and AUC of categories, R² of numbers, each with a
/// bootstrap 95 % interval over test trials. --out keeps what was decoded: a row per test trial, and of traces per bin, with
/// eid, behaviour, trial, trial_id and bin; of numbers value and decoded; of categories category, decoded_category and the
/// probability of the latter.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot decode mtm data/a_aligned --target choice --target wheel-speed --out decoded.csv\n  \
                        neuroglot decode mtm --target block:categories --json")]
pub struct Arguments {
    /// A run folder, one of its checkpoints, or hub:OWNER/NAME
    #[arg(value_name = "RUN")]
    run: Place,
    /// Session folders [default: those the run was trained on]
    #[arg(value_name = "SESSION")]
    sessions: Vec<Place>,
    /// A behaviour to decode, by the name of its column; may be given several times [default: all that vary]
    ///
    /// Texts and whole numbers of at most 10 different values are decoded as categories, all else as numbers;
    /// `block:categories` or `reward:continuous` says which.
    #[arg(long, value_name = "COLUMN")]
    target: Vec<String>,
    /// Train a copy of the network for each behaviour, too, and average its output with those of the other decoders
    ///
    /// A linear head on its last hidden states and the network under it are trained together on training trials, from the run's
    /// weights, for as long as predicts validation trials best. That takes a minute or some for each session and behaviour; the run
    /// stays as it is.
    #[arg(long)]
    end_to_end: bool,
    /// A table of what was decoded to write: .csv, .parquet or .npz
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Which checkpoint.
    #[command(flatten)]
    checkpoint: CheckpointOption,
    /// Print the scores as JSON, an object per session and in it one per behaviour
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Decodes, writes what was decoded, and prints the scores.
///
/// # Errors
/// A run, checkpoint or session that cannot be used, a column that no session has, nothing that can be decoded, a file that
/// cannot be written.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let out = arguments.out.as_deref();
    let _lock = match out {
        Some(out) => {
            output_format::check_table(out)?;
            Some(OutputLock::beside(out)?)
        }
        None => None,
    };
    let folder = open_model(&arguments.run.of_run(console)?, arguments.checkpoint.name())?;
    let given = folders_of_sessions(&arguments.sessions, console)?;
    let paths = if given.is_empty() { folder.session_folders()? } else { given };
    let sessions = sessions::read_known(&paths, &folder, console)?;
    let selection = TaskSelection::of_targets(&arguments.target, &sessions)
        .map_err(|error| CommandError::Usage(format!("--target: {error}")))?;
    let options = EvaluationOptions { selection, ..EvaluationOptions::default() };
    let compute = arguments.device.with_threads(threads);
    let mut run = LoadedRun::open(folder, compute.open(console)?.device, console)?;
    let to_train = arguments.end_to_end.then(|| compute.open(console)).transpose()?.map(|open| open.device);
    overlap::warn(run.ensemble.config(), &sessions, &paths, Warn::OfTestTrials, console)?;
    let mut bar = EvaluationBar::new("", console);
    let name = run.folder.checkpoint_name();
    let decoding = decode(&mut run.ensemble, &name, &sessions, &options, to_train, &mut |at| bar.show(&at))?;
    drop(bar);
    let evaluation = &decoding.evaluation;
    warn_of_decoding(evaluation, console);
    if evaluation.sessions.iter().all(|session| session.decoding.is_empty()) {
        return Err(CommandError::Failed(
            "nothing could be decoded: `neuroglot inspect SESSION` lists what a session has".to_owned(),
        ));
    }
    if let Some(out) = out {
        decoding_table(&decoding, &sessions).write(out)?;
        console.note(format!("kept in {}", out.display()));
    }
    if arguments.json {
        return console.json(&summary_json(evaluation));
    }
    let blocks: Vec<String> = evaluation.sessions.iter().map(in_words).collect();
    console.result(blocks.join("\n"))
}
