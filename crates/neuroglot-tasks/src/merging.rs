//! Putting a new evaluation beside an earlier one, where both are of the same weights and settings.

use crate::results::{Evaluation, SessionEvaluation};
use crate::{Task, TaskSelection, behaviour_name};
use neuroglot_data::{Session, TrialFingerprint};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// What scores were made from, as names and values, such as the checksum of the weights and the seed of intervals.
///
/// Scores of other sources must not stand in one table as if they belonged together.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Source(BTreeMap<String, String>);

impl Source {
    /// With one thing more that it is made of.
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.0.insert(name.to_owned(), value.to_string());
        self
    }

    /// One thing that it is made of.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How another source differs: `weights (a, now b)`.
    fn differences(&self, now: &Source) -> Vec<String> {
        let names = self.0.keys().chain(now.0.keys().filter(|name| !self.0.contains_key(*name)));
        let of = |source: &Source, name: &str| source.0.get(name).map_or("unknown".to_owned(), Clone::clone);
        let differing = names.filter(|name| self.0.get(*name) != now.0.get(*name));
        differing.map(|name| format!("{name} ({}, now {})", of(self, name), of(now, name))).collect()
    }
}

/// A checksum of all of a session that scores depend on: its units in their order and their regions, the counts and the
/// split of each trial, and the behaviours. 16 hexadecimal digits.
pub fn fingerprint(session: &Session) -> String {
    let mut digest = Sha256::new();
    for unit in session.units() {
        digest.update(format!("{}\n{}\n", unit.uuid, unit.region));
    }
    let trials: Vec<usize> = (0..session.trials()).collect();
    let units: Vec<usize> = (0..session.units().len()).collect();
    let counts = TrialFingerprint::of_trials(session, &trials, &units);
    for (split, counts) in session.splits().iter().zip(counts) {
        digest.update(format!("{split} {counts}\n"));
    }
    for (name, behaviour) in session.behaviours() {
        digest.update(format!("{name} {}\n", behaviour.values().len()));
        for value in behaviour.values() {
            digest.update(value.to_le_bytes());
        }
    }
    let digest = digest.finalize();
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A session that is going to be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedSession {
    /// Session id.
    pub eid: String,
    /// Its [`fingerprint`].
    pub fingerprint: String,
    /// Tasks and behaviours.
    pub names: Vec<String>,
}

impl PlannedSession {
    /// A session and all that is selected of it.
    pub fn of(session: &Session, selection: &TaskSelection) -> Self {
        let tasks = selection.tasks.iter().map(|task| task.name().to_owned());
        let behaviours = selection.behaviours_of(session);
        let behaviours = behaviours.iter().map(|asked| behaviour_name(asked).to_owned());
        let names = tasks.chain(behaviours).collect();
        Self { eid: session.eid().to_owned(), fingerprint: fingerprint(session), names }
    }
}

/// Why an earlier evaluation does not go together with a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// How the two differ, in words.
    pub why: String,
    /// Scores that the new one does not make again, `eid: co-smoothing, choice`; none where it makes all of them.
    pub lost: Vec<String>,
}

/// Looks, before the work, whether an earlier evaluation can take the scores of a new one: of these sessions, made from `source`.
///
/// # Errors
/// [`Conflict`]: it was made from something else.
pub fn check_earlier(
    earlier: &Evaluation,
    source: &Source,
    planned: &[PlannedSession],
) -> Result<(), Conflict> {
    let lost = |sessions: &mut dyn Iterator<Item = &SessionEvaluation>| -> Vec<String> {
        let of_session = |session: &SessionEvaluation| {
            let made = planned.iter().find(|made| made.eid == session.eid);
            let mut names = session.scored();
            names.retain(|name| !made.is_some_and(|made| made.names.contains(name)));
            (!names.is_empty()).then(|| format!("{}: {}", session.eid, names.join(", ")))
        };
        sessions.filter_map(of_session).collect()
    };
    if earlier.source != *source {
        let why = if earlier.source.is_empty() {
            "it does not say which weights and settings it was made from".to_owned()
        } else {
            format!("it was made from other {}", earlier.source.differences(source).join(", "))
        };
        return Err(Conflict { why, lost: lost(&mut earlier.sessions.iter()) });
    }
    let is_changed = |session: &&SessionEvaluation| {
        let now = planned.iter().find(|now| now.eid == session.eid);
        now.is_some_and(|now| now.fingerprint != session.fingerprint)
    };
    let changed: Vec<&SessionEvaluation> = earlier.sessions.iter().filter(is_changed).collect();
    if changed.is_empty() {
        return Ok(());
    }
    let eids: Vec<&str> = changed.iter().map(|session| session.eid.as_str()).collect();
    let why = format!("the files of {} have changed since", eids.join(", "));
    Err(Conflict { why, lost: lost(&mut changed.into_iter()) })
}

