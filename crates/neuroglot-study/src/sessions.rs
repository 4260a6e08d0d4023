//! The sessions of a study: found, told apart by animal, and divided into held-out ones and others.

use crate::StudyError;
use crate::file::{Pretraining, Selection, StudyFile};
use neuroglot_data::SessionHeader;
use neuroglot_files::FromIo;
use neuroglot_tasks::TaskSelection;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A session of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudySession {
    /// Its folder, absolute.
    pub path: PathBuf,
    /// Session id.
    pub eid: String,
    /// Animal.
    pub subject: String,
}

/// All sessions of a study.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StudySessions {
    /// Those that models are scored on.
    pub scored: Vec<StudySession>,
    /// Those that models may be pretrained on.
    pub others: Vec<StudySession>,
}

impl StudySessions {
    /// Finds the sessions of a study file below `data` (the file's own folder, where it is `None`), and checks that all
    /// it says of sessions and tasks can be.
    ///
    /// # Errors
    /// [`StudyError::File`] names the pattern, animal, session or task that is not there; [`StudyError::Data`] a
    /// session that cannot be read.
    pub fn find(file: &StudyFile, data: Option<&Path>) -> Result<Self, StudyError> {
        let base = data.unwrap_or_else(|| file.path.parent().unwrap_or(Path::new("")));
        let (mut sessions, mut behaviours) = (Vec::<StudySession>::new(), BTreeSet::new());
        for path in folders(file, base)? {
            let SessionHeader { eid, subject, behaviours: found, .. } = SessionHeader::read(&path)?;
            if let Some(other) = sessions.iter().find(|other| other.eid == eid) {
                let (one, two) = (other.path.display(), path.display());
                return Err(file
                    .wrong(format!("{one} and {two} are both session {eid}: name one of them in sessions")));
            }
            behaviours.extend(found);
            sessions.push(StudySession { path, eid, subject });
        }
        let behaviours: Vec<String> = behaviours.into_iter().collect();
        TaskSelection::parse(file.tasks.iter().map(String::as_str), &behaviours)
            .map_err(|error| file.wrong(format!("tasks: {error}")))?;
        if file.held_out.is_empty() {
            return Ok(Self { scored: sessions, others: Vec::new() });
        }
        let chosen = select(file, "held_out", &file.held_out, &sessions)?;
        let (scored, others) = sessions.into_iter().partition(|session| chosen.contains(&session.eid));
        Ok(Self { scored, others })
    }

    /// The sessions of a pretraining.
    ///
    /// # Errors
    /// [`StudyError::File`] names the animal or session that is not there, or says that there are too few.
    pub(crate) fn of_pretraining(
        &self,
        file: &StudyFile,
        pretraining: &Pretraining,
    ) -> Result<Vec<StudySession>, StudyError> {
        let place = format!("pretrain {}", pretraining.name.as_deref().unwrap_or("without a name"));
        let Pretraining { subjects, sessions, count, .. } = pretraining;
        if self.others.is_empty() {
            return Err(file.wrong(format!("{place}: all sessions are held out: add others to sessions")));
        }
        if let Some(count) = *count {
            let available = self.others.len();
            if count > available {
                return Err(file.wrong(format!(
                    "{place}: count = {count}, and {available} sessions are not held out: lower it"
                )));
            }
            return Ok(one_animal_after_the_other(&self.others).into_iter().take(count).cloned().collect());
        }
        let selection = Selection { subjects: subjects.clone(), sessions: sessions.clone() };
        if selection.is_empty() {
            return Ok(self.others.clone());
        }
        let chosen = select(file, &place, &selection, &self.others)?;
        Ok(self.others.iter().filter(|session| chosen.contains(&session.eid)).cloned().collect())
    }
}

/// The folders that the file's patterns name, each once, in order.
fn folders(file: &StudyFile, base: &Path) -> Result<Vec<PathBuf>, StudyError> {
    let mut found = Vec::new();
    for pattern in &file.sessions {
        let whole = if Path::new(pattern).is_absolute() {
            pattern.clone()
        } else {
            Path::new(&glob::Pattern::escape(&base.to_string_lossy()))
                .join(pattern)
                .to_string_lossy()
                .into_owned()
        };
        let paths =
            glob::glob(&whole).map_err(|error| file.wrong(format!("sessions: {pattern}: {}", error.msg)))?;
        let paths: Vec<PathBuf> = paths.filter_map(Result::ok).filter(|path| path.is_dir()).collect();
        if paths.is_empty() {
            return Err(file.wrong(format!(
                "sessions: no folder is called {whole}; paths begin at the study file, or at --data"
            )));
        }
        for path in paths {
            let path = std::path::absolute(&path).map_err(StudyError::io("read", &path))?;
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    Ok(found)
}

/// Ids of the sessions that are selected.
fn select(
    file: &StudyFile,
    place: &str,
    selection: &Selection,
    sessions: &[StudySession],
) -> Result<BTreeSet<String>, StudyError> {
    let mut chosen = BTreeSet::new();
    let mut add = |what: &str, name: &str, fits: &dyn Fn(&StudySession) -> bool, known: &BTreeSet<&str>| {
        let before = chosen.len();
        let fitting = sessions.iter().filter(|session| fits(session));
        let fitting: Vec<String> = fitting.map(|session| session.eid.clone()).collect();
        chosen.extend(fitting.iter().cloned());
        if fitting.is_empty() && before == chosen.len() {
            let known = known.iter().copied().collect::<Vec<_>>().join(", ");
            return Err(file.wrong(format!("{place}: there is no {what} `{name}`; there are {known}")));
        }
        Ok(())
    };
    let subjects = sessions.iter().map(|session| session.subject.as_str()).collect();
    for subject in &selection.subjects {
        add("subject", subject, &|session| session.subject == *subject, &subjects)?;
    }
    let eids = sessions.iter().map(|session| session.eid.as_str()).collect();
    for name in &selection.sessions {
        let pattern = glob::Pattern::new(name)
            .map_err(|error| file.wrong(format!("{place}: {name}: {}", error.msg)))?;
        add("session", name, &|session| pattern.matches(&session.eid), &eids)?;
    }
    Ok(chosen)
}

/// The first session of each animal, then the second of each, and so on; animals in the order they first appear.
fn one_animal_after_the_other(sessions: &[StudySession]) -> Vec<&StudySession> {
    let rank = |place: usize| {
        let subject = &sessions[place].subject;
        sessions[..place].iter().filter(|before| before.subject == *subject).count()
    };
    let mut places: Vec<usize> = (0..sessions.len()).collect();
    places.sort_by_key(|place| rank(*place));
    places.into_iter().map(|place| &sessions[place]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fewer_sessions_are_among_more_and_animals_take_turns() {
        let session = |eid: &str, subject: &str| StudySession {
            path: PathBuf::from(eid),
            eid: eid.to_owned(),
            subject: subject.to_owned(),
        };
        let sessions = [
            session("a1", "a"),
            session("a2", "a"),
            session("a3", "a"),
            session("b1", "b"),
            session("b2", "b"),
        ];
        let order: Vec<&str> =
            one_animal_after_the_other(&sessions).iter().map(|session| session.eid.as_str()).collect();
        assert_eq!(order, ["a1", "b1", "a2", "b2", "a3"]);
    }
}
