//! `neuroglot train`

use crate::CommandError;
use crate::machine::devices::TrainingDevices;
use crate::runs::place::Place;
use crate::runs::run_summary::{as_json, in_words};
use crate::terminal::console::Console;
use crate::workflows::training_command::{Trained, TrainingCommand};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use neuroglot::masks::Scheme;
use neuroglot::train::{Recipe, RunConfig, RunFolder};
use std::path::PathBuf;

/// Train a model on sessions
///
/// The run folder keeps all settings (config.toml), the course of training (metrics.jsonl) and the checkpoints best/
/// and last/. A run that was stopped, in whatever way, goes on with --resume as if it had not been.
#[derive(Debug, Args)]
#[command(
    after_help = "Settings are those of config.toml, such as model.hidden, train.batch or data.regions; later ones \
                        win: the defaults, --recipe, --config, --mask and the like, --set.\n\n\
                        Example:\n  \
                        neuroglot train data/*_aligned --out mtm --epochs 200 --min-rate 0.5\n  \
                        neuroglot train data/*_aligned --out small --recipe neuroglot --min-rate 0.5\n  \
                        neuroglot train --resume --out mtm\n  \
                        neuroglot train data/*_aligned --out mtm --devices all"
)]
pub struct Arguments {
    /// Session folders, or hub:OWNER/NAME; with --resume they may be left out
    #[arg(required_unless_present = "resume", value_name = "SESSION")]
    sessions: Vec<Place>,
    /// The run folder to make
    #[arg(long, value_name = "RUN")]
    out: PathBuf,
    /// Settings in a TOML file, such as the config.toml of another run
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Start from a recipe instead of the plain defaults: the published one (paper), or this project's (neuroglot)
    #[arg(long, value_parser = recipes(), value_name = "RECIPE", conflicts_with = "resume")]
    recipe: Option<Recipe>,
    /// What is hidden in training: all four schemes of multi-task masking, or always one [default: mtm]
    #[arg(long, value_parser = mask_names(), value_name = "MASK")]
    mask: Option<String>,
    /// Passes over the training trials [default: 1000]
    #[arg(long, value_name = "N")]
    epochs: Option<u64>,
    /// Decides everything random [default: 42]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Leave out units that fire less over the training trials [default: 0]
    #[arg(long, value_name = "HZ")]
    min_rate: Option<f64>,
    /// Train so many networks alike, from seeds that follow each other, and average their rates [default: 1]
    #[arg(long, value_name = "N")]
    members: Option<usize>,
    /// Change any setting; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
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

/// `mtm` and every scheme.
fn mask_names() -> PossibleValuesParser {
    PossibleValuesParser::new(std::iter::once("mtm").chain(Scheme::ALL.map(Scheme::name)))
}

/// Every recipe.
pub fn recipes() -> impl TypedValueParser<Value = Recipe> {
    PossibleValuesParser::new(Recipe::ALL.map(Recipe::name)).try_map(|name| name.parse::<Recipe>())
}

impl Arguments {
    /// All `KEY=VALUE` settings in the order in which they apply.
    fn settings(&self) -> Vec<String> {
        let named = [
            self.mask.as_ref().map(|mask| format!("mask.pool={mask}")),
            self.epochs.map(|epochs| format!("train.epochs={epochs}")),
            self.seed.map(|seed| format!("seed={seed}")),
            self.min_rate.map(|rate| format!("data.min_rate={rate}")),
            self.members.map(|members| format!("train.members={members}")),
        ];
        named.into_iter().flatten().chain(self.settings.iter().cloned()).collect()
    }

    /// A resumed run has its own settings; those given besides must agree, which training checks.
    fn config(&self) -> Result<RunConfig, CommandError> {
        let file = match &self.config {
            None if self.resume => {
                let folder = RunFolder::open(&self.out)?;
                Some(folder.path().join("config.toml"))
            }
            file => file.clone(),
        };
        let defaults = self.recipe.map_or_else(RunConfig::default, Recipe::defaults);
        Ok(defaults.changed(file.as_deref(), &self.settings())?)
    }
}

/// Trains and says how it went.
///
/// # Errors
/// Settings or sessions that cannot be used, a folder that cannot be written, a loss that is no number.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let command = TrainingCommand {
        name: "train",
        sessions: &arguments.sessions,
        out: &arguments.out,
        resume: arguments.resume,
        devices: &arguments.devices,
    };
    let trained = command.run(threads, console, |_| Ok((arguments.config()?, None)))?;
    let Some(Trained { config, records, summary, .. }) = trained else { return Ok(()) };
    if arguments.json {
        return console.json(&as_json(&arguments.out, &records, &summary));
    }
    console.result(in_words(&arguments.out, &config, &records, None, &summary))
}