/// An earlier evaluation with the scores of a new one, which count where both have a score. Sessions whose files have
/// changed in between, and evaluations of another source, are not mixed: what the new one has of them replaces all.
pub fn merge(earlier: Evaluation, new: Evaluation) -> Evaluation {
    if earlier.source != new.source {
        return new;
    }
    let mut sessions = earlier.sessions;
    for session in new.sessions {
        match sessions.iter_mut().find(|known| known.eid == session.eid) {
            Some(known) if known.fingerprint == session.fingerprint => merge_session(known, session),
            Some(known) => *known = session,
            None => sessions.push(session),
        }
    }
    Evaluation { sessions, ..new }
}

fn merge_session(known: &mut SessionEvaluation, new: SessionEvaluation) {
    let is_new = |name: &str| {
        new.tasks.iter().any(|result| result.task == name)
            || new.decoding.iter().any(|result| result.behaviour == name)
            || new.skipped.iter().any(|skipped| skipped.what == name)
    };
    known.skipped.retain(|skipped| !is_new(&skipped.what));
    known.examples.retain(|example| !is_new(&example.task));
    // In their places, so that evaluating again changes no order.
    for result in new.tasks {
        match known.tasks.iter_mut().find(|earlier| earlier.task == result.task) {
            Some(earlier) => *earlier = result,
            None => known.tasks.push(result),
        }
    }
    for result in new.decoding {
        match known.decoding.iter_mut().find(|earlier| earlier.behaviour == result.behaviour) {
            Some(earlier) => *earlier = result,
            None => known.decoding.push(result),
        }
    }
    known.skipped.extend(new.skipped);
    known.examples.extend(new.examples);
    let place = |name: &str| Task::ALL.iter().position(|task| task.name() == name);
    known.tasks.sort_by_key(|result| place(&result.task));
    known.examples.sort_by_key(|example| place(&example.task));
    known.beside_psth = new.beside_psth.or(known.beside_psth);
    known.region_matrix = new.region_matrix.or(known.region_matrix.take());
    if !new.details.is_empty() {
        known.details = new.details;
    }
    if !new.populations.is_empty() {
        known.populations = new.populations;
    }
    known.trajectories = new.trajectories.or(known.trajectories.take());
    known.coupling = new.coupling.or(known.coupling.take());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::{Scores, Skipped, TaskResult};

    fn session(eid: &str, fingerprint: &str, tasks: &[(&str, f64)]) -> SessionEvaluation {
        let result = |(task, score): &(&str, f64)| TaskResult {
            task: (*task).to_owned(),
            scores: Scores { bps: None, bps_pooled: Some(*score), d2: None, r2: None, psth_r2: None },
            ceiling: None,
            state_ceiling: None,
            alone: None,
            calibration: Vec::new(),
            per_unit: Vec::new(),
        };
        SessionEvaluation {
            eid: eid.to_owned(),
            subject: String::new(),
            trials: 1,
            bins: 10,
            bin_seconds: 0.02,
            fingerprint: fingerprint.to_owned(),
            units: Vec::new(),
            tasks: tasks.iter().map(result).collect(),
            decoding: Vec::new(),
            skipped: Vec::new(),
            examples: Vec::new(),
            details: Vec::new(),
            populations: Vec::new(),
            beside_psth: None,
            region_matrix: None,
            trajectories: None,
            coupling: None,
        }
    }

    fn evaluation(weights: &str, sessions: Vec<SessionEvaluation>) -> Evaluation {
        Evaluation {
            version: String::new(),
            mask: "mtm".to_owned(),
            checkpoint: "best".to_owned(),
            source: Source::default().with("weights", weights),
            sessions,
        }
    }

    /// `eid task score`, in order.
    fn scores(evaluation: &Evaluation) -> Vec<String> {
        let of = |session: &SessionEvaluation| {
            let eid = session.eid.clone();
            let score = |result: &TaskResult| {
                format!("{eid} {} {}", result.task, result.scores.bps_pooled.unwrap_or(f64::NAN))
            };
            session.tasks.iter().map(score).collect::<Vec<_>>()
        };
        evaluation.sessions.iter().flat_map(of).collect()
    }

    #[test]
    fn a_task_of_one_session_leaves_all_other_scores() {
        let earlier = evaluation(
            "w",
            vec![
                session("a", "1", &[("co-smoothing", 0.1), ("inter-region", 0.2)]),
                session("b", "2", &[("co-smoothing", 0.3)]),
            ],
        );
        let new = evaluation(
            "w",
            vec![session("b", "2", &[("co-smoothing", 0.5)]), session("a", "1", &[("forward", 0.4)])],
        );
        let expected = ["a co-smoothing 0.1", "a forward 0.4", "a inter-region 0.2", "b co-smoothing 0.5"];
        assert_eq!(scores(&merge(earlier, new)), expected);
    }

    #[test]
    fn what_could_not_be_done_is_forgotten_once_it_is() {
        let skipped = |what: &str| Skipped { what: what.to_owned(), why: "one region".to_owned() };
        let mut earlier = session("a", "1", &[]);
        earlier.skipped = vec![skipped("forward"), skipped("choice")];
        let new = evaluation("w", vec![session("a", "1", &[("forward", 0.4)])]);
        let merged = merge(evaluation("w", vec![earlier]), new);
        assert_eq!(merged.sessions[0].skipped, [skipped("choice")]);
    }

    fn check(
        earlier: &Evaluation,
        weights: &str,
        sessions: &[(&str, &str)],
        names: &[&str],
    ) -> Result<(), Conflict> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let planned = |(eid, print): &(&str, &str)| PlannedSession {
            eid: (*eid).to_owned(),
            fingerprint: (*print).to_owned(),
            names: names.clone(),
        };
        let sessions: Vec<PlannedSession> = sessions.iter().map(planned).collect();
        let source = Source::default().with("weights", weights);
        check_earlier(earlier, &source, &sessions)
    }

    #[test]
    fn scores_of_other_weights_or_other_files_are_never_mixed() {
        let earlier = evaluation(
            "w",
            vec![session("a", "1", &[("co-smoothing", 0.1)]), session("b", "2", &[("forward", 0.2)])],
        );
        assert_eq!(check(&earlier, "w", &[("a", "1"), ("c", "3")], &["forward"]), Ok(()));
        let conflict = check(&earlier, "v", &[("a", "1")], &["co-smoothing"]).unwrap_err();
        assert_eq!(conflict.why, "it was made from other weights (w, now v)");
        assert_eq!(conflict.lost, ["b: forward"]);
        let all = check(&earlier, "v", &[("a", "1"), ("b", "2")], &["forward", "co-smoothing"]).unwrap_err();
        assert!(all.lost.is_empty(), "all are made again");
        let changed = check(&earlier, "w", &[("a", "9")], &["forward"]).unwrap_err();
        assert_eq!(changed.why, "the files of a have changed since");
        assert_eq!(changed.lost, ["a: co-smoothing"]);
        // And where the two are put together all the same, only the new scores are left.
        let new = evaluation("v", vec![session("a", "1", &[("forward", 0.4)])]);
        assert_eq!(scores(&merge(earlier.clone(), new)), ["a forward 0.4"]);
        let new = evaluation("w", vec![session("a", "9", &[("forward", 0.4)])]);
        assert_eq!(scores(&merge(earlier, new)), ["a forward 0.4", "b forward 0.2"]);
    }
}
