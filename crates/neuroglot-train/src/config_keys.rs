//! Settings as `KEY=VALUE` and as TOML files, with the nearest key named when one is unknown.

use crate::earlier_settings::key_of_today;
use crate::{RunConfig, TrainError};
use neuroglot_data::text::nearest_name;
use neuroglot_files::FromIo;
use neuroglot_model::{Architecture, ModelConfig};
use std::collections::BTreeSet;
use std::path::Path;
use toml::{Table, Value};

impl RunConfig {
    /// The defaults, changed by a TOML file (if given), then by `KEY=VALUE` settings in order.
    ///
    /// # Errors
    /// [`TrainError`] names the file or key; an unknown key comes with the nearest known one.
    pub fn load(file: Option<&Path>, settings: &[String]) -> Result<Self, TrainError> {
        Self::default().changed(file, settings)
    }

    /// These settings, changed by a TOML file (if given), then by `KEY=VALUE` settings in order.
    ///
    /// # Errors
    /// As [`RunConfig::load`].
    pub fn changed(&self, file: Option<&Path>, settings: &[String]) -> Result<Self, TrainError> {
        let mut layers = Layers::over(self);
        layers.change_by_file(file)?;
        layers.set_all(settings)?;
        layers.finish()
    }

    /// These settings, changed by tables as a settings file holds them, then by `KEY=VALUE` settings, all in order.
    ///
    /// # Errors
    /// [`TrainError::Setting`] or [`TrainError::Model`] name the key.
    ///
    /// Where the tables are for models of several architectures, those of `architectures`, the settings that only others
    /// of them have are left out.
    pub fn layered(
        &self,
        tables: &[&Table],
        settings: &[String],
        architectures: &[Architecture],
    ) -> Result<Self, TrainError> {
        let mut layers = Layers::over(self);
        for table in tables {
            layers.change(table)?;
        }
        layers.set_all(settings)?;
        layers.leave_out_settings_of(architectures);
        layers.finish()
    }

    /// Every key, such as `train.batch`, in order.
    pub fn keys() -> Vec<String> {
        let table = Table::try_from(RunConfig::default()).expect("the defaults are TOML");
        leaves(&table).into_iter().map(|(key, _)| key).collect()
    }

    /// Settings as [`RunConfig::to_toml`] writes them.
    ///
    /// # Errors
    /// [`TrainError::Setting`] or [`TrainError::Model`] name the key.
    pub fn of_toml(text: &str) -> Result<Self, TrainError> {
        let changes: Table = text.parse().map_err(|error: toml::de::Error| TrainError::Setting {
            key: "in TOML".to_owned(),
            problem: one_line(&error),
        })?;
        Self::default().layered(&[&changes], &[], &[])
    }

    /// The settings as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings are TOML")
    }

    /// `KEY=VALUE` of each setting whose value differs from that in `other`: what changes `other` to these settings.
    pub fn settings_beside(&self, other: &RunConfig) -> Vec<String> {
        let of = |config: &RunConfig| leaves(&Table::try_from(config).expect("settings are TOML"));
        let pairs = of(self).into_iter().zip(of(other));
        let as_typed = |value: Value| match value {
            Value::String(text) if parse_value(&text) == Value::String(text.clone()) => text,
            value => value.to_string(),
        };
        let changed = pairs.filter(|(a, b)| a != b);
        changed.map(|((key, value), _)| format!("{key}={}", as_typed(value))).collect()
    }

    /// Keys whose values differ between two configurations, as `key: this, not that`.
    pub fn differences(&self, other: &RunConfig) -> Vec<String> {
        let of = |config: &RunConfig| leaves(&Table::try_from(config).expect("settings are TOML"));
        let pairs = of(self).into_iter().zip(of(other));
        pairs.filter(|(a, b)| a != b).map(|((key, a), (_, b))| format!("{key} is {a}, not {b}")).collect()
    }
}

/// Settings that change each other in turn.
struct Layers {
    settings: Table,
    /// Settings of one architecture that are left out where another is chosen: those that a recipe begins with, and those
    /// that a file has as earlier ones do, beside those of all.
    optional: BTreeSet<String>,
}

