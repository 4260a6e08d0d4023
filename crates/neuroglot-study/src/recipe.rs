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
    /// `model`, `train`, `mask`, `data`, `init` and `coupling`, over those of `from` and under those of the file; later
    /// tables lie over earlier ones.
    pub settings: Vec<Table>,
}

impl From<Recipe> for StudyRecipe {
    fn from(recipe: Recipe) -> Self {
        Self { name: recipe.name().to_owned(), from: Some(recipe), settings: Vec::new() }
    }
}

impl StudyRecipe {
    /// What settings start from.
    pub(crate) fn defaults(&self) -> Result<RunConfig, TrainError> {
        let tables: Vec<&Table> = self.settings.iter().collect();
        self.from.map_or_else(RunConfig::default, Recipe::defaults).layered(&tables, &[], &[])
    }
}

/// The list of a file, in which an entry may change one above it.
pub(crate) fn recipes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<StudyRecipe>, D::Error> {
    let mut recipes: Vec<StudyRecipe> = Vec::new();
    for entry in Vec::<Entry>::deserialize(deserializer)? {
        let recipe = match entry {
            Entry::Named(recipe) => recipe.into(),
            Entry::Changed(changed) => changed.over(&recipes).map_err(Error::custom)?,
        };
        recipes.push(recipe);
    }
    Ok(recipes)
}

/// A recipe as it is written.
enum Entry {
    Named(Recipe),
    Changed(Changed),
}

/// A recipe with changes: a table.
#[derive(Deserialize)]
struct Changed {
    name: String,
    /// A named recipe, or an entry above this one.
    #[serde(default)]
    from: Option<String>,
    #[serde(flatten)]
    settings: Table,
}

impl Changed {
    fn over(self, above: &[StudyRecipe]) -> Result<StudyRecipe, String> {
        let Self { name, from, settings } = self;
        let base = from.map(|from| {
            find(&from, above).map_err(|problem| format!("recipes: {name} changes `{from}`, {problem}"))
        });
        let (from, mut tables) =
            base.transpose()?.map_or((None, Vec::new()), |base| (base.from, base.settings));
        // A recipe without changes stays equal to the one that it names.
        if !settings.is_empty() {
            tables.push(settings);
        }
        Ok(StudyRecipe { name, from, settings: tables })
    }
}

/// A named recipe or an entry, if the name can only mean one of them.
fn find(name: &str, above: &[StudyRecipe]) -> Result<StudyRecipe, String> {
    let named = name.parse::<Recipe>().ok().map(StudyRecipe::from);
    let entry = above.iter().find(|recipe| recipe.name == name).cloned();
    match (named, entry) {
        (Some(named), Some(entry)) if named != entry => Err(
            "which is the name of a recipe and of an entry that differs from it: give the entry another name"
                .to_owned(),
        ),
        (named, entry) => named.or(entry).ok_or_else(|| {
            let known = Recipe::ALL.map(Recipe::name).join(", ");
            format!("which there is not: choose {known} or an entry above it")
        }),
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(name) => name.parse().map(Self::Named).map_err(Error::custom),
            Value::Table(table) => table.try_into().map(Self::Changed).map_err(Error::custom),
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
        #[serde(deserialize_with = "super::recipes")]
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
    fn a_recipe_may_change_an_entry_above_it() {
        let text = "{ name = 'turned', from = 'paper', model.rope = true, model.dropout = 0.3 }, \
                    { name = 'longer', from = 'turned', model.dropout = 0.1, train.epochs = 7 }, 'neuroglot', \
                    { name = 'both', from = 'neuroglot', train.epochs = 9 }";
        let [_, longer, _, both] = read(text).unwrap().try_into().unwrap();
        let mut expected = Recipe::Paper.defaults();
        expected.model.rope = true;
        expected.model.dropout = 0.1;
        expected.train.epochs = 7;
        assert_eq!((longer.name.as_str(), longer.defaults().unwrap()), ("longer", expected));
        assert_eq!(both.defaults().unwrap().train.epochs, 9);
        assert_eq!(both.defaults().unwrap().model, Recipe::Neuroglot.defaults().model);
    }

    #[test]
    fn what_a_recipe_changes_is_there_and_has_one_meaning() {
        let below = read("{ name = 'a', from = 'b' }, { name = 'b' }").unwrap_err();
        let expected =
            "recipes: a changes `b`, which there is not: choose paper, neuroglot or an entry above it";
        assert_eq!(below, expected);
        let paper = "{ name = 'paper', from = 'paper', model.rope = true }";
        let two = read(&format!("{paper}, {{ name = 'x', from = 'paper' }}")).unwrap_err();
        assert!(two.ends_with("an entry that differs from it: give the entry another name"), "{two}");
        assert!(read(&format!("'paper', {{ name = 'x', from = 'paper' }}, {paper}")).is_ok());
        assert!(read("{ name = 'paper', from = 'paper' }, { name = 'x', from = 'paper' }").is_ok());
    }

    #[test]
    fn what_is_no_recipe_is_refused_with_what_would_be() {
        assert_eq!(read("'papr'").unwrap_err(), "there is no recipe `papr`: choose paper or neuroglot");
        assert_eq!(read("3").unwrap_err(), "a recipe is a name or a table with a name, not of type integer");
        assert!(read("{ from = 'paper' }").unwrap_err().contains("missing field `name`"));
    }
}
