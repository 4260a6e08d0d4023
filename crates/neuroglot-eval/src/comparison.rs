//! Evaluated runs side by side: each score per run, and its paired difference from the first run over units.

mod shared_scores;

use neuroglot_data::text::distinct;
use neuroglot_metrics::{Interval, mean_defined};
use neuroglot_tasks::results::{DecodingResult, Evaluation, SessionEvaluation, UnitScores};
use serde::{Deserialize, Serialize};
pub use shared_scores::{SharedScores, pair_units, task_of};

/// One score of one task, or of one decoded behaviour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Session id; `None` stands for all sessions together.
    pub session: Option<String>,
    /// Task or behaviour.
    pub task: String,
    /// Whether it is the score of a decoded behaviour.
    pub decoded: bool,
    /// `bps`, `bps_pooled`, `d2`, `r2`, `psth_r2`, or the metric of a behaviour.
    pub score: String,
    /// Per run: the mean over the units that all runs share (of several sessions, the mean over sessions of these means),
    /// or the score itself where there is none per unit; `None` where undefined.
    pub values: Vec<Option<f64>>,
    /// Per run: its own units that have the score, shared or not; `None` where it was not scored.
    pub units: Vec<Option<usize>>,
    /// Units that all runs share, which values and differences are over; 0 where there are none, so that each value is over
    /// the run's own units, and of behaviours.
    pub shared_units: usize,
    /// Per run: how it differs from the first, over the same units; `None` for the first and where they cannot be paired.
    pub differences: Vec<Option<Difference>>,
    /// The same score of the true rates, where known.
    pub ceiling: Option<f64>,
    /// The same score of the best predictor that knows the true state behind what the task shows, where known.
    pub state_ceiling: Option<f64>,
}

/// The mean over units of a run's score minus another's; of several sessions, the mean over sessions of these means.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The mean.
    pub mean: f64,
    /// Lower end of its bootstrap 95 % interval.
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Units scored in both runs.
    pub units: usize,
    /// Whether the interval excludes 0, and on which side it lies.
    pub verdict: Verdict,
}

/// What an interval of a difference says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The run is better than the first.
    Better,
    /// The run is worse than the first.
    Worse,
    /// The interval holds 0.
    Undecided,
}

impl Verdict {
    /// What the interval of a difference from the first says.
    pub fn of(interval: &Interval) -> Self {
        match (interval.low > 0.0, interval.high < 0.0) {
            (true, _) => Verdict::Better,
            (_, true) => Verdict::Worse,
            _ => Verdict::Undecided,
        }
    }
}

/// Takes one score of a unit.
pub type Pick = fn(&UnitScores) -> Option<f64>;

/// Name of each score that units have, and where it is found.
pub const UNIT_SCORES: [(&str, Pick); 4] = [
    ("bps", |unit| unit.bps),
    ("d2", |unit| unit.d2),
    ("r2", |unit| unit.r2),
    ("psth_r2", |unit| unit.psth_r2),
];

/// One session as each run was scored on it; `None` where a run was not.
pub type ByRun<'a> = Vec<Option<&'a SessionEvaluation>>;

/// All rows: session by session in the order of the first run that has them, then, of several sessions, all together.
pub fn compare(runs: &[Evaluation]) -> Vec<Row> {
    let sessions = by_session(runs.iter().map(Some));
    let mut rows = Vec::new();
    for (eid, by_run) in &sessions {
        rows.extend(rows_of(Some(eid), std::slice::from_ref(by_run)));
    }
    if sessions.len() > 1 {
        let all: Vec<ByRun> = sessions.into_iter().map(|(_, by_run)| by_run).collect();
        rows.extend(rows_of(None, &all));
    }
    rows
}

/// Sessions that runs were scored on with other test trials or bins, so that their scores cannot be compared.
pub fn scored_differently(runs: &[Evaluation]) -> Vec<String> {
    let sessions = by_session(runs.iter().map(Some)).into_iter();
    sessions.filter(|(_, by_run)| !is_same_data(by_run)).map(|(eid, _)| eid.to_owned()).collect()
}