impl Layers {
    fn over(config: &RunConfig) -> Self {
        let settings = Table::try_from(config).expect("settings are TOML");
        let tables = Architecture::ALL.map(|architecture| format!("model.{architecture}."));
        let keys = leaves(&settings).into_iter().map(|(key, _)| key);
        let optional = keys.filter(|key| tables.iter().any(|table| key.starts_with(table))).collect();
        Self { settings, optional }
    }

    fn change_by_file(&mut self, file: Option<&Path>) -> Result<(), TrainError> {
        let Some(path) = file else { return Ok(()) };
        let text = neuroglot_files::read_text(path, neuroglot_files::SETTINGS)
            .map_err(TrainError::io("read", path))?;
        let problem = |problem: String| TrainError::ConfigFile { path: path.to_owned(), problem };
        let changes: Table = text.parse().map_err(|error: toml::de::Error| problem(one_line(&error)))?;
        self.change(&changes).map_err(|error| problem(error.to_string()))
    }

    fn change(&mut self, changes: &Table) -> Result<(), TrainError> {
        for (key, value) in leaves(changes) {
            let today = key_of_today(&key);
            self.optional.remove(&key);
            self.optional.extend(today.clone());
            set(&mut self.settings, &today.unwrap_or(key), value)?;
        }
        Ok(())
    }

    fn set(&mut self, setting: &str) -> Result<(), TrainError> {
        let Some((key, value)) = setting.split_once('=') else {
            let problem = "a setting is written KEY=VALUE, such as train.batch=32".to_owned();
            return Err(TrainError::Setting { key: setting.to_owned(), problem });
        };
        let key = key_of_today(key.trim()).unwrap_or(key.trim().to_owned());
        self.optional.remove(&key);
        set(&mut self.settings, &key, parse_value(value.trim()))
    }

    fn set_all(&mut self, settings: &[String]) -> Result<(), TrainError> {
        settings.iter().try_for_each(|setting| self.set(setting))
    }

    /// Leaves out what only architectures have that are not chosen: settings of some of them, and of all those that are
    /// optional.
    fn leave_out_settings_of(&mut self, architectures: &[Architecture]) {
        let defaults = Table::try_from(ModelConfig::default()).expect("the defaults are TOML");
        let Some(Value::Table(model)) = self.settings.get_mut("model") else { return };
        let chosen = model.get("architecture").and_then(Value::as_str).unwrap_or_default().to_owned();
        for other in Architecture::ALL.into_iter().filter(|other| other.name() != chosen) {
            let (Some(Value::Table(own)), Some(Value::Table(defaults))) =
                (model.get_mut(other.name()), defaults.get(other.name()))
            else {
                continue;
            };
            for (name, value) in own {
                let is_left_out = architectures.contains(&other)
                    || self.optional.contains(&format!("model.{other}.{name}"));
                if let Some(default) = defaults.get(name).filter(|_| is_left_out) {
                    *value = default.clone();
                }
            }
        }
    }

    fn finish(mut self) -> Result<RunConfig, TrainError> {
        self.leave_out_settings_of(&[]);
        let mut config: RunConfig = self.settings.try_into().map_err(|error: toml::de::Error| {
            let problem = one_line(&error);
            TrainError::Setting { key: "configuration".to_owned(), problem }
        })?;
        config.add_prompts();
        config.check()?;
        Ok(config)
    }
}

/// Keys and values of all tables below this one.
fn leaves(table: &Table) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for (key, value) in table {
        match value {
            Value::Table(inner) => {
                let below = leaves(inner);
                found.extend(below.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
            }
            value => found.push((key.clone(), value.clone())),
        }
    }
    found
}

