//! Baselines on sessions whose answers are known.

use neuroglot_baselines::{Baseline, BaselineError, evaluate_baseline, evaluate_with_choices};
use neuroglot_data::{Behaviour, Session, SessionParts, SimulatorConfig, SpikeCountsBuilder, Split, Unit};
use neuroglot_tasks::results::{Evaluation, SessionEvaluation};
use neuroglot_tasks::{EvaluationOptions, Task, TaskSelection};
use std::collections::BTreeMap;

fn options(tasks: &[Task], behaviours: &[&str]) -> EvaluationOptions {
    let behaviours = behaviours.iter().map(|name| (*name).to_owned()).collect();
    EvaluationOptions {
        selection: TaskSelection { tasks: tasks.to_vec(), behaviours, every_behaviour: false },
        resamples: 100,
        seed: 1,
    }
}

fn evaluated(baseline: Baseline, sessions: &[Session], options: &EvaluationOptions) -> Evaluation {
    evaluate_baseline(baseline, sessions, options, &mut |_| ()).unwrap()
}

/// Sessions of four coupled regions whose true rates are known.
fn simulated(sessions: usize, units: usize, trials: usize) -> Vec<Session> {
    let config = SimulatorConfig {
        sessions,
        units,
        trials,
        bins: 20,
        bin_seconds: 0.1,
        seed: 3,
        ..SimulatorConfig::default()
    };
    config.simulate().unwrap()
}

/// Counts of one trial, `[bin, unit]`, a split for each, and units that all lie in CA1.
fn made_of(trials: &[(Split, Vec<u32>)], bins: usize, units: usize) -> SessionParts {
    let mut builder = SpikeCountsBuilder::new(bins, units);
    trials.iter().for_each(|(_, counts)| builder.push_dense(counts));
    let unit = |number: usize| Unit {
        uuid: format!("unit-{number}"),
        region: "CA1".into(),
        depth: None,
        channel: None,
        good: None,
    };
    SessionParts {
        eid: "made".into(),
        subject: "mouse".into(),
        lab: "lab".into(),
        bin_seconds: 0.02,
        units: (0..units).map(unit).collect(),
        splits: trials.iter().map(|(split, _)| *split).collect(),
        counts: builder.finish(),
        behaviours: BTreeMap::new(),
        true_rates: None,
    }
}

#[test]
fn the_unit_mean_is_worth_nothing_where_test_trials_have_that_mean_and_less_than_nothing_elsewhere() {
    // Unit 0: 3 spikes in 4 bins everywhere. Unit 1: 4 in 4 bins of training, 2 in 4 of test.
    let trial = |split, counts: [u32; 8]| (split, counts.to_vec());
    let session = Session::new(made_of(
        &[
            trial(Split::Train, [1, 1, 2, 1, 0, 1, 0, 1]),
            trial(Split::Validation, [1, 1, 2, 1, 0, 1, 0, 1]),
            trial(Split::Test, [0, 1, 0, 0, 3, 1, 0, 0]),
        ],
        4,
        2,
    ))
    .unwrap();
    let found = evaluated(Baseline::UnitMean, &[session], &options(&[Task::CoSmoothing], &[]));
    let units = &found.sessions[0].tasks[0].per_unit;
    assert!(units[0].bps.unwrap().abs() < 1e-6, "{:?}", units[0]);
    // Null: 2 − 2 ln ½; model, at 1 spike/bin: 4 − 2 ln 1. The difference over 2 ln 2 is (−2 + 2 ln 2) / (2 ln 2).
    let expected = (-1.0 + 2f64.ln()) / 2f64.ln();
    assert!((units[1].bps.unwrap() - expected).abs() < 1e-6, "{:?}", units[1]);
}

