//! What cannot be evaluated.

use crate::support::*;
use neuroglot_data::{Session, Split};
use neuroglot_eval::{EvalError, evaluate};
use neuroglot_masks::MaskPool;
use neuroglot_tasks::{Task, TaskError};

/// Evaluates, with a model of two sessions, a changed copy of the second.
fn refused(change: impl FnOnce(&Session) -> Session) -> EvalError {
    let sessions = simulated(2, 6, 30, 10);
    let model = model(&sessions, 1);
    let config = checkpoint(&model, &sessions, MaskPool::multi_task());
    let changed = [sessions[0].clone(), change(&sessions[1])];
    evaluate(&mut ensemble(&model, config), "best", &changed, &options(&[Task::Forward], &[]), &mut |_| ())
        .unwrap_err()
}

#[track_caller]
fn assert_names(error: &EvalError, parts: &[&str]) {
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn an_unknown_session_is_told_which_are_known() {
    let error = refused(|session| with_parts(session, |parts| parts.eid = "another".into()));
    assert!(matches!(error, EvalError::UnknownSession { .. }));
    assert_names(&error, &["session another", "simulated-3-00, simulated-3-01"]);
}

#[test]
fn the_first_unit_that_has_changed_is_named() {
    let eid = "session simulated-3-01";
    let error = refused(|session| with_parts(session, |parts| parts.units[4].uuid = "renamed".into()));
    assert_names(&error, &[eid, "unit 4", "renamed", "simulated-3-01-0004"]);
    let error = refused(|session| with_parts(session, |parts| parts.units[2].region = "LP".into()));
    assert_names(&error, &[eid, "unit 2", "simulated-3-01-0002 in LP"]);
    let error = refused(|session| session.select_units(&[0, 1, 2, 3, 4]).unwrap());
    assert_names(&error, &[eid, "5 units", "knows 6"]);
}

#[test]
fn a_session_needs_test_trials() {
    let error = refused(|session| {
        with_parts(session, |parts| {
            parts.splits.iter_mut().filter(|split| **split == Split::Test).for_each(|s| *s = Split::Train);
        })
    });
    assert!(
        matches!(&error, EvalError::Task(TaskError::NoTestTrials { eid }) if eid == "simulated-3-01"),
        "{error}"
    );
}

#[test]
fn trials_need_as_many_bins_as_in_training() {
    let error = refused(|_| simulated(2, 6, 30, 12).remove(1));
    assert_names(&error, &["session simulated-3-01", "12 bins", "trained with 10"]);
}

#[test]
fn a_model_that_predicts_no_rates_has_diverged() {
    let sessions = simulated(1, 6, 30, 10);
    for bias in [f32::NAN, f32::INFINITY, 1000.0] {
        let mut model = constant_model(&sessions[0], &[1.0; 6]);
        model.set_output_bias(&[(0, vec![0.0, 0.0, bias, 0.0, 0.0, 0.0])]);
        let error = evaluated(&mut model, &sessions, MaskPool::multi_task(), &options(&[Task::Forward], &[]));
        assert_names(&error.unwrap_err(), &["session simulated-3-00", "diverged", "learning_rate"]);
    }
}
