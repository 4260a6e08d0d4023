//! What a model has seen of sessions, in words.

use super::{AuditedSession, Generation, Overlap, SeenModel, SessionAudit, TrialOverlap};
use neuroglot_data::number::counted;
use neuroglot_data::{DataError, Session};
use neuroglot_train::CheckpointConfig;
use std::path::Path;

/// Sessions that a warning names.
const NAMED: usize = 4;

/// `session, animal, 12 units`; empty where nothing is shared.
pub fn overlaps_in_words(overlaps: &[&Overlap]) -> String {
    let is_any = |holds: fn(&Overlap) -> bool| overlaps.iter().any(|overlap| holds(overlap));
    let units = Overlap::distinct_units(overlaps);
    let parts = [
        is_any(|overlap| overlap.same_session).then(|| "session".to_owned()),
        is_any(|overlap| overlap.same_animal).then(|| "animal".to_owned()),
        (units > 0).then(|| counted(units, "unit")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// `a (session, animal, 12 units), b (animal)`, cut after `most` sessions.
pub fn sessions_in_words<'a>(sessions: impl Iterator<Item = (&'a str, String)>, most: usize) -> String {
    let named: Vec<String> = sessions.map(|(eid, what)| format!("{eid} ({what})")).collect();
    match named.len().saturating_sub(most) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named[..most].join(", ")),
    }
}

/// Which overlaps are worth a warning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Warn {
    /// Test trials that a model was trained on or chosen by.
    OfTestTrials,
    /// These, and all that the model which the run started from has seen.
    OfBase,
}

/// What to warn of, in one line, where sessions were seen in training in a way that is not by design. Each session, perhaps
/// filtered, comes with the folder that it was read from, if it was.
///
/// # Errors
/// A session that cannot be read again.
pub fn warning<'a>(
    checkpoint: &CheckpointConfig,
    sessions: impl IntoIterator<Item = (&'a Session, Option<&'a Path>)>,
    of: Warn,
) -> Result<Option<String>, DataError> {
    let models = SeenModel::lineage(checkpoint);
    let audit = |(session, folder)| AuditedSession::of(session, folder).audit(&models);
    let audits = sessions.into_iter().map(audit).collect::<Result<Vec<_>, _>>()?;
    Ok(in_words(&audits, of))
}

fn in_words(audits: &[SessionAudit], of: Warn) -> Option<String> {
    let used = audits.iter().filter_map(|audit| Some((&*audit.eid, used_test_trials(audit)?)));
    let used: Vec<(&str, String)> = used.collect();
    let from_base = audits.iter().filter_map(|audit| {
        let overlaps = audit.overlaps_with(|model| model != Generation(0));
        (of == Warn::OfBase && !overlaps.is_empty()).then(|| (&*audit.eid, overlaps_in_words(&overlaps)))
    });
    let from_base: Vec<(&str, String)> = from_base.collect();
    let mut clauses = Vec::new();
    if !used.is_empty() {
        let sessions = sessions_in_words(used.into_iter(), NAMED);
        clauses.push(format!(
            "test trials were seen in training, which makes their scores too good: {sessions}"
        ));
    }
    if !from_base.is_empty() {
        let sessions = sessions_in_words(from_base.into_iter(), NAMED);
        clauses.push(format!("not new to the model that the run started from: {sessions}"));
    }
    (!clauses.is_empty()).then(|| format!("{}; `neuroglot audit` shows more", clauses.join("; ")))
}

/// `3 of 8 trials`, where any were used.
fn used_test_trials(audit: &SessionAudit) -> Option<String> {
    let used = audit.overlaps.iter().filter_map(|overlap| match overlap.trials {
        Some(TrialOverlap::Compared(seen)) if seen.are_used() => {
            Some((seen.trained_on + seen.chosen_by, seen.test))
        }
        _ => None,
    });
    used.max().map(|(used, test)| format!("{used} of {}", counted(test, "trial")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lists_are_cut() {
        let list = |count: usize| {
            let eids: Vec<String> = (0..count).map(|number| format!("s{number}")).collect();
            sessions_in_words(eids.iter().map(|eid| (eid.as_str(), "animal".to_owned())), 2)
        };
        assert_eq!(list(2), "s0 (animal), s1 (animal)");
        assert_eq!(list(5), "s0 (animal), s1 (animal) and 3 more");
    }
}
