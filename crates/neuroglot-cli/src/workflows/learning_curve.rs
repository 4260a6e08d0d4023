//! Scores of fine-tuning over the number of calibration trials, each point a run of its own.

use crate::CommandError;
use crate::machine::compute::Compute;
use crate::terminal::console::Console;
use crate::terminal::stop_notice::say_when_stopped;
use crate::workflows::fine_tune_settings::from_scratch;
use crate::workflows::model_evaluation::ModelEvaluation;
use crate::workflows::training_run::TrainingRun;
use neuroglot::data::{Session, Split};
use neuroglot::eval::evaluation_folder;
use neuroglot::eval::read_evaluation;
use neuroglot::report::{ScoredCurve, ScoredPoint};
use neuroglot::tasks::Task;
use neuroglot::tasks::results::Evaluation;
use neuroglot::train::{DataConfig, RunConfig, Start, TrainConfig};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// How models start.
const STARTS: [&str; 2] = ["fine-tuned", "from-scratch"];

/// What is measured, and where its runs are kept.
pub struct LearningCurve<'a> {
    /// Settings of a run that starts from the trained model; each point has its own trials and epochs.
    pub config: &'a RunConfig,
    /// The session, which has passed the run's filters.
    pub session: &'a Session,
    /// Its folder.
    pub path: &'a Path,
    /// Numbers of calibration trials.
    pub trials: &'a [usize],
    /// Start and number of trials of points that were made before; they are read, not made again.
    pub earlier: &'a [(String, usize)],
    /// Optimiser steps of each point, rounded up to whole epochs.
    pub steps: u64,
    /// Whether models that start at random are trained too.
    pub scratch: bool,
    /// Folder of the runs.
    pub out: &'a Path,
    /// Where to compute.
    pub compute: &'a Compute,
}

/// One run, scored on test trials.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Point {
    /// `fine-tuned` or `from-scratch`.
    pub start: &'static str,
    /// Calibration trials.
    pub trials: usize,
    /// Optimiser steps.
    pub steps: u64,
    /// The run folder.
    pub run: PathBuf,
    /// By task.
    pub scores: BTreeMap<String, PointScores>,
}

/// Scores of one task: bits/spike, undefined where no unit fires.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct PointScores {
    /// Mean over units.
    pub bps: Option<f64>,
    /// Lower end of its bootstrap 95 % interval over units.
    pub low: Option<f64>,
    /// Upper end.
    pub high: Option<f64>,
    /// Pooled over units.
    pub bps_pooled: Option<f64>,
}

impl LearningCurve<'_> {
    /// Trains and evaluates all points; those that are finished already are read.
    ///
    /// # Errors
    /// More trials than the session has, settings other than those that points in the folder were made with, and those
    /// of training and evaluation.
    pub fn run(&self, console: &Console) -> Result<Vec<Point>, CommandError> {
        let available = self.session.trials_in(Split::Train).len();
        if let Some(trials) = self.trials.iter().find(|trials| **trials == 0 || **trials > available) {
            let eid = self.session.eid();
            let problem =
                format!("--trials {trials}: {eid} has {available} training trials; ask for 1 to {available}");
            return Err(CommandError::Usage(problem));
        }
        let starts = if self.scratch { &STARTS[..] } else { &STARTS[..1] };
        let _notice = say_when_stopped(format!("finished points are kept in {}", self.out.display()));
        let mut points: Vec<Point> = Vec::new();
        for trials in self.trials {
            for start in starts {
                points.push(self.point(start, *trials, console)?);
            }
        }
        for start in STARTS {
            for (_, trials) in self.earlier.iter().filter(|(earlier, _)| earlier == start) {
                if !points.iter().any(|point| (point.start, point.trials) == (start, *trials)) {
                    points.push(self.point(start, *trials, console)?);
                }
            }
        }
        points.sort_by_key(|point| (point.trials, STARTS.iter().position(|start| *start == point.start)));
        Ok(points)
    }

    fn point(&self, start: &'static str, trials: usize, console: &Console) -> Result<Point, CommandError> {
        let run = self.out.join(format!("{start}-{trials}"));
        let config = if start == "fine-tuned" { self.config.clone() } else { from_scratch(self.config) };
        let batches = (trials / config.train.batch).max(1) as u64;
        let config = RunConfig {
            train: TrainConfig { epochs: self.steps.div_ceil(batches), ..config.train },
            data: DataConfig { trials, ..config.data },
            ..config
        };
        // A point is gone on with, and not made again, where it was begun: training checks that settings are the same.
        let begun = run.join("config.toml").exists();
        let training = TrainingRun {
            title: &format!("{start}, {trials} trials"),
            config: &config,
            sessions: std::slice::from_ref(self.session),
            paths: &[self.path.to_owned()],
            out: &run,
            resume_command: "the same command",
            start: if begun { Start::Resume } else { Start::Fresh },
            compute: self.compute,
        };
        let summary = training.run(console)?;
        let place = evaluation_folder(&run);
        let evaluation = if place.join("evaluation.json").exists() {
            read_evaluation(&place)?
        } else {
            // Behaviours are decoded with all training trials: they say nothing of few.
            let tasks: Vec<String> = Task::ALL.map(|task| task.name().to_owned()).into();
            let paths = [self.path.to_owned()];
            let evaluation = ModelEvaluation {
                run: &run,
                checkpoint: None,
                sessions: &paths,
                tasks: Some(&tasks),
                out: None,
                fresh: false,
                advises: false,
                compute: self.compute,
            };
            evaluation.run(console)?
        };
        Ok(Point { start, trials, steps: summary.steps, run, scores: scores(&evaluation) })
    }
}

