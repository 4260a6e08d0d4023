//! Couplings of simulated sessions whose answers are known.

use crate::simulated::{BINS, driven, fit_with, log_rates, session};
use neuroglot_coupling::{CouplingError, CouplingSettings, TaskCoupling, task_score};
use neuroglot_data::{SimulatorConfig, Split};
use neuroglot_tasks::Task;

/// Counts as they are, or those of the bin before, and hardly a penalty.
fn exact() -> CouplingSettings {
    CouplingSettings {
        widths: vec![0.0],
        decays: vec![0.002],
        penalties: vec![1e-5],
        ..CouplingSettings::default()
    }
}

#[test]
fn weights_of_the_simulation_are_found() {
    let session = driven(4000);
    let coupling = fit_with(&session, Task::CoSmoothing, &exact()).unwrap();
    let counts = session.dense(&[0]);
    let of_unit_4 = |change: &dyn Fn(&mut [f32])| {
        let mut changed = counts.clone();
        change(&mut changed[3 * 6..4 * 6]);
        f64::from(log_rates(&coupling, &changed, |_, _| false)[3 * 6 + 4])
    };
    let before = of_unit_4(&|_| ());
    for (input, weight) in [0.4, -0.3, 0.2, 0.0].into_iter().enumerate() {
        // One spike more of an input moves the log-rate by its weight; 32,000 bins make its standard error 0.006.
        let found = of_unit_4(&|row| row[input] += 1.0) - before;
        assert!((found - weight).abs() < 0.02, "input {input}: {found}");
    }
}

#[test]
fn forward_prediction_finds_what_drives_the_next_bin() {
    let session = driven(2000);
    let coupling = fit_with(&session, Task::Forward, &exact()).unwrap();
    let counts = session.dense(&[0]);
    let mut changed = counts.clone();
    changed[5 * 6 + 4] += 1.0;
    let [before, after] = [&counts, &changed].map(|counts| log_rates(&coupling, counts, |_, _| false));
    for (entry, (before, after)) in before.iter().zip(&after).enumerate() {
        let expected = if entry == 6 * 6 + 5 { 0.5 } else { 0.0 };
        assert!((after - before - expected).abs() < 0.04, "bin {}, unit {}", entry / 6, entry % 6);
    }
    // Nothing is seen of the first bin: there, the prediction is the mean. That of unit 4 is the product over its inputs, of mean
    // 1, of the mean of exp(w (y − 1)), exp(exp(w) − 1 − w).
    let mean = [0.4f32, -0.3, 0.2].map(|weight| weight.exp() - 1.0 - weight).iter().sum();
    for (found, expected) in before.iter().zip([0.0, 0.0, 0.0, 0.0, mean]) {
        assert!((found - expected).abs() < 0.1, "{found} {expected}");
    }
}

#[test]
fn a_unit_is_predicted_alike_hidden_and_visible() {
    let session = driven(60);
    let counts = session.dense(&(0..60).collect::<Vec<usize>>());
    for task in [Task::CoSmoothing, Task::IntraRegion, Task::InterRegion] {
        let coupling = fit_with(&session, task, &CouplingSettings::default()).unwrap();
        let visible = log_rates(&coupling, &counts, |_, _| false);
        for hidden in 0..5 {
            // What the task hides from this unit.
            let is_hidden = |unit| match task {
                Task::IntraRegion => unit == hidden || (unit == 3) != (hidden == 3) || unit == 5,
                Task::InterRegion => (unit == 3) == (hidden == 3) && unit != 5,
                _ => unit == hidden,
            };
            let found = log_rates(&coupling, &counts, |_, unit| is_hidden(unit));
            let of_unit =
                |values: &[f32]| -> Vec<f32> { values.iter().skip(hidden).step_by(6).copied().collect() };
            assert_eq!(of_unit(&found), of_unit(&visible), "{task:?}, unit {hidden}");
            assert!(task == Task::IntraRegion && hidden == 3 || found != visible, "{task:?}, unit {hidden}");
        }
    }
    let coupling = fit_with(&session, Task::Forward, &CouplingSettings::default()).unwrap();
    let visible = log_rates(&coupling, &counts, |_, _| false);
    let hidden = log_rates(&coupling, &counts, |bin, _| bin == BINS - 1);
    assert_eq!(hidden, visible);
}

