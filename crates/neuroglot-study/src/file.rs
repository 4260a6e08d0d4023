//! A study file: which models are trained how, on which sessions, and which baselines they are set against.

use crate::file_keys::check_keys;
use crate::{StudyError, StudyRecipe, recipe};
use neuroglot_baselines::Baseline;
use neuroglot_data::text::located;
use neuroglot_files::{FromIo, SETTINGS};
use neuroglot_masks::MaskPool;
use neuroglot_model::Architecture;
use neuroglot_tasks::Task;
use neuroglot_train::RunFolder;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use std::collections::HashSet;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use toml::Table;

/// Most cells of a study: each is a run, and a folder.
const MOST_CELLS: usize = 100_000;

/// A study file as it is written. [`StudyFile::read`] checks all that can be checked without the sessions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StudyFile {
    /// Where it was read from.
    #[serde(skip)]
    pub path: PathBuf,
    /// Name of the study.
    pub name: String,
    /// Session folders: paths or patterns such as `*_aligned`, relative to the data folder.
    pub sessions: Vec<String>,
    /// Sessions that models are scored on, and never pretrained on; empty scores all, and allows no pretraining.
    #[serde(default)]
    pub held_out: Selection,
    /// Tasks and behaviours to score.
    #[serde(default = "default_tasks")]
    pub tasks: Vec<String>,
    /// Which checkpoint is scored, and fine-tuned from: `best` or `last`.
    #[serde(default = "default_checkpoint")]
    pub checkpoint: String,
    /// What is hidden in training: pools of masking schemes, such as `mtm`, one scheme, or a list of schemes.
    #[serde(default = "default_masks")]
    pub masks: Vec<MaskPool>,
    /// The mask that others are compared with; `temporal` if it is among them, else the first that is not `mtm`.
    #[serde(default)]
    pub reference: Option<MaskPool>,
    /// Architectures.
    #[serde(default = "default_models")]
    pub models: Vec<Architecture>,
    /// Recipes to start settings from; none takes the plain defaults.
    #[serde(default, deserialize_with = "recipe::recipes")]
    pub recipes: Vec<StudyRecipe>,
    /// Seeds; scores are averaged over them.
    #[serde(default = "default_seeds")]
    pub seeds: Vec<u64>,
    /// Baselines; in the file, `all` stands for all of them.
    #[serde(default, deserialize_with = "baselines")]
    pub baselines: Vec<Baseline>,
    /// Parts of the grid that are left out.
    #[serde(default)]
    pub exclude: Vec<Exclusion>,
    /// Training from scratch on each held-out session.
    #[serde(default)]
    pub scratch: Stage,
    /// Pretraining on sessions that are not held out.
    #[serde(default)]
    pub pretrain: Vec<Pretraining>,
    /// Fine-tuning of each pretrained model on each held-out session.
    #[serde(default)]
    pub finetune: Stage,
    /// `model`, `train`, `mask`, `data`, `init` and `coupling` of every run.
    #[serde(flatten)]
    pub settings: Table,
}

/// Some of the sessions.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Selection {
    /// All sessions of these animals.
    pub subjects: Vec<String>,
    /// Sessions of these ids, or patterns of ids such as `cori_*`.
    pub sessions: Vec<String>,
}

impl Selection {
    /// Whether nothing is selected.
    pub fn is_empty(&self) -> bool {
        self.subjects.is_empty() && self.sessions.is_empty()
    }
}

/// How runs of one kind differ from others.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Stage {
    /// Training trials of the held-out session; 0 takes all. A run is made for each.
    #[serde(default = "default_trials")]
    pub trials: Vec<u64>,
    /// `model`, `train`, `mask`, `data`, `init` and `coupling`, over those of all runs.
    #[serde(flatten)]
    pub settings: Table,
}

impl Default for Stage {
    fn default() -> Self {
        Self { trials: default_trials(), settings: Table::new() }
    }
}

/// Sessions to pretrain on. Without `subjects`, `sessions` and `count`, all that are not held out.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Pretraining {
    /// What it is called in tables and folders; `<number>-sessions` if it has no name.
    #[serde(default)]
    pub name: Option<String>,
    /// All sessions of these animals.
    #[serde(default)]
    pub subjects: Vec<String>,
    /// Sessions of these ids, or patterns of ids.
    #[serde(default)]
    pub sessions: Vec<String>,
    /// So many sessions, taken from one animal after the other in turn, so that fewer are always among more.
    #[serde(default)]
    pub count: Option<usize>,
    /// Masks to pretrain with; all if there are none.
    #[serde(default)]
    pub masks: Vec<MaskPool>,
    /// `model`, `train`, `mask`, `data`, `init` and `coupling`, over those of all runs.
    #[serde(flatten)]
    pub settings: Table,
}

