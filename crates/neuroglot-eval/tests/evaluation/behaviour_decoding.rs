//! Decoding behaviour from log-rates.

use crate::brute_force::log_rates;
use crate::support::*;
use neuroglot_data::{Behaviour, Session, Split};
use neuroglot_eval::evaluate;
use neuroglot_masks::{MaskPool, Prompt, Scheme};
use neuroglot_model::Model;
use neuroglot_tasks::results::{DecodingResult, SessionEvaluation};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// 200 trials, 140 of them for training, 20 for validation and 40 for testing, of 5 bins of 4 units: more trials than
/// features.
fn session() -> Session {
    simulated(1, 4, 200, 5).remove(0)
}

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
    let rights = |trials: &[usize]| {
        trials.iter().filter(|trial| choices[**trial] > 0.0).count() as f64 / trials.len() as f64
    };
    let test = rights(&session.trials_in(Split::Test));
    let fitted = [Split::Train, Split::Validation].map(|split| session.trials_in(split)).concat();
    let expected = if rights(&fitted) > 0.5 { test } else { 1.0 - test };
    assert_close(Some(planted.chance), Some(expected), "accuracy of what is frequent in training");
    assert!(planted.auc.unwrap().mean >= 0.9 && planted.balanced_accuracy.unwrap().mean >= 0.9);

    let mut shuffled = choices;
    shuffled.shuffle(&mut ChaCha8Rng::seed_from_u64(9));
    let found = decoded(&with_behaviour(&session, "choice", Behaviour::PerTrial(shuffled)), &["choice"]);
    // 40 test trials: a standard error of 0.08.
    assert!((only(&found).score - 0.5).abs() < 0.25, "{}", only(&found).score);
}

/// Log-rates are a function of the counts, and counts err by themselves: the average of both is not exact.
#[test]
fn what_is_linear_in_the_log_rates_is_decoded() {
    let session = session();
    let mut model = model(std::slice::from_ref(&session), 1);
    let trace = linear_in_log_rates(&mut model, &session, Prompt(Scheme::Neuron));
    let values = trace.chunks(5).map(|trial| trial[2] - trial[4]).collect();
    let session = with_behaviour(&session, "wheel-speed", Behaviour::PerBin(trace));
    let session = with_behaviour(&session, "contrast-left", Behaviour::PerTrial(values));
    let found = decoded_by(&mut model, &session, &["wheel-speed", "contrast-left"]);
    for result in &found.decoding {
        assert_eq!((result.metric.as_str(), result.chance), ("r2", 0.0));
        assert!(result.score > 0.9, "{}: {}", result.behaviour, result.score);
        let used: Vec<&str> = result.decoders.iter().map(|used| used.features.as_str()).collect();
        assert_eq!(
            used,
            match result.behaviour.as_str() {
                "wheel-speed" => &[
                    "log-rates around each bin",
                    "counts around each bin",
                    "counts",
                    "log-rates, reduced rank",
                ][..],
                _ => &["log-rates", "counts", "square roots of counts", "counts, reduced rank"],
            }
        );
        assert_eq!(result.decoders[0].weight, 1.0 / used.len() as f64);
        assert_eq!(result.decoders[0].regularisation, result.regularisation);
    }
    // Of 40 test trials every seventh is kept.
    let test = session.trials_in(Split::Test);
    let of = |name: &str| found.decoding.iter().find(|result| result.behaviour == name).unwrap();
    let kept: Vec<usize> = of("wheel-speed").traces.iter().map(|trace| trace.trial).collect();
    assert_eq!(kept, [0, 7, 14, 21, 28, 35].map(|place| test[place]));
    for trace in &of("wheel-speed").traces {
        let truth = &session.behaviours()["wheel-speed"].values()[trace.trial * 5..][..5];
        let narrow: Vec<f32> = truth.iter().map(|value| *value as f32).collect();
        assert_eq!(trace.value, narrow);
        let error = |(value, decoded): (&f32, &f32)| (value - decoded).powi(2);
        let spread: f32 = narrow.iter().map(|value| value * value).sum();
        assert!(trace.value.iter().zip(&trace.decoded).map(error).sum::<f32>() < 0.2 * spread);
    }
    assert!(of("contrast-left").traces.is_empty());
}

