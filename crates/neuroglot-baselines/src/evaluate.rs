//! Baselines as evaluations.

use crate::choice::Choice;
use crate::decoders::{self, Decoded, linear, mlp};
use crate::history::History;
use crate::reduced_rank::reduced_rank;
use crate::regression::{Predicted, Regression, poisson_glm};
use crate::ridge::ridge;
use crate::splits::Splits;
use crate::{Baseline, BaselineError};
use neuroglot_coupling::Psth;
use neuroglot_data::text::distinct;
use neuroglot_data::{Session, Split};
use neuroglot_tasks::results::{Evaluation, SessionEvaluation, Skipped};
use neuroglot_tasks::{
    Conditions, EvaluationOptions, EvaluationProgress, Source, Task, TestTrials, WorkMeter, behaviour_name,
};

/// Fits a baseline to the training trials of sessions, chooses its settings on their validation trials, and scores it on
/// their test trials as a model is scored, so that the two can be compared.
///
/// What the baseline cannot do is listed as skipped, with the reason.
///
/// # Errors
/// [`BaselineError`]: a session without training, validation or test trials, or two sessions of one eid.
pub fn evaluate_baseline(
    baseline: Baseline,
    sessions: &[Session],
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<Evaluation, BaselineError> {
    evaluate_with_choices(baseline, sessions, options, progress).map(|(evaluation, _)| evaluation)
}

/// As [`evaluate_baseline`], with the settings that validation trials chose.
///
/// # Errors
/// As [`evaluate_baseline`].
pub fn evaluate_with_choices(
    baseline: Baseline,
    sessions: &[Session],
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<(Evaluation, Vec<Choice>), BaselineError> {
    neuroglot_data::check_distinct(sessions)?;
    // Only what shares parameters needs several sessions in memory at once.
    let together = if baseline.is_of_sessions_together() { sessions.len().max(1) } else { 1 };
    let (mut results, mut choices) = (Vec::new(), Vec::new());
    // A piece for each task and behaviour of each session: their times are alike within a factor of a few.
    let pieces = |sessions| options.selection.tasks.len() + asked_of(sessions, options).len();
    let mut meter = WorkMeter::new(sessions.chunks(together).map(pieces).sum::<usize>() as f64);
    for sessions in sessions.chunks(together) {
        let recordings = sessions.iter().map(Recording::of).collect::<Result<Vec<_>, _>>()?;
        let mut found: Vec<SessionEvaluation> =
            recordings.iter().map(|recording| recording.test.nothing_yet()).collect();
        for task in &options.selection.tasks {
            meter.begin(1.0);
            run_task(baseline, *task, &recordings, options, &mut found, &mut choices, &meter, progress)?;
        }
        for name in &asked_of(sessions, options) {
            meter.begin(1.0);
            let of_session = sessions.iter().zip(&mut found);
            let (sessions, mut found): (Vec<&Session>, Vec<&mut SessionEvaluation>) = of_session
                .filter(|(session, _)| options.selection.behaviours_of(session).contains(name))
                .unzip();
            run_decoding(baseline, name, &sessions, options, &mut found, &mut choices, &meter, progress);
        }
        results.extend(found);
    }
    let evaluation = Evaluation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mask: baseline.name().to_owned(),
        checkpoint: "baseline".to_owned(),
        source: Source::default(),
        sessions: results,
    };
    Ok((evaluation, choices))
}

/// The behaviours to decode of any of some sessions, as they are asked for.
fn asked_of(sessions: &[Session], options: &EvaluationOptions) -> Vec<String> {
    distinct(sessions.iter().flat_map(|session| options.selection.behaviours_of(session)))
}

/// A session with its splits at hand.
pub(crate) struct Recording<'a> {
    session: &'a Session,
    splits: Splits,
    test: TestTrials<'a>,
}

impl<'a> Recording<'a> {
    pub fn of(session: &'a Session) -> Result<Self, BaselineError> {
        Ok(Self { session, splits: Splits::of(session)?, test: TestTrials::of(session)? })
    }

    /// The first bin that a task scores.
    fn first_scored(&self, task: Task) -> usize {
        task.scored(self.test.regions(), self.session.bins()).bins.start
    }
}