#[test]
fn regressions_find_coupling_and_nothing_beats_the_true_rates() {
    let sessions = simulated(2, 16, 150);
    let of = |baseline| evaluated(baseline, &sessions, &options(&Task::ALL, &[]));
    let pooled = |found: &Evaluation, session: usize, task: Task| {
        let mut tasks = found.sessions[session].tasks.iter();
        tasks.find(|result| result.task == task.name()).unwrap().scores.bps_pooled.unwrap()
    };
    let mean = of(Baseline::UnitMean);
    for baseline in [Baseline::Ridge, Baseline::PoissonGlm, Baseline::ReducedRank] {
        let found = of(baseline);
        for (session, task) in (0..2).flat_map(|session| Task::ALL.map(|task| (session, task))) {
            let (score, floor) = (pooled(&found, session, task), pooled(&mean, session, task));
            assert!(score > floor, "{baseline} {task:?}: {score} is no better than the mean's {floor}");
            let result =
                found.sessions[session].tasks.iter().find(|result| result.task == task.name()).unwrap();
            let ceiling = result.ceiling.unwrap().bps_pooled.unwrap();
            assert!(score < ceiling, "{baseline} {task:?}: {score} is better than the truth's {ceiling}");
            let state = result.state_ceiling.unwrap().bps_pooled.unwrap();
            assert!(score < state, "{baseline} {task:?}: {score} is better than the true state's {state}");
        }
    }
    // What all units share over time is in the PSTH, and conditions differ.
    let (psth, history) = (of(Baseline::Psth), of(Baseline::History));
    for (session, task) in (0..2).flat_map(|session| Task::ALL.map(|task| (session, task))) {
        assert!(pooled(&psth, session, task) > pooled(&mean, session, task), "{task:?}");
    }
    assert!(pooled(&history, 0, Task::Forward) > pooled(&mean, 0, Task::Forward));
}

#[test]
fn what_a_baseline_cannot_do_is_skipped_with_the_reason() {
    let sessions = simulated(1, 8, 30);
    let asked = options(&Task::ALL, &["wheel-speed", "licks"]);
    let skipped = |baseline| -> BTreeMap<String, String> {
        let found = evaluated(baseline, &sessions, &asked).sessions.remove(0);
        found.skipped.into_iter().map(|skipped| (skipped.what, skipped.why)).collect()
    };
    let history = skipped(Baseline::History);
    assert_eq!(
        history.keys().map(String::as_str).collect::<Vec<_>>(),
        ["co-smoothing", "inter-region", "intra-region", "licks", "wheel-speed"]
    );
    assert!(history["co-smoothing"].contains("its own past, which is hidden"));
    assert!(history["wheel-speed"].contains("decodes no behaviour"));
    let linear = skipped(Baseline::Linear);
    assert_eq!(linear.len(), 5);
    assert!(linear["forward"].contains("predicts no unit"));
    assert_eq!(linear["licks"], "the session does not have it");

    // One region: none to predict it from.
    let one_region = made_of(
        &[Split::Train, Split::Validation, Split::Test].map(|split| (split, vec![1, 0, 0, 1, 2, 1])),
        3,
        2,
    );
    let found = evaluated(Baseline::Ridge, &[Session::new(one_region).unwrap()], &options(&Task::ALL, &[]));
    assert_eq!(found.sessions[0].tasks.len(), 3);
    assert_eq!(found.sessions[0].skipped[0].what, "inter-region");
}

#[test]
fn evaluations_are_those_of_a_run_in_shape_and_say_what_was_chosen() {
    let sessions = simulated(1, 8, 30);
    let asked = options(&[Task::CoSmoothing, Task::Forward], &["choice"]);
    let (found, choices) = evaluate_with_choices(Baseline::Psth, &sessions, &asked, &mut |_| ()).unwrap();
    assert_eq!((found.mask.as_str(), found.checkpoint.as_str()), ("psth", "baseline"));
    let SessionEvaluation { eid, trials, bins, units, examples, .. } = &found.sessions[0];
    assert_eq!((eid.as_str(), *trials, *bins, units.len()), (sessions[0].eid(), 6, 20, 8));
    assert_eq!(units[3].uuid, sessions[0].units()[3].uuid);
    assert_eq!(examples.len(), 4);
    let what: Vec<&str> = choices.iter().map(|choice| choice.what.as_str()).collect();
    assert_eq!(what, ["co-smoothing", "forward"]);
    assert!(choices[0].settings.starts_with("smoothing "), "{choices:?}");
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let sessions = simulated(2, 12, 40);
    for baseline in Baseline::ALL {
        let asked = options(&Task::ALL, &["choice", "wheel-speed"]);
        let with_threads = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| evaluated(baseline, &sessions, &asked))
        };
        assert_eq!(with_threads(1), with_threads(3), "{baseline}");
    }
}

