//! The rows of the score tables: one score of one task per row, a value per run.

use crate::compare::ComparedSession;
use neuroglot_data::text::distinct;
use neuroglot_eval::comparison::{ByRun, SharedScores, UNIT_SCORES};
use neuroglot_tasks::results::{DecodingResult, Interval, Scores, TaskResult};

/// A score, with its 95 % interval where it has one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Measured {
    pub mean: f64,
    pub interval: Option<(f64, f64)>,
}

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScoreRow {
    /// The task, or "decoding".
    pub group: String,
    /// The score's name.
    pub name: String,
    /// Per run; `None` where undefined.
    pub runs: Vec<Option<Measured>>,
    /// The same score of the true rates, where known.
    pub ceiling: Option<Measured>,
    /// The same score of the best predictor that knows the true state behind what the task shows, where known.
    pub state_ceiling: Option<Measured>,
    /// The better trivial answer, for decoding.
    pub chance: Option<f64>,
    /// Sessions averaged.
    pub sessions: usize,
    /// The run that is better than each other one, by the paired differences from them.
    pub best: Option<usize>,
    /// `10 of 12, 11 units`, where runs have units that others do not and that do not count.
    pub units: Option<String>,
}

/// Group of the rows of behaviours.
pub(crate) const DECODING: &str = "decoding";

type Stored = fn(&Scores) -> Option<Measured>;

/// Name of each score that units have and where it is stored, in the order of [`UNIT_SCORES`].
const MEASURES: [(&str, Stored); 4] = [
    ("bits/spike, mean over units", |scores| scores.bps.and_then(with_interval)),
    ("Poisson D²", |scores| alone(scores.d2)),
    ("single-trial R²", |scores| alone(scores.r2)),
    ("PSTH R²", |scores| alone(scores.psth_r2)),
];
/// Bits/spike once more, each unit by its spikes.
const POOLED: &str = "bits/spike, pooled";

pub(crate) fn with_interval(value: Interval) -> Option<Measured> {
    let interval = (value.low.is_finite() && value.high.is_finite()).then_some((value.low, value.high));
    value.mean.is_finite().then_some(Measured { mean: value.mean, interval })
}

fn alone(value: Option<f64>) -> Option<Measured> {
    value.filter(|value| value.is_finite()).map(|mean| Measured { mean, interval: None })
}

/// The rows of one session.
pub(crate) fn of_session(session: &ComparedSession) -> Vec<ScoreRow> {
    let tasks = session.tasks();
    let mut rows: Vec<ScoreRow> =
        tasks.into_iter().flat_map(|task| task_rows(std::slice::from_ref(session), task)).collect();
    rows.extend(decoding_rows(session));
    rows
}

/// The scores of one task over the units that all runs share, averaged over the sessions that all of them were scored on.
fn task_rows(sessions: &[ComparedSession], task: &str) -> Vec<ScoreRow> {
    let by_run: Vec<ByRun<'_>> = sessions.iter().map(|session| session.by_run.clone()).collect();
    let runs = by_run.first().map_or(0, Vec::len);
    let mut rows = Vec::new();
    for ((name, stored), (_, pick)) in MEASURES.into_iter().zip(UNIT_SCORES) {
        let has_interval = name == MEASURES[0].0;
        let shared = SharedScores::of(&by_run, task, pick);
        // Of one session, what was stored holds for all units of a run; an interval may have had a seed of its own.
        let of_run = |run: usize| {
            let shared = shared.as_ref()?;
            if let ([session], true) = (sessions, shared.own_units(run)? == shared.units()) {
                return session.task(task)[run].and_then(|result| stored(&result.scores));
            }
            if has_interval { shared.interval(run).and_then(with_interval) } else { alone(shared.mean(run)) }
        };
        let stored_ceiling = |of: Ceiling| {
            let [session] = sessions else { return None };
            session.task(task).into_iter().flatten().find_map(|result| stored(of(result)?))
        };
        let ceiling_of = |of: Ceiling, of_shared: fn(&SharedScores) -> Option<Interval>| match &shared {
            Some(shared) if has_interval && !(sessions.len() == 1 && shared.are_all_units()) => {
                of_shared(shared).and_then(with_interval)
            }
            _ => stored_ceiling(of),
        };
        let row = ScoreRow {
            group: task.to_string(),
            name: name.to_string(),
            runs: (0..runs).map(of_run).collect(),
            ceiling: ceiling_of(of_true_rates, SharedScores::ceiling),
            state_ceiling: ceiling_of(of_true_state, SharedScores::state_ceiling),
            chance: None,
            sessions: shared.as_ref().map_or(0, SharedScores::sessions),
            best: if has_interval { shared.as_ref().and_then(SharedScores::best) } else { None },
            units: shared.as_ref().and_then(|shared| units_left_out(shared, runs)),
        };
        let pooled = shared.as_ref().filter(|_| has_interval).map(|shared| ScoreRow {
            name: POOLED.to_string(),
            runs: (0..runs).map(|run| alone(shared.pooled(run))).collect(),
            ceiling: pooled_ceiling(sessions, task, of_true_rates).filter(|_| shared.are_all_units()),
            state_ceiling: pooled_ceiling(sessions, task, of_true_state).filter(|_| shared.are_all_units()),
            best: None,
            ..row.clone()
        });
        rows.push(row);
        rows.extend(pooled);
    }
    rows
}