/// Whether all runs that were scored on a session were scored on as many test trials and bins.
pub fn is_same_data(by_run: &ByRun<'_>) -> bool {
    let mut sizes = by_run.iter().flatten().map(|session| (session.trials, session.bins));
    let first = sizes.next();
    sizes.all(|size| Some(size) == first)
}

/// All sessions of all runs by their eids, in the order they first appear. A run that was not evaluated has none.
pub fn by_session<'a>(
    runs: impl Iterator<Item = Option<&'a Evaluation>> + Clone,
) -> Vec<(&'a str, ByRun<'a>)> {
    let all = runs.clone().flatten().flat_map(|run| &run.sessions);
    let by_run = |eid: &'a str| {
        let of_run = |run: &'a Evaluation| run.sessions.iter().find(|session| session.eid == eid);
        (eid, runs.clone().map(|run| run.and_then(of_run)).collect())
    };
    distinct(all.map(|session| session.eid.as_str())).into_iter().map(by_run).collect()
}

/// Rows of one session, or of several together.
fn rows_of(eid: Option<&str>, sessions: &[ByRun]) -> Vec<Row> {
    let scored = || sessions.iter().flatten().flatten();
    let tasks = distinct(scored().flat_map(|session| &session.tasks).map(|task| task.task.as_str()));
    let behaviours =
        distinct(scored().flat_map(|session| &session.decoding).map(|result| result.behaviour.as_str()));
    let mut rows: Vec<Row> = tasks.into_iter().flat_map(|task| task_rows(eid, sessions, task)).collect();
    rows.extend(behaviours.into_iter().flat_map(|behaviour| behaviour_rows(eid, sessions, behaviour)));
    rows
}

/// The scores of one task, over the units that all runs share.
fn task_rows(eid: Option<&str>, sessions: &[ByRun], task: &str) -> Vec<Row> {
    let runs = sessions.first().map_or(0, Vec::len);
    let mut rows = Vec::new();
    for (score, pick) in UNIT_SCORES {
        let Some(shared) = SharedScores::of(sessions, task, pick) else { continue };
        let mut row = Row::empty(eid, task, score, runs);
        row.values = (0..runs).map(|run| shared.mean(run)).collect();
        row.units = (0..runs).map(|run| shared.own_units(run)).collect();
        row.shared_units = shared.units();
        for run in 1..runs {
            row.differences[run] = shared.difference(run, 0);
        }
        if score == "bps" {
            row.ceiling = shared.ceiling().map(|ceiling| ceiling.mean);
            row.state_ceiling = shared.state_ceiling().map(|ceiling| ceiling.mean);
        }
        let pooled = (score == "bps" && sessions.len() == 1).then(|| Row {
            score: "bps_pooled".to_owned(),
            values: (0..runs).map(|run| shared.pooled(run)).collect(),
            differences: vec![None; runs],
            ceiling: (0..runs).find_map(|run| task_of(sessions[0][run]?, task)?.ceiling?.bps_pooled),
            state_ceiling: (0..runs)
                .find_map(|run| task_of(sessions[0][run]?, task)?.state_ceiling?.bps_pooled),
            ..row.clone()
        });
        rows.push(row);
        // A pooled score belongs to a session.
        rows.extend(pooled);
    }
    rows
}

/// Takes one score of a decoded behaviour.
type PickDecoded = fn(&DecodingResult) -> Option<f64>;