/// 160 trials; unit 0 fires more where the choice is +1, and the trace is what unit 1 fires in the bin before.
fn with_planted_behaviour() -> Session {
    let session = &simulated(1, 6, 160)[0];
    let (bins, units) = (session.bins(), 6);
    let choices: Vec<f64> = (0..160).map(|trial| if trial * 7 % 11 < 5 { 1.0 } else { -1.0 }).collect();
    let mut builder = SpikeCountsBuilder::new(bins, units);
    let mut trace = Vec::new();
    for (trial, choice) in choices.iter().enumerate() {
        let mut counts: Vec<u32> = session.dense(&[trial]).into_iter().map(|count| count as u32).collect();
        counts.iter_mut().step_by(units).for_each(|count| *count += if *choice > 0.0 { 4 } else { 0 });
        trace.extend(
            (0..bins).map(|bin| if bin == 0 { 0.0 } else { f64::from(counts[(bin - 1) * units + 1]) }),
        );
        builder.push_dense(&counts);
    }
    Session::new(SessionParts {
        eid: "planted".into(),
        subject: session.subject().into(),
        lab: session.lab().into(),
        bin_seconds: session.bin_seconds(),
        units: session.units().to_vec(),
        splits: session.splits().to_vec(),
        counts: builder.finish(),
        behaviours: BTreeMap::from([
            ("choice".into(), Behaviour::PerTrial(choices)),
            ("trace".into(), Behaviour::PerBin(trace)),
            ("constant".into(), Behaviour::PerBin(vec![2.0; 160 * bins])),
        ]),
        true_rates: None,
    })
    .unwrap()
}

#[test]
fn decoders_find_a_behaviour_that_the_counts_carry() {
    let session = with_planted_behaviour();
    let asked = options(&[], &["choice", "trace", "constant"]);
    for baseline in [Baseline::Linear, Baseline::ReducedRank, Baseline::Mlp] {
        let found = evaluated(baseline, std::slice::from_ref(&session), &asked).sessions.remove(0);
        let score = |name: &str| found.decoding.iter().find(|result| result.behaviour == name).unwrap();
        assert!(score("choice").score >= 0.95, "{baseline}: {:?}", score("choice"));
        assert_eq!(score("choice").metric, "accuracy");
        assert!(score("trace").score > 0.3, "{baseline}: {:?}", score("trace"));
        assert!(found.skipped[0].why.contains("does not vary"), "{baseline}: {:?}", found.skipped);
    }
}

#[test]
fn the_seed_decides_what_is_random() {
    let sessions = simulated(1, 4, 30);
    let with_seed = |seed| {
        let asked = EvaluationOptions { seed, ..options(&[], &["wheel-speed"]) };
        evaluated(Baseline::Mlp, &sessions, &asked).sessions[0].decoding[0].score
    };
    assert_eq!(with_seed(4), with_seed(4));
    assert_ne!(with_seed(4), with_seed(5));
}

#[test]
fn sessions_that_cannot_be_used_are_refused_by_name() {
    let asked = options(&Task::ALL, &[]);
    let refused = |splits: [Split; 3]| {
        let session = made_of(&splits.map(|split| (split, vec![1, 0, 0, 1])), 2, 2);
        let session = Session::new(session).unwrap();
        evaluate_baseline(Baseline::Psth, &[session], &asked, &mut |_| ()).unwrap_err().to_string()
    };
    let no_validation = refused([Split::Train, Split::Train, Split::Test]);
    assert!(no_validation.starts_with("session made has no validation trial"), "{no_validation}");
    assert!(refused([Split::Validation, Split::Validation, Split::Test]).contains("no train trial"));
    assert!(refused([Split::Train, Split::Validation, Split::Train]).contains("no test trial"));
    let session = &simulated(1, 4, 20)[0];
    let twice = [session.clone(), session.clone()];
    let error = evaluate_baseline(Baseline::UnitMean, &twice, &asked, &mut |_| ()).unwrap_err();
    assert!(matches!(error, BaselineError::Data(_)), "{error}");
}

#[test]
fn a_trial_of_one_bin_leaves_forward_prediction_nothing_but_the_intercept() {
    let counts = |split, count: u32| (split, vec![count, 1]);
    let session = made_of(
        &[
            counts(Split::Train, 1),
            counts(Split::Train, 2),
            counts(Split::Validation, 1),
            counts(Split::Test, 2),
        ],
        1,
        2,
    );
    let session = Session::new(session).unwrap();
    for baseline in [Baseline::Ridge, Baseline::PoissonGlm, Baseline::ReducedRank, Baseline::History] {
        let found = evaluated(baseline, std::slice::from_ref(&session), &options(&[Task::Forward], &[]))
            .sessions
            .remove(0);
        assert!(found.tasks[0].per_unit[0].bps.unwrap().is_finite(), "{baseline}");
    }
}
