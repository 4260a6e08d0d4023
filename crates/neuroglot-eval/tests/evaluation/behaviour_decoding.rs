//! Decoding behaviour from log-rates.

use crate::brute_force::log_rates;
use crate::support::*;
use neuroglot_data::{Behaviour, Session, Split};
use neuroglot_eval::results::{DecodingResult, SessionEvaluation};
use neuroglot_model::{Model, Prompt};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// 200 trials, 140 of them for training, 20 for validation and 40 for testing, of 5 bins of 4 units: more trials than
/// features.
fn session() -> Session {
    simulated(1, 4, 200, 5).remove(0)
}

/// How far below 1 the R² of an exact linear function stays.
const EXACT: f64 = 1e-9;

fn decoded(session: &Session, behaviours: &[&str]) -> SessionEvaluation {
    decoded_by(&mut model(std::slice::from_ref(session), 1), session, behaviours)
}

fn decoded_by(model: &mut Model, session: &Session, behaviours: &[&str]) -> SessionEvaluation {
    evaluated_alone(model, session, &[], behaviours)
}

fn only(found: &SessionEvaluation) -> &DecodingResult {
    assert!(found.skipped.is_empty(), "{:?}", found.skipped);
    &found.decoding[0]
}

/// Why the only behaviour asked for was skipped.
fn skipped(found: &SessionEvaluation) -> &str {
    assert!(found.decoding.is_empty(), "{:?}", found.decoding);
    &found.skipped[0].why
}

/// Random choices −1 and +1, `[trial]`.
fn choices(trials: usize) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(4);
    (0..trials).map(|_| if random.random_bool(0.5) { 1.0 } else { -1.0 }).collect()
}

/// Unit 0 fires 6 spikes more in each bin of a trial with choice +1.
fn with_planted_choice(session: &Session, choices: &[f64]) -> Session {
    let session = with_counts(session, |trial, _, unit, count| {
        count + if unit == 0 && choices[trial] > 0.0 { 6 } else { 0 }
    });
    with_behaviour(&session, "choice", Behaviour::PerTrial(choices.to_vec()))
}

/// A linear function of the log-rates with nothing hidden, per trial and bin.
fn linear_in_log_rates(model: &mut Model, session: &Session, prompt: Prompt) -> Vec<f64> {
    let all =
        (0..session.trials()).flat_map(|trial| log_rates(model, 0, session, trial, prompt, |_, _| false));
    let all: Vec<f32> = all.collect();
    all.chunks(4).map(|units| 1.0 + 2.0 * f64::from(units[0]) - 3.0 * f64::from(units[3])).collect()
}

#[test]
fn a_choice_that_the_rates_carry_is_decoded_and_a_shuffled_one_is_not() {
    let choices = choices(200);
    let session = with_planted_choice(&session(), &choices);
    let found = decoded(&session, &["choice"]);
    let planted = only(&found);
    assert_eq!((planted.behaviour.as_str(), planted.metric.as_str()), ("choice", "accuracy"));
    assert!(planted.score >= 0.9, "{}", planted.score);
    assert!(planted.regularisation > 0.0);
    let test = session.trials_in(Split::Test);
    let rights = test.iter().filter(|trial| choices[**trial] > 0.0).count() as f64 / test.len() as f64;
    assert_close(Some(planted.chance), Some(rights.max(1.0 - rights)), "share of the more frequent choice");

    let mut shuffled = choices;
    shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(9));
    let found = decoded(&with_behaviour(&session, "choice", Behaviour::PerTrial(shuffled)), &["choice"]);
    // 40 test trials: a standard error of 0.08.
    assert!((only(&found).score - 0.5).abs() < 0.25, "{}", only(&found).score);
}

#[test]
fn a_trace_that_is_linear_in_the_log_rates_under_the_causal_prompt_is_decoded() {
    let session = session();
    let mut model = model(std::slice::from_ref(&session), 1);
    let trace = linear_in_log_rates(&mut model, &session, Prompt::Causal);
    let session = with_behaviour(&session, "wheel-speed", Behaviour::PerBin(trace));
    let found = decoded_by(&mut model, &session, &["wheel-speed"]);
    let result = only(&found);
    assert_eq!((result.metric.as_str(), result.chance, result.regularisation), ("r2", 0.0, 0.0));
    assert!(1.0 - result.score < EXACT, "{}", result.score);

    // Log-rates under another prompt are nearly, but not quite, linear in those under this one.
    let other = linear_in_log_rates(&mut model, &session, Prompt::Neuron);
    let session = with_behaviour(&session, "wheel-speed", Behaviour::PerBin(other));
    let found = decoded_by(&mut model, &session, &["wheel-speed"]);
    assert!(1.0 - only(&found).score > EXACT, "{}", only(&found).score);
}