fn scores(evaluation: &Evaluation) -> BTreeMap<String, PointScores> {
    let tasks = evaluation.sessions.iter().flat_map(|session| &session.tasks);
    let scores = tasks.map(|task| {
        let bps = task.scores.bps;
        let scores = PointScores {
            bps: bps.map(|bps| bps.mean),
            low: bps.map(|bps| bps.low),
            high: bps.map(|bps| bps.high),
            bps_pooled: task.scores.bps_pooled,
        };
        (task.task.clone(), scores)
    });
    scores.collect()
}

/// A panel per task and a line per start, over the number of trials.
pub fn curves(points: &[Point]) -> Vec<ScoredCurve> {
    let mut curves: Vec<ScoredCurve> = Vec::new();
    let mut points: Vec<&Point> = points.iter().collect();
    points.sort_by_key(|point| point.trials);
    for task in Task::ALL.map(Task::name) {
        for start in ["fine-tuned", "from-scratch"] {
            let scored = points.iter().filter(|point| point.start == start).filter_map(|point| {
                let scores = point.scores.get(task)?;
                let interval = scores.low.zip(scores.high);
                Some(ScoredPoint { trials: point.trials as u64, score: scores.bps?, interval })
            });
            let line: Vec<ScoredPoint> = scored.collect();
            if !line.is_empty() {
                let label = if start == "fine-tuned" { start } else { "from scratch" };
                curves.push(ScoredCurve { panel: task.to_owned(), label: label.to_owned(), points: line });
            }
        }
    }
    curves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_from_few_trials_to_many_and_leave_out_what_is_undefined() {
        let point = |start, trials, bps: Option<f64>| {
            let ends = (bps.map(|bps| bps - 0.125), bps.map(|bps| bps + 0.125));
            let scores = PointScores { bps, low: ends.0, high: ends.1, bps_pooled: None };
            let scores = [("forward".to_owned(), scores)].into();
            Point { start, trials, steps: 1, run: PathBuf::new(), scores }
        };
        let curves = curves(&[
            point("fine-tuned", 32, Some(0.5)),
            point("from-scratch", 16, None),
            point("fine-tuned", 16, Some(0.25)),
        ]);
        assert_eq!(curves.len(), 1);
        assert_eq!((curves[0].panel.as_str(), curves[0].label.as_str()), ("forward", "fine-tuned"));
        let expected = [(16, 0.25, Some((0.125, 0.375))), (32, 0.5, Some((0.375, 0.625)))];
        let expected = expected.map(|(trials, score, interval)| ScoredPoint { trials, score, interval });
        assert_eq!(curves[0].points, expected);
    }
}