/// A bare word is a string: `mask.scheme=temporal` needs no quotes.
fn parse_value(text: &str) -> Value {
    let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// `VISp,MOs`, `[VISp, MOs]` or nothing.
fn list_of_words(text: &str) -> Value {
    let inside = text.trim();
    let inside = inside.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(inside);
    let words = inside.split(',').map(|word| word.trim().trim_matches(['"', '\'']));
    Value::Array(words.filter(|word| !word.is_empty()).map(|word| Value::String(word.to_owned())).collect())
}

/// A pool is a name or a list, so no type is asked for but by its reader.
const POOL: &str = "mask.pool";

fn set(table: &mut Table, key: &str, value: Value) -> Result<(), TrainError> {
    let fail = |problem: String| Err(TrainError::Setting { key: key.to_owned(), problem });
    let keys = RunConfig::keys();
    if !keys.iter().any(|known| known == key) {
        let nearest = nearest(key, &keys);
        return fail(format!("there is no such setting; the nearest is {nearest}"));
    }
    let mut place = table;
    let mut parts: Vec<&str> = key.split('.').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(Value::Table(inner)) = place.get_mut(part) else {
            return fail("there is no such table".into());
        };
        place = inner;
    }
    let Some(current) = place.get_mut(last) else { return fail("there is no such setting".into()) };
    // 1 is as good as 1.0 where a number is asked for, and words need neither brackets nor quotes where a list is.
    let value = match (&*current, value) {
        (Value::Float(_), Value::Integer(whole)) => Value::Float(whole as f64),
        (Value::Array(_), Value::String(words)) if key != POOL => list_of_words(&words),
        (_, value) => value,
    };
    if current.type_str() != value.type_str() && key != POOL {
        let (wanted, found) = (current.type_str(), value.type_str());
        let example = match &*current {
            Value::Array(_) => "VISp,MOs".to_owned(),
            current => current.to_string(),
        };
        return fail(format!(
            "it takes a value of type {wanted}, such as {example}, and {value} is of type {found}"
        ));
    }
    // The deserialiser checks choices, but cannot say which key they belong to: try the change by itself.
    let previous = std::mem::replace(current, value);
    let tried = single(key, current.clone()).try_into::<RunConfig>();
    if let Err(error) = tried {
        *current = previous;
        return fail(one_line(&error));
    }
    Ok(())
}

/// A table with one key set.
fn single(key: &str, value: Value) -> Table {
    match key.split_once('.') {
        Some((first, rest)) => Table::from_iter([(first.to_owned(), Value::Table(single(rest, value)))]),
        None => Table::from_iter([(key.to_owned(), value)]),
    }
}

fn nearest<'a>(key: &str, keys: &'a [String]) -> &'a str {
    nearest_name(key, &keys.iter().map(String::as_str).collect::<Vec<_>>())
}