#[test]
fn what_is_hidden_is_never_read_and_says_nothing() {
    let session = driven(60);
    let counts = session.dense(&[0, 1]);
    for task in Task::ALL {
        let coupling = fit_with(&session, task, &CouplingSettings::default()).unwrap();
        let hide = |bin: usize, unit: usize| unit == 1 || bin == 4;
        let mut other = counts.clone();
        for (entry, count) in other.iter_mut().enumerate() {
            if hide(entry / 6 % BINS, entry % 6) {
                *count = f32::NAN;
            }
        }
        let bits = |values: Vec<f32>| -> Vec<u32> { values.into_iter().map(f32::to_bits).collect() };
        assert_eq!(bits(log_rates(&coupling, &counts, hide)), bits(log_rates(&coupling, &other, hide)));

        // Where all is hidden, all trials are predicted alike, in the mean over the bins as the training trials were.
        let nothing = log_rates(&coupling, &counts, |_, _| true);
        let (one, two) = nothing.split_at(BINS * 6);
        assert_eq!(bits(one.to_vec()), bits(two.to_vec()), "{task:?}");
        let spikes =
            session.unit_rates_hz(&session.trials_in(Split::Train)).into_iter().map(|rate| 0.02 * rate);
        for (unit, expected) in spikes.enumerate().take(coupling.units_predicted().len()) {
            let rates = one.iter().skip(unit).step_by(6).map(|log_rate| f64::from(log_rate.exp()));
            let ratio = rates.sum::<f64>() / BINS as f64 / expected;
            assert!((ratio - 1.0).abs() < 0.1, "{task:?}, unit {unit}: {ratio}");
        }
    }
}

#[test]
fn units_that_a_task_does_not_predict_are_marked() {
    let session = driven(40);
    let counts = session.dense(&[0]);
    for (task, units) in
        [(Task::CoSmoothing, 6), (Task::Forward, 6), (Task::IntraRegion, 5), (Task::InterRegion, 5)]
    {
        let coupling = fit_with(&session, task, &CouplingSettings::default()).unwrap();
        assert_eq!(coupling.units_predicted(), (0..units).collect::<Vec<usize>>());
        let found = log_rates(&coupling, &counts, |_, _| false);
        let marked = found.iter().enumerate().filter(|(_, log_rate)| log_rate.is_nan());
        assert!(marked.clone().all(|(entry, _)| entry % 6 >= units) && marked.count() == BINS * (6 - units));
    }
}

#[test]
fn the_penalty_is_the_one_that_the_judge_takes() {
    let session = driven(200);
    let [training, validation] = [Split::Train, Split::Validation].map(|split| session.trials_in(split));
    let settings = CouplingSettings { penalties: vec![2.0, 0.5, 0.1], ..CouplingSettings::default() };
    let fit = |judge: &mut dyn FnMut(&[f32]) -> f64| {
        let task = Task::CoSmoothing;
        TaskCoupling::fit(&session, &training, &validation, task, &settings, Some(judge), &mut |_, _| ())
            .unwrap()
            .unwrap()
    };
    // The log-rates that the judge is given are those of the validation trials, and it need not agree with the coupling's score.
    let (mut judged, mut least) = (Vec::new(), Vec::new());
    let coupling = fit(&mut |log_rates| {
        judged.push(log_rates.to_vec());
        least.push(task_score(&session, &validation, Task::CoSmoothing, log_rates));
        -least[least.len() - 1]
    });
    assert!(coupling.penalty() == 2.0 && least[1] > least[0], "{} {least:?}", coupling.penalty());
    let found = log_rates(&coupling, &session.dense(&validation), |_, _| false);
    let near = |judged: &Vec<f32>| judged.iter().zip(&found).all(|(one, other)| (one - other).abs() < 1e-5);
    assert_eq!(judged.iter().filter(|judged| near(judged)).count(), 1);
    // The coupling's own score takes the best.
    let own = fit_with(&session, Task::CoSmoothing, &settings).unwrap();
    let score = task_score(
        &session,
        &validation,
        Task::CoSmoothing,
        &log_rates(&own, &session.dense(&validation), |_, _| false),
    );
    let best = least.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert!((score - best).abs() < 1e-6, "{score} {best}");
}