/// How well a behaviour is decoded: its score, and of categories what does not depend on how frequent each is.
fn behaviour_rows(eid: Option<&str>, sessions: &[ByRun], behaviour: &str) -> Vec<Row> {
    let decoded = |session: &'_ SessionEvaluation| {
        session.decoding.iter().find(|result| result.behaviour == behaviour).cloned()
    };
    let Some(first) = sessions.iter().flatten().flatten().find_map(|session| decoded(session)) else {
        return Vec::new();
    };
    let metric = first.metric.as_str();
    let row = |name: &str, pick: PickDecoded| {
        // A decision and a number have no score in common: where a run decoded it as the other, it has none.
        let score = |session: &Option<&SessionEvaluation>| {
            decoded((*session)?).filter(|found| found.metric == metric).and_then(|found| pick(&found))
        };
        decoded_row(eid, sessions, behaviour, name, &score)
    };
    let mut rows = vec![row(metric, |result| Some(result.score))];
    if !first.classes.is_empty() {
        rows.push(row("balanced_accuracy", |result| result.balanced_accuracy.map(|score| score.mean)));
        rows.push(row("auc", |result| result.auc.map(|score| score.mean)));
    }
    rows.into_iter().flatten().collect()
}

/// The mean of one score of a behaviour over the sessions that all runs have it in; `None` where no run has any.
fn decoded_row(
    eid: Option<&str>,
    sessions: &[ByRun],
    behaviour: &str,
    name: &str,
    score: &dyn Fn(&Option<&SessionEvaluation>) -> Option<f64>,
) -> Option<Row> {
    let scored: Vec<Vec<Option<f64>>> =
        sessions.iter().map(|by_run| by_run.iter().map(score).collect()).collect();
    let scored: Vec<_> = match scored.len() {
        1 => scored,
        _ => scored.into_iter().filter(|by_run: &Vec<_>| by_run.iter().all(Option::is_some)).collect(),
    };
    let runs = scored.first()?.len();
    let mut row = Row { decoded: true, ..Row::empty(eid, behaviour, name, runs) };
    for run in 0..runs {
        let scores: Vec<Option<f64>> = scored.iter().map(|by_run| by_run[run]).collect();
        row.values[run] = mean_defined(&scores);
    }
    row.values.iter().any(Option::is_some).then_some(row)
}

