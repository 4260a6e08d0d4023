//! Baselines as evaluations.

use crate::choice::Choice;
use crate::counts::Splits;
use crate::history::History;
use crate::psth::Psth;
use crate::regression::{Predicted, RegressionTask, poisson_glm, ridge};
use crate::{Baseline, BaselineError};
use neuroglot_data::Session;
use neuroglot_eval::results::{Evaluation, Skipped};
use neuroglot_eval::{Conditions, EvaluationOptions, EvaluationProgress, Task, TestTrials};

/// Fits a baseline to the training trials of sessions, chooses its settings on their validation trials, and scores it on
/// their test trials as a model is scored, so that the two can be compared.
///
/// What the baseline cannot do is listed as skipped, with the reason.
///
/// # Errors
/// [`BaselineError`]: a session without training, validation or test trials.
pub fn evaluate_baseline(
    baseline: Baseline,
    sessions: &[Session],
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<Evaluation, BaselineError> {
    evaluate_with_choices(baseline, sessions, options, progress).map(|(evaluation, _)| evaluation)
}

/// As [`evaluate_baseline`], with the settings that were chosen.
///
/// # Errors
/// As [`evaluate_baseline`].
pub fn evaluate_with_choices(
    baseline: Baseline,
    sessions: &[Session],
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<(Evaluation, Vec<Choice>), BaselineError> {
    let (mut results, mut choices) = (Vec::new(), Vec::new());
    for session in sessions {
        let eid = session.eid();
        let splits = Splits::of(session)?;
        let test = TestTrials::of(session)?;
        let mut found = test.nothing_yet();
        for task in &options.selection.tasks {
            let why = baseline.why_not_task(*task).map(str::to_owned).or_else(|| test.why_not(*task));
            if let Some(why) = why {
                found.skipped.push(Skipped { what: task.name().to_owned(), why });
                continue;
            }
            let mut report =
                |done, total| progress(EvaluationProgress { eid, task: task.name(), done, total });
            let predicted = predict(baseline, *task, session, &splits, &test, &mut report)?;
            let (result, examples) = test.score(*task, &predicted.log_rates, options);
            found.tasks.push(result);
            found.examples.extend(examples);
            choices.push(Choice {
                eid: eid.to_owned(),
                what: task.name().to_owned(),
                settings: predicted.settings,
            });
        }
        results.push(found);
    }
    let evaluation = Evaluation {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        mask: baseline.name().to_owned(),
        checkpoint: "baseline".to_owned(),
        sessions: results,
    };
    Ok((evaluation, choices))
}

/// Log-rates of a task, `[test trial, bin, unit]`.
fn predict(
    baseline: Baseline,
    task: Task,
    session: &Session,
    splits: &Splits,
    test: &TestTrials<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Predicted, BaselineError> {
    progress(0, 1);
    let first_bin = task.first_scored_bin(session.bins());
    let predicted = match baseline {
        Baseline::Ridge => ridge(&RegressionTask::new(session, splits, test, task), progress)?,
        Baseline::PoissonGlm => poisson_glm(&RegressionTask::new(session, splits, test, task), progress)?,
        Baseline::Psth => psth(session, splits, first_bin),
        Baseline::History => {
            let history = History::fit(splits, session.bin_seconds(), first_bin);
            let rates = history.predict(&splits.test);
            let mut rates = rates.chunks((session.bins() - first_bin) * session.units().len());
            let mut log_rates = vec![0.0; splits.test.values.len()];
            for out in log_rates.chunks_mut(splits.test.stride()) {
                let scored = &mut out[first_bin * session.units().len()..];
                let rates = rates.next().into_iter().flatten();
                scored.iter_mut().zip(rates).for_each(|(out, rate)| *out = rate.ln() as f32);
            }
            Predicted { log_rates, settings: history.settings }
        }
        Baseline::UnitMean | Baseline::ReducedRank | Baseline::Linear | Baseline::Mlp => {
            let mean = splits.train.mean().into_iter().map(|rate| rate.ln() as f32);
            let log_rates = mean.collect::<Vec<f32>>().repeat(splits.test.trials * session.bins());
            Predicted { log_rates, settings: String::new() }
        }
    };
    progress(1, 1);
    Ok(predicted)
}

fn psth(session: &Session, splits: &Splits, first_bin: usize) -> Predicted {
    use neuroglot_data::Split;
    let all: Vec<usize> = (0..session.trials()).collect();
    let conditions = Conditions::of(session, &all);
    let of_split = |split| -> Vec<usize> {
        session.trials_in(split).into_iter().map(|trial| conditions.of_trial[trial]).collect()
    };
    let [train, validation, test] = Split::ALL.map(of_split);
    let count = conditions.labels.len();
    let psth = Psth::fit(splits, session.bin_seconds(), &train, &validation, count, first_bin);
    let log_rates = psth.predict(&test, 0).into_iter().map(|rate| rate.ln() as f32).collect();
    Predicted { log_rates, settings: psth.settings }
}