#[test]
fn without_validation_trials_the_penalty_goes_with_the_data() {
    let session = driven(200);
    let training: Vec<usize> = (0..200).collect();
    for (task, constant) in Task::ALL.into_iter().zip([850.0, 2200.0, 370.0, 1200.0]) {
        let mut judge = |_: &[f32]| -> f64 { panic!("there is nothing to judge") };
        let settings = CouplingSettings::default();
        let coupling =
            TaskCoupling::fit(&session, &training, &[], task, &settings, Some(&mut judge), &mut |_, _| ());
        let coupling = coupling.unwrap().unwrap();
        assert_eq!(coupling.penalty(), constant / 2000.0);
        assert!(coupling.settings().ends_with("intercept PSTH"), "{}", coupling.settings());
    }
    let error =
        TaskCoupling::fit(&session, &[], &[], Task::Forward, &exact(), None, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, CouplingError::NoTrainingTrials { .. }), "{error}");
}

#[test]
fn tasks_that_a_session_cannot_have_have_no_coupling_and_what_sees_nothing_is_its_start() {
    let session = session(&vec![vec![1, 0, 2]; 10], &["root", "CA1", "void"]);
    let settings = CouplingSettings::default();
    assert!(fit_with(&session, Task::InterRegion, &settings).is_none());
    // A trial of one bin has no past, and a unit that is alone in its region has no neighbour.
    let forward = fit_with(&session, Task::Forward, &settings).unwrap();
    assert!(forward.settings().starts_with("no covariate"), "{}", forward.settings());
    let intra = fit_with(&session, Task::IntraRegion, &settings).unwrap();
    for (coupling, units) in [(forward, vec![0, 2]), (intra, vec![1])] {
        let of = |counts: &[f32]| log_rates(&coupling, counts, |_, _| false);
        let found = of(&[9.0, 9.0, 9.0]);
        assert_eq!(
            found.iter().map(|value| value.to_bits()).collect::<Vec<_>>(),
            of(&[1.0, 0.0, 2.0]).iter().map(|value| value.to_bits()).collect::<Vec<_>>()
        );
        for unit in units {
            // Unit 1 never fires. Its mean is that of half a spike in 8 trials, and its PSTH has 0.3 trials of that mean in 8.3.
            let expected: f32 = [1.0, 0.3 * (0.5 / 8.0) / 8.3, 2.0][unit];
            assert!((found[unit] - expected.ln()).abs() < 1e-5, "unit {unit}: {}", found[unit].exp());
        }
    }
}

#[test]
fn few_inputs_find_what_is_among_them() {
    let session = driven(1000);
    let settings = CouplingSettings { most_inputs: 3, ..exact() };
    let coupling = fit_with(&session, Task::CoSmoothing, &settings).unwrap();
    let counts = session.dense(&[0]);
    let before = log_rates(&coupling, &counts, |_, _| false);
    let inputs = (0..6).filter(|unit| log_rates(&coupling, &counts, |_, hidden| hidden == *unit) != before);
    let rates = session.unit_rates_hz(&session.trials_in(Split::Train));
    let mut order: Vec<usize> = (0..6).collect();
    order.sort_by(|one, other| rates[*other].total_cmp(&rates[*one]));
    order.truncate(3);
    order.sort();
    assert_eq!(inputs.collect::<Vec<usize>>(), order);
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let simulator = SimulatorConfig {
        sessions: 1,
        units: 30,
        trials: 60,
        bins: 20,
        seed: 2,
        ..SimulatorConfig::default()
    };
    let session = simulator.simulate().unwrap().remove(0);
    let counts = session.dense(&session.trials_in(Split::Validation));
    let with_threads = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            Task::ALL.map(|task| {
                let coupling = fit_with(&session, task, &CouplingSettings::default()).unwrap();
                let log_rates = log_rates(&coupling, &counts, |_, _| false);
                (coupling.settings(), log_rates.into_iter().map(f32::to_bits).collect::<Vec<u32>>())
            })
        })
    };
    assert_eq!(with_threads(1), with_threads(3));
}