impl Row {
    fn empty(eid: Option<&str>, task: &str, score: &str, runs: usize) -> Self {
        Row {
            session: eid.map(str::to_owned),
            task: task.to_owned(),
            decoded: false,
            score: score.to_owned(),
            values: vec![None; runs],
            units: vec![None; runs],
            shared_units: 0,
            differences: vec![None; runs],
            ceiling: None,
            state_ceiling: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_tasks::results::{ClassResult, Scores, TaskResult, UnitLabel};

    /// A session whose units have these bits/spike in one task.
    fn session(eid: &str, trials: usize, units: &[(&str, Option<f64>)]) -> SessionEvaluation {
        let label = |(uuid, _): &(&str, _)| UnitLabel {
            uuid: (*uuid).to_owned(),
            region: "CA1".to_owned(),
            index: None,
        };
        let of_unit = |(_, bps): &(&str, Option<f64>)| UnitScores {
            spikes: 1.0,
            bps: *bps,
            d2: None,
            r2: None,
            psth_r2: None,
            ceiling_bps: Some(1.0),
            state_ceiling_bps: None,
        };
        let scores = Scores { bps: None, bps_pooled: Some(0.5), d2: None, r2: None, psth_r2: None };
        SessionEvaluation {
            eid: eid.to_owned(),
            subject: String::new(),
            trials,
            bins: 10,
            bin_seconds: 0.02,
            fingerprint: String::new(),
            units: units.iter().map(label).collect(),
            tasks: vec![TaskResult {
                task: "forward".to_owned(),
                scores,
                ceiling: None,
                state_ceiling: None,
                alone: None,
                calibration: Vec::new(),
                per_unit: units.iter().map(of_unit).collect(),
            }],
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

    fn run(sessions: Vec<SessionEvaluation>) -> Evaluation {
        Evaluation {
            version: String::new(),
            mask: "mtm".to_owned(),
            checkpoint: "best".to_owned(),
            source: neuroglot_tasks::Source::default(),
            sessions,
        }
    }

    #[test]
    fn units_are_paired_by_uuid_and_only_where_both_have_a_score() {
        let first = run(vec![session("s", 5, &[("a", Some(0.5)), ("b", Some(0.25)), ("c", None)])]);
        let other = run(vec![session("s", 5, &[("b", Some(0.75)), ("c", Some(3.0)), ("a", Some(1.0))])]);
        let rows = compare(&[first, other]);
        // Means over a and b, the units that both share, so that they differ by their paired difference.
        assert_eq!(rows[0].values, [Some(0.375), Some(0.875)]);
        assert_eq!((&rows[0].units[..], rows[0].shared_units), (&[Some(2), Some(3)][..], 2));
        assert_eq!(rows[0].ceiling, Some(1.0));
        assert_eq!(rows[0].differences[0], None);
        // Both paired differences are 0.5, so every resample has that mean.
        let expected = Difference { mean: 0.5, low: 0.5, high: 0.5, units: 2, verdict: Verdict::Better };
        assert_eq!(rows[0].differences[1], Some(expected));
        assert_eq!((rows[1].score.as_str(), &rows[1].differences[1]), ("bps_pooled", &None));
    }

    #[test]
    fn of_three_runs_all_means_are_over_the_units_that_all_three_have() {
        let runs = [
            run(vec![session("s", 5, &[("a", Some(1.0)), ("b", Some(3.0)), ("x", Some(50.0))])]),
            run(vec![session("s", 5, &[("b", Some(4.0)), ("a", Some(1.5)), ("y", Some(-9.0))])]),
            run(vec![session("s", 5, &[("a", Some(0.0)), ("b", Some(2.0)), ("y", Some(8.0))])]),
        ];
        let rows = compare(&runs);
        assert_eq!(rows[0].values, [Some(2.0), Some(2.75), Some(1.0)]);
        assert_eq!(rows[0].shared_units, 2);
        for (other, expected) in [(1, 0.75), (2, -1.0)] {
            let difference = rows[0].differences[other].unwrap();
            let values = rows[0].values[other].unwrap() - rows[0].values[0].unwrap();
            assert_eq!((difference.mean, values), (expected, expected));
        }
        // Each of the two units has one spike.
        assert_eq!((rows[1].score.as_str(), &rows[1].values), ("bps_pooled", &rows[0].values));
        let by_run: Vec<ByRun<'_>> = vec![runs.iter().map(|run| run.sessions.first()).collect()];
        let shared = SharedScores::of(&by_run, "forward", |unit| unit.bps).unwrap();
        assert_eq!(shared.best(), Some(1), "better than each of the others");
        assert!(SharedScores::of(&by_run, "co-smoothing", |unit| unit.bps).is_none());
    }

    #[test]
    fn scores_of_a_region_are_those_of_its_shared_units() {
        let mut one =
            session("s", 5, &[("a", Some(1.0)), ("b", Some(3.0)), ("c", Some(50.0)), ("d", Some(5.0))]);
        one.units[2].region = "PO".to_owned();
        let two = session("s", 5, &[("a", Some(0.5)), ("b", Some(2.5))]);
        let by_run = [vec![Some(&one), Some(&two)]];
        let of = |region: &str| SharedScores::of_region(&by_run, "forward", |unit| unit.bps, region);
        let hippocampus = of("CA1").unwrap();
        assert_eq!(
            (hippocampus.mean(0), hippocampus.mean(1), hippocampus.units()),
            (Some(2.0), Some(1.5), 2)
        );
        assert_eq!(hippocampus.own_units(0), Some(3));
        // Not the score that is stored of all units; each unit has one spike.
        assert_eq!(hippocampus.pooled(1), Some(1.5));
        assert_eq!(of("PO").unwrap().mean(0), Some(50.0));
        assert!(of("VISp").is_none());
    }

    #[test]
    fn runs_that_share_no_unit_are_shown_and_not_compared() {
        let runs =
            [("a", 1.0), ("b", 2.0)].map(|(uuid, score)| run(vec![session("s", 5, &[(uuid, Some(score))])]));
        let rows = compare(&runs);
        assert_eq!((&rows[0].values[..], rows[0].shared_units), (&[Some(1.0), Some(2.0)][..], 0));
        assert_eq!(rows[0].differences[1], None);
    }

    #[test]
    fn an_interval_that_holds_zero_decides_nothing() {
        let units = |sign: f64| -> Vec<(&'static str, Option<f64>)> {
            vec![("a", Some(sign)), ("b", Some(-sign)), ("c", Some(sign)), ("d", Some(-sign))]
        };
        let first = run(vec![session("s", 5, &units(0.5))]);
        let (other, worse) = (units(-0.5), [("a", -1.0), ("b", -2.0), ("c", -1.0), ("d", -2.0)]);
        let worse = worse.map(|(uuid, bps)| (uuid, Some(bps)));
        let runs = [first, run(vec![session("s", 5, &other)]), run(vec![session("s", 5, &worse)])];
        let differences = &compare(&runs)[0].differences;
        assert_eq!(differences[1].unwrap().verdict, Verdict::Undecided);
        assert_eq!(differences[2].unwrap().verdict, Verdict::Worse);
    }

    #[test]
    fn all_sessions_together_are_those_that_all_runs_have() {
        let first = run(vec![
            session("s", 5, &[("a", Some(1.0))]),
            session("t", 5, &[("b", Some(2.0)), ("c", Some(3.0))]),
            session("u", 5, &[("d", Some(100.0))]),
        ]);
        let other = run(vec![
            session("t", 5, &[("b", Some(1.0)), ("c", Some(2.0))]),
            session("s", 5, &[("a", Some(0.0))]),
        ]);
        let rows = compare(&[first, other]);
        let together: Vec<&Row> = rows.iter().filter(|row| row.session.is_none()).collect();
        assert_eq!(together.len(), 1);
        // Sessions count alike: (1 + (2 + 3) / 2) / 2, and 1 less everywhere.
        assert_eq!(together[0].values, [Some(1.75), Some(0.75)]);
        let difference = together[0].differences[1].unwrap();
        assert_eq!((difference.mean, difference.units), (-1.0, 3));
        let alone = rows.iter().find(|row| row.session.as_deref() == Some("u")).unwrap();
        assert_eq!(alone.values, [Some(100.0), None]);
    }

    #[test]
    fn behaviours_are_compared_by_what_both_runs_decoded_them_as() {
        let score = |mean: f64| Some(Interval { mean, low: mean, high: mean });
        let decision = |accuracy: f64| DecodingResult {
            behaviour: "reward".to_owned(),
            metric: "accuracy".to_owned(),
            score: accuracy,
            balanced_accuracy: score(accuracy / 2.0),
            auc: score(accuracy / 4.0),
            classes: vec![ClassResult {
                label: "0".to_owned(),
                training: 3,
                test: 2,
                right: 1,
                decided: vec![1, 1],
            }],
            ..DecodingResult::default()
        };
        let number = DecodingResult {
            behaviour: "reward".to_owned(),
            metric: "r2".to_owned(),
            score: 0.125,
            ..DecodingResult::default()
        };
        let runs = [decision(0.5), number, decision(0.75)]
            .map(|result| run(vec![SessionEvaluation { decoding: vec![result], ..session("s", 5, &[]) }]));
        let rows = compare(&runs);
        let found: Vec<(&str, &[Option<f64>])> =
            rows.iter().filter(|row| row.decoded).map(|row| (row.score.as_str(), &row.values[..])).collect();
        assert_eq!(
            found,
            [
                ("accuracy", &[Some(0.5), None, Some(0.75)][..]),
                ("balanced_accuracy", &[Some(0.25), None, Some(0.375)][..]),
                ("auc", &[Some(0.125), None, Some(0.1875)][..]),
            ]
        );
    }

    #[test]
    fn other_test_trials_are_not_compared() {
        let runs = [5, 6].map(|trials| run(vec![session("s", trials, &[("a", Some(1.0))])]));
        assert_eq!(compare(&runs)[0].differences[1], None);
        assert_eq!(scored_differently(&runs), ["s"]);
        assert!(scored_differently(&runs[..1]).is_empty());
    }
}
