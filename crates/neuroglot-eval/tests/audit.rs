//! What an audit says of sessions whose overlap with training is known.

use neuroglot_data::{Session, SessionParts, SimulatorConfig, Split};
use neuroglot_eval::audit::{
    AuditedSession, Generation, SeenModel, SessionAudit, TrialOverlap, TrialsSeen, Verdict,
};
use neuroglot_model::ModelConfig;
use neuroglot_train::{BaseModel, CheckpointConfig, CheckpointSession, MaskConfig, TrialRecord};
use serde_json::json;
use tempfile::TempDir;

/// Four sessions of 10 units and 40 trials (28 train, 4 validation, 8 test), each of an animal of its own.
fn simulated() -> Vec<Session> {
    let config = SimulatorConfig {
        sessions: 4,
        units: 10,
        trials: 40,
        bins: 8,
        seed: 9,
        ..SimulatorConfig::default()
    };
    config.simulate().unwrap()
}

/// The checkpoint of a model trained on all training trials of sessions.
fn trained_on(sessions: &[Session], base: Option<CheckpointConfig>) -> CheckpointConfig {
    let known = |session: &Session| CheckpointSession {
        trials: Some(TrialRecord::of(session, &session.trials_in(Split::Train))),
        ..CheckpointSession::of(session)
    };
    CheckpointConfig {
        format: "neuroglot-checkpoint-1".into(),
        version: "0.1.0".into(),
        model: ModelConfig::default(),
        mask: MaskConfig::default(),
        seed: 8,
        epoch: 1,
        step: 1,
        score: None,
        bins: sessions[0].bins(),
        bin_seconds: sessions[0].bin_seconds(),
        sessions: sessions.iter().map(known).collect(),
        settings: None,
        base: base.map(|model| BaseModel { kept: Vec::new(), model: Box::new(model) }),
        ensemble: None,
    }
}

/// The session with something changed.
fn changed(session: &Session, change: impl FnOnce(&mut SessionParts)) -> Session {
    let mut parts = session.clone().into_parts();
    change(&mut parts);
    Session::new(parts).unwrap()
}

/// Makes the first test trials training trials or validation trials, and as many of those test trials.
fn moved(session: &Session, split: Split, trials: usize) -> Session {
    let pairs = session.trials_in(Split::Test).into_iter().zip(session.trials_in(split)).take(trials);
    changed(session, |parts| pairs.for_each(|(test, other)| parts.splits.swap(test, other)))
}

/// Audits a session after writing it, so that it is read as a user's is.
fn audit(checkpoint: &CheckpointConfig, session: &Session) -> SessionAudit {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("a_aligned");
    session.write(&folder, false).unwrap();
    AuditedSession::open(&folder).unwrap().audit(&SeenModel::lineage(checkpoint)).unwrap()
}

fn seen(test: usize, trained_on: usize, chosen_by: usize, unseen: usize) -> Option<TrialOverlap> {
    Some(TrialOverlap::Compared(TrialsSeen { test, trained_on, chosen_by, unseen, new: 0 }))
}

#[test]
fn a_run_knows_its_own_session_and_none_of_its_test_trials() {
    let sessions = simulated();
    let found = audit(&trained_on(&sessions[..2], None), &sessions[1]);
    assert_eq!((found.verdict, found.units), (Verdict::SeenSession, 10));
    let [overlap] = &found.overlaps[..] else { panic!("{found:?}") };
    assert_eq!((overlap.model, overlap.eid.as_str()), (Generation(0), sessions[1].eid()));
    assert!(overlap.same_session && overlap.same_animal && overlap.shared_units.len() == 10);
    assert_eq!(overlap.trials, seen(8, 0, 0, 8));
}

