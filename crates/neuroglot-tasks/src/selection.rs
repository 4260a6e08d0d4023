//! Which tasks and behaviours an evaluation is asked for.

use crate::decoding_target::name_and_kind;
use crate::{Task, TaskError};
use neuroglot_data::text::{listed, nearest_name};
use neuroglot_data::{Behaviour, Session};
use std::collections::BTreeSet;

/// Tasks and behaviours to evaluate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskSelection {
    /// Masking tasks.
    pub tasks: Vec<Task>,
    /// Behaviours to decode, by name; a name may end in `:categories` or `:continuous`.
    pub behaviours: Vec<String>,
    /// Decode every behaviour that a session has too.
    pub every_behaviour: bool,
}

impl Default for TaskSelection {
    /// The four tasks, and every behaviour.
    fn default() -> Self {
        Self { tasks: Task::ALL.to_vec(), behaviours: Vec::new(), every_behaviour: true }
    }
}

impl TaskSelection {
    /// Stands for every behaviour that a session has.
    pub const EVERY_BEHAVIOUR: &str = "behaviours";

    /// Names that are taken even where no session has them.
    const BEHAVIOURS: [&str; 8] = [
        "choice",
        "block",
        "reward",
        "wheel-speed",
        "whisker-motion-energy",
        "paw-speed",
        "pupil-diameter",
        "left-whisker-motion-energy",
    ];

    /// Names of all tasks and behaviours, as [`TaskSelection::parse`] reads them.
    pub fn names(&self) -> Vec<String> {
        let tasks = self.tasks.iter().map(|task| task.name().to_owned());
        let every = self.every_behaviour.then(|| Self::EVERY_BEHAVIOUR.to_owned());
        tasks.chain(self.behaviours.iter().cloned()).chain(every).collect()
    }

