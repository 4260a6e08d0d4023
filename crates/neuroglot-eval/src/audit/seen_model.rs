//! A model, those that it started from, and what each was trained on.

use neuroglot_train::{CheckpointConfig, CheckpointSession};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt;

/// How far back a model is: 0 for the one that is asked about, 1 for the one that it started from, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Generation(pub usize);

/// `run`, `base`, `base 2`, …
impl fmt::Display for Generation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => formatter.pad("run"),
            1 => formatter.pad("base"),
            generation => formatter.pad(&format!("base {generation}")),
        }
    }
}

/// As it is displayed.
impl Serialize for Generation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A model and what it was trained on.
#[derive(Debug, Clone, Copy)]
pub struct SeenModel<'a> {
    /// How far back it is.
    pub generation: Generation,
    /// What its checkpoint says.
    pub checkpoint: &'a CheckpointConfig,
}

impl<'a> SeenModel<'a> {
    /// A model, the one that it started from, the one that that started from, and so on.
    pub fn lineage(checkpoint: &'a CheckpointConfig) -> Vec<Self> {
        let older = |model: &&'a CheckpointConfig| model.base.as_ref().map(|base| &*base.model);
        let models = std::iter::successors(Some(checkpoint), older).enumerate();
        models.map(|(back, checkpoint)| Self { generation: Generation(back), checkpoint }).collect()
    }

    /// Its sessions.
    pub fn sessions(self) -> &'a [CheckpointSession] {
        &self.checkpoint.sessions
    }

    /// Its animals, each once, sorted; those without a name are left out.
    pub fn animals(self) -> Vec<&'a str> {
        let animals = self.sessions().iter().filter_map(|session| named_animal(&session.subject));
        animals.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Number of its units.
    pub fn units(self) -> usize {
        self.sessions().iter().map(|session| session.units.len()).sum()
    }
}

/// `model`, `animals`, and `sessions` with their units and how many of their trials were seen.
impl Serialize for SeenModel<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut model = serializer.serialize_struct("SeenModel", 3)?;
        model.serialize_field("model", &self.generation)?;
        model.serialize_field("animals", &self.animals())?;
        model.serialize_field("sessions", &self.sessions().iter().map(session_json).collect::<Vec<_>>())?;
        model.end()
    }
}

fn session_json(session: &CheckpointSession) -> Value {
    let trials = session.trials.as_ref().map(|trials| {
        json!({
            "training": trials.training.len(),
            "validation": trials.validation.len(),
            "unseen": trials.unseen.len(),
        })
    });
    json!({
        "eid": session.eid,
        "subject": session.subject,
        "lab": session.lab,
        "units": session.units.iter().map(|unit| &unit.uuid).collect::<Vec<_>>(),
        "trials": trials,
    })
}

/// An animal's name, where it has one: files without a column for it are read as `unknown`.
pub(super) fn named_animal(subject: &str) -> Option<&str> {
    let name = subject.trim();
    (!name.is_empty() && name != "unknown").then_some(name)
}