#[test]
fn an_animal_is_unseen_until_a_session_of_it_was_in_training() {
    let sessions = simulated();
    let checkpoint = trained_on(&sessions[..2], None);
    let found = audit(&checkpoint, &sessions[2]);
    assert!(found.verdict == Verdict::UnseenAnimal && !found.is_seen(), "{found:?}");
    let same_animal = changed(&sessions[2], |parts| parts.subject = sessions[1].subject().to_owned());
    let found = audit(&checkpoint, &same_animal);
    assert_eq!(found.verdict, Verdict::SeenAnimal);
    let [overlap] = &found.overlaps[..] else { panic!("{found:?}") };
    assert!(overlap.same_animal && !overlap.same_session && overlap.shared_units.is_empty());
    assert_eq!((overlap.eid.as_str(), overlap.trials), (sessions[1].eid(), None));
    // Animals without a name are not all the same animal, nor certainly another.
    for name in ["unknown", "", " "] {
        let unnamed = changed(&sessions[2], |parts| parts.subject = name.to_owned());
        let in_training = changed(&sessions[0], |parts| parts.subject = name.to_owned());
        assert_eq!(audit(&checkpoint, &unnamed).verdict, Verdict::UnnamedAnimal);
        let checkpoint = trained_on(&[in_training], None);
        for session in [&sessions[2], &unnamed] {
            let found = audit(&checkpoint, session);
            assert!(found.verdict == Verdict::UnnamedAnimal && !found.is_seen(), "{found:?}");
        }
    }
}

#[test]
fn what_every_model_of_the_line_has_seen_counts() {
    let sessions = simulated();
    let oldest = trained_on(&sessions[..1], None);
    let base = trained_on(&sessions[1..2], Some(oldest));
    let run = trained_on(&sessions[2..3], Some(base));
    let models = SeenModel::lineage(&run);
    let names: Vec<String> = models.iter().map(|model| model.generation.to_string()).collect();
    assert_eq!(names, ["run", "base", "base 2"]);
    for (session, generation) in [(0, 2), (1, 1), (2, 0)] {
        let found = audit(&run, &sessions[session]);
        let [overlap] = &found.overlaps[..] else { panic!("{found:?}") };
        assert_eq!((overlap.model, overlap.trials), (Generation(generation), seen(8, 0, 0, 8)));
    }
    assert!(!audit(&run, &sessions[3]).is_seen());
    let json = serde_json::to_value(&models).unwrap();
    let units: Vec<&str> = sessions[1].units().iter().map(|unit| unit.uuid.as_str()).collect();
    let expected = json!({
        "model": "base",
        "animals": [sessions[1].subject()],
        "sessions": [{
            "eid": sessions[1].eid(),
            "subject": sessions[1].subject(),
            "lab": "simulated",
            "units": units,
            "trials": { "training": 28, "validation": 4, "unseen": 8 },
        }],
    });
    assert_eq!(json[1], expected);
}

#[test]
fn trials_are_known_again_when_a_session_is_split_anew() {
    let sessions = simulated();
    let checkpoint = trained_on(&sessions[2..3], Some(trained_on(&sessions[..2], None)));
    for (split, trials, expected) in
        [(Split::Train, 3, seen(8, 3, 0, 5)), (Split::Validation, 2, seen(8, 0, 2, 6))]
    {
        for session in [0, 2] {
            let found = audit(&checkpoint, &moved(&sessions[session], split, trials));
            assert_eq!((found.verdict, found.overlaps[0].trials), (Verdict::TestTrialsUsed, expected));
        }
    }
    // Trials that the model's session did not have.
    let mut checkpoint = trained_on(&sessions[..1], None);
    let record = checkpoint.sessions[0].trials.as_mut().unwrap();
    record.unseen.truncate(6);
    let found = audit(&checkpoint, &sessions[0]).overlaps[0].trials;
    let expected = TrialsSeen { test: 8, unseen: 6, new: 2, ..TrialsSeen::default() };
    assert_eq!(found, Some(TrialOverlap::Compared(expected)));
}

