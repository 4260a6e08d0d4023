//! What an audit found for one session.

use super::{Generation, TrialOverlap};
use serde::{Serialize, Serializer};
use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// A session that a model was trained on, and what a session under audit has in common with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overlap {
    /// The model.
    pub model: Generation,
    /// The session that it was trained on.
    pub eid: String,
    /// The animal of that session.
    pub subject: String,
    /// Whether it is the session under audit, by its eid.
    pub same_session: bool,
    /// Whether it is of the same animal.
    pub same_animal: bool,
    /// Uuids of units that both have.
    pub shared_units: Vec<String>,
    /// Whether the model has seen test trials; `None` where sessions share neither eid nor units.
    pub trials: Option<TrialOverlap>,
}

/// What scores on the test trials of a session say, after what its models have seen: the strongest overlap of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// A model was trained on test trials, or chosen by them.
    TestTrialsUsed,
    /// A model was trained on other trials of the session.
    SeenSession,
    /// A model was trained on units of the session, in a session of another name.
    SeenUnits,
    /// A model was trained on another session of the animal.
    SeenAnimal,
    /// No model has seen the session or its units; the animal of it, or of a session in training, is not named.
    UnnamedAnimal,
    /// No model has seen the session, its animal or its units.
    UnseenAnimal,
}

impl Verdict {
    /// All verdicts, the strongest overlap first.
    pub const ALL: [Verdict; 6] = [
        Verdict::TestTrialsUsed,
        Verdict::SeenSession,
        Verdict::SeenUnits,
        Verdict::SeenAnimal,
        Verdict::UnnamedAnimal,
        Verdict::UnseenAnimal,
    ];

    /// What it means for scores on test trials.
    pub fn meaning(self) -> &'static str {
        match self {
            Verdict::TestTrialsUsed => {
                "a model was trained on test trials, or chosen by them: scores on them measure nothing"
            }
            Verdict::SeenSession => {
                "a model was trained on the session and, as far as is known, on none of its test trials: by design for \
                 scores within a session, as the paper's, but no unseen animal"
            }
            Verdict::SeenUnits => {
                "a model was trained on some of its units, under another eid: no unseen animal, perhaps a seen session"
            }
            Verdict::SeenAnimal => {
                "a model was trained on another session of the animal: an unseen session, no unseen animal"
            }
            Verdict::UnnamedAnimal => {
                "an unseen session; not all animals are named, so whether this one was seen cannot be told"
            }
            Verdict::UnseenAnimal => {
                "no model was trained on the session, on its animal or on any of its units"
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Verdict::TestTrialsUsed => "test trials used",
            Verdict::SeenSession => "seen session",
            Verdict::SeenUnits => "seen units",
            Verdict::SeenAnimal => "seen animal",
            Verdict::UnnamedAnimal => "unnamed animal",
            Verdict::UnseenAnimal => "unseen animal",
        })
    }
}

/// A session under audit, and what models have seen of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SessionAudit {
    /// Its folder.
    #[serde(serialize_with = "as_displayed")]
    pub folder: PathBuf,
    /// Session id.
    pub eid: String,
    /// The animal.
    pub subject: String,
    /// Number of its units.
    pub units: usize,
    /// The strongest overlap.
    pub verdict: Verdict,
    /// Every session in training that has something in common with it; the models' order, then the sessions'.
    pub overlaps: Vec<Overlap>,
}

impl SessionAudit {
    pub(super) fn new(
        folder: PathBuf,
        eid: String,
        subject: String,
        units: usize,
        overlaps: Vec<Overlap>,
        animal_is_named: bool,
    ) -> Self {
        let any = |holds: fn(&Overlap) -> bool| overlaps.iter().any(holds);
        let verdict = if any(Overlap::uses_test_trials) {
            Verdict::TestTrialsUsed
        } else if any(|overlap| overlap.same_session) {
            Verdict::SeenSession
        } else if any(|overlap| !overlap.shared_units.is_empty()) {
            Verdict::SeenUnits
        } else if any(|overlap| overlap.same_animal) {
            Verdict::SeenAnimal
        } else if !animal_is_named {
            Verdict::UnnamedAnimal
        } else {
            Verdict::UnseenAnimal
        };
        Self { folder, eid, subject, units, verdict, overlaps }
    }

    /// Whether eid, animal or units are among those of a model.
    pub fn is_seen(&self) -> bool {
        !self.overlaps.is_empty()
    }

    /// What the session has in common with the models that `of` names.
    pub fn overlaps_with(&self, of: impl Fn(Generation) -> bool) -> Vec<&Overlap> {
        self.overlaps.iter().filter(|overlap| of(overlap.model)).collect()
    }
}

/// A path that is not Unicode has no JSON.
fn as_displayed<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl Overlap {
    /// Whether the model was trained on test trials, or chosen by them.
    pub fn uses_test_trials(&self) -> bool {
        matches!(self.trials, Some(TrialOverlap::Compared(seen)) if seen.are_used())
    }

    /// Number of units, each once, that several overlaps share.
    pub fn distinct_units(overlaps: &[&Overlap]) -> usize {
        let units = overlaps.iter().flat_map(|overlap| &overlap.shared_units);
        units.collect::<BTreeSet<_>>().len()
    }
}
