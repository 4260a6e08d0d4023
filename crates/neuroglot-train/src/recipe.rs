//! Named sets of settings, to start from.

use crate::RunConfig;
use serde::{Deserialize, Serialize};

/// A named set of defaults: a settings file and single settings change it as they change the plain defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// The published one (MtM paper and its reference code).
    Paper,
    /// This project's, found by experiment.
    Neuroglot,
}

/// What each recipe sets, as `KEY=VALUE`; all else is as [`RunConfig::default`] has it, which holds
/// the published sizes, schedule and mask ratios.
const RECIPES: [(Recipe, &[&str]); 2] = [
    // Rates start around one spike per bin, and R² chooses the best checkpoint.
    (Recipe::Paper, &["init.output_bias=zero", "train.select=r2"]),
    // What each setting brings is in docs/recipes.md.
    (
        Recipe::Neuroglot,
        &[
            "init.output_bias=rate",
            "model.rope=true",
            "model.input=standardised",
            "model.hidden=128",
            "model.layers=4",
            "model.heads=4",
            "model.ndt1-stitch.channels=256",
            "model.dropout=0.4",
            "model.embed_dropout=0.3",
            "mask.causal_ratio=0.45",
            "train.batch=16",
            "train.epochs=300",
            "train.learning_rate=1e-3",
            "train.weight_decay=0.01",
            "train.select=last",
            "coupling.weight=0.5",
        ],
    ),
];

impl Recipe {
    /// All recipes.
    pub const ALL: [Recipe; 2] = [Recipe::Paper, Recipe::Neuroglot];

    /// Name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            Recipe::Paper => "paper",
            Recipe::Neuroglot => "neuroglot",
        }
    }

    /// The plain defaults, changed by what it sets.
    pub fn defaults(self) -> RunConfig {
        let settings: Vec<String> = self.settings().iter().map(|setting| (*setting).to_owned()).collect();
        RunConfig::load(None, &settings).expect("a recipe holds settings that there are")
    }

    /// What it sets, as `KEY=VALUE`.
    pub fn settings(self) -> &'static [&'static str] {
        RECIPES.iter().find(|(recipe, _)| *recipe == self).map_or(&[], |(_, settings)| settings)
    }
}

impl std::str::FromStr for Recipe {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let names = || Self::ALL.map(Self::name).join(" or ");
        let found = Self::ALL.into_iter().find(|recipe| recipe.name() == name);
        found.ok_or_else(|| format!("there is no recipe `{name}`: choose {}", names()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OutputBias, SelectBy};
    use neuroglot_model::{Architecture, Ndt1Settings};

    #[test]
    fn recipes_set_what_they_say_and_leave_the_rest() {
        let paper = Recipe::Paper.defaults();
        assert_eq!((paper.init.output_bias, paper.train.select), (OutputBias::Zero, SelectBy::R2));
        assert_eq!(paper.mask, RunConfig::default().mask);
        for recipe in Recipe::ALL {
            assert_eq!(recipe.name().parse(), Ok(recipe));
            let config = recipe.defaults();
            let changed = RunConfig::default().differences(&config).len();
            assert!(changed <= recipe.settings().len());
        }
        assert_eq!(
            "papr".parse::<Recipe>(),
            Err("there is no recipe `papr`: choose paper or neuroglot".into())
        );
    }

    #[test]
    fn a_recipe_is_for_each_architecture() {
        let load = |settings: &[&str]| {
            let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
            Recipe::Neuroglot.defaults().changed(None, &settings).map(|config| config.model)
        };
        let ndt1 = load(&[]).unwrap();
        assert_eq!((ndt1.hidden, ndt1.ndt1_stitch.channels), (128, 256));
        let ndt2 = load(&["model.architecture=ndt2"]).unwrap();
        assert_eq!((ndt2.architecture, ndt2.hidden), (Architecture::Ndt2, 128));
        assert_eq!(ndt2.ndt1_stitch, Ndt1Settings::default());
        // What is asked for besides must have an effect, as ever.
        let own = ["model.architecture=ndt2", "model.ndt1-stitch.channels=256"];
        assert!(load(&own).unwrap_err().to_string().contains("has no such setting"));
    }

    #[test]
    fn files_and_settings_win_over_a_recipe() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[mask]\nratio = 0.4\n[init]\noutput_bias = 'zero'\n").unwrap();
        let settings = ["mask.ratio=0.5".to_owned()];
        let load =
            |settings: &[String]| Recipe::Neuroglot.defaults().changed(Some(file.path()), settings).unwrap();
        assert_eq!((load(&[]).mask.ratio, load(&[]).init.output_bias), (0.4, OutputBias::Zero));
        assert_eq!(load(&settings).mask.ratio, 0.5);
    }
}
