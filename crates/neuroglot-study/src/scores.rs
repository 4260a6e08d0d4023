//! What each method scored on each session.

use crate::cell::{Cell, Method};
use crate::{State, StudyError, StudyFile, StudyFolder};
use indexmap::IndexMap;
use neuroglot_metrics::mean_defined;
use neuroglot_tasks::Source;
use neuroglot_tasks::results::{Evaluation, SessionEvaluation};
use std::collections::{BTreeMap, HashMap};

/// One method, as far as its cells are finished.
#[derive(Debug, Clone, PartialEq)]
pub struct MethodScores {
    /// The method.
    pub method: Method,
    /// One entry per session that it was scored on, in the order of the grid.
    pub sessions: Vec<SessionScores>,
}

/// A method on one session, averaged over seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionScores {
    /// Session id.
    pub eid: String,
    /// Seeds averaged.
    pub seeds: usize,
    /// Per task: `(uuid, bits/spike)` of the units that have a score with every seed.
    pub tasks: BTreeMap<String, Vec<(String, f64)>>,
    /// Per behaviour: its metric, `accuracy` or `r2`, and its score.
    pub behaviours: BTreeMap<String, (String, f64)>,
    /// What was found with the first seed, for figures of single units.
    pub first: SessionEvaluation,
}

impl MethodScores {
    /// Its scores on a session.
    pub fn session(&self, eid: &str) -> Option<&SessionScores> {
        self.sessions.iter().find(|session| session.eid == eid)
    }

    /// What was found with the first seed, as one evaluation of all sessions.
    pub fn first_evaluation(&self) -> Evaluation {
        let mask = match &self.method {
            Method::Trained(trained) => trained.mask.name(),
            Method::Baseline(baseline) => baseline.name().to_owned(),
        };
        Evaluation {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            mask,
            checkpoint: String::new(),
            source: Source::default(),
            sessions: self.sessions.iter().map(|session| session.first.clone()).collect(),
        }
    }
}

/// Reads the evaluations of all finished cells. Methods come in the order of the grid; those without a finished cell are
/// left out.
///
/// # Errors
/// [`StudyError`] names a cell that is another one, or an evaluation that is damaged.
pub fn gather(
    file: &StudyFile,
    folder: &StudyFolder,
    cells: &[Cell],
) -> Result<Vec<MethodScores>, StudyError> {
    let mut found: Vec<(Method, Vec<SessionEvaluation>)> = Vec::new();
    for cell in cells.iter().filter(|cell| cell.is_scored()) {
        if folder.state(file, cell)? != State::Finished {
            continue;
        }
        let mut sessions = folder.evaluation(cell)?.sessions;
        sessions.retain(|session| cell.scored.contains(&session.eid));
        match found.iter_mut().find(|(method, _)| *method == cell.method) {
            Some((_, of_method)) => of_method.extend(sessions),
            None => found.push((cell.method.clone(), sessions)),
        }
    }
    Ok(found
        .into_iter()
        .map(|(method, sessions)| MethodScores { method, sessions: by_session(sessions) })
        .collect())
}

fn by_session(evaluations: Vec<SessionEvaluation>) -> Vec<SessionScores> {
    let mut by_eid: IndexMap<String, Vec<SessionEvaluation>> = IndexMap::new();
    for evaluation in evaluations {
        by_eid.entry(evaluation.eid.clone()).or_default().push(evaluation);
    }
    by_eid.into_iter().map(|(eid, seeds)| averaged(eid, seeds)).collect()
}

/// Averages over seeds what all of them have.
fn averaged(eid: String, seeds: Vec<SessionEvaluation>) -> SessionScores {
    let (mut tasks, mut behaviours) = (BTreeMap::new(), BTreeMap::new());
    let Some(first) = seeds.first() else { unreachable!("a session is there because a seed scored it") };
    for task in first.tasks.iter().map(|result| &result.task) {
        let of_seeds: Vec<HashMap<&str, f64>> = seeds.iter().map(|seed| units(seed, task)).collect();
        let averaged = |uuid: &str| {
            let scores: Option<Vec<Option<f64>>> =
                of_seeds.iter().map(|units| units.get(uuid).copied().map(Some)).collect();
            Some((uuid.to_owned(), mean_defined(&scores?)?))
        };
        tasks.insert(task.clone(), first.units.iter().filter_map(|unit| averaged(&unit.uuid)).collect());
    }
    for decoded in &first.decoding {
        let name = &decoded.behaviour;
        let scores: Option<Vec<Option<f64>>> = seeds
            .iter()
            .map(|seed| Some(Some(seed.decoding.iter().find(|result| result.behaviour == *name)?.score)))
            .collect();
        if let Some(score) = scores.and_then(|scores| mean_defined(&scores)) {
            behaviours.insert(name.clone(), (decoded.metric.clone(), score));
        }
    }
    SessionScores { eid, seeds: seeds.len(), tasks, behaviours, first: first.clone() }
}

