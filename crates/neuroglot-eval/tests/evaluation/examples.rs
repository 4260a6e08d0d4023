//! Units shown in detail.

use crate::brute_force;
use crate::support::*;
use neuroglot_data::{Behaviour, Session, Split};
use neuroglot_masks::{Prompt, Scheme};
use neuroglot_tasks::Task;
use neuroglot_tasks::results::{ConditionPsth, Example};

/// Four test trials of two bins; `counts[trial][bin][unit]`.
fn session<const UNITS: usize>(counts: [[[u32; UNITS]; 2]; 4]) -> Session {
    let session =
        with_counts(
            &simulated(1, UNITS, 5, 2)[0],
            |trial, bin, unit, _| {
                if trial == 0 { 1 } else { counts[trial - 1][bin][unit] }
            },
        );
    with_parts(&session, |parts| {
        parts.splits = [vec![Split::Train], vec![Split::Test; 4]].concat();
        parts.behaviours.clear();
        let choice = Behaviour::PerTrial(vec![1.0, -1.0, 1.0, -1.0, -1.0]);
        parts.behaviours.insert("choice".into(), choice);
    })
}

fn examples<const UNITS: usize>(session: &Session, rates: [f32; UNITS]) -> Vec<Example> {
    let mut model = constant_model(session, &rates);
    evaluated_alone(&mut model, session, &[Task::CoSmoothing], &[]).examples
}

#[test]
fn a_hand_computed_example() {
    // Every unit fires 4 spikes in 8 entries: a mean of 0.5. A constant rate r scores
    // log2(r / 0.5) − (8 r − 4) / (4 ln 2) bits/spike: 0 at the mean, 1 − 1 / ln 2 at 1, 2 − 3 / ln 2 at 2.
    let session = session([
        [[4, 0, 0], [0, 0, 1]],
        [[0, 1, 0], [0, 2, 0]],
        [[0, 0, 0], [0, 0, 3]],
        [[0, 1, 0], [0, 0, 0]],
    ]);
    let found = examples(&session, [2.0, 0.5, 1.0]);
    let [best, median] = found.as_slice() else { panic!("two examples, not {}", found.len()) };

    assert_eq!((best.task.as_str(), best.rank.as_str(), best.unit), ("co-smoothing", "best", 1));
    assert!(best.bps.abs() < 1e-6, "{}", best.bps);
    assert_eq!((median.rank.as_str(), median.unit), ("median", 2));
    assert_close(Some(median.bps), Some(1.0 - 1.0 / std::f64::consts::LN_2), "median unit");

    assert_eq!(best.observed, [[0.0, 0.0], [1.0, 2.0], [0.0, 0.0], [1.0, 0.0]]);
    assert_eq!(median.observed, [[0.0, 1.0], [0.0, 0.0], [0.0, 3.0], [0.0, 0.0]]);
    assert_eq!(median.predicted, [[1.0; 2]; 4]);
    assert_eq!(best.first_bin, 0);
    // Choices −1, 1, −1, −1: three trials of the one, one of the other.
    let mut psth = best.psth.clone();
    psth.sort_by(|a, b| a.label.cmp(&b.label));
    let of = |label: &str, trials, observed: [f64; 2]| ConditionPsth {
        label: label.into(),
        trials,
        observed: observed.into(),
        observed_error: Vec::new(),
        predicted: vec![f64::from(0.5_f32.ln().exp()); 2],
    };
    // The mean of 0, 0 and 1 has a standard error of 1/3; of one trial there is none.
    let errors: Vec<Vec<f64>> =
        psth.iter_mut().map(|condition| std::mem::take(&mut condition.observed_error)).collect();
    assert!(
        errors[0].is_empty() && (errors[1][0] - 1.0 / 3.0).abs() < 1e-9 && errors[1][1] == 0.0,
        "{errors:?}"
    );
    assert_eq!(psth, [of("choice 1", 1, [1.0, 2.0]), of("choice −1", 3, [1.0 / 3.0, 0.0])]);
}

#[test]
fn units_that_hardly_fire_are_shown_only_where_all_do() {
    // Unit 0 is predicted perfectly but fires 4 spikes; the others fire 24 each, unit 1 predicted better than unit 2.
    let session = session([
        [[0, 3, 3], [1, 3, 3]],
        [[0, 3, 3], [1, 3, 3]],
        [[0, 3, 3], [1, 3, 3]],
        [[0, 3, 3], [1, 3, 3]],
    ]);
    let found = examples(&session, [0.5, 2.5, 1.0]);
    let shown: Vec<_> = found.iter().map(|example| (example.rank.as_str(), example.unit)).collect();
    assert_eq!(shown, [("best", 1), ("median", 2)]);
}

#[test]
fn they_show_the_predictions_of_their_task() {
    let session = &two_sessions()[0];
    let mut model = model(std::slice::from_ref(session), 1);
    let found = evaluated_alone(&mut model, session, &Task::ALL, &[]);
    assert_eq!(found.examples.len(), 8);
    for (of, pair) in Task::ALL.into_iter().zip(found.examples.chunks(2)) {
        let prompt = match of {
            Task::CoSmoothing => Prompt(Scheme::Neuron),
            Task::Forward => Prompt(Scheme::Causal),
            Task::IntraRegion => Prompt(Scheme::IntraRegion),
            Task::InterRegion => Prompt(Scheme::InterRegion),
        };
        let units = &task(&found, of).per_unit;
        let enough = units.iter().filter(|unit| unit.spikes >= 20.0).filter_map(|unit| unit.bps);
        let mut ranked: Vec<f64> = enough.collect();
        if ranked.is_empty() {
            ranked = units.iter().filter_map(|unit| unit.bps).collect();
        }
        ranked.sort_by(|a, b| b.total_cmp(a));
        for (example, (rank, bps)) in
            pair.iter().zip([("best", ranked[0]), ("median", ranked[ranked.len() / 2])])
        {
            let what = format!("{rank} unit of {}", of.name());
            assert_eq!((example.task.as_str(), example.rank.as_str()), (of.name(), rank));
            assert_eq!((example.bps, units[example.unit].bps), (bps, Some(bps)), "{what}");
            let first_bin = brute_force::first_bin(session, of);
            assert_eq!(example.first_bin, first_bin);
            assert_eq!(example.observed.concat(), brute_force::counts(session, of, example.unit), "{what}");
            let expected = brute_force::predicted(&mut model, 0, session, of, prompt, example.unit);
            assert_eq!(example.predicted.len(), 6);
            for (found, log_rate) in example.predicted.concat().into_iter().zip(expected) {
                assert_close(Some(found.into()), Some(f64::from(log_rate).exp()), &what);
            }
        }
    }
}