/// Predicts and scores one task of some sessions.
fn run_task(
    baseline: Baseline,
    task: Task,
    recordings: &[Recording<'_>],
    options: &EvaluationOptions,
    found: &mut [SessionEvaluation],
    choices: &mut Vec<Choice>,
    meter: &WorkMeter,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<(), BaselineError> {
    let mut able = Vec::new();
    for (recording, found) in recordings.iter().zip(found) {
        match baseline.why_not_task(task).or_else(|| task.why_not(recording.test.regions())) {
            Some(why) => found.skipped.push(Skipped { what: task.name().to_owned(), why: why.to_owned() }),
            None => able.push((recording, found)),
        }
    }
    let Some((first, _)) = able.first() else { return Ok(()) };
    let eid = if able.len() == 1 { first.session.eid() } else { "all sessions" };
    let mut report = |done: usize, total: usize| progress(meter.at(eid, task.name(), done, total));
    report(0, 1);
    let able_recordings: Vec<&Recording> = able.iter().map(|(recording, _)| *recording).collect();
    let predicted = predict(baseline, task, &able_recordings, &mut report)?;
    report(1, 1);
    for ((recording, found), Predicted { log_rates, settings }) in able.into_iter().zip(predicted) {
        let (result, examples) = recording.test.score(task, &log_rates, options);
        found.tasks.push(result);
        found.examples.extend(examples);
        let (eid, what) = (recording.session.eid().to_owned(), task.name().to_owned());
        choices.extend((!settings.is_empty()).then_some(Choice { eid, what, settings }));
    }
    Ok(())
}

/// Decodes one behaviour of some sessions, by the name that it is asked for.
fn run_decoding(
    baseline: Baseline,
    asked: &str,
    sessions: &[&Session],
    options: &EvaluationOptions,
    found: &mut [&mut SessionEvaluation],
    choices: &mut Vec<Choice>,
    meter: &WorkMeter,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) {
    let eid = if sessions.len() == 1 { sessions[0].eid() } else { "all sessions" };
    let name = behaviour_name(asked);
    progress(meter.at(eid, name, 0, 1));
    let results: Vec<Result<Decoded, String>> = match (baseline.why_not_behaviour(), baseline) {
        (Some(why), _) => sessions.iter().map(|_| Err(why.to_owned())).collect(),
        (None, Baseline::ReducedRank) => decoders::reduced_rank(sessions, asked, options),
        (None, Baseline::Mlp) => sessions.iter().map(|session| mlp(session, asked, options)).collect(),
        (None, _) => sessions.iter().map(|session| linear(session, asked, options)).collect(),
    };
    for (found, result) in found.iter_mut().zip(results) {
        match result {
            Ok(Decoded { result, settings }) => {
                found.decoding.push(result);
                choices.push(Choice { eid: found.eid.clone(), what: name.to_owned(), settings });
            }
            Err(why) => found.skipped.push(Skipped { what: name.to_owned(), why }),
        }
    }
}

/// Predicts one task of some sessions.
pub(crate) fn predict(
    baseline: Baseline,
    task: Task,
    recordings: &[&Recording<'_>],
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Vec<Predicted>, BaselineError> {
    let simple = |predict: fn(&Recording<'_>, Task) -> Predicted| {
        Ok(recordings.iter().map(|recording| predict(recording, task)).collect())
    };
    match baseline {
        Baseline::UnitMean => simple(unit_mean),
        Baseline::Psth => simple(psth),
        Baseline::History => simple(history),
        // Decoders predict no unit, and have said so.
        Baseline::Linear | Baseline::Mlp => Ok(Vec::new()),
        Baseline::Ridge | Baseline::PoissonGlm | Baseline::ReducedRank => {
            let tasks = recordings.iter().map(|recording| {
                Regression::new(recording.session, &recording.splits, recording.test.regions(), task)
            });
            let tasks: Vec<Regression> = tasks.collect();
            let seeing: Vec<&Regression> = tasks.iter().filter(|task| !task.sees_nothing()).collect();
            let predicted = match baseline {
                Baseline::Ridge => seeing.iter().map(|task| ridge(task, progress)).collect(),
                Baseline::PoissonGlm => seeing.iter().map(|task| poisson_glm(task, progress)).collect(),
                _ if seeing.is_empty() => Ok(Vec::new()),
                _ => reduced_rank(&seeing, progress),
            };
            let mut predicted = Vec::into_iter(predicted?);
            let of_task = |task: &Regression<'_>| {
                let regressed = if task.sees_nothing() { None } else { predicted.next() };
                regressed.unwrap_or_else(|| task.intercept_alone())
            };
            Ok(tasks.iter().map(of_task).collect())
        }
    }
}

fn unit_mean(recording: &Recording<'_>, _: Task) -> Predicted {
    let mean = recording.splits.train.mean().into_iter().map(|rate| rate.ln() as f32);
    let rows = recording.splits.test.trials * recording.session.bins();
    Predicted { log_rates: mean.collect::<Vec<f32>>().repeat(rows), settings: String::new() }
}

fn psth(recording: &Recording<'_>, task: Task) -> Predicted {
    let Recording { session, splits, .. } = recording;
    // One numbering of the conditions for all splits.
    let all: Vec<usize> = (0..session.trials()).collect();
    let conditions = Conditions::of(session, &all);
    let [train, validation, test] = Split::ALL.map(|split| -> Vec<usize> {
        session.trials_in(split).into_iter().map(|trial| conditions.of_trial[trial]).collect()
    });
    let psth = Psth::fit(
        (&splits.train, &train),
        (&splits.validation, &validation),
        conditions.labels.len(),
        session.bin_seconds(),
        recording.first_scored(task),
    );
    let log_rates = psth.predict(&test, 0).into_iter().map(|rate| rate.ln() as f32).collect();
    Predicted { log_rates, settings: psth.settings }
}

fn history(recording: &Recording<'_>, task: Task) -> Predicted {
    let Recording { session, splits, .. } = recording;
    let first_bin = recording.first_scored(task);
    let history = History::fit(splits, session.bin_seconds(), first_bin);
    let units = session.units().len();
    let rates = history.predict(&splits.test);
    let mut log_rates = vec![0.0; splits.test.values.len()];
    let scored = (session.bins() - first_bin) * units;
    for (out, rates) in log_rates.chunks_mut(splits.test.stride()).zip(rates.chunks(scored)) {
        out[first_bin * units..].iter_mut().zip(rates).for_each(|(out, rate)| *out = rate.ln() as f32);
    }
    Predicted { log_rates, settings: history.settings }
}