/// Leaves out the runs that all of its keys fit.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct Exclusion {
    /// `scratch` or `finetune`.
    pub stage: Option<String>,
    /// Name of a pretraining.
    pub pretrain: Option<String>,
    /// Architecture.
    pub model: Option<Architecture>,
    /// Mask.
    pub mask: Option<MaskPool>,
    /// Name of a recipe.
    pub recipe: Option<String>,
    /// Seed.
    pub seed: Option<u64>,
    /// Training trials.
    pub trials: Option<u64>,
}

fn default_tasks() -> Vec<String> {
    Task::ALL.map(|task| task.name().to_owned()).to_vec()
}

fn default_checkpoint() -> String {
    RunFolder::BEST.to_owned()
}

fn default_masks() -> Vec<MaskPool> {
    ["mtm", "temporal"].iter().filter_map(|name| name.parse().ok()).collect()
}

fn default_models() -> Vec<Architecture> {
    vec![Architecture::default()]
}

fn default_seeds() -> Vec<u64> {
    vec![42]
}

fn default_trials() -> Vec<u64> {
    vec![0]
}

/// Names of baselines, or `all`.
fn baselines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Baseline>, D::Error> {
    let mut found = Vec::new();
    for name in Vec::<String>::deserialize(deserializer)? {
        match name.parse() {
            Ok(baseline) => found.push(baseline),
            Err(_) if name == "all" => found.extend(Baseline::ALL),
            Err(error) => return Err(D::Error::custom(format!("{error}, or all"))),
        }
    }
    Ok(found)
}

impl StudyFile {
    /// Reads and checks a study file.
    ///
    /// # Errors
    /// [`StudyError::File`] names the file, the line or key, and what would be right.
    pub fn read(path: &Path) -> Result<Self, StudyError> {
        let text = neuroglot_files::read_text(path, SETTINGS).map_err(StudyError::io("read", path))?;
        let wrong = |problem: String| StudyError::File { path: path.to_owned(), problem };
        let broken = |error: toml::de::Error| wrong(located(&text, error.message(), error.span()));
        let table: Table = text.parse().map_err(broken)?;
        check_keys(&table).map_err(wrong)?;
        let mut file: StudyFile = toml::from_str(&text).map_err(broken)?;
        path.clone_into(&mut file.path);
        file.check()?;
        Ok(file)
    }

    /// An error of this file.
    pub(crate) fn wrong(&self, problem: impl Into<String>) -> StudyError {
        StudyError::File { path: self.path.clone(), problem: problem.into() }
    }

    /// Recipes with the plain defaults where the file names none.
    pub(crate) fn recipes(&self) -> Vec<Option<&StudyRecipe>> {
        if self.recipes.is_empty() { vec![None] } else { self.recipes.iter().map(Some).collect() }
    }

    /// The mask that others are compared with.
    pub fn reference(&self) -> &MaskPool {
        let other = self.masks.iter().find(|mask| !mask.is_multi_task());
        let temporal = self.masks.iter().find(|mask| mask.name() == "temporal");
        self.reference.as_ref().or(temporal).or(other).unwrap_or(&self.masks[0])
    }

    fn check(&self) -> Result<(), StudyError> {
        if self.name.trim().is_empty() {
            return Err(self.wrong("name is empty: give the study a name"));
        }
        self.check_list("sessions", &self.sessions, |pattern| pattern.clone())?;
        self.check_list("tasks", &self.tasks, |task| task.clone())?;
        self.check_list("masks", &self.masks, MaskPool::name)?;
        self.check_list("models", &self.models, |model| model.name().to_owned())?;
        self.check_list("seeds", &self.seeds, u64::to_string)?;
        self.check_list("scratch.trials", &self.scratch.trials, u64::to_string)?;
        self.check_list("finetune.trials", &self.finetune.trials, u64::to_string)?;
        let recipes: Vec<&str> = self.recipes.iter().map(|recipe| recipe.name.as_str()).collect();
        self.check_distinct("recipes", &recipes, |recipe| (*recipe).to_owned())?;
        self.check_distinct("baselines", &self.baselines, |baseline| baseline.name())?;
        if !["best", "last"].contains(&self.checkpoint.as_str()) {
            let problem = format!("checkpoint = \"{}\": choose best or last", self.checkpoint);
            return Err(self.wrong(problem));
        }
        if let Some(reference) = self.reference.as_ref().filter(|reference| !self.masks.contains(reference)) {
            let name = reference.name();
            return Err(self.wrong(format!("reference = \"{name}\" is not among masks: add it there")));
        }
        if self.held_out.is_empty() && !self.pretrain.is_empty() {
            return Err(self.wrong(
                "pretraining needs sessions that are not pretrained on, to fine-tune on: name some under [held_out], \
                 by subjects or sessions",
            ));
        }
        self.check_pretraining()?;
        self.check_exclusions()?;
        self.check_size(1)
    }