#[test]
fn units_and_trials_are_known_again_under_another_eid_and_in_another_order() {
    let sessions = simulated();
    let reversed = sessions[0].select_units(&(0..10).rev().collect::<Vec<_>>()).unwrap();
    let renamed = |session: &Session| {
        changed(session, |parts| {
            parts.eid = "another".to_owned();
            parts.subject = "another".to_owned();
        })
    };
    // The model does not know all units of the session.
    let some = sessions[0].select_units(&[1, 4, 7, 8]).unwrap();
    for (known, units) in [(&sessions[0], 10), (&some, 4)] {
        let checkpoint = trained_on(std::slice::from_ref(known), None);
        let found = audit(&checkpoint, &renamed(&reversed));
        assert_eq!(found.verdict, Verdict::SeenUnits);
        let [overlap] = &found.overlaps[..] else { panic!("{found:?}") };
        assert!(!overlap.same_session && !overlap.same_animal);
        assert_eq!((overlap.shared_units.len(), overlap.trials), (units, seen(8, 0, 0, 8)));
        let found = audit(&checkpoint, &renamed(&moved(&reversed, Split::Train, 1)));
        assert_eq!((found.verdict, found.overlaps[0].trials), (Verdict::TestTrialsUsed, seen(8, 1, 0, 7)));
    }
}

#[test]
fn numbers_name_units_within_a_session_only() {
    let numbered = |session: &Session| {
        changed(session, |parts| {
            parts.units.iter_mut().enumerate().for_each(|(number, unit)| unit.uuid = number.to_string());
        })
    };
    let sessions = simulated();
    let checkpoint = trained_on(&[numbered(&sessions[0])], None);
    assert_eq!(audit(&checkpoint, &numbered(&sessions[1])).verdict, Verdict::UnseenAnimal);
    let own = audit(&checkpoint, &numbered(&sessions[0]));
    assert_eq!((own.overlaps[0].shared_units.len(), own.overlaps[0].trials), (10, seen(8, 0, 0, 8)));
}

#[test]
fn where_trials_cannot_be_compared_it_says_why() {
    let sessions = simulated();
    let checkpoint = trained_on(&sessions[..1], None);
    let wider = changed(&sessions[0], |parts| parts.bin_seconds *= 2.0);
    let fewer = sessions[0].select_units(&[0, 1, 2]).unwrap();
    let mut old = checkpoint.clone();
    old.sessions[0].trials = None;
    for (checkpoint, session, expected) in [
        (&checkpoint, &wider, TrialOverlap::OtherBins),
        (&checkpoint, &fewer, TrialOverlap::OtherUnits),
        (&old, &sessions[0], TrialOverlap::NotRecorded),
    ] {
        let found = audit(checkpoint, session);
        assert_eq!((found.verdict, found.overlaps[0].trials), (Verdict::SeenSession, Some(expected)));
    }
    // A name that two units have is no name.
    let twice = changed(&sessions[0], |parts| parts.units[1].uuid = parts.units[0].uuid.clone());
    let found = audit(&trained_on(std::slice::from_ref(&twice), None), &twice);
    assert_eq!(found.overlaps[0].trials, Some(TrialOverlap::OtherUnits));
}

#[test]
fn a_filtered_session_is_read_again_only_where_units_are_missing() {
    let sessions = simulated();
    let checkpoint = trained_on(&sessions[..1], None);
    let models = SeenModel::lineage(&checkpoint);
    let root = TempDir::new().unwrap();
    let folder = root.path().join("a_aligned");
    let trials = |session: &Session| {
        let audit = AuditedSession::of(session, Some(&folder)).audit(&models);
        audit.map(|audit| audit.overlaps[0].trials)
    };
    // Nothing is there to be read.
    assert_eq!(trials(&sessions[0]).unwrap(), seen(8, 0, 0, 8));
    let filtered = sessions[0].select_units(&[0, 1, 2]).unwrap();
    assert!(trials(&filtered).unwrap_err().to_string().contains("a_aligned"));
    moved(&sessions[0], Split::Train, 2).write(&folder, false).unwrap();
    assert_eq!(trials(&filtered).unwrap(), seen(8, 2, 0, 6));
}
