//! Nothing that is hidden, and no test trial but its own, may have a say in a prediction.

use crate::evaluate::{Recording, predict};
use crate::{Baseline, BaselineError};
use neuroglot_data::{Session, SessionParts, SimulatorConfig, SpikeCountsBuilder, Split};
use neuroglot_masks::Holdout;
use neuroglot_tasks::{CaseGroup, Task, TestTrials};

/// 11 units of three regions in 40 trials of 12 bins; unit 10 lies in no region.
fn session() -> Session {
    let config = SimulatorConfig {
        sessions: 1,
        units: 11,
        trials: 40,
        bins: 12,
        bin_seconds: 0.1,
        regions: ["VISa", "CA1", "PO"].map(String::from).into(),
        seed: 5,
    };
    let session = config.simulate().unwrap().remove(0);
    with_parts(&session, |parts| parts.units[10].region = "root".into())
}

fn with_parts(session: &Session, change: impl FnOnce(&mut SessionParts)) -> Session {
    let mut parts = SessionParts { true_rates: None, ..session.clone().into_parts() };
    change(&mut parts);
    Session::new(parts).unwrap()
}

/// The session with other counts in some entries: where `changes(trial, bin, unit)`, the count goes up.
fn changed(session: &Session, changes: impl Fn(usize, usize, usize) -> bool) -> Session {
    let units = session.units().len();
    let mut builder = SpikeCountsBuilder::new(session.bins(), units);
    for trial in 0..session.trials() {
        let counts = session.dense(&[trial]).into_iter().enumerate().map(|(entry, count)| {
            let (bin, unit) = (entry / units, entry % units);
            count as u32 + if changes(trial, bin, unit) { 1 + (trial + bin) as u32 % 3 } else { 0 }
        });
        builder.push_dense(&counts.collect::<Vec<u32>>());
    }
    with_parts(session, |parts| parts.counts = builder.finish())
}

/// Log-rates `[test trial, bin, unit]`.
fn log_rates(baseline: Baseline, task: Task, sessions: &[&Session]) -> Result<Vec<Vec<f32>>, BaselineError> {
    let recordings = sessions.iter().map(|session| Recording::of(session)).collect::<Result<Vec<_>, _>>()?;
    let recordings: Vec<&Recording> = recordings.iter().collect();
    let predicted = predict(baseline, task, &recordings, &mut |_, _| ())?;
    Ok(predicted.into_iter().map(|predicted| predicted.log_rates).collect())
}

fn of_one(baseline: Baseline, task: Task, session: &Session) -> Vec<f32> {
    log_rates(baseline, task, &[session]).unwrap().remove(0)
}

/// What predicts a task.
fn able(task: Task) -> impl Iterator<Item = Baseline> {
    Baseline::ALL.into_iter().filter(move |baseline| baseline.why_not_task(task).is_none())
}

#[test]
fn what_is_hidden_of_the_test_trials_never_changes_its_prediction() {
    let session = session();
    let is_test = |trial: usize| session.splits()[trial] == Split::Test;
    let regions = TestTrials::of(&session).unwrap().regions().clone();
    let units = session.units().len();
    for task in Task::ALL {
        let cases = task.cases(&regions, session.bins());
        let cases: Vec<Holdout> = cases.iter().flat_map(CaseGroup::cases).collect();
        for baseline in able(task) {
            let before = of_one(baseline, task, &session);
            // The case that unit 4 is scored in.
            let case = cases.iter().find(|case| case.units_scored().contains(&4)).unwrap();
            let hides = |trial, bin, unit| is_test(trial) && case.hidden()[bin * units + unit];
            let after = of_one(baseline, task, &changed(&session, hides));
            let scored = case.scored().iter().cycle();
            for (place, ((before, after), scored)) in before.iter().zip(&after).zip(scored).enumerate() {
                let name = format!("{baseline}, {task:?}, entry {place}");
                assert!(!scored || before == after, "{name}: {before} became {after}");
            }
        }
    }
}

#[test]
fn what_is_shown_does_change_the_prediction() {
    let session = session();
    let is_test = |trial: usize| session.splits()[trial] == Split::Test;
    for task in Task::ALL {
        for baseline in able(task).filter(|baseline| *baseline > Baseline::Psth) {
            let shown = changed(&session, |trial, bin, _| is_test(trial) && bin < 5);
            assert_ne!(
                of_one(baseline, task, &session),
                of_one(baseline, task, &shown),
                "{baseline}, {task:?}"
            );
        }
    }
}

#[test]
fn no_test_trial_has_a_say_in_what_is_fitted() {
    let session = session();
    let test = session.trials_in(Split::Test);
    let other = with_parts(&session, |parts| parts.eid = "another".into());
    for task in Task::ALL {
        for baseline in able(task) {
            let before = log_rates(baseline, task, &[&session, &other]).unwrap();
            // All test trials but the first of one session, and all of the other.
            let changed_session = changed(&session, |trial, _, _| test[1..].contains(&trial));
            let changed_other = changed(&other, |trial, _, _| test.contains(&trial));
            let after = log_rates(baseline, task, &[&changed_session, &changed_other]).unwrap();
            let first_trial = session.bins() * session.units().len();
            assert_eq!(before[0][..first_trial], after[0][..first_trial], "{baseline}, {task:?}");
        }
    }
}