    /// Refuses a grid that is too large before it is made, whatever `exclude` leaves of it, with so many scored sessions.
    pub(crate) fn check_size(&self, sessions: usize) -> Result<(), StudyError> {
        let product = |counts: &[usize]| counts.iter().try_fold(1usize, |all, count| all.checked_mul(*count));
        let lines =
            product(&[self.recipes.len().max(1), self.models.len(), self.masks.len(), self.seeds.len()]);
        let count = lines.and_then(|lines| {
            let scratch = product(&[lines, self.scratch.trials.len(), sessions])?;
            let pretrained = product(&[self.finetune.trials.len(), sessions])?.checked_add(1)?;
            let pretrained = product(&[lines, self.pretrain.len(), pretrained])?;
            let baselines = product(&[self.baselines.len(), sessions])?;
            scratch.checked_add(pretrained)?.checked_add(baselines)
        });
        match count {
            Some(count) if count <= MOST_CELLS => Ok(()),
            _ => {
                let count = count
                    .map_or("more cells than can be counted".to_owned(), |count| format!("{count} cells"));
                Err(self.wrong(format!(
                    "the grid has {count} (recipes × models × masks × seeds × trials × sessions, before exclude), and a study \
                     has at most {MOST_CELLS}: shorten the lists, or make several studies"
                )))
            }
        }
    }

    fn check_pretraining(&self) -> Result<(), StudyError> {
        for (index, pretraining) in self.pretrain.iter().enumerate() {
            let Pretraining { name, subjects, sessions, count, masks, .. } = pretraining;
            let place = name.clone().unwrap_or_else(|| format!("number {}", index + 1));
            let chosen = [!subjects.is_empty(), !sessions.is_empty(), count.is_some()];
            if chosen.iter().filter(|chosen| **chosen).count() > 1 {
                let problem = "it has more than one of subjects, sessions and count: keep one";
                return Err(self.wrong(format!("pretrain {place}: {problem}")));
            }
            if *count == Some(0) {
                return Err(self.wrong(format!("pretrain {place}: count = 0 must be 1 or more")));
            }
            if let Some(mask) = masks.iter().find(|mask| !self.masks.contains(mask)) {
                let mask = mask.name();
                return Err(
                    self.wrong(format!("pretrain {place}: mask {mask} is not among masks: add it there"))
                );
            }
        }
        let names: Vec<&String> =
            self.pretrain.iter().filter_map(|pretraining| pretraining.name.as_ref()).collect();
        self.check_distinct("pretrain names", &names, |name| (*name).clone())
    }

    fn check_exclusions(&self) -> Result<(), StudyError> {
        for exclusion in &self.exclude {
            if *exclusion == Exclusion::default() {
                return Err(
                    self.wrong("an entry of exclude is empty, and would leave out everything: name a key")
                );
            }
            if let Some(stage) =
                exclusion.stage.as_deref().filter(|stage| !["scratch", "finetune"].contains(stage))
            {
                return Err(
                    self.wrong(format!("exclude: there is no stage `{stage}`: choose scratch or finetune"))
                );
            }
            let is_known = |name: &str| self.recipes.iter().any(|recipe| recipe.name == name);
            if let Some(recipe) = exclusion.recipe.as_deref().filter(|recipe| !is_known(recipe)) {
                return Err(
                    self.wrong(format!("exclude: recipe {recipe} is not among recipes: add it there"))
                );
            }
        }
        Ok(())
    }

    fn check_list<T>(&self, key: &str, values: &[T], name: impl Fn(&T) -> String) -> Result<(), StudyError> {
        if values.is_empty() {
            return Err(self.wrong(format!("{key} is empty: name at least one")));
        }
        self.check_distinct(key, values, name)
    }

    fn check_distinct<T, N: Display>(
        &self,
        key: &str,
        values: &[T],
        name: impl Fn(&T) -> N,
    ) -> Result<(), StudyError> {
        let mut seen = HashSet::new();
        match values.iter().map(|value| name(value).to_string()).find(|name| !seen.insert(name.clone())) {
            Some(name) => Err(self.wrong(format!("{key}: {name} is there twice, keep one"))),
            None => Ok(()),
        }
    }
}
