//! One score of several runs over the units that all of them share: the one home of means, differences and verdicts.

use super::{ByRun, Difference, Pick, Verdict, is_same_data};
use neuroglot_metrics::{Interval, bootstrap_within_groups};
use neuroglot_tasks::results::{SessionEvaluation, TaskResult, UnitLabel};
use std::collections::HashMap;

/// Resamples and seed of the bootstrap.
const RESAMPLES: usize = 1000;
const SEED: u64 = 42;

/// A score of one task of several runs, over the units that have it in all runs that were scored in the task, paired by
/// uuid, in the sessions that all of these runs were scored on. Sessions count alike, and in each its units.
#[derive(Debug, Clone)]
pub struct SharedScores {
    /// Per run that was scored.
    runs: Vec<Option<RunScores>>,
    /// Scores of the true rates and of the true state, `[session][unit]`, where they are known.
    ceilings: [Vec<Vec<f64>>; 2],
    units: usize,
    sessions: usize,
    /// Whether the runs were scored on the same data, and on units that can be paired.
    is_paired: bool,
}

/// One run.
#[derive(Debug, Clone)]
struct RunScores {
    /// `[session][unit]`.
    scores: Vec<Vec<f64>>,
    /// Spikes of the same units.
    spikes: Vec<Vec<f64>>,
    own_units: usize,
    /// The pooled score that was stored, by session, which holds for its own units.
    pooled: Vec<Option<f64>>,
}

/// A unit as one run scored it.
struct Scored<'a> {
    uuid: &'a str,
    score: f64,
    spikes: f64,
    ceilings: [Option<f64>; 2],
}