    /// Reads a list such as `co-smoothing,forward,choice`; a name given twice counts once, and tasks come in their usual
    /// order, in which scores that are put together stand too.
    ///
    /// # Errors
    /// [`TaskError::Unknown`] lists the names there are, with the nearest one. A behaviour that `known` holds is accepted too.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>, known: &[String]) -> Result<Self, TaskError> {
        let mut selection = Self { tasks: Vec::new(), behaviours: Vec::new(), every_behaviour: false };
        for name in names.into_iter().map(str::trim).filter(|name| !name.is_empty()) {
            let is_known =
                |name: &str| Self::BEHAVIOURS.contains(&name) || known.iter().any(|known| known == name);
            if let Some(task) = Task::named(name) {
                if !selection.tasks.contains(&task) {
                    selection.tasks.push(task);
                }
            } else if is_known(name) || is_known(name_and_kind(name).0) {
                if !selection.behaviours.iter().any(|chosen| chosen == name) {
                    selection.behaviours.push(name.to_owned());
                }
            } else if name == Self::EVERY_BEHAVIOUR {
                selection.every_behaviour = true;
            } else {
                let tasks = Task::ALL.map(Task::name);
                let behaviours: Vec<&str> = match known {
                    [] => Self::BEHAVIOURS[..5].to_vec(),
                    known => known.iter().map(String::as_str).collect(),
                };
                let names = [&tasks[..], &behaviours, &[Self::EVERY_BEHAVIOUR]].concat();
                return Err(TaskError::Unknown(format!(
                    "there is no task `{name}`, the nearest name is {}: choose some of {}, or behaviours to decode: {}, or {} \
                     for all of them",
                    nearest_name(name_and_kind(name).0, &names),
                    tasks.join(", "),
                    behaviours.join(", "),
                    Self::EVERY_BEHAVIOUR
                )));
            }
        }
        if selection.tasks.is_empty() && selection.behaviours.is_empty() && !selection.every_behaviour {
            return Err(TaskError::Unknown(
                "the list of tasks is empty: name at least one, or leave it out".into(),
            ));
        }
        selection.tasks.sort_by_key(|task| Task::ALL.iter().position(|other| other == task));
        Ok(selection)
    }

    /// Behaviours of sessions to decode by name, or every one that varies where none is named. A name may end in `:categories` or
    /// `:continuous`, and one given twice counts once.
    ///
    /// # Errors
    /// [`TaskError::Unknown`] names a behaviour that no session has, the nearest one, and all that they have.
    pub fn of_targets(targets: &[String], sessions: &[Session]) -> Result<Self, TaskError> {
        let known: BTreeSet<&str> =
            sessions.iter().flat_map(|session| session.behaviours().keys()).map(String::as_str).collect();
        let known: Vec<&str> = known.into_iter().collect();
        let mut behaviours: Vec<String> = Vec::new();
        for target in targets {
            let name = name_and_kind(target).0;
            if !known.contains(&target.as_str()) && !known.contains(&name) {
                let cure = match known[..] {
                    [] => "they have none at all".to_owned(),
                    _ => format!(
                        "the nearest is {}; there are {}",
                        nearest_name(name, &known),
                        listed(&known, "")
                    ),
                };
                return Err(TaskError::Unknown(format!("no session has a behaviour `{name}`: {cure}")));
            }
            if !behaviours.contains(target) {
                behaviours.push(target.clone());
            }
        }
        Ok(Self { tasks: Vec::new(), every_behaviour: behaviours.is_empty(), behaviours })
    }

    /// The behaviours to decode of a session, as they are asked for: those named, whether the session has them or not,
    /// or every one that varies in it. Those with one value per trial come first.
    pub fn behaviours_of(&self, session: &Session) -> Vec<String> {
        if !self.every_behaviour {
            return self.behaviours.clone();
        }
        let asked_of = |name: &String| {
            let asked = self.behaviours.iter().find(|asked| name_and_kind(asked).0 == name || *asked == name);
            asked.unwrap_or(name).clone()
        };
        let varies = |behaviour: &Behaviour| {
            let mut values = behaviour.values().iter().filter(|value| value.is_finite());
            let first = values.next();
            values.any(|value| Some(value) != first)
        };
        let present = || session.behaviours().iter().filter(|(_, behaviour)| varies(behaviour));
        let is_trace = |behaviour: &Behaviour| matches!(behaviour, Behaviour::PerBin(_));
        let of_trials = present().filter(|(_, behaviour)| !is_trace(behaviour));
        let traces = present().filter(|(_, behaviour)| is_trace(behaviour));
        let mut all: Vec<String> = of_trials.chain(traces).map(|(name, _)| asked_of(name)).collect();
        for asked in &self.behaviours {
            if !all.contains(asked) {
                all.push(asked.clone());
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_tasks_and_behaviours_and_an_unknown_name_lists_them() {
        let selection = TaskSelection::parse("forward, choice,licks".split(','), &["licks".into()]).unwrap();
        assert_eq!(selection.tasks, [Task::Forward]);
        assert_eq!(selection.behaviours, ["choice", "licks"]);
        assert!(!selection.every_behaviour);
        let kinds = TaskSelection::parse(["behaviours", "licks:categories"], &["licks".into()]).unwrap();
        assert_eq!(kinds.behaviours, ["licks:categories"]);
        assert!(kinds.every_behaviour && kinds.tasks.is_empty());
        assert!(TaskSelection::parse(["licks:colours"], &["licks".into()]).is_err());
        assert_eq!(
            TaskSelection::parse("choice,forward,choice,forward".split(','), &[]).unwrap().tasks.len(),
            1
        );
        let both = TaskSelection::parse("forward,co-smoothing".split(','), &[]).unwrap();
        assert_eq!(both.tasks, [Task::CoSmoothing, Task::Forward]);
        let error = TaskSelection::parse(["cosmoothing"], &["licks".into()]).unwrap_err().to_string();
        assert!(error.contains("co-smoothing, forward") && error.contains("licks"), "{error}");
        assert!(error.contains("`cosmoothing`, the nearest name is co-smoothing:"), "{error}");
        let error = TaskSelection::parse(["lick:categories"], &["licks".into()]).unwrap_err().to_string();
        assert!(error.contains("the nearest name is licks:"), "{error}");
        assert!(TaskSelection::parse([""], &[]).is_err());
    }

    #[test]
    fn targets_are_behaviours_that_a_session_has() {
        let config = neuroglot_data::SimulatorConfig {
            sessions: 1,
            units: 2,
            trials: 8,
            bins: 4,
            ..Default::default()
        };
        let sessions = config.simulate().unwrap();
        let targets = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            TaskSelection::of_targets(&names, &sessions).map_err(|error| error.to_string())
        };
        let chosen = targets(&["choice", "block:categories", "choice"]).unwrap();
        assert_eq!((chosen.tasks.len(), chosen.every_behaviour), (0, false));
        assert_eq!(chosen.behaviours, ["choice", "block:categories"]);
        assert!(targets(&[]).unwrap().every_behaviour);
        // Also of what evaluations know by name and the session has not, and of tasks.
        for (name, nearest) in
            [("chioce", "choice"), ("paw-speed", "wheel-speed"), ("rewards:continuous", "reward")]
        {
            let error = targets(&[name]).unwrap_err();
            assert!(
                error.contains(&format!("the nearest is {nearest}; there are block, choice,")),
                "{error}"
            );
        }
        assert!(targets(&["forward"]).is_err());
    }
}