#[test]
fn a_value_per_trial_is_decoded_under_the_neuron_prompt() {
    let session = session();
    let mut model = model(std::slice::from_ref(&session), 1);
    let trace = linear_in_log_rates(&mut model, &session, Prompt::Neuron);
    let values = trace.chunks(5).map(|trial| trial[2] - trial[4]).collect();
    let session = with_behaviour(&session, "contrast-left", Behaviour::PerTrial(values));
    let found = decoded_by(&mut model, &session, &["contrast-left"]);
    assert_eq!(only(&found).metric, "r2");
    assert!(1.0 - only(&found).score < EXACT, "{}", only(&found).score);
}

/// Decoding with values missing in every fifth trial equals decoding without these trials.
fn check_left_out(session: &Session, name: &str, missing: impl Fn(usize, &mut [f64])) {
    let mut values = session.behaviours()[name].values().to_vec();
    let width = values.len() / session.trials();
    let (mut kept, mut left_out) = (Vec::new(), Vec::new());
    for (trial, values) in values.chunks_mut(width).enumerate() {
        if trial % 5 == 0 {
            missing(trial, values);
            left_out.push(session.splits()[trial]);
        } else {
            kept.push(trial);
        }
    }
    assert!(left_out.contains(&Split::Train) && left_out.contains(&Split::Test));
    let gaps = match &session.behaviours()[name] {
        Behaviour::PerTrial(_) => Behaviour::PerTrial(values),
        Behaviour::PerBin(_) => Behaviour::PerBin(values),
    };
    let mut model = model(std::slice::from_ref(session), 1);
    let found = decoded_by(&mut model, &with_behaviour(session, name, gaps), &[name]);
    let expected = decoded_by(&mut model, &session.select_trials(&kept).unwrap(), &[name]);
    assert_eq!(only(&found), only(&expected));
    let all = decoded_by(&mut model, session, &[name]);
    assert_ne!(only(&found), only(&all));
}

#[test]
fn trials_with_a_missing_value_in_their_trace_are_left_out() {
    check_left_out(&session(), "wheel-speed", |trial, values| values[trial / 5 % 5] = f64::NAN);
}

#[test]
fn trials_without_a_choice_are_left_out() {
    check_left_out(&session(), "choice", |trial, values| {
        values[0] = if trial % 2 == 0 { 0.0 } else { f64::NAN }
    });
}

#[test]
fn what_cannot_be_decoded_is_skipped_with_the_reason_and_the_rest_is_done() {
    let session = session();
    let found = decoded(&session, &["licks", "wheel-speed"]);
    assert_eq!(found.decoding.len(), 1);
    let skip = &found.skipped[0];
    assert_eq!((skip.what.as_str(), skip.why.as_str()), ("licks", "the session does not have it"));

    let in_test = |trial: usize| session.splits()[trial] == Split::Test;
    let choice = |value: &dyn Fn(usize) -> f64| {
        let values = (0..session.trials()).map(value).collect();
        with_behaviour(&session, "choice", Behaviour::PerTrial(values))
    };
    let one_class = choice(&|trial| if in_test(trial) && trial % 2 == 0 { -1.0 } else { 1.0 });
    let found = decoded(&one_class, &["choice"]);
    assert!(skipped(&found).contains("all 160 training samples are true"), "{}", skipped(&found));

    let found =
        decoded(&choice(&|trial| if in_test(trial) { 0.0 } else { [-1.0, 1.0][trial % 2] }), &["choice"]);
    assert_eq!(skipped(&found), "no test trial has a value");

    let constant = with_behaviour(&session, "wheel-speed", Behaviour::PerBin(vec![2.0; 1000]));
    assert_eq!(skipped(&decoded(&constant, &["wheel-speed"])), "it does not vary over the test trials");

    let only_test = with_parts(&session, |parts| parts.splits = vec![Split::Test; 200]);
    for name in ["choice", "wheel-speed"] {
        let found = decoded(&only_test, &[name]);
        assert!(skipped(&found).contains("0 training samples"), "{name}: {}", skipped(&found));
    }
}
