//! Rows of a table: methods in groups, each compared with the reference of its group on the sessions that all have.

use crate::cell::{Method, TrainedMethod};
use crate::estimate::{Column, SharedUnits};
use crate::results::{ScoreCell, ScoreRow, ScoreTable};
use crate::scores::{MethodScores, SessionScores};
use indexmap::IndexMap;
use std::collections::HashSet;

/// A trained method and its scores.
#[derive(Clone, Copy)]
pub(crate) struct Trained<'a> {
    pub method: &'a TrainedMethod,
    pub scores: &'a MethodScores,
}

/// A row before its scores are averaged.
#[derive(Clone)]
pub(crate) struct Line<'a> {
    pub group: String,
    pub name: String,
    pub scores: &'a MethodScores,
    /// Place of the row that it is compared with.
    pub reference: Option<usize>,
    /// The only session that counts; `None` averages those that all rows have.
    pub session: Option<String>,
    /// The curve that it is a point of, if any.
    pub curve: String,
}

/// Rows of trained methods: groups in the order in which they first appear, in each the reference (the first method that
/// is one) before the others.
pub(crate) fn lines<'a>(
    trained: Vec<Trained<'a>>,
    group: impl Fn(&TrainedMethod) -> String,
    name: impl Fn(&TrainedMethod) -> String,
    is_reference: impl Fn(&TrainedMethod) -> bool,
) -> Vec<Line<'a>> {
    let mut groups: IndexMap<String, Vec<Trained>> = IndexMap::new();
    for entry in trained {
        groups.entry(group(entry.method)).or_default().push(entry);
    }
    let mut lines: Vec<Line> = Vec::new();
    for (group, mut members) in groups {
        let first = lines.len();
        let reference = members.iter().position(|entry| is_reference(entry.method));
        if let Some(place) = reference {
            members[..=place].rotate_right(1);
        }
        lines.extend(members.into_iter().enumerate().map(|(place, entry)| Line {
            group: group.clone(),
            name: name(entry.method),
            scores: entry.scores,
            reference: (reference.is_some() && place > 0).then_some(first),
            session: None,
            curve: String::new(),
        }));
    }
    lines
}

impl<'a> Line<'a> {
    /// Leaves out groups in which nothing is compared.
    pub fn compared_only(lines: Vec<Line<'a>>) -> Vec<Line<'a>> {
        let is_compared =
            |group: &str| lines.iter().any(|line| line.group == group && line.reference.is_some());
        let keep: Vec<bool> = lines.iter().map(|line| is_compared(&line.group)).collect();
        let place = |place: usize| keep[..place].iter().filter(|kept| **kept).count();
        let kept = lines.iter().zip(&keep).filter(|(_, kept)| **kept);
        kept.map(|(line, _)| Line { reference: line.reference.map(place), ..line.clone() }).collect()
    }

    /// The sessions to average in a column: its own one, or the `shared` ones; `None` where one of them was not scored.
    fn sessions(&self, column: &Column, shared: &[&str]) -> Option<Vec<&'a SessionScores>> {
        let own = self.session.as_deref();
        let wanted: Vec<&str> = own.map_or_else(|| shared.to_vec(), |eid| vec![eid]);
        let scored = |eid: &&str| self.scores.session(eid).filter(|session| column.is_scored(session));
        let sessions: Vec<&SessionScores> = wanted.iter().map(scored).collect::<Option<_>>()?;
        (!sessions.is_empty()).then_some(sessions)
    }

    fn cell(&self, column: &Column, shared: &Shared<'_>, reference: Option<&Line>) -> Option<ScoreCell> {
        let sessions = self.sessions(column, &shared.eids)?;
        let others = reference.and_then(|reference| reference.sessions(column, &shared.eids));
        let difference = others.and_then(|others| {
            let pairs: Vec<_> = sessions.iter().copied().zip(others).collect();
            // Other test trials or bins: not the same data.
            let is_same = |(a, b): &(&SessionScores, &SessionScores)| {
                (a.first.trials, a.first.bins) == (b.first.trials, b.first.bins)
            };
            pairs.iter().all(is_same).then(|| column.difference(&pairs, &shared.units)).flatten()
        });
        Some(ScoreCell { score: column.estimate(&sessions, &shared.units)?, difference })
    }
}

/// Averages and compares; `None` without a row.
pub(crate) fn table(
    id: &str,
    title: &str,
    caption: &str,
    columns: &[Column],
    lines: &[Line],
) -> Option<ScoreTable> {
    if lines.is_empty() {
        return None;
    }
    let shared: Vec<Shared> = columns.iter().map(|column| Shared::of(column, lines)).collect();
    let row = |line: &Line| {
        let reference = line.reference.map(|place| &lines[place]);
        let cells = columns.iter().zip(&shared).map(|(column, shared)| line.cell(column, shared, reference));
        let (pretraining_sessions, trials) = match &line.scores.method {
            Method::Trained(method) => (method.pretraining_sessions(), method.trials),
            Method::Baseline(_) => (0, 0),
        };
        ScoreRow {
            group: line.group.clone(),
            name: line.name.clone(),
            reference: line.reference,
            curve: line.curve.clone(),
            pretraining_sessions,
            trials,
            cells: cells.collect(),
        }
    };
    Some(ScoreTable {
        id: id.to_owned(),
        title: title.to_owned(),
        caption: caption.to_owned(),
        columns: columns.to_vec(),
        rows: lines.iter().map(row).collect(),
    })
}

/// What all rows of a table have in common in one column.
struct Shared<'a> {
    /// Ids of the sessions in which every row was scored that was scored in the column at all.
    eids: Vec<&'a str>,
    units: SharedUnits<'a>,
}

impl<'a> Shared<'a> {
    fn of(column: &Column, lines: &[Line<'a>]) -> Self {
        let scored = |line: &Line<'a>| -> Vec<&'a str> {
            let sessions = line.scores.sessions.iter().filter(|session| column.is_scored(session));
            sessions.map(|session| session.eid.as_str()).collect()
        };
        let mut rows = lines.iter().map(scored).filter(|eids| !eids.is_empty());
        let first = rows.next().unwrap_or_default();
        let rows: Vec<Vec<&str>> = rows.collect();
        let eids = first.into_iter().filter(|eid| rows.iter().all(|row| row.contains(eid))).collect();
        Self { eids, units: Self::units(column, lines) }
    }

    /// Units that every row has which shows their session. Where there are none, each row is shown by itself.
    fn units(column: &Column, lines: &[Line<'a>]) -> SharedUnits<'a> {
        let Column::Task(task) = column else { return SharedUnits::new() };
        let mut shared = SharedUnits::new();
        for line in lines {
            let is_shown = |eid: &str| line.session.as_deref().is_none_or(|own| own == eid);
            let sessions = line.scores.sessions.iter();
            for session in sessions.filter(|session| is_shown(&session.eid) && column.is_scored(session)) {
                let own: HashSet<&str> = session.tasks[task].iter().map(|(uuid, _)| uuid.as_str()).collect();
                match shared.get_mut(session.eid.as_str()) {
                    Some(known) => known.retain(|uuid| own.contains(uuid)),
                    None => drop(shared.insert(&session.eid, own)),
                }
            }
        }
        shared.retain(|_, uuids| !uuids.is_empty());
        shared
    }
}