fn one_line(error: &toml::de::Error) -> String {
    error.message().split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OutputBias;
    use neuroglot_masks::{MaskPool, Prompt, Scheme};

    fn load(settings: &[&str]) -> Result<RunConfig, String> {
        let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
        RunConfig::load(None, &settings).map_err(|error| error.to_string())
    }

    #[test]
    fn settings_change_what_they_name() {
        let config = load(&[
            "model.architecture=ndt1-stitch",
            "model.hidden=128",
            "model.heads=4",
            "train.learning_rate=1",
            "mask.scheme=temporal",
            "init.output_bias=zero",
            "data.regions=[\"CA1\", \"PO\"]",
            "seed = 7",
        ])
        .unwrap();
        assert_eq!((config.model.hidden, config.model.heads, config.seed), (128, 4, 7));
        assert_eq!(config.train.learning_rate, 1.0);
        assert_eq!(config.mask.pool, MaskPool::from(Scheme::Temporal));
        assert_eq!(config.init.output_bias, OutputBias::Zero);
        assert_eq!(config.data.regions, ["CA1", "PO"]);
        assert_eq!(config.train.batch, RunConfig::default().train.batch);
    }

    #[test]
    fn a_list_needs_neither_brackets_nor_quotes() {
        let regions = |setting: &str| load(&[setting]).unwrap().data.regions;
        for setting in [
            "data.regions=VISp,MOs",
            "data.regions=VISp, MOs",
            "data.regions=[VISp,MOs]",
            "data.regions=[\"VISp\", \"MOs\"]",
            "data.regions=['VISp','MOs']",
        ] {
            assert_eq!(regions(setting), ["VISp", "MOs"], "{setting}");
        }
        assert_eq!(regions("data.regions=VISp"), ["VISp"]);
        assert_eq!(regions("data.regions=VISp,"), ["VISp"]);
        assert!(regions("data.regions=").is_empty() && regions("data.regions=[]").is_empty());
        assert!(load(&["data.regions=3"]).unwrap_err().contains("such as"));
    }

    #[test]
    fn an_unknown_key_names_the_nearest() {
        let error = |setting: &str| load(&[setting]).unwrap_err();
        assert_eq!(
            error("train.learning_rat=1e-3"),
            "setting train.learning_rat: there is no such setting; the nearest is train.learning_rate"
        );
        assert!(error("hiden=3").ends_with("model.hidden"));
        assert!(error("min_rate=3").ends_with("data.min_rate"));
    }

    #[test]
    fn wrong_values_name_the_key_and_what_it_takes() {
        let error = |setting: &str| load(&[setting]).unwrap_err();
        assert!(
            error("train.batch=lots").starts_with("setting train.batch: it takes a value of type integer")
        );
        assert!(error("train.batch=-1").starts_with("setting train.batch: invalid value"));
        assert!(error("train.batch=0").starts_with("setting train.batch: 0 must lie between"));
        assert!(error("mask.scheme=blink").contains("choose mtm"));
        assert!(error("mask.ratio=1.5").starts_with("setting mask.ratio: 1.5 must lie between 0 and 1"));
        assert!(error("model.heads=7").contains("model.heads = 7: it must divide model.hidden"));
        assert!(error("train.batch").contains("KEY=VALUE"));
        let architecture = error("model.architecture=ndt3");
        assert!(
            architecture.starts_with("setting model.architecture: ") && architecture.contains("ndt1-stitch")
        );
    }

    #[test]
    fn a_setting_of_another_architecture_is_named() {
        let setting = "model.ndt1-stitch.channels=12";
        let error = load(&["model.architecture=ndt2", setting]).unwrap_err();
        assert!(
            error.contains("model.ndt1-stitch.channels = 12: ") && error.contains("has no such setting"),
            "{error}"
        );
        // By its earlier name too.
        let earlier = ["model.channels=12", "model.architecture=ndt2"];
        assert_eq!(load(&earlier).unwrap_err(), error);
        assert_eq!(load(&["model.channels=12"]), load(&[setting]));
        assert!(
            load(&["model.region_patches=true"]).unwrap_err().contains("model.ndt2.region_patches = true: ")
        );
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = "[model]\narchitecture = 'ndt2'\n[model.ndt1-stitch]\nchannels = 12\n";
        std::fs::write(file.path(), text).unwrap();
        assert!(RunConfig::load(Some(file.path()), &[]).unwrap_err().to_string().contains(&error));
    }

    #[test]
    fn earlier_files_have_settings_of_one_architecture_beside_those_of_all() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let load = |architecture: &str, settings: &[&str]| {
            let text =
                format!("[model]\narchitecture = '{architecture}'\nchannels = 12\nregion_patches = true\n");
            std::fs::write(file.path(), text).unwrap();
            let settings: Vec<String> = settings.iter().map(|s| s.to_string()).collect();
            RunConfig::load(Some(file.path()), &settings).map(|config| config.model)
        };
        let default = ModelConfig::default();
        let ndt1 = load("ndt1-stitch", &[]).unwrap();
        assert_eq!((ndt1.ndt1_stitch.channels, &ndt1.ndt2), (12, &default.ndt2));
        let ndt2 = load("ndt2", &[]).unwrap();
        assert_eq!((&ndt2.ndt1_stitch, ndt2.ndt2.region_patches), (&default.ndt1_stitch, true));
        // What is asked for besides must have an effect.
        load("ndt2", &["model.channels=24"]).unwrap_err();
    }

    #[test]
    fn tables_for_several_architectures_hold_settings_of_each() {
        let table: Table =
            "[model.ndt1-stitch]\nchannels = 12\n[model.ndt2]\nregion_patches = true".parse().unwrap();
        let model = |architecture: Architecture, architectures: &[Architecture]| {
            let own = [format!("model.architecture={architecture}")];
            RunConfig::default().layered(&[&table], &own, architectures).map(|config| config.model)
        };
        let ndt1 = model(Architecture::Ndt1Stitch, &Architecture::ALL).unwrap();
        assert_eq!((ndt1.ndt1_stitch.channels, ndt1.ndt2.region_patches), (12, false));
        let ndt2 = model(Architecture::Ndt2, &Architecture::ALL).unwrap();
        assert_eq!((ndt2.ndt1_stitch.channels, ndt2.ndt2.region_patches), (668, true));
        // Where no model is an NDT1, its settings have no effect.
        let error = model(Architecture::Ndt2, &[Architecture::Ndt2]).unwrap_err().to_string();
        assert!(error.contains("model.ndt1-stitch.channels"), "{error}");
    }

    #[test]
    fn a_written_configuration_reads_back() {
        let config = load(&["mask.scheme=causal", "data.min_rate=1"]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), config.to_toml()).unwrap();
        assert_eq!(RunConfig::load(Some(file.path()), &[]).unwrap(), config);
        assert_eq!(
            RunConfig::default().differences(&config),
            ["data.min_rate is 0.0, not 1.0", "mask.pool is \"mtm\", not \"causal\""]
        );
    }

    #[test]
    fn a_pool_is_a_name_or_a_list_and_its_prompts_are_rows_of_the_model() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let from_file = |text: &str, settings: &[String]| {
            std::fs::write(file.path(), text).unwrap();
            RunConfig::load(Some(file.path()), settings).unwrap()
        };
        // As files were written before, and as they are now.
        for name in ["scheme", "pool"] {
            assert_eq!(
                from_file(&format!("[mask]\n{name} = 'temporal'"), &[]).mask.pool,
                Scheme::Temporal.into()
            );
        }
        let leave_one_out = load(&["mask.pool=neuron,causal,inter-region"]).unwrap();
        assert_eq!(leave_one_out.mask.pool.left_out(), Some(vec![Scheme::IntraRegion]));
        assert_eq!(leave_one_out.model.prompts, Prompt::PUBLISHED);
        let list =
            "mask.pool = ['neuron', { scheme = 'temporal', ratio = 0.5, weight = 2, prompt = 'temporal' }]";
        let config = from_file(list, &[]);
        let own = &config.mask.pool.entries()[1];
        assert_eq!((config.mask.ratio_of(own), own.weight), (0.5, 2.0));
        assert_eq!(config.model.prompts[..4], Prompt::PUBLISHED);
        assert_eq!(config.model.prompts[4..], [Prompt(Scheme::Temporal)]);
        // Written out and read back; as single settings; and one after the other.
        assert_eq!(from_file(&config.to_toml(), &[]), config);
        assert_eq!(RunConfig::load(None, &config.settings_beside(&RunConfig::default())).unwrap(), config);
        assert_eq!(from_file(list, &["mask.pool=mtm".to_owned()]), RunConfig::default());
        let ratios = load(&["mask.pool=neuron,causal", "mask.ratio=0.2", "mask.causal_ratio=0.4"]).unwrap();
        let of = |place: usize| ratios.mask.ratio_of(&ratios.mask.pool.entries()[place]);
        assert_eq!((of(0), of(1)), (0.2, 0.4));
    }

    #[test]
    fn a_file_error_names_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for text in ["[train]\nbach = 3\n", "[train\n", "[train]\nbatch = 'x'\n", "model = 3\n"] {
            std::fs::write(file.path(), text).unwrap();
            let error = RunConfig::load(Some(file.path()), &[]).unwrap_err().to_string();
            assert!(error.starts_with(&file.path().display().to_string()), "{error}");
        }
    }
}
