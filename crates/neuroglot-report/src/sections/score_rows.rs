//! The rows of the score tables: one score of one task per row, a value per run.

use crate::compare::{ComparedSession, unique};
use neuroglot_eval::results::{DecodingResult, IntervalValue, Scores, TaskResult};

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
    /// The better trivial answer, for decoding.
    pub chance: Option<f64>,
    /// Sessions averaged.
    pub sessions: usize,
}

/// Group of the rows of behaviours.
pub(crate) const DECODING: &str = "decoding";

type Pick = fn(&Scores) -> Option<Measured>;

/// Name of each score and where it is found.
const MEASURES: [(&str, Pick); 5] = [
    ("bits/spike, mean over units", |scores| scores.bps.and_then(with_interval)),
    ("bits/spike, pooled", |scores| alone(scores.bps_pooled)),
    ("Poisson D²", |scores| alone(scores.d2)),
    ("single-trial R²", |scores| alone(scores.r2)),
    ("PSTH R²", |scores| alone(scores.psth_r2)),
];

fn with_interval(value: IntervalValue) -> Option<Measured> {
    let interval = (value.low.is_finite() && value.high.is_finite()).then_some((value.low, value.high));
    value.mean.is_finite().then_some(Measured { mean: value.mean, interval })
}

fn alone(value: Option<f64>) -> Option<Measured> {
    value.filter(|value| value.is_finite()).map(|mean| Measured { mean, interval: None })
}

/// The rows of one session.
pub(crate) fn of_session(session: &ComparedSession) -> Vec<ScoreRow> {
    let mut rows = Vec::new();
    for task in session.tasks() {
        let results = session.task(task);
        let ceiling = results.iter().flatten().find_map(|result: &&TaskResult| result.ceiling.as_ref());
        for (name, pick) in MEASURES {
            rows.push(ScoreRow {
                group: task.to_string(),
                name: name.to_string(),
                runs: results.iter().map(|result| result.and_then(|result| pick(&result.scores))).collect(),
                ceiling: ceiling.and_then(pick),
                chance: None,
                sessions: 1,
            });
        }
    }
    let decoded = |run: usize| session.by_run[run].iter().flat_map(|session| &session.decoding);
    let runs = session.by_run.len();
    let behaviours = unique((0..runs).flat_map(|run| decoded(run).map(|result| result.behaviour.as_str())));
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
            chance: chance.filter(|chance| chance.is_finite()),
            sessions: 1,
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
/// data. The interval treats sessions as given and their means as independent: half-widths add in squares.
pub(crate) fn averaged(sessions: &[ComparedSession]) -> Vec<ScoreRow> {
    let all: Vec<Vec<ScoreRow>> = sessions.iter().map(of_session).collect();
    let mut keys: Vec<(&str, &str)> = Vec::new();
    for row in all.iter().flatten() {
        let key = (row.group.as_str(), row.name.as_str());
        if !keys.contains(&key) {
            // A task that appears first in a later session still stands with its own group.
            let place =
                keys.iter().rposition(|(group, _)| *group == key.0).map_or(keys.len(), |last| last + 1);
            keys.insert(place, key);
        }
    }
    keys.into_iter()
        .map(|(group, name)| {
            let rows: Vec<&ScoreRow> = all
                .iter()
                .filter_map(|rows| rows.iter().find(|row| row.group == group && row.name == name))
                .collect();
            average(group, name, &rows)
        })
        .collect()
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
        chance: chances
            .filter(|chances| !chances.is_empty())
            .map(|chances| chances.iter().sum::<f64>() / chances.len() as f64),
        sessions: shared.len(),
    }
}

/// The mean over sessions; `None` unless every session has a value.
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

/// The run whose interval lies above the intervals of all other runs; `None` if there is none, if any run lacks an
/// interval, or if there is nothing to compare.
pub(crate) fn best_run(row: &ScoreRow) -> Option<usize> {
    // Runs decode the same test trials: intervals that overlap say nothing of their difference.
    if row.group == DECODING {
        return None;
    }
    let intervals: Vec<(usize, (f64, f64))> = row
        .runs
        .iter()
        .enumerate()
        .filter_map(|(run, value)| value.map(|value| (run, value.interval)))
        .map(|(run, interval)| interval.map(|interval| (run, interval)))
        .collect::<Option<_>>()?;
    if intervals.len() < 2 {
        return None;
    }
    let beats =
        |run: usize, low: f64| intervals.iter().all(|(other, (_, high))| *other == run || low > *high);
    intervals.iter().find(|(run, (low, _))| beats(*run, *low)).map(|(run, _)| *run)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(runs: &[Option<(f64, f64, f64)>]) -> ScoreRow {
        let measured = |&(low, mean, high): &(f64, f64, f64)| Measured { mean, interval: Some((low, high)) };
        ScoreRow {
            group: "co-smoothing".into(),
            name: "bits/spike".into(),
            runs: runs.iter().map(|value| value.as_ref().map(measured)).collect(),
            ceiling: None,
            chance: None,
            sessions: 1,
        }
    }

    #[test]
    fn best_run_must_clear_every_other_interval() {
        assert_eq!(best_run(&row(&[Some((0.5, 0.6, 0.7)), Some((0.1, 0.2, 0.3))])), Some(0));
        assert_eq!(best_run(&row(&[Some((0.1, 0.2, 0.3)), Some((0.5, 0.6, 0.7)), None])), Some(1));
        // The highest mean, but the intervals touch.
        assert_eq!(best_run(&row(&[Some((0.3, 0.6, 0.9)), Some((0.1, 0.2, 0.3))])), None);
        assert_eq!(best_run(&row(&[Some((0.5, 0.6, 0.7)), None])), None);
    }

    #[test]
    fn average_uses_the_sessions_all_scored_runs_share_and_adds_half_widths_in_squares() {
        let rows = [
            row(&[Some((0.7, 1.0, 1.3)), Some((0.0, 0.2, 0.4)), None]),
            row(&[Some((1.6, 2.0, 2.4)), Some((0.3, 0.4, 0.5)), None]),
            row(&[Some((8.0, 9.0, 9.5)), None, None]),
        ];
        let average = average("co-smoothing", "bits/spike", &[&rows[0], &rows[1], &rows[2]]);
        assert_eq!(average.sessions, 2);
        let first = average.runs[0].expect("scored");
        assert!((first.mean - 1.5).abs() < 1e-12);
        // sqrt(0.3² + 0.4²) / 2 = 0.25.
        let (low, high) = first.interval.expect("an interval");
        assert!((low - 1.25).abs() < 1e-12 && (high - 1.75).abs() < 1e-12);
        assert_eq!(average.runs[2], None);
    }
}
