//! What the study says to other crates by name: settings of a run.

use neuroglot_masks::MaskPool;
use neuroglot_model::Architecture;
use std::path::Path;

/// The settings that make a run the one of its place in the grid, over those of the study file.
pub(crate) fn own_settings(model: Architecture, mask: &MaskPool, seed: u64, trials: u64) -> Vec<String> {
    let mut settings = vec![
        format!("model.architecture={model}"),
        format!("mask.pool={}", toml::Value::try_from(mask).expect("a pool is TOML")),
        format!("seed={seed}"),
    ];
    if trials > 0 {
        settings.push(format!("data.trials={trials}"));
    }
    settings
}

/// The settings that make a run a fine-tuning of another.
pub fn finetuning_settings(pretrained: &Path, checkpoint: &str) -> Vec<String> {
    let from = toml::Value::String(pretrained.display().to_string());
    vec![format!("init.from={from}"), format!("init.from_checkpoint={checkpoint}")]
}
