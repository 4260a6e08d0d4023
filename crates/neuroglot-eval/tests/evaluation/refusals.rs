//! What cannot be evaluated.

use crate::support::*;
use neuroglot_data::{Filter, Session, Split};
use neuroglot_eval::{EvalError, as_model_sees, evaluate};
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

#[test]
fn a_model_finds_its_units_again_whatever_they_do_in_a_part_of_a_session() {
    let sessions = simulated(2, 6, 30, 10);
    let known = [sessions[0].select_units(&[4, 1, 3]).unwrap()];
    let config = checkpoint(&model(&known, 1), &known, MaskPool::multi_task());
    // Over these trials, other units would pass the filter than over all.
    let part = sessions[0].select_trials(&[3, 4, 20]).unwrap();
    let rates = part.unit_rates_hz(&[0, 1, 2]);
    let filter = Filter { min_rate: rates[1] + 1e-3, ..Filter::default() };
    let seen = as_model_sees(&config, &filter, &part).unwrap();
    let uuids: Vec<&str> = seen.units().iter().map(|unit| unit.uuid.as_str()).collect();
    assert_eq!(uuids, [4, 1, 3].map(|unit| sessions[0].units()[unit].uuid.as_str()));
    assert_eq!(
        (seen.trials(), seen.entries(2).count()),
        (3, part.select_units(&[4, 1, 3]).unwrap().entries(2).count())
    );
    let error = as_model_sees(&config, &filter, &sessions[1]).unwrap_err();
    assert!(matches!(error, EvalError::UnknownSession { .. }));
    // A unit that is gone is named where the session is used.
    let fewer =
        as_model_sees(&config, &Filter::default(), &sessions[0].select_units(&[1, 3]).unwrap()).unwrap();
    assert_eq!(fewer.units().len(), 2);
}