/// Where a ceiling of a task is stored.
type Ceiling = fn(&TaskResult) -> Option<&Scores>;

fn of_true_rates(result: &TaskResult) -> Option<&Scores> {
    result.ceiling.as_ref()
}

fn of_true_state(result: &TaskResult) -> Option<&Scores> {
    result.state_ceiling.as_ref()
}

/// The mean over sessions of the pooled score of a ceiling; `None` unless all sessions have it.
fn pooled_ceiling(sessions: &[ComparedSession], task: &str, of: Ceiling) -> Option<Measured> {
    let of_session = |session: &ComparedSession| {
        let results = session.task(task).into_iter().flatten();
        results.filter_map(|result| of(result)?.bps_pooled).next()
    };
    let ceilings: Vec<f64> = sessions.iter().map(of_session).collect::<Option<_>>()?;
    alone(Some(ceilings.iter().sum::<f64>() / ceilings.len() as f64))
}

fn units_left_out(shared: &SharedScores, runs: usize) -> Option<String> {
    if shared.are_all_units() {
        return None;
    }
    let own = (0..runs).map(|run| shared.own_units(run).map_or("–".to_owned(), |own| own.to_string()));
    Some(format!("{} of {} units", shared.units(), own.collect::<Vec<_>>().join(", ")))
}

/// How well behaviours of one session are decoded.
fn decoding_rows(session: &ComparedSession) -> Vec<ScoreRow> {
    let mut rows = Vec::new();
    let decoded = |run: usize| session.by_run[run].iter().flat_map(|session| &session.decoding);
    let runs = session.by_run.len();
    let behaviours = distinct((0..runs).flat_map(|run| decoded(run).map(|result| result.behaviour.as_str())));
    for behaviour in behaviours {
        let results: Vec<Option<&DecodingResult>> =
            (0..runs).map(|run| decoded(run).find(|result| result.behaviour == behaviour)).collect();
        rows.extend(of_behaviour(behaviour, &results));
    }
    rows
}

/// The rows of one behaviour: its score, and of categories what does not depend on how frequent each is. Runs that decoded
/// it otherwise than the first are left out.
fn of_behaviour(behaviour: &str, results: &[Option<&DecodingResult>]) -> Vec<ScoreRow> {
    let Some(first) = results.iter().flatten().next() else { return Vec::new() };
    let alike = |result: &&DecodingResult| result.metric == first.metric;
    let row =
        |name: &str, chance: Option<f64>, pick: &dyn Fn(&DecodingResult) -> Option<Measured>| ScoreRow {
            group: DECODING.to_string(),
            name: format!("{behaviour}, {name}"),
            runs: results.iter().map(|result| result.filter(alike).and_then(pick)).collect(),
            ceiling: None,
            state_ceiling: None,
            chance: chance.filter(|chance| chance.is_finite()),
            sessions: 1,
            best: None,
            units: None,
        };
    let score =
        |result: &DecodingResult| result.interval.map_or_else(|| alone(Some(result.score)), with_interval);
    let mut rows = vec![row(metric_name(&first.metric), Some(first.chance), &score)];
    if !first.classes.is_empty() {
        let tested = first.classes.iter().filter(|class| class.test > 0).count();
        let even = (tested > 1).then_some(1.0 / tested as f64);
        let balanced = |result: &DecodingResult| result.balanced_accuracy.and_then(with_interval);
        rows.push(row("balanced accuracy", even, &balanced));
        rows.push(row("AUC", (tested > 1).then_some(0.5), &|result| result.auc.and_then(with_interval)));
    }
    rows
}

fn metric_name(metric: &str) -> &str {
    if metric == "r2" { "R²" } else { metric }
}

