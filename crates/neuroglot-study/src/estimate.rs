//! A score over several sessions with its intervals, and how it differs from another.

use crate::scores::SessionScores;
use neuroglot_eval::comparison::{Verdict, pair_units};
use neuroglot_metrics::{Interval, bootstrap_mean, bootstrap_over_groups, bootstrap_within_groups};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};

/// Resamples and seed of the bootstrap.
const RESAMPLES: usize = 1000;
const SEED: u64 = 42;

/// Fewer sessions than these say too little about others: of five that are no better, all seem better once in sixteen
/// times either way.
pub const FEWEST_SESSIONS: usize = 5;

/// The two ends of a 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Range {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

/// A mean over sessions of means over units.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Interval over units, the sessions taken as they are; `None` where there is one value per session.
    pub over_units: Option<Range>,
    /// Interval over sessions and units within them; `None` of one session.
    pub over_sessions: Option<Range>,
    /// Sessions averaged.
    pub sessions: usize,
    /// Units of them all; 0 where there is one value per session.
    pub units: usize,
}

/// What the intervals of a difference say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mark {
    /// Better: the interval over units (where there are units) and that over five sessions or more lie above 0.
    Better,
    /// Better on these sessions: the interval over units lies above 0, and of others nothing is said.
    BetterHere,
    /// Worse: the intervals lie below 0.
    Worse,
    /// Worse on these sessions.
    WorseHere,
    /// Neither.
    Undecided,
}

impl Mark {
    /// The mark in tables; empty where nothing is decided.
    pub fn symbol(self) -> &'static str {
        match self {
            Mark::Better => "▲",
            Mark::BetterHere => "△",
            Mark::Worse => "▼",
            Mark::WorseHere => "▽",
            Mark::Undecided => "",
        }
    }
}

/// How a score differs from another, paired unit by unit and session by session.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// This score minus the other.
    pub estimate: Estimate,
    /// What its intervals say.
    pub mark: Mark,
}

/// Uuids of the units of each session, by eid, that are scored in all rows of a table: only these count, so that means
/// differ by their paired difference. Of a session that is not there, all units count.
pub(crate) type SharedUnits<'a> = HashMap<&'a str, HashSet<&'a str>>;

/// What a column of a table holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Column {
    /// Bits/spike in a task.
    Task(String),
    /// How well a behaviour is decoded.
    Behaviour {
        /// The behaviour.
        name: String,
        /// `accuracy` of categories, `r2` of numbers.
        metric: String,
    },
}

impl Column {
    /// The task or behaviour.
    pub fn name(&self) -> &str {
        match self {
            Column::Task(name) | Column::Behaviour { name, .. } => name,
        }
    }

    /// Whether a session was scored in it.
    pub(crate) fn is_scored(&self, session: &SessionScores) -> bool {
        match self {
            Column::Task(task) => session.tasks.get(task).is_some_and(|units| !units.is_empty()),
            Column::Behaviour { name, metric } => {
                session.behaviours.get(name).is_some_and(|(scored_by, _)| scored_by == metric)
            }
        }
    }

    /// The units of a session that count, with their scores in a task.
    fn counted(session: &SessionScores, task: &str, shared: &SharedUnits<'_>) -> Vec<(String, f64)> {
        let shared = shared.get(session.eid.as_str());
        let counts = |uuid: &str| shared.is_none_or(|shared| shared.contains(uuid));
        session.tasks[task].iter().filter(|(uuid, _)| counts(uuid)).cloned().collect()
    }

    /// The score of one method on some sessions, all of which were scored.
    pub(crate) fn estimate(&self, sessions: &[&SessionScores], shared: &SharedUnits<'_>) -> Option<Estimate> {
        match self {
            Column::Task(task) => {
                let values = |session: &&SessionScores| {
                    Self::counted(session, task, shared).into_iter().map(|(_, score)| score).collect()
                };
                of_units(&sessions.iter().map(values).collect::<Vec<_>>())
            }
            Column::Behaviour { name, .. } => {
                of_sessions(&sessions.iter().map(|session| session.behaviours[name].1).collect::<Vec<_>>())
            }
        }
    }

    /// How the first of each pair differs from the second: two methods on the same sessions, all of which were scored.
    pub(crate) fn difference(
        &self,
        pairs: &[(&SessionScores, &SessionScores)],
        shared: &SharedUnits<'_>,
    ) -> Option<Difference> {
        let estimate = match self {
            Column::Task(task) => {
                let differences = |(this, other): &(&SessionScores, &SessionScores)| -> Vec<f64> {
                    let [this, other] = [this, other].map(|session| Self::counted(session, task, shared));
                    let pairs = pair_units(&this, &other);
                    pairs.into_iter().map(|(this, other)| this - other).collect()
                };
                let groups: Vec<Vec<f64>> = pairs.iter().map(differences).collect();
                if groups.iter().any(Vec::is_empty) {
                    return None;
                }
                of_units(&groups)
            }
            Column::Behaviour { name, .. } => {
                let difference = |(this, other): &(&SessionScores, &SessionScores)| {
                    this.behaviours[name].1 - other.behaviours[name].1
                };
                of_sessions(&pairs.iter().map(difference).collect::<Vec<_>>())
            }
        }?;
        Some(Difference { estimate, mark: mark(&estimate) })
    }
}

/// Values of units by session, none of which is empty.
fn of_units(groups: &[Vec<f64>]) -> Option<Estimate> {
    let within = bootstrap_within_groups(groups, RESAMPLES, SEED)?;
    Some(Estimate {
        mean: within.mean,
        over_units: Some(range(within)),
        over_sessions: bootstrap_over_groups(groups, RESAMPLES, SEED).map(range),
        sessions: groups.len(),
        units: groups.iter().map(Vec::len).sum(),
    })
}