/// The units of a session that have a score in a task.
fn units<'a>(session: &'a SessionEvaluation, task: &str) -> HashMap<&'a str, f64> {
    let Some(result) = session.tasks.iter().find(|result| result.task == task) else { return HashMap::new() };
    let units = session.units.iter().zip(&result.per_unit);
    units.filter_map(|(unit, scores)| Some((unit.uuid.as_str(), scores.bps?))).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use neuroglot_tasks::results::{DecodingResult, Scores, TaskResult, UnitLabel, UnitScores};

    /// A session whose units have these bits/spike in co-smoothing, and from which choice is decoded.
    pub fn evaluation(eid: &str, units: &[(&str, Option<f64>)], accuracy: f64) -> SessionEvaluation {
        let of_unit = |(_, bps): &(&str, Option<f64>)| UnitScores {
            spikes: 1.0,
            bps: *bps,
            d2: None,
            r2: None,
            psth_r2: None,
            ceiling_bps: None,
            state_ceiling_bps: None,
        };
        SessionEvaluation {
            eid: eid.to_owned(),
            subject: "mouse".to_owned(),
            trials: 10,
            bins: 10,
            bin_seconds: 0.02,
            fingerprint: String::new(),
            units: units
                .iter()
                .map(|(uuid, _)| UnitLabel {
                    uuid: (*uuid).to_owned(),
                    region: "CA1".to_owned(),
                    index: None,
                })
                .collect(),
            tasks: vec![TaskResult {
                task: "co-smoothing".to_owned(),
                scores: Scores { bps: None, bps_pooled: None, d2: None, r2: None, psth_r2: None },
                ceiling: None,
                state_ceiling: None,
                alone: None,
                calibration: Vec::new(),
                per_unit: units.iter().map(of_unit).collect(),
            }],
            decoding: vec![DecodingResult {
                behaviour: "choice".to_owned(),
                metric: "accuracy".to_owned(),
                score: accuracy,
                chance: 0.5,
                regularisation: 1.0,
                ..DecodingResult::default()
            }],
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

    /// Scores of a method on sessions whose units have these bits/spike.
    pub fn method_scores(method: Method, sessions: &[(&str, &[f64])]) -> MethodScores {
        let of = |(eid, scores): &(&str, &[f64])| {
            let names: Vec<String> = (0..scores.len()).map(|unit| format!("{eid}-{unit}")).collect();
            let units: Vec<(&str, Option<f64>)> =
                names.iter().map(String::as_str).zip(scores.iter().map(|score| Some(*score))).collect();
            averaged((*eid).to_owned(), vec![evaluation(eid, &units, 0.5)])
        };
        MethodScores { method, sessions: sessions.iter().map(of).collect() }
    }

    #[test]
    fn seeds_are_averaged_unit_by_unit() {
        let seeds = vec![
            evaluation("s", &[("a", Some(1.0)), ("b", Some(4.0)), ("c", None)], 0.5),
            evaluation("t", &[("d", Some(7.0))], 0.5),
            evaluation("s", &[("b", Some(2.0)), ("a", Some(0.0)), ("c", Some(9.0))], 1.0),
        ];
        let sessions = by_session(seeds);
        assert_eq!(
            sessions.iter().map(|session| (&*session.eid, session.seeds)).collect::<Vec<_>>(),
            [("s", 2), ("t", 1)]
        );
        assert_eq!(sessions[0].tasks["co-smoothing"], [("a".to_owned(), 0.5), ("b".to_owned(), 3.0)]);
        assert_eq!(sessions[0].behaviours["choice"], ("accuracy".to_owned(), 0.75));
    }
}