/// Each row averaged over the sessions in which every run that has it at all has it, so that runs are compared on equal
/// data.
pub(crate) fn averaged(sessions: &[ComparedSession]) -> Vec<ScoreRow> {
    let tasks = distinct(sessions.iter().flat_map(ComparedSession::tasks));
    let mut rows: Vec<ScoreRow> = tasks.into_iter().flat_map(|task| task_rows(sessions, task)).collect();
    let decoded: Vec<Vec<ScoreRow>> = sessions.iter().map(decoding_rows).collect();
    let names = distinct(decoded.iter().flatten().map(|row| row.name.as_str()));
    rows.extend(names.into_iter().map(|name| {
        let of_sessions: Vec<&ScoreRow> = decoded.iter().flatten().filter(|row| row.name == name).collect();
        average(DECODING, name, &of_sessions)
    }));
    rows
}

fn average(group: &str, name: &str, rows: &[&ScoreRow]) -> ScoreRow {
    let runs = rows.first().map_or(0, |row| row.runs.len());
    let scored: Vec<usize> =
        (0..runs).filter(|&run| rows.iter().any(|row| row.runs[run].is_some())).collect();
    let shared: Vec<&ScoreRow> = rows
        .iter()
        .copied()
        .filter(|row| !scored.is_empty() && scored.iter().all(|&run| row.runs[run].is_some()))
        .collect();
    let chances: Option<Vec<f64>> = shared.iter().map(|row| row.chance).collect();
    ScoreRow {
        group: group.to_string(),
        name: name.to_string(),
        runs: (0..runs).map(|run| mean(shared.iter().map(|row| row.runs[run]))).collect(),
        ceiling: mean(shared.iter().map(|row| row.ceiling)),
        state_ceiling: mean(shared.iter().map(|row| row.state_ceiling)),
        chance: chances
            .filter(|chances| !chances.is_empty())
            .map(|chances| chances.iter().sum::<f64>() / chances.len() as f64),
        sessions: shared.len(),
        best: None,
        units: None,
    }
}

/// The mean over sessions; `None` unless every session has a value. The interval treats sessions as given and their means
/// as independent: half-widths add in squares.
fn mean(values: impl Iterator<Item = Option<Measured>>) -> Option<Measured> {
    let values: Vec<Measured> = values.collect::<Option<_>>()?;
    if values.is_empty() {
        return None;
    }
    let count = values.len() as f64;
    let mean = values.iter().map(|value| value.mean).sum::<f64>() / count;
    let intervals: Option<Vec<(f64, f64)>> = values.iter().map(|value| value.interval).collect();
    let interval = intervals.map(|intervals| {
        let below: f64 =
            values.iter().zip(&intervals).map(|(value, (low, _))| (value.mean - low).powi(2)).sum();
        let above: f64 =
            values.iter().zip(&intervals).map(|(value, (_, high))| (high - value.mean).powi(2)).sum();
        (mean - below.sqrt() / count, mean + above.sqrt() / count)
    });
    Some(Measured { mean, interval })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(runs: &[Option<(f64, f64, f64)>]) -> ScoreRow {
        let measured = |&(low, mean, high): &(f64, f64, f64)| Measured { mean, interval: Some((low, high)) };
        ScoreRow {
            group: DECODING.into(),
            name: "choice".into(),
            runs: runs.iter().map(|value| value.as_ref().map(measured)).collect(),
            ceiling: None,
            state_ceiling: None,
            chance: None,
            sessions: 1,
            best: None,
            units: None,
        }
    }

    #[test]
    fn average_uses_the_sessions_all_scored_runs_share_and_adds_half_widths_in_squares() {
        let rows = [
            row(&[Some((0.7, 1.0, 1.3)), Some((0.0, 0.2, 0.4)), None]),
            row(&[Some((1.6, 2.0, 2.4)), Some((0.3, 0.4, 0.5)), None]),
            row(&[Some((8.0, 9.0, 9.5)), None, None]),
        ];
        let average = average(DECODING, "choice", &[&rows[0], &rows[1], &rows[2]]);
        assert_eq!(average.sessions, 2);
        let first = average.runs[0].expect("scored");
        assert!((first.mean - 1.5).abs() < 1e-12);
        // sqrt(0.3² + 0.4²) / 2 = 0.25.
        let (low, high) = first.interval.expect("an interval");
        assert!((low - 1.25).abs() < 1e-12 && (high - 1.75).abs() < 1e-12);
        assert_eq!(average.runs[2], None);
    }
}