impl SharedScores {
    /// Gathers the scores; `None` where no unit of any run has one.
    pub fn of(sessions: &[ByRun<'_>], task: &str, pick: Pick) -> Option<Self> {
        Self::gather(sessions, task, pick, None)
    }

    /// As [`SharedScores::of`], of the units of one region.
    pub fn of_region(sessions: &[ByRun<'_>], task: &str, pick: Pick, region: &str) -> Option<Self> {
        Self::gather(sessions, task, pick, Some(region))
    }

    fn gather(sessions: &[ByRun<'_>], task: &str, pick: Pick, region: Option<&str>) -> Option<Self> {
        let runs = sessions.first().map_or(0, Vec::len);
        let is_scored = |run: usize| {
            sessions.iter().any(|by_run| by_run[run].is_some_and(|session| task_of(session, task).is_some()))
        };
        let scored: Vec<usize> = (0..runs).filter(|run| is_scored(*run)).collect();
        let of_run = |by_run: &ByRun<'_>, run: usize| by_run[run].is_some_and(|s| task_of(s, task).is_some());
        let has_all = |by_run: &&ByRun<'_>| scored.iter().all(|run| of_run(by_run, *run));
        let sessions: Vec<&ByRun<'_>> = sessions.iter().filter(has_all).collect();
        let empty = || RunScores { scores: vec![], spikes: vec![], own_units: 0, pooled: vec![] };
        let mut found: Vec<Option<RunScores>> =
            (0..runs).map(|run| scored.contains(&run).then(empty)).collect();
        let (mut ceilings, mut units, mut with_units) = ([Vec::new(), Vec::new()], 0, 0);
        let mut is_same = true;
        for by_run in &sessions {
            let of_runs: Vec<Vec<Scored<'_>>> =
                scored.iter().map(|run| scored_units(by_run[*run], task, pick, region)).collect();
            for (run, own) in scored.iter().zip(&of_runs) {
                found[*run].as_mut().expect("scored").own_units += own.len();
            }
            is_same &= is_same_data(by_run);
            let shared = shared_units(&of_runs);
            if shared.is_empty() {
                continue;
            }
            units += shared.len();
            with_units += 1;
            for (place, run) in scored.iter().enumerate() {
                let of_run = found[*run].as_mut().expect("scored");
                let own = |column: fn(&Scored<'_>) -> f64| {
                    shared.iter().map(|places| column(&of_runs[place][places[place]])).collect::<Vec<_>>()
                };
                of_run.scores.push(own(|unit| unit.score));
                of_run.spikes.push(own(|unit| unit.spikes));
                let stored = by_run[*run].and_then(|session| task_of(session, task)?.scores.bps_pooled);
                let holds = region.is_none() && shared.len() == of_runs[place].len();
                of_run.pooled.push(stored.filter(|_| holds));
            }
            for (kind, ceilings) in ceilings.iter_mut().enumerate() {
                let ceiling = |places: &Vec<usize>| {
                    places.iter().enumerate().find_map(|(run, unit)| of_runs[run][*unit].ceilings[kind])
                };
                let known: Vec<f64> = shared.iter().filter_map(ceiling).collect();
                ceilings.extend((!known.is_empty()).then_some(known));
            }
        }
        let is_paired = units > 0 && is_same;
        if units == 0 {
            // Nothing is shared, and each run is shown by itself.
            for run in &scored {
                let own: Vec<Vec<Scored<'_>>> =
                    sessions.iter().map(|by_run| scored_units(by_run[*run], task, pick, region)).collect();
                let own: Vec<&Vec<Scored<'_>>> = own.iter().filter(|units| !units.is_empty()).collect();
                let column = |column: fn(&Scored<'_>) -> f64| {
                    own.iter().map(|units| units.iter().map(column).collect()).collect()
                };
                let of_run = found[*run].as_mut().expect("scored");
                (of_run.scores, of_run.spikes) = (column(|unit| unit.score), column(|unit| unit.spikes));
                of_run.pooled = vec![None; of_run.scores.len()];
            }
        }
        let has_scores = found.iter().flatten().any(|run| !run.scores.is_empty());
        let sessions = if units == 0 { sessions.len() } else { with_units };
        has_scores.then_some(Self { runs: found, ceilings, units, sessions, is_paired })
    }

    /// Units that all runs share.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Sessions that count.
    pub fn sessions(&self) -> usize {
        self.sessions
    }

    /// A run's own units that have the score, shared or not; `None` where it was not scored.
    pub fn own_units(&self, run: usize) -> Option<usize> {
        self.runs[run].as_ref().map(|run| run.own_units)
    }

    /// Whether every unit of every run counts.
    pub fn are_all_units(&self) -> bool {
        self.runs.iter().flatten().all(|run| run.own_units == self.units)
    }

    /// The mean over sessions of the mean over units.
    pub fn mean(&self, run: usize) -> Option<f64> {
        let scores = &self.runs[run].as_ref()?.scores;
        let mean = |values: &Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
        (!scores.is_empty()).then(|| scores.iter().map(mean).sum::<f64>() / scores.len() as f64)
    }

    /// The mean with its interval over units, the sessions taken as they are.
    pub fn interval(&self, run: usize) -> Option<Interval> {
        bootstrap_within_groups(&self.runs[run].as_ref()?.scores, RESAMPLES, SEED)
    }

    /// As [`SharedScores::interval`], of the true rates.
    pub fn ceiling(&self) -> Option<Interval> {
        bootstrap_within_groups(&self.ceilings[0], RESAMPLES, SEED)
    }

    /// As [`SharedScores::interval`], of the best predictor that knows the true state behind what the task shows.
    pub fn state_ceiling(&self) -> Option<Interval> {
        bootstrap_within_groups(&self.ceilings[1], RESAMPLES, SEED)
    }

    /// Of bits/spike: the mean over sessions of the score that is pooled over units, each by its spikes.
    pub fn pooled(&self, run: usize) -> Option<f64> {
        let run = self.runs[run].as_ref()?;
        let of_session = |session: usize| {
            let (scores, spikes) = (&run.scores[session], &run.spikes[session]);
            let bits: f64 = scores.iter().zip(spikes).map(|(score, spikes)| score * spikes).sum();
            run.pooled[session].unwrap_or(bits / spikes.iter().sum::<f64>())
        };
        let sessions = run.scores.len();
        (sessions > 0).then(|| (0..sessions).map(of_session).sum::<f64>() / sessions as f64)
    }

    /// A run's score minus another's, with the interval over units of the paired differences. `None` where either was not
    /// scored, or units cannot be paired.
    pub fn difference(&self, run: usize, from: usize) -> Option<Difference> {
        let (this, other) = (self.runs[run].as_ref()?, self.runs[from].as_ref()?);
        if !self.is_paired {
            return None;
        }
        let subtract = |(this, other): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
            this.iter().zip(other).map(|(this, other)| this - other).collect()
        };
        let groups: Vec<Vec<f64>> = this.scores.iter().zip(&other.scores).map(subtract).collect();
        let interval = bootstrap_within_groups(&groups, RESAMPLES, SEED)?;
        let Interval { mean, low, high } = interval;
        Some(Difference { mean, low, high, units: self.units, verdict: Verdict::of(&interval) })
    }

    /// The run that stands out: it is better than each other run, as the paired differences from them say. `None` where
    /// there is none, or nothing to compare.
    pub fn best(&self) -> Option<usize> {
        let scored: Vec<usize> = (0..self.runs.len()).filter(|run| self.runs[*run].is_some()).collect();
        if scored.len() < 2 {
            return None;
        }
        let is_better = |run: usize, other: usize| {
            self.difference(run, other).is_some_and(|difference| difference.verdict == Verdict::Better)
        };
        // Only the highest mean can stand out.
        let highest = scored.iter().copied().max_by(|a, b| {
            self.mean(*a).unwrap_or(f64::NEG_INFINITY).total_cmp(&self.mean(*b).unwrap_or(f64::NEG_INFINITY))
        })?;
        let others = scored.iter().filter(|other| **other != highest);
        others.into_iter().all(|other| is_better(highest, *other)).then_some(highest)
    }
}

/// What a session was scored in a task.
pub fn task_of<'a>(session: &'a SessionEvaluation, task: &str) -> Option<&'a TaskResult> {
    session.tasks.iter().find(|result| result.task == task)
}

