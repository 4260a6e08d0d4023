//! The settings of runs that start from another, for every command that makes such runs.

use crate::CommandError;
use crate::commands::train::recipes;
use crate::terminal::shell;
use clap::Args;
use clap::builder::PossibleValue;
use neuroglot::train::{Freeze, InitConfig, Recipe, RunConfig, TrainConfig};
use std::path::PathBuf;

/// Options of the commands that start a run from another one.
#[derive(Debug, Args)]
pub struct FineTuneOptions {
    /// What stays as it is in RUN
    #[arg(long, value_name = "WHAT", value_parser = [
        PossibleValue::new("nothing").help("Nothing: everything is trained"),
        PossibleValue::new("trunk").help("All that sessions share: only stitchers and session tokens are trained"),
    ])]
    freeze: Option<String>,
    /// How the stitchers of new sessions start
    #[arg(long, value_name = "START", value_parser = [
        PossibleValue::new("random").help("At random, as in a run from scratch"),
        PossibleValue::new("regions").help("As the stitchers of units of the same region and a similar rate"),
        PossibleValue::new("regression").help("Inputs from regions, outputs fitted to the training trials"),
    ])]
    stitcher: Option<String>,
    /// Decides everything random [default: as RUN]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Put a recipe's settings before those of RUN: the published one (paper), or this project's (neuroglot)
    #[arg(long, value_parser = recipes(), value_name = "RECIPE")]
    recipe: Option<Recipe>,
    /// Settings in a TOML file, which come before those of RUN
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change any setting but those of the model; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

impl FineTuneOptions {
    /// The settings with what is asked for; `own` are settings of the command.
    ///
    /// # Errors
    /// A file or setting that cannot be understood.
    pub fn change(&self, config: &RunConfig, own: &[String]) -> Result<RunConfig, CommandError> {
        let named = [
            self.freeze.as_ref().map(|freeze| format!("train.freeze={freeze}")),
            self.stitcher.as_ref().map(|start| format!("init.stitcher={start}")),
            self.seed.map(|seed| format!("seed={seed}")),
        ];
        let named = named.into_iter().flatten().chain(own.iter().cloned());
        let settings: Vec<String> = named.chain(self.settings.iter().cloned()).collect();
        let config =
            self.recipe.map_or(Ok(config.clone()), |recipe| config.with_recipe_of_training(recipe))?;
        Ok(config.changed(self.config.as_deref(), &settings)?)
    }

    /// What was asked for, as it is typed.
    pub fn typed(&self) -> String {
        let named = [
            self.freeze.as_ref().map(|freeze| format!(" --freeze {freeze}")),
            self.stitcher.as_ref().map(|start| format!(" --stitcher {start}")),
            self.seed.map(|seed| format!(" --seed {seed}")),
            self.recipe.map(|recipe| format!(" --recipe {}", recipe.name())),
            self.config.as_ref().map(|file| format!(" --config {}", shell::word(file))),
        ];
        let settings = self.settings.iter().map(|setting| format!(" --set {}", shell::word(setting)));
        named.into_iter().flatten().chain(settings).collect()
    }
}

/// The same settings for a model that starts at random instead.
pub fn from_scratch(config: &RunConfig) -> RunConfig {
    let init = InitConfig { output_bias: config.init.output_bias, ..InitConfig::default() };
    let train = TrainConfig { freeze: Freeze::Nothing, ..config.train.clone() };
    RunConfig { init, train, ..config.clone() }
}
