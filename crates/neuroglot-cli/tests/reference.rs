//! The pages of `docs/reference` that are made from the code: commands from their help, settings from the comments of the
//! structs that hold them.
//!
//! ```sh
//! NEUROGLOT_RECORD=1 cargo test -p neuroglot-cli --test reference   # after a change: writes the pages anew
//! ```

mod common;

use common::{Workplace, page, repository};
use neuroglot::masks::{Holdout, Regions, Scheme};
use neuroglot::tasks::Task;
use neuroglot::train::{Recipe, RunConfig};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use serde_json::Value;
use std::fmt::Write;

/// In the order in which one needs them.
const COMMANDS: [&str; 24] = [
    "demo",
    "simulate",
    "prepare",
    "inspect",
    "train",
    "finetune",
    "learning-curve",
    "import-checkpoint",
    "evaluate",
    "predict",
    "decode",
    "translate",
    "embed",
    "audit",
    "baseline",
    "compare",
    "report",
    "share",
    "study",
    "launch",
    "launch slurm",
    "launch kubernetes",
    "bench",
    "doctor",
];

/// Asserts that a file of the repository says this, or writes it with `NEUROGLOT_RECORD`.
fn assert_is(name: &str, text: &str) {
    if std::env::var_os("NEUROGLOT_RECORD").is_some() {
        std::fs::write(repository().join(name), text).unwrap();
    }
    let stored = page(name);
    let differs = stored.lines().zip(text.lines()).find(|(stored, made)| stored != made);
    assert!(
        stored == text,
        "{name} is not what the code says (NEUROGLOT_RECORD=1 writes it anew); the first line that differs: {differs:?}"
    );
}

#[test]
fn commands_are_listed_with_their_help() {
    let workplace = Workplace::new();
    let mut text = "# Commands\n\nThe help of every command, as `neuroglot COMMAND --help` prints it. This page is made from the \
                    code.\n"
        .to_owned();
    for command in COMMANDS {
        let help = workplace.succeed(&format!("{command} --help"));
        assert!(help.contains("\nExample:\n  neuroglot "), "{command} shows an example");
        let help: String = help.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
        writeln!(text, "\n## {command}\n\n```text\n{}\n```", help.trim_end()).unwrap();
    }
    let first_page = workplace.succeed("--help");
    let listed = first_page.lines().skip_while(|line| *line != "Commands:").skip(1);
    for line in listed.take_while(|line| !line.is_empty()) {
        let command = line.split_whitespace().next().unwrap();
        assert!(command == "help" || COMMANDS.contains(&command), "{command} is not on the page");
    }
    assert_is("docs/reference/commands.md", &text);
}

/// A table of settings, and what follows from it: tables within, and what their values mean.
struct Settings<'a> {
    schema: &'a Value,
    defaults: toml::Table,
    recipes: [(&'static str, toml::Table); 2],
    text: String,
}

impl Settings<'_> {
    /// What a reference points to.
    fn target<'a>(&'a self, value: &'a Value) -> &'a Value {
        let name = value["$ref"].as_str().and_then(|name| name.strip_prefix("#/$defs/"));
        name.map_or(value, |name| &self.schema["$defs"][name])
    }

    fn add(&mut self, prefix: &str, value: &Value) {
        let mut within = Vec::new();
        let mut rows = String::new();
        for (name, property) in value["properties"].as_object().expect("a table of settings") {
            let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
            let target = self.target(property).clone();
            let description = property["description"].as_str().or(target["description"].as_str());
            let mut description =
                in_one_line(description.unwrap_or_else(|| panic!("{key} has no description")));
            if target["properties"].is_object() {
                within.push((key, description, target));
                continue;
            }
            for choice in target["oneOf"].as_array().into_iter().flatten() {
                let meaning = choice["description"].as_str().map(in_one_line).unwrap_or_default();
                write!(description, "<br>`{}`: {meaning}", choice["const"].as_str().unwrap()).unwrap();
            }
            let default = value_of(&self.defaults, &key);
            let recipes = self.recipes.iter().map(|(name, values)| (name, value_of(values, &key)));
            let others = recipes.filter(|(_, value)| *value != default);
            let others: Vec<String> = others.map(|(name, value)| format!("{name}: {value}")).collect();
            writeln!(rows, "| `{key}` | {default} | {} | {description} |", others.join("<br>")).unwrap();
        }
        if !rows.is_empty() {
            write!(self.text, "\n| setting | default | in recipes | |\n|---|---|---|---|\n{rows}").unwrap();
        }
        for (key, description, table) in within {
            writeln!(self.text, "\n## {key}\n\n{description}").unwrap();
            self.add(&key, &table);
        }
    }
}

fn value_of(settings: &toml::Table, key: &str) -> String {
    let (mut found, mut table) = (None, settings);
    for part in key.split('.') {
        found = table.get(part);
        if let Some(toml::Value::Table(within)) = found {
            table = within;
        }
    }
    found.map_or_else(|| panic!("{key} has no default"), |value| format!("`{value}`"))
}