/// One value per session.
fn of_sessions(values: &[f64]) -> Option<Estimate> {
    let over = bootstrap_mean(values, RESAMPLES, SEED)?;
    let over_sessions = (values.len() > 1).then(|| range(over));
    Some(Estimate { mean: over.mean, over_units: None, over_sessions, sessions: values.len(), units: 0 })
}

fn range(interval: Interval) -> Range {
    Range { low: interval.low, high: interval.high }
}

fn mark(estimate: &Estimate) -> Mark {
    let verdict =
        |range: Range| Verdict::of(&Interval { mean: estimate.mean, low: range.low, high: range.high });
    let enough = estimate.over_sessions.filter(|_| estimate.sessions >= FEWEST_SESSIONS);
    match (estimate.over_units.map(verdict), enough.map(verdict)) {
        (Some(Verdict::Better) | None, Some(Verdict::Better)) => Mark::Better,
        (Some(Verdict::Worse) | None, Some(Verdict::Worse)) => Mark::Worse,
        (Some(Verdict::Better), _) => Mark::BetterHere,
        (Some(Verdict::Worse), _) => Mark::WorseHere,
        _ => Mark::Undecided,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::tests::evaluation;
    use std::collections::BTreeMap;

    fn session(eid: &str, units: &[(&str, f64)], accuracy: f64) -> SessionScores {
        let scored: Vec<(&str, Option<f64>)> =
            units.iter().map(|(uuid, score)| (*uuid, Some(*score))).collect();
        SessionScores {
            eid: eid.to_owned(),
            seeds: 1,
            tasks: BTreeMap::from([(
                "co-smoothing".to_owned(),
                units.iter().map(|(uuid, score)| ((*uuid).to_owned(), *score)).collect(),
            )]),
            behaviours: BTreeMap::from([("choice".to_owned(), ("accuracy".to_owned(), accuracy))]),
            first: evaluation(eid, &scored, accuracy),
        }
    }

    fn co_smoothing() -> Column {
        Column::Task("co-smoothing".to_owned())
    }

    #[test]
    fn sessions_count_alike_and_units_are_paired() {
        let (s, t) = (session("s", &[("a", 1.0), ("b", 3.0)], 0.5), session("t", &[("c", 6.0)], 0.75));
        let other =
            [session("s", &[("b", 2.5), ("a", 0.5)], 0.5), session("t", &[("c", 5.5), ("d", 9.0)], 0.5)];
        let estimate = co_smoothing().estimate(&[&s, &t], &SharedUnits::new()).unwrap();
        // (mean of 1 and 3, and 6) / 2.
        assert_eq!((estimate.mean, estimate.sessions, estimate.units), (4.0, 2, 3));
        // Every paired difference is 0.5, so every resample is.
        let difference =
            co_smoothing().difference(&[(&s, &other[0]), (&t, &other[1])], &SharedUnits::new()).unwrap();
        let half = Some(Range { low: 0.5, high: 0.5 });
        assert_eq!((difference.estimate.over_units, difference.estimate.over_sessions), (half, half));
        assert_eq!((difference.mark, difference.estimate.units), (Mark::BetterHere, 3));
        let choice = Column::Behaviour { name: "choice".to_owned(), metric: "accuracy".to_owned() };
        let estimate = choice.estimate(&[&s, &t], &SharedUnits::new()).unwrap();
        assert_eq!((estimate.mean, estimate.over_units), (0.625, None));
        assert_eq!(choice.difference(&[(&s, &other[0])], &SharedUnits::new()).unwrap().mark, Mark::Undecided);
    }

    #[test]
    fn a_win_on_these_sessions_is_not_one_on_sessions_like_them() {
        let eids = ["s", "t", "u", "v", "w"];
        // Units agree within each session, and one session says the opposite of the others.
        let mean = |place: usize, odd: f64| if place == 4 { odd } else { 1.0 };
        let of = |odd: f64, accuracy: f64| -> Vec<SessionScores> {
            let session = |(place, eid): (usize, &&str)| {
                let mean = mean(place, odd);
                session(eid, &[("a", mean), ("b", mean + 0.1)], accuracy)
            };
            eids.iter().enumerate().map(session).collect()
        };
        let zero: Vec<SessionScores> =
            eids.iter().map(|eid| session(eid, &[("a", 0.0), ("b", 0.0)], 0.5)).collect();
        let mark = |column: &Column, this: &[SessionScores], sessions: usize| {
            let pairs: Vec<_> = this.iter().zip(&zero).take(sessions).collect();
            let swapped: Vec<_> = pairs.iter().map(|(this, other)| (*other, *this)).collect();
            [pairs, swapped].map(|pairs| column.difference(&pairs, &SharedUnits::new()).unwrap().mark)
        };
        let (clear, mixed) = (of(1.0, 0.75), of(-3.0, 0.5));
        assert_eq!(mark(&co_smoothing(), &clear, 5), [Mark::Better, Mark::Worse]);
        assert_eq!(mark(&co_smoothing(), &mixed, 5), [Mark::BetterHere, Mark::WorseHere]);
        // Fewer sessions say nothing of others.
        assert_eq!(mark(&co_smoothing(), &clear, 4), [Mark::BetterHere, Mark::WorseHere]);
        assert_eq!(mark(&co_smoothing(), &clear, 1), [Mark::BetterHere, Mark::WorseHere]);
        let choice = Column::Behaviour { name: "choice".to_owned(), metric: "accuracy".to_owned() };
        assert_eq!(mark(&choice, &clear, 5), [Mark::Better, Mark::Worse]);
        assert_eq!(mark(&choice, &clear, 4), [Mark::Undecided; 2]);
        assert_eq!(mark(&choice, &mixed, 5), [Mark::Undecided; 2]);
    }
}