/// Whatever the test trials hold, nothing that was chosen on others changes.
#[test]
fn test_trials_choose_nothing() {
    let choices = choices(200);
    let before = with_planted_choice(&session(), &choices);
    let turned = |trial: usize, value: f64| {
        if before.splits()[trial] == Split::Test { -value } else { value }
    };
    let mut after = before.clone();
    for name in ["choice", "contrast-left", "wheel-speed"] {
        let values = before.behaviours()[name].values();
        let width = values.len() / 200;
        let values = values.iter().enumerate().map(|(place, value)| turned(place / width, *value)).collect();
        let changed = if width == 1 { Behaviour::PerTrial(values) } else { Behaviour::PerBin(values) };
        after = with_behaviour(&after, name, changed);
    }
    let behaviours = ["choice", "contrast-left:continuous", "wheel-speed"];
    let (before, after) = (decoded(&before, &behaviours), decoded(&after, &behaviours));
    assert_eq!(before.decoding.len(), 3);
    for (before, after) in before.decoding.iter().zip(&after.decoding) {
        assert_eq!(before.decoders, after.decoders);
        assert!(before.score > after.score, "{}: {} {}", before.behaviour, before.score, after.score);
    }
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
    // That 0 was found to be no choice is said only where there is a 0.
    let found_but_said = DecodingResult { assumed: only(&expected).assumed.clone(), ..only(&found).clone() };
    assert_eq!(&found_but_said, only(&expected));
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
    assert!(skipped(&found).contains("all 160 training trials are 1"), "{}", skipped(&found));

    let found =
        decoded(&choice(&|trial| if in_test(trial) { 0.0 } else { [-1.0, 1.0][trial % 2] }), &["choice"]);
    assert_eq!(skipped(&found), "no test trial has a value");

    let constant = with_behaviour(&session, "wheel-speed", Behaviour::PerBin(vec![2.0; 1000]));
    assert_eq!(skipped(&decoded(&constant, &["wheel-speed"])), "it does not vary over the test trials");

    let only_test = with_parts(&session, |parts| parts.splits = vec![Split::Test; 200]);
    for name in ["choice", "wheel-speed"] {
        let found = decoded(&only_test, &[name]);
        assert_eq!(skipped(&found), "no training trial has a value", "{name}");
    }
}

/// Values per trial that the number of spikes of unit 0 carries.
fn with_planted(session: &Session, name: &str, values: &[f64]) -> Session {
    let session = with_counts(session, |trial, _, unit, count| {
        count + if unit == 0 && values[trial].is_finite() { 6 * values[trial].abs() as u32 } else { 0 }
    });
    with_behaviour(&session, name, Behaviour::PerTrial(values.to_vec()))
}

/// As it was met: a rare class that a split put into the test trials. Accuracy is poor, and so is chance.
#[test]
fn chance_comes_from_training_trials_and_a_rare_class_is_warned_of() {
    let session = session();
    let in_test = |trial: usize| session.splits()[trial] == Split::Test;
    let fitted: Vec<usize> = (0..200).filter(|trial| !in_test(*trial)).collect();
    // 3 of 160 training trials are 1, and all but 4 of 40 test trials.
    let test = session.trials_in(Split::Test);
    let values: Vec<f64> = (0..200)
        .map(|trial| {
            if in_test(trial) {
                f64::from(u8::from(!test[..4].contains(&trial)))
            } else {
                f64::from(u8::from(fitted[..3].contains(&trial)))
            }
        })
        .collect();
    let session = with_behaviour(&session, "reward", Behaviour::PerTrial(values));
    let found = decoded(&session, &["reward"]);
    let reward = only(&found);
    assert_close(Some(reward.chance), Some(0.1), "the share of 0 in the test trials");
    let counts: Vec<_> = reward.classes.iter().map(|class| (class.training, class.test)).collect();
    assert_eq!(counts, [(157, 4), (3, 36)]);
    assert_eq!(
        reward.notes,
        ["the rarest category has 3 training trials: the penalty was chosen with 3 folds"]
    );
    for class in &reward.classes {
        assert_eq!(class.decided.iter().sum::<usize>(), class.test);
    }
    let [balanced, auc] = [reward.balanced_accuracy, reward.auc].map(Option::unwrap);
    assert!(balanced.low <= balanced.mean && balanced.mean <= balanced.high);
    assert!(auc.low <= auc.mean && auc.mean <= auc.high && (auc.mean - 0.5).abs() < 0.35, "{auc:?}");
}

