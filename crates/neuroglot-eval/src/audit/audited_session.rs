//! A session that is to be evaluated, read as far as an audit needs it.

use super::TrialOverlap;
use super::session_audit::{Overlap, SessionAudit};
use super::trial_overlap::TrialsSeen;
use super::{SeenModel, seen_model::named_animal};
use neuroglot_data::{DataError, Session, SessionHeader, Split, TrialFingerprint};
use neuroglot_train::{CheckpointConfig, CheckpointSession};
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// A session and who it is. Its spikes are read only where a model may have seen its trials.
#[derive(Debug)]
pub struct AuditedSession<'a> {
    /// Where it can be read again; `None` of a session that is in memory alone.
    folder: Option<PathBuf>,
    eid: String,
    subject: String,
    unit_uuids: Vec<String>,
    /// In memory already, perhaps without some of its units.
    loaded: Option<&'a Session>,
    whole: OnceCell<Session>,
}

impl<'a> AuditedSession<'a> {
    /// Reads who a session is.
    ///
    /// # Errors
    /// As [`SessionHeader::read`].
    pub fn open(folder: &Path) -> Result<Self, DataError> {
        let SessionHeader { eid, subject, unit_uuids, .. } = SessionHeader::read(folder)?;
        let (folder, whole) = (Some(folder.to_owned()), OnceCell::new());
        Ok(Self { folder, eid, subject, unit_uuids, loaded: None, whole })
    }

    /// A session that was read from a folder, if it was, and filtered.
    pub fn of(session: &'a Session, folder: Option<&Path>) -> Self {
        Self {
            folder: folder.map(Path::to_owned),
            eid: session.eid().to_owned(),
            subject: session.subject().to_owned(),
            unit_uuids: session.units().iter().map(|unit| unit.uuid.clone()).collect(),
            loaded: Some(session),
            whole: OnceCell::new(),
        }
    }

    /// Compares the session with everything that models were trained on.
    ///
    /// Sessions are the same where eids are, animals where their names are, and units where their uuids are. A unit whose
    /// name is a plain number is only one within its session.
    ///
    /// # Errors
    /// As [`Session::read`], where a model may have seen trials of the session.
    pub fn audit(&self, models: &[SeenModel<'_>]) -> Result<SessionAudit, DataError> {
        let uuids: HashSet<&str> = self.unit_uuids.iter().map(String::as_str).collect();
        let mut overlaps = Vec::new();
        for model in models {
            for seen in model.sessions() {
                let same_session = seen.eid == self.eid;
                let same_animal = named_animal(&seen.subject)
                    .is_some_and(|animal| named_animal(&self.subject) == Some(animal));
                let names = seen.units.iter().map(|unit| &unit.uuid);
                let shared = names
                    .filter(|name| uuids.contains(name.as_str()) && (same_session || !is_number(name)))
                    .cloned();
                let shared_units: Vec<String> = shared.collect();
                if !same_session && !same_animal && shared_units.is_empty() {
                    continue;
                }
                let may_share_trials = same_session || !shared_units.is_empty();
                let trials = may_share_trials.then(|| self.trials(model.checkpoint, seen)).transpose()?;
                overlaps.push(Overlap {
                    model: model.generation,
                    eid: seen.eid.clone(),
                    subject: seen.subject.clone(),
                    same_session,
                    same_animal,
                    shared_units,
                    trials,
                });
            }
        }
        let mut animals = models.iter().flat_map(|model| model.sessions()).map(|seen| &seen.subject);
        let all_animals_are_named = animals.all(|subject| named_animal(subject).is_some());
        let animal_is_named = named_animal(&self.subject).is_some() && all_animals_are_named;
        Ok(SessionAudit::new(
            self.folder.clone().unwrap_or_default(),
            self.eid.clone(),
            self.subject.clone(),
            self.unit_uuids.len(),
            overlaps,
            animal_is_named,
        ))
    }

    /// Looks for the test trials among those of a session that a model knows.
    fn trials(
        &self,
        checkpoint: &CheckpointConfig,
        seen: &CheckpointSession,
    ) -> Result<TrialOverlap, DataError> {
        let Some(record) = &seen.trials else { return Ok(TrialOverlap::NotRecorded) };
        let (session, units) = match self.loaded.and_then(|session| Some((session, places(seen, session)?))) {
            Some(found) => found,
            None => {
                let Some(session) = self.whole()? else { return Ok(TrialOverlap::OtherUnits) };
                let Some(units) = places(seen, session) else { return Ok(TrialOverlap::OtherUnits) };
                (session, units)
            }
        };
        if session.bins() != checkpoint.bins || session.bin_seconds() != checkpoint.bin_seconds {
            return Ok(TrialOverlap::OtherBins);
        }
        let test = TrialFingerprint::of_trials(session, &session.trials_in(Split::Test), &units);
        Ok(TrialOverlap::Compared(TrialsSeen::of(&test, record)))
    }

    /// The session with all of its units; `None` where it cannot be read again.
    fn whole(&self) -> Result<Option<&Session>, DataError> {
        let Some(folder) = &self.folder else { return Ok(None) };
        if let Some(session) = self.whole.get() {
            return Ok(Some(session));
        }
        let session = Session::read(folder)?;
        Ok(Some(self.whole.get_or_init(|| session)))
    }
}

/// Where the units that a model knows are in a session; `None` if one is missing, or if a name is not that of one unit.
fn places(seen: &CheckpointSession, session: &Session) -> Option<Vec<usize>> {
    let units = session.units();
    let by_uuid: HashMap<&str, usize> =
        units.iter().enumerate().map(|(place, unit)| (unit.uuid.as_str(), place)).collect();
    let places: Option<Vec<usize>> =
        seen.units.iter().map(|unit| by_uuid.get(unit.uuid.as_str()).copied()).collect();
    let places = places?;
    let distinct: HashSet<usize> = places.iter().copied().collect();
    (distinct.len() == places.len() && by_uuid.len() == units.len()).then_some(places)
}

fn is_number(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}
