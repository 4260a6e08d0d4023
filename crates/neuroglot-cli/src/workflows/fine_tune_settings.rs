//! The settings of runs that start from another, for every command that makes such runs.

use crate::CommandError;
use crate::commands::train::recipe_names;
use crate::terminal::shell;
use clap::{Args, ValueEnum};
use neuroglot::train::{Freeze, InitConfig, Recipe, RunConfig, TrainConfig};
use std::path::PathBuf;

/// Options of the commands that start a run from another one.
#[derive(Debug, Args)]
pub struct FineTuneOptions {
    /// What stays as it is in RUN
    #[arg(long, value_enum, value_name = "WHAT")]
    freeze: Option<FreezeName>,
    /// How the stitchers of new sessions start
    #[arg(long, value_enum, value_name = "START")]
    stitcher: Option<StitcherName>,
    /// Decides everything random [default: as RUN]
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Put a recipe's settings before those of RUN: the published one (paper), or this project's (neuroglot)
    #[arg(long, value_parser = recipe_names(), value_name = "RECIPE")]
    recipe: Option<String>,
    /// Settings in a TOML file, which come before those of RUN
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Change any setting but those of the model; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
}

/// The library's [`Freeze`] as an option.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum FreezeName {
    /// Nothing: everything is trained
    Nothing,
    /// All that sessions share: only stitchers and session tokens are trained
    Trunk,
}

/// The library's `StitcherStart` as an option.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum StitcherName {
    /// At random, as in a run from scratch
    Random,
    /// As the stitchers of units of the same region and a similar rate
    Regions,
    /// Inputs from regions, outputs fitted to the training trials
    Regression,
}

/// The name of an option's value.
fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned())
}

impl FineTuneOptions {
    /// The settings with what is asked for; `own` are settings of the command.
    ///
    /// # Errors
    /// A file or setting that cannot be understood.
    pub fn change(&self, config: &RunConfig, own: &[String]) -> Result<RunConfig, CommandError> {
        let named = [
            self.freeze.map(|freeze| format!("train.freeze={}", name(freeze))),
            self.stitcher.map(|start| format!("init.stitcher={}", name(start))),
            self.seed.map(|seed| format!("seed={seed}")),
        ];
        let named = named.into_iter().flatten().chain(own.iter().cloned());
        let settings: Vec<String> = named.chain(self.settings.iter().cloned()).collect();
        let recipe =
            self.recipe.as_deref().map(str::parse::<Recipe>).transpose().map_err(CommandError::Usage)?;
        let config = recipe.map_or(Ok(config.clone()), |recipe| config.with_recipe_of_training(recipe))?;
        Ok(config.changed(self.config.as_deref(), &settings)?)
    }

    /// What was asked for, as it is typed.
    pub fn typed(&self) -> String {
        let named = [
            self.freeze.map(|freeze| format!(" --freeze {}", name(freeze))),
            self.stitcher.map(|start| format!(" --stitcher {}", name(start))),
            self.seed.map(|seed| format!(" --seed {seed}")),
            self.recipe.as_ref().map(|recipe| format!(" --recipe {recipe}")),
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