#[test]
fn a_class_that_training_or_test_lacks_is_named() {
    let session = session();
    let trials = |split| session.trials_in(split);
    let mut values: Vec<f64> = (0..200).map(|trial| f64::from(trial as u32 % 2)).collect();
    values[trials(Split::Test)[0]] = 2.0;
    values[trials(Split::Train)[0]] = 3.0;
    let session = with_planted(&session, "cue", &values);
    let found = decoded(&session, &["cue"]);
    let notes = &only(&found).notes;
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(notes[0].starts_with("2 is in no training trial: its 1 test trials count as wrong"), "{notes:?}");
    assert!(notes[1].starts_with("3 is in no test trial"), "{notes:?}");
    assert!(notes.iter().all(|note| note.ends_with("split trials stratified")));
    assert!(only(&found).score > 0.9 && only(&found).score < 1.0);
}

#[test]
fn three_classes_are_told_apart_with_their_areas() {
    let session = session();
    let values: Vec<f64> = (0..200).map(|trial| f64::from(trial as u32 * 7 % 3)).collect();
    let found = decoded(&with_planted(&session, "cue", &values), &["cue"]);
    let cue = only(&found);
    assert_eq!((cue.metric.as_str(), cue.classes.len()), ("accuracy", 3));
    assert!(cue.score > 0.9 && cue.balanced_accuracy.unwrap().mean > 0.9 && cue.auc.unwrap().mean > 0.95);
    assert_eq!(cue.assumed.as_deref(), Some("3 different whole numbers"));

    // The same numbers, asked for as such.
    let found = decoded(&with_planted(&session, "cue", &values), &["cue:continuous"]);
    assert_eq!((only(&found).behaviour.as_str(), only(&found).metric.as_str()), ("cue", "r2"));
    assert_eq!(only(&found).assumed, None);
    assert!(only(&found).score > 0.8 && only(&found).interval.is_some());
}

#[test]
fn texts_are_classes_by_their_words() {
    let values: Vec<f64> = (0..200).map(|trial| f64::from(trial as u32 % 2)).collect();
    let session = with_planted(&session(), "cue", &values);
    let session = session.with_texts("cue", vec!["noise".to_owned(), "tone".to_owned()]).unwrap();
    let found = decoded(&session, &["cue"]);
    let labels: Vec<&str> = only(&found).classes.iter().map(|class| class.label.as_str()).collect();
    assert_eq!(labels, ["noise", "tone"]);
    let why = decoded(&session, &["cue:continuous"]).skipped[0].why.clone();
    assert_eq!(why, "it is text, and can only be decoded as categories");
}

/// By default all that a session has is decoded, and what it never had is no matter.
#[test]
fn every_behaviour_of_a_session_is_decoded_and_none_that_it_lacks() {
    let session = with_behaviour(&session(), "pupil", Behaviour::PerTrial(vec![f64::NAN; 200]));
    let session = with_behaviour(&session, "rule", Behaviour::PerTrial(vec![2.0; 200]));
    let mut options = options(&[], &["block:categories"]);
    options.selection.every_behaviour = true;
    let model = model(std::slice::from_ref(&session), 1);
    let config = checkpoint(&model, std::slice::from_ref(&session), MaskPool::multi_task());
    let sessions = std::slice::from_ref(&session);
    let found = evaluate(&mut ensemble(&model, config), "best", sessions, &options, &mut |_| ())
        .unwrap()
        .sessions
        .remove(0);
    let decoded: Vec<(&str, &str)> =
        found.decoding.iter().map(|result| (result.behaviour.as_str(), result.metric.as_str())).collect();
    let expected = [
        ("block", "accuracy"),
        ("choice", "accuracy"),
        ("contrast-left", "r2"),
        ("contrast-right", "r2"),
        ("reward", "accuracy"),
        ("wheel-speed", "r2"),
        ("whisker-motion-energy", "r2"),
    ];
    assert_eq!(decoded, expected);
    assert!(found.skipped.is_empty(), "{:?}", found.skipped);
}
