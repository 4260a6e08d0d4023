//! What a report says of a baseline.

use crate::runs::baseline_folder::BaselineInfo;
use crate::terminal::number::duration;
use crate::terminal::shell::word;
use neuroglot::baselines::{Baseline, Choice};
use neuroglot::train::RunConfig;
use std::path::Path;

/// Name and value of what holds for the baseline.
pub fn facts(info: &BaselineInfo) -> Vec<(String, String)> {
    let description = info.baseline.parse::<Baseline>().map_or("", Baseline::description);
    // A baseline has neither masks nor checkpoints.
    let mut facts: Vec<(String, String)> = [
        ("masking", "–".to_owned()),
        ("model", format!("baseline: {description}")),
        ("sessions", info.sessions.len().to_string()),
        ("lowest rate of a unit", format!("{} Hz", info.data.filter().min_rate)),
        ("seed", info.seed.to_string()),
        ("training time", duration(info.seconds)),
        ("version", info.version.clone()),
        ("checkpoint evaluated", "–".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    let mut what: Vec<&str> = info.choices.iter().map(|choice| choice.what.as_str()).collect();
    what.dedup();
    for what in what {
        let of_sessions: Vec<&Choice> = info.choices.iter().filter(|choice| choice.what == what).collect();
        let first = &of_sessions[0].settings;
        let settings = if of_sessions.iter().all(|choice| choice.settings == *first) {
            first.clone()
        } else {
            "by session, in baseline.json".to_owned()
        };
        let fact = (format!("chosen for {what}"), settings);
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    }
    facts
}

/// The command that makes the baseline again.
pub fn command(info: &BaselineInfo, path: &Path) -> String {
    let sessions: Vec<String> = info.sessions.iter().map(word).collect();
    // The folder is named after the baseline.
    let out = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut command =
        format!("neuroglot baseline {} {} --out {}", info.baseline, sessions.join(" "), word(out));
    let config = RunConfig { data: info.data.clone(), ..RunConfig::default() };
    for setting in config.settings_beside(&RunConfig::default()) {
        command.push_str(&format!(" --set {}", word(setting)));
    }
    if let Some(tasks) = &info.tasks {
        command.push_str(&format!(" --tasks {}", word(tasks.join(","))));
    }
    if info.seed != 42 {
        command.push_str(&format!(" --seed {}", info.seed));
    }
    if path.file_name().is_some_and(|name| name.to_string_lossy() != info.baseline) {
        command.push_str(&format!("  # makes {}", word(out.join(&info.baseline)).replace(['\n', '\r'], "?")));
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot::train::DataConfig;

    fn info() -> BaselineInfo {
        BaselineInfo {
            version: "0.1.0".to_owned(),
            baseline: "poisson-glm".to_owned(),
            sessions: vec!["data/a_aligned".into(), "my data/b_aligned".into()],
            data: DataConfig::default(),
            tasks: None,
            seed: 42,
            seconds: 3.0,
            choices: Vec::new(),
        }
    }

    #[test]
    fn the_command_says_what_is_not_the_default() {
        let path = Path::new("baselines/poisson-glm");
        let command = "neuroglot baseline poisson-glm data/a_aligned 'my data/b_aligned' --out baselines";
        assert_eq!(super::command(&info(), path), command);
        let data = DataConfig { min_rate: 0.5, regions: vec!["CA1".to_owned()], ..DataConfig::default() };
        let tasks = Some(vec!["forward".to_owned(), "choice".to_owned()]);
        let info = BaselineInfo { data, tasks, seed: 7, ..info() };
        let options =
            r#" --set data.min_rate=0.5 --set 'data.regions=["CA1"]' --tasks forward,choice --seed 7"#;
        assert_eq!(super::command(&info, path), format!("{command}{options}"));
        let renamed = super::command(&self::info(), Path::new("baselines/glm"));
        assert!(renamed.ends_with("--out baselines  # makes baselines/poisson-glm"), "{renamed}");
    }

    #[test]
    fn settings_that_differ_by_session_are_not_listed() {
        let choice = |eid: &str, what: &str, settings: &str| Choice {
            eid: eid.to_owned(),
            what: what.to_owned(),
            settings: settings.to_owned(),
        };
        let choices = vec![
            choice("a", "forward", "x"),
            choice("a", "choice", "y"),
            choice("b", "forward", "x"),
            choice("b", "choice", "z"),
        ];
        let facts = facts(&BaselineInfo { choices, ..info() });
        let of = |name: &str| -> Vec<&str> {
            facts.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
        };
        assert_eq!(of("chosen for forward"), ["x"]);
        assert_eq!(of("chosen for choice"), ["by session, in baseline.json"]);
    }
}