/// The units of a session, or of a region of it, that have a score in a task.
fn scored_units<'a>(
    session: Option<&'a SessionEvaluation>,
    task: &str,
    pick: Pick,
    region: Option<&str>,
) -> Vec<Scored<'a>> {
    let result = session.and_then(|session| Some((session, task_of(session, task)?)));
    let Some((session, result)) = result else { return Vec::new() };
    let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
    let is_there = |unit: &UnitLabel| region.is_none_or(|region| unit.region == region);
    let units = session.units.iter().zip(&result.per_unit).filter(|(unit, _)| is_there(unit));
    let scored = units.filter_map(|(unit, scores)| {
        let score = finite(pick(scores))?;
        let ceilings = [scores.ceiling_bps, scores.state_ceiling_bps].map(finite);
        Some(Scored { uuid: &unit.uuid, score, spikes: scores.spikes, ceilings })
    });
    scored.collect()
}

/// The place of each shared unit in each run, `[unit][run]`, in the order of the first run.
fn shared_units(runs: &[Vec<Scored<'_>>]) -> Vec<Vec<usize>> {
    let place_of = |units: &Vec<Scored<'_>>| -> HashMap<String, usize> {
        units.iter().enumerate().map(|(place, unit)| (unit.uuid.to_owned(), place)).collect()
    };
    let places: Vec<HashMap<String, usize>> = runs.iter().map(place_of).collect();
    let Some(first) = runs.first() else { return Vec::new() };
    let in_all = |unit: &Scored<'_>| places.iter().map(|of_run| of_run.get(unit.uuid).copied()).collect();
    first.iter().filter_map(in_all).collect()
}

/// The scores of the units that both lists of `(uuid, score)` have, in the order of the first.
pub fn pair_units(first: &[(String, f64)], other: &[(String, f64)]) -> Vec<(f64, f64)> {
    let of_other: HashMap<&str, f64> = other.iter().map(|(uuid, score)| (uuid.as_str(), *score)).collect();
    first.iter().filter_map(|(uuid, score)| Some((*score, *of_other.get(uuid.as_str())?))).collect()
}
