//! The settings of runs that start from another.

use crate::{
    DataConfig, Freeze, InitConfig, ModelFolder, Recipe, RunConfig, RunFolder, TrainConfig, TrainError,
};
use std::path::Path;

impl RunConfig {
    /// Settings of a run that starts from the run or checkpoint `run`: those of `run`, but for what only belongs to how that
    /// started.
    ///
    /// # Errors
    /// [`TrainError`]: a path that is neither a run nor a checkpoint, a checkpoint alone that does not say its settings, or a
    /// path that is no text.
    pub fn starting_from(run: &Path) -> Result<RunConfig, TrainError> {
        // Of a run, which checkpoint is meant is a setting yet to come.
        let config = if ModelFolder::is_checkpoint(run) {
            ModelFolder::open(run, RunFolder::BEST)?.settings()?
        } else {
            RunFolder::open(run)?.config()?
        };
        let wrong = |problem: String| TrainError::RunFolder { path: run.to_owned(), problem };
        let place = std::path::absolute(run).map_err(|error| wrong(error.to_string()))?;
        let Some(from) = place.to_str() else {
            return Err(wrong("this path is not UTF-8: rename the folder".to_owned()));
        };
        Ok(RunConfig {
            // Lanes are those of its sessions and GPUs.
            train: TrainConfig { freeze: Freeze::Nothing, lanes: 1, ..config.train },
            data: DataConfig { trials: 0, ..config.data },
            init: InitConfig {
                from: from.to_owned(),
                output_bias: config.init.output_bias,
                ..InitConfig::default()
            },
            ..config
        })
    }

    /// These settings, changed by what a recipe sets beside the model, which is that of the run it starts from.
    ///
    /// # Errors
    /// As [`RunConfig::changed`].
    pub fn with_recipe_of_training(&self, recipe: Recipe) -> Result<RunConfig, TrainError> {
        let settings = recipe.settings().iter().filter(|setting| !setting.starts_with("model."));
        let settings: Vec<String> = settings.map(|setting| (*setting).to_owned()).collect();
        self.changed(None, &settings)
    }
}
