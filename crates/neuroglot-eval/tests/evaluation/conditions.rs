//! Which trials are averaged in a PSTH, as the examples show it.

use crate::support::*;
use neuroglot_data::{Behaviour, Session, Split};
use neuroglot_tasks::Task;
use neuroglot_tasks::results::SessionEvaluation;

/// Ten trials, the last six of them test trials, with these values of block, choice and reward in the test trials.
fn session(variables: &[(&str, [f64; 6])]) -> Session {
    with_parts(&simulated(1, 4, 10, 10)[0], |parts| {
        parts.splits = [vec![Split::Train; 4], vec![Split::Test; 6]].concat();
        parts.behaviours.clear();
        for (name, values) in variables {
            // What the variable is in training trials does not matter.
            let values = [[0.2, 0.8, -1.0, 1.0].to_vec(), values.to_vec()].concat();
            parts.behaviours.insert(name.to_string(), Behaviour::PerTrial(values));
        }
    })
}

fn evaluation(session: &Session) -> SessionEvaluation {
    let mut model = model(std::slice::from_ref(session), 1);
    evaluated_alone(&mut model, session, &[Task::CoSmoothing], &[])
}

/// Labels and numbers of trials, sorted.
fn conditions(found: &SessionEvaluation) -> Vec<(&str, usize)> {
    let psth = found.examples[0].psth.iter();
    let mut conditions: Vec<_> = psth.map(|psth| (psth.label.as_str(), psth.trials)).collect();
    conditions.sort();
    conditions
}

fn has_psth_scores(found: &SessionEvaluation) -> bool {
    let result = task(found, Task::CoSmoothing);
    let of_units = result.per_unit.iter().any(|unit| unit.psth_r2.is_some());
    assert_eq!(of_units, result.scores.psth_r2.is_some());
    of_units
}

#[test]
fn block_choice_and_reward_are_crossed() {
    let found = evaluation(&session(&[
        ("reward", [1.0, 0.0, 1.0, 1.0, 0.0, 1.0]),
        ("choice", [-1.0, -1.0, 1.0, -1.0, -1.0, 1.0]),
        ("block", [0.2, 0.2, 0.8, 0.2, 0.8, 0.8]),
    ]));
    let expected = [
        ("block 0.2, choice −1, reward 0", 1),
        ("block 0.2, choice −1, reward 1", 2),
        ("block 0.8, choice 1, reward 1", 2),
        ("block 0.8, choice −1, reward 0", 1),
    ];
    assert_eq!(conditions(&found), expected);
    assert!(has_psth_scores(&found));
}

#[test]
fn what_is_the_same_in_all_test_trials_is_left_out() {
    let found = evaluation(&session(&[("block", [0.5; 6]), ("choice", [-1.0, -1.0, 1.0, -1.0, -1.0, -1.0])]));
    assert_eq!(conditions(&found), [("choice 1", 1), ("choice −1", 5)]);
    assert!(has_psth_scores(&found));
}

#[test]
fn without_conditions_there_is_one_average_of_all_trials_without_a_score() {
    for variables in [&[][..], &[("block", [0.5; 6])], &[("choice", [f64::NAN; 6])]] {
        let found = evaluation(&session(variables));
        assert_eq!(conditions(&found), [("all trials", 6)], "{variables:?}");
        assert!(!has_psth_scores(&found), "{variables:?}");
    }
}

#[test]
fn trials_that_lack_a_value_are_a_condition() {
    let found = evaluation(&session(&[("choice", [-1.0, f64::NAN, 1.0, f64::NAN, -1.0, 1.0])]));
    assert_eq!(conditions(&found), [("choice 1", 2), ("choice missing", 2), ("choice −1", 2)]);
}
