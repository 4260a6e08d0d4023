//! `neuroglot finetune`

use crate::CommandError;
use crate::machine::devices::TrainingDevices;
use crate::runs::place::Place;
use crate::runs::run_summary::{as_json, in_words};
use crate::terminal::console::Console;
use crate::workflows::fine_tune_settings;
use crate::workflows::training_command::{Trained, TrainingCommand};
use clap::Args;
use neuroglot::data::Session;
use neuroglot::train::{Checkpoint, RunConfig, RunFolder};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Go on training a model on other sessions
///
/// The new run starts with all that the sessions of RUN share: embedding, blocks, prompts. New sessions get stitchers
/// and session tokens of their own; sessions that RUN knows, with the same units, keep theirs. Settings are those of RUN
/// but for what is asked for here. The first line of metrics.jsonl says how well the model does before the first step,
/// and best/ may be that model.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                  neuroglot finetune mtm data/new_aligned --out tuned --epochs 100\n  \
                  neuroglot finetune mtm data/new_aligned --out calibrated --freeze trunk --trials 32 --stitcher \
                  regression\n  \
                  neuroglot finetune hub:our-lab/striatum data/new_aligned --out tuned\n  \
                  neuroglot finetune mtm data/new*_aligned --out tuned --devices all\n  \
                  neuroglot finetune --resume --out tuned")]
pub struct Arguments {
    /// A run folder, one of its checkpoints, or hub:OWNER/NAME; with --resume it may be left out
    #[arg(required_unless_present = "resume", value_name = "RUN")]
    run: Option<Place>,
    /// Session folders, or hub:OWNER/NAME; with --resume they may be left out
    #[arg(required_unless_present = "resume", value_name = "SESSION")]
    sessions: Vec<Place>,
    /// The run folder to make
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Settings that the new run shares with the command for learning curves.
    #[command(flatten)]
    options: fine_tune_settings::FineTuneOptions,
    /// Train on so many trials of each session only, drawn by the seed; more hold all of fewer [default: all]
    #[arg(long, value_name = "N")]
    trials: Option<usize>,
    /// Passes over the training trials; 0 only starts the new stitchers [default: as RUN]
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    /// Give sessions that RUN knows new stitchers too
    #[arg(long)]
    new_stitchers: bool,
    /// Go on with the run in --out, with its own settings and sessions
    #[arg(long)]
    resume: bool,
    /// Print a JSON object about the run when it is done
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    devices: TrainingDevices,
}

impl Arguments {
    /// A resumed run has its own settings; those given besides must agree, which training checks.
    fn config(&self, run: Option<&Path>) -> Result<RunConfig, CommandError> {
        let own = [
            self.trials.map(|trials| format!("data.trials={trials}")),
            self.epochs.map(|epochs| format!("train.epochs={epochs}")),
            self.new_stitchers.then(|| "init.keep_stitchers=false".to_owned()),
        ];
        let own: Vec<String> = own.into_iter().flatten().collect();
        if self.resume {
            let config = RunFolder::open(&self.out)?.config()?;
            return self.options.change(&config, &own);
        }
        self.options.change(&RunConfig::starting_from(run.unwrap_or(Path::new("")))?, &own)
    }
}

/// Fine-tunes and says how it went.
///
/// # Errors
/// Those of training, and a run that cannot be started from.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let command = TrainingCommand {
        name: "finetune",
        sessions: &arguments.sessions,
        out: &arguments.out,
        resume: arguments.resume,
        devices: &arguments.devices,
    };
    let trained = command.run(threads, console, |console| {
        let run = arguments.run.as_ref().map(|run| run.of_run(console)).transpose()?;
        Ok((arguments.config(run.as_deref())?, run))
    })?;
    let Some(Trained { config, sessions, records, summary }) = trained else { return Ok(()) };
    let start = records.first().filter(|record| record.epoch == 0).and_then(|record| record.score);
    let kept = kept_sessions(&RunFolder::open(&arguments.out)?, &sessions)?;
    if arguments.json {
        let mut found = as_json(&arguments.out, &records, &summary);
        found["start"] = json!({ "score": start });
        found["kept_stitchers"] = json!(kept);
        return console.json(&found);
    }
    let new = sessions.len() - kept.len();
    console.note(format!("stitchers: {} kept, {new} new", kept.len()));
    console.result(in_words(&arguments.out, &config, &records, start, &summary))
}

/// Sessions that kept the stitchers of the model that the run started from.
fn kept_sessions(folder: &RunFolder, sessions: &[Session]) -> Result<Vec<String>, CommandError> {
    let checkpoint = Checkpoint::open(&folder.checkpoint(RunFolder::LAST)?)?;
    let kept = checkpoint.config.base.map_or(Vec::new(), |base| base.kept);
    Ok(kept.into_iter().filter(|eid| sessions.iter().any(|session| session.eid() == eid)).collect())
}