/// A comment as a cell of a table: links to code become its name, and `|` would end the cell.
fn in_one_line(comment: &str) -> String {
    let words = comment.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = String::new();
    let mut rest = words.as_str();
    while let Some(start) = rest.find("[`") {
        let Some(length) = rest[start..].find("`]") else { break };
        let end = start + length;
        text.push_str(&rest[..start]);
        text.push_str(&rest[start + 1..=end]);
        rest = &rest[end + 2..];
        if let Some(after) = rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            rest = after.1;
        }
    }
    (text + rest).replace('|', "\\|")
}

#[test]
fn settings_are_listed_with_their_meaning() {
    let schema = RunConfig::schema();
    let table = |config: RunConfig| config.to_toml().parse::<toml::Table>().unwrap();
    let recipes = [("neuroglot", Recipe::Neuroglot), ("paper", Recipe::Paper)];
    let recipes = recipes.map(|(name, recipe)| (name, table(recipe.defaults())));
    let defaults = table(RunConfig::default());
    let mut settings = Settings { schema: &schema, defaults, recipes, text: String::new() };
    settings.add("", &schema);
    let text = format!(
        "# Settings\n\nAll settings of a run: as tables of a TOML file (`--config FILE`), one by one (`--set train.epochs=100`), or by \
         the options of `train` that go by their name. [Recipes](../recipes.md) (`--recipe neuroglot`, \
         `--recipe paper`) start from other values where they are listed. This page and \
         [settings.schema.json](settings.schema.json), by which editors check such files, are made from the code.\n{}",
        settings.text
    );
    assert_is("docs/reference/settings.md", &text);
    assert_is("docs/reference/settings.schema.json", &format!("{schema:#}\n"));
}

/// Size of an entry in a picture of a holdout (px).
const ENTRY: usize = 9;

/// Holdouts of one trial side by side: units from top to bottom, bins from left to right, a gap between regions.
fn picture(regions: &[usize], holdouts: &[(&str, Holdout)]) -> String {
    let (bins, gap) = (holdouts[0].1.bins(), 4);
    let units: usize = regions.iter().sum();
    let (width, height) = (bins * ENTRY, units * ENTRY + (regions.len() - 1) * gap);
    let total = holdouts.len() * (width + 24);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {total} {}\" font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        height + 68
    );
    for (place, (name, holdout)) in holdouts.iter().enumerate() {
        let left = 12 + place * (width + 24);
        writeln!(svg, "<text x=\"{left}\" y=\"18\">{name}</text>").unwrap();
        let mut paths = [("#c6d7ea", String::new()), ("#c2571a", String::new()), ("#5f5f5f", String::new())];
        let (mut top, mut unit) = (28, 0);
        for count in regions {
            for _ in 0..*count {
                for bin in 0..bins {
                    let entry = bin * units + unit;
                    let kind = match (holdout.hidden()[entry], holdout.scored()[entry]) {
                        (false, _) => 0,
                        (true, true) => 1,
                        (true, false) => 2,
                    };
                    write!(paths[kind].1, "M{} {top}h8v8h-8z", left + bin * ENTRY).unwrap();
                }
                (unit, top) = (unit + 1, top + ENTRY);
            }
            top += gap;
        }
        for (fill, path) in paths {
            writeln!(svg, "<path fill=\"{fill}\" d=\"{path}\"/>").unwrap();
        }
    }
    let legend = [("#c6d7ea", "shown"), ("#c2571a", "hidden and scored"), ("#5f5f5f", "hidden")];
    for (place, (fill, name)) in legend.into_iter().enumerate() {
        let (x, y) = (12 + place * 170, height + 46);
        writeln!(
            svg,
            "<rect x=\"{x}\" y=\"{y}\" width=\"11\" height=\"11\" fill=\"{fill}\"/><text x=\"{}\" y=\"{}\">{name}</text>",
            x + 17,
            y + 10
        )
        .unwrap();
    }
    svg + "</svg>\n"
}

#[test]
fn what_schemes_and_tasks_hide_is_drawn() {
    let counts = [8, 6, 6];
    let acronyms = ["CA1", "LP", "VISa"].into_iter().zip(counts);
    let regions = Regions::new(acronyms.flat_map(|(region, count)| std::iter::repeat_n(region, count)));
    let drawn = Scheme::multi_task().into_iter().map(|scheme| {
        let mut stream = ChaCha8Rng::seed_from_u64(5);
        (scheme.name(), scheme.draw(1, 20, &regions, Scheme::SHARED_RATIO, &mut stream))
    });
    assert_is("docs/concepts/schemes.svg", &picture(&counts, &drawn.collect::<Vec<_>>()));
    let tasks = Task::ALL.into_iter().map(|task| {
        let groups = task.cases(&regions, 20);
        let case = groups[0].cases().next().expect("a case");
        (task.name(), case)
    });
    assert_is("docs/concepts/tasks.svg", &picture(&counts, &tasks.collect::<Vec<_>>()));
}
