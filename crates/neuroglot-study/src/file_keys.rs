//! Which keys a study file may have.

use neuroglot_data::text::nearest_name;
use toml::{Table, Value};

/// Tables of settings, as a run's `config.toml` has them.
const SETTINGS: [&str; 6] = ["model", "train", "mask", "data", "init", "coupling"];
/// Those that may differ between a pretraining and its fine-tunings, which share their model.
const WITHOUT_MODEL: [&str; 5] = ["train", "mask", "data", "init", "coupling"];

const STUDY: [&str; 15] = [
    "name",
    "sessions",
    "held_out",
    "tasks",
    "checkpoint",
    "masks",
    "reference",
    "models",
    "recipes",
    "seeds",
    "baselines",
    "exclude",
    "scratch",
    "pretrain",
    "finetune",
];
const HELD_OUT: [&str; 2] = ["subjects", "sessions"];
const STAGE: [&str; 1] = ["trials"];
const PRETRAIN: [&str; 5] = ["name", "subjects", "sessions", "count", "masks"];
const RECIPE: [&str; 2] = ["name", "from"];
const EXCLUDE: [&str; 7] = ["stage", "pretrain", "model", "mask", "recipe", "seed", "trials"];

/// Refuses keys that there are not, and names the nearest. Settings of runs are checked where they are used.
pub(crate) fn check_keys(table: &Table) -> Result<(), String> {
    check(table, "", &STUDY, &SETTINGS)?;
    for (name, value) in table {
        let (known, settings): (&[&str], &[&str]) = match name.as_str() {
            "held_out" => (&HELD_OUT, &[]),
            "scratch" => (&STAGE, &SETTINGS),
            "pretrain" => (&PRETRAIN, &WITHOUT_MODEL),
            "finetune" => (&STAGE, &WITHOUT_MODEL),
            "recipes" => (&RECIPE, &SETTINGS),
            "exclude" => (&EXCLUDE, &[]),
            _ => continue,
        };
        let tables: Vec<&Table> = match value {
            Value::Table(table) => vec![table],
            Value::Array(values) => values.iter().filter_map(Value::as_table).collect(),
            _ => Vec::new(),
        };
        for table in tables {
            check(table, &format!("{name}."), known, settings)?;
        }
    }
    Ok(())
}

fn check(table: &Table, place: &str, known: &[&str], settings: &[&str]) -> Result<(), String> {
    let all: Vec<&str> = known.iter().chain(settings).copied().collect();
    for (name, value) in table {
        if !all.contains(&name.as_str()) {
            if name == "model" && settings == WITHOUT_MODEL {
                let problem =
                    "a pretraining and its fine-tunings have one model: put [model] at the top of the file";
                return Err(format!("{place}model: {problem}"));
            }
            let nearest = nearest_name(name, &all);
            return Err(format!("there is no key {place}{name}; the nearest is {place}{nearest}"));
        }
        if settings.contains(&name.as_str()) && !value.is_table() {
            let plural = format!("{name}s");
            let grid = if known.contains(&plural.as_str()) {
                format!("; the list of those to compare is {place}{plural}")
            } else {
                String::new()
            };
            let problem = format!("it is a table of settings: write [{place}{name}] above them{grid}");
            return Err(format!("{place}{name}: {problem}"));
        }
    }
    Ok(())
}
