//! Recipes of a study: named ones, and changes of them.

use neuroglot_train::{Recipe, RunConfig, TrainError};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use toml::{Table, Value};

/// What settings start from: a named recipe, or one with changes and a name of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct StudyRecipe {
    /// What it is called in tables and folders.
    pub name: String,
    /// The recipe that it changes; `None` changes the plain defaults.
    pub from: Option<Recipe>,
    /// `model`, `train`, `mask`, `data`, `init` and `coupling`, over those of `from` and under those of the file.
    pub settings: Table,
}

impl From<Recipe> for StudyRecipe {
    fn from(recipe: Recipe) -> Self {
        Self { name: recipe.name().to_owned(), from: Some(recipe), settings: Table::new() }
    }
}

impl StudyRecipe {
    /// What settings start from.
    pub(crate) fn defaults(&self) -> Result<RunConfig, TrainError> {
        self.from.map_or_else(RunConfig::default, Recipe::defaults).layered(&[&self.settings], &[], &[])
    }
}

/// A recipe with changes, as it is written: a table.
#[derive(Deserialize)]
struct Changed {
    name: String,
    #[serde(default)]
    from: Option<Recipe>,
    #[serde(flatten)]
    settings: Table,
}

impl<'de> Deserialize<'de> for StudyRecipe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(name) => name.parse::<Recipe>().map(Self::from).map_err(Error::custom),
            Value::Table(table) => {
                let Changed { name, from, settings } = table.try_into().map_err(Error::custom)?;
                Ok(Self { name, from, settings })
            }
            other => {
                let kind = other.type_str();
                Err(Error::custom(format!("a recipe is a name or a table with a name, not of type {kind}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct File {
        recipes: Vec<StudyRecipe>,
    }

    fn read(recipes: &str) -> Result<Vec<StudyRecipe>, String> {
        toml::from_str::<File>(&format!("recipes = [{recipes}]"))
            .map(|file| file.recipes)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_recipe_has_a_name_or_changes_another() {
        let text =
            "'paper', { name = 'rates', from = 'paper', init.output_bias = 'rate', model.rope = true }";
        let [paper, rates] = read(text).unwrap().try_into().unwrap();
        assert_eq!(paper.defaults().unwrap(), Recipe::Paper.defaults());
        let mut expected = Recipe::Paper.defaults();
        expected.init.output_bias = neuroglot_train::OutputBias::Rate;
        expected.model.rope = true;
        assert_eq!((rates.name.as_str(), rates.defaults().unwrap()), ("rates", expected));
        let own = read("{ name = 'own', mask.ratio = 0.4 }").unwrap();
        let expected = RunConfig::default().layered(&[], &["mask.ratio=0.4".to_owned()], &[]).unwrap();
        assert_eq!(own[0].defaults().unwrap(), expected);
    }

    #[test]
    fn what_is_no_recipe_is_refused_with_what_would_be() {
        assert_eq!(read("'papr'").unwrap_err(), "there is no recipe `papr`: choose paper or neuroglot");
        assert_eq!(read("3").unwrap_err(), "a recipe is a name or a table with a name, not of type integer");
        assert!(read("{ from = 'paper' }").unwrap_err().contains("missing field `name`"));
    }
}
