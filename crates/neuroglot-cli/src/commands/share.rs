//! `neuroglot share`

use crate::CommandError;
use crate::runs::loaded_run::{CheckpointOption, LoadedRun, open_model};
use crate::terminal::console::Console;
use crate::workflows::downloads::with_bar;
use clap::Args;
use neuroglot::data::number::counted;
use neuroglot::engine::CpuDevice;
use neuroglot::eval::evaluation_folder;
use neuroglot::eval::{SharedModel, shared_model};
use neuroglot::fetch::{HubClient, HubKind, HubRepository, HubUpload};
use serde_json::json;
use std::path::PathBuf;

/// Put a trained model onto the Hugging Face hub
///
/// The weights of the checkpoint, its config.json and a card (README.md) with sessions, scores, settings and use go into
/// the repository OWNER/NAME as one commit; it is made where there is none. Anyone who may read it then says
/// `hub:OWNER/NAME` where a RUN is asked for. config.json names sessions, animals, units and regions, and holds
/// fingerprints of trials, no spikes. A README.md that is there already stays as it is. The token is that of HF_TOKEN, or
/// of `hf auth login`.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot share mtm our-lab/striatum --private\n  \
                        neuroglot share mtm our-lab/striatum --dry-run")]
pub struct Arguments {
    /// A run folder, or one of its checkpoints
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// The repository: OWNER/NAME, or OWNER/NAME@BRANCH
    #[arg(value_name = "REPOSITORY")]
    repository: String,
    /// Make the repository a private one, where it has to be made
    #[arg(long)]
    private: bool,
    /// What the commit is called [default: what is added]
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Print the card and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Which checkpoint.
    #[command(flatten)]
    checkpoint: CheckpointOption,
    /// Print a JSON object about the commit
    #[arg(long)]
    json: bool,
}

/// Sends the model, or prints its card.
///
/// # Errors
/// A run or checkpoint that cannot be used, a hub that cannot be reached or refuses.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    let repository = HubRepository::parse(HubKind::Model, &arguments.repository)?;
    let folder = open_model(&arguments.run, arguments.checkpoint.name())?;
    // Opened as whoever takes it from the hub will open it: what cannot be asked is not shared.
    let run = LoadedRun::open(folder, Box::new(CpuDevice::new(1)?), console)?;
    let evaluation = evaluation_folder(run.folder.home());
    let SharedModel { card, config, weights, unscored } =
        shared_model(&run.folder, &run.weights, &evaluation, &repository.name)?;
    if let Some(why) = unscored {
        console.warning(why);
    }
    if arguments.dry_run {
        return console.result(card);
    }
    let files = HubUpload::model(card, config, weights);
    let sessions = counted(run.ensemble.config().sessions.len(), "session");
    let message = arguments.message.clone().unwrap_or_else(|| format!("Add a model of {sessions}"));
    let commit = with_bar(&repository.name, console, |show| {
        HubClient::from_env().upload(&repository, &files, &message, arguments.private, show)
    })?;
    if arguments.json {
        let paths: Vec<&str> = files.iter().map(HubUpload::path).collect();
        return console.json(&json!({ "repository": repository.name, "commit": commit, "files": paths }));
    }
    console.result(format!("hub:{}@{commit}", repository.name))
}
