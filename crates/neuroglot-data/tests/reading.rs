//! Sessions written by other programs: small fixtures, and published recordings where they are at hand.

use std::collections::BTreeMap;
use std::path::Path;

use neuroglot_data::{Behaviour, Session, SessionHeader, SessionSummary, Split};

fn fixture(name: &str) -> Session {
    Session::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).unwrap()
}

/// The counts that `fixtures/make.py` defines.
fn expected_counts(trial: usize) -> Vec<f32> {
    let mut counts = Vec::new();
    for bin in 0..3 {
        for unit in 0..4 {
            let count = ((7 * trial + 3 * bin + unit) % 5).saturating_sub(2);
            counts.push((count + if (trial, bin, unit) == (5, 2, 3) { 300 } else { 0 }) as f32);
        }
    }
    counts
}

fn check_counts(session: &Session) {
    assert_eq!((session.trials(), session.bins(), session.units().len()), (6, 3, 4));
    let splits = [[Split::Train; 4].as_slice(), &[Split::Validation, Split::Test]].concat();
    assert_eq!(session.splits(), splits);
    for trial in 0..6 {
        let mut counts = vec![0.0; 12];
        session.write_dense(trial, &mut counts);
        assert_eq!(counts, expected_counts(trial), "trial {trial}");
    }
    assert_eq!(session.behaviour_per_trial("choice").unwrap(), [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]);
    let regions: Vec<&str> = session.units().iter().map(|unit| unit.region.as_str()).collect();
    assert_eq!(regions, ["PO", "LP", "CA1", "PO"]);
    assert_eq!(session.eid(), "fixture");
}

#[test]
fn a_folder_of_save_to_disk() {
    let session = fixture("saved_to_disk");
    check_counts(&session);
    assert_eq!((session.subject(), session.lab(), session.bin_seconds()), ("mouse", "laboratory", 0.05));
    let unit = &session.units()[1];
    assert_eq!(
        (unit.uuid.as_str(), unit.depth, unit.channel, unit.good),
        ("b", Some(40.0), Some(5), Some(false))
    );
    let wheel = session.behaviour_per_bin("wheel-speed").unwrap();
    assert_eq!(wheel[..6], [0.0, 0.1, 0.2, 1.0, 1.1, 1.2]);
    assert_eq!(session.behaviours().len(), 2);
}

#[test]
fn a_header_says_who_a_session_is() {
    for name in ["saved_to_disk", "other_types"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
        let (header, session) = (SessionHeader::read(folder).unwrap(), fixture(name));
        assert_eq!((header.eid.as_str(), header.subject.as_str()), (session.eid(), session.subject()));
        assert_eq!(header.lab, session.lab());
        assert!(header.unit_uuids.iter().eq(session.units().iter().map(|unit| &unit.uuid)));
        for behaviour in session.behaviours().keys() {
            assert!(header.behaviours.contains(behaviour), "{behaviour}");
        }
    }
    let error = SessionHeader::read("nowhere").unwrap_err().to_string();
    assert!(error.starts_with("no session in nowhere"), "{error}");
}

#[test]
fn other_types_and_missing_columns() {
    let session = fixture("other_types");
    check_counts(&session);
    assert_eq!((session.subject(), session.lab(), session.bin_seconds()), ("unknown", "unknown", 0.02));
    let depths: Vec<Option<f64>> = session.units().iter().map(|unit| unit.depth).collect();
    assert_eq!(depths, [Some(20.0), None, Some(80.0), None]);
    assert_eq!(session.units()[3].uuid, "fixture-0003");
    assert_eq!((session.units()[3].channel, session.units()[3].good), (None, None));
    let wheel = session.behaviour_per_bin("wheel-speed").unwrap();
    assert!(wheel[3..7].iter().all(|value| value.is_nan()), "null list, null value");
    assert_eq!(wheel[7..9], [2.0999999046325684, 2.200000047683716]);
    // Lick times differ in number from trial to trial: they are no behaviour.
    assert_eq!(session.behaviours().keys().collect::<Vec<_>>(), ["choice", "wheel-speed"]);
}

/// Columns that others add to sessions: the base of `fixtures/make.py` with more per trial.
#[test]
fn scalars_and_texts_of_trials_are_read_and_all_else_is_named() {
    let session = fixture("more_columns");
    check_counts(&session);
    let values = |name: &str| session.behaviour_per_trial(name).unwrap();
    assert_eq!(values("contrast"), [0.0, 0.25, 0.5, 0.75, 1.0, 1.25]);
    assert_eq!(values("rewarded")[..4], [1.0, 0.0, 1.0, 0.0]);
    assert!(values("licks")[1].is_nan() && values("licks")[2] == 2.0);
    assert_eq!(values("price"), [0.5, 1.5, 2.5, 3.5, 4.5, 5.5]);
    // By the alphabet: noise, tone; the fourth trial has none.
    assert_eq!(session.texts("cue").unwrap(), ["noise", "tone"]);
    assert_eq!(values("cue")[..3], [1.0, 0.0, 1.0]);
    assert!(values("cue")[3].is_nan());
    assert_eq!(session.texts("stimulus").unwrap(), ["gabor", "plaid"]);
    assert_eq!(values("stimulus"), [0.0, 1.0, 0.0, 1.0, 0.0, 1.0]);
    assert_eq!((session.trial_id(0), session.trial_id(5)), ("100", "105"));
    let left_out: Vec<(&str, &str)> =
        session.left_out().iter().map(|left| (left.column.as_str(), left.why.as_str())).collect();
    assert_eq!(
        left_out,
        [
            ("cluster_remarks", "its name is one for spikes or units"),
            ("lick-times", "lists of other lengths than 1 and the 3 bins"),
            ("presented", "3 values a trial, no numbers"),
            ("rig", "the same text wherever there is one, B2"),
            ("started", "of type Timestamp, neither numbers nor text"),
        ]
    );
    let header =
        SessionHeader::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/more_columns"))
            .unwrap();
    for name in ["contrast", "cue", "licks", "price", "rewarded", "stimulus"] {
        assert!(header.behaviours.iter().any(|known| known == name), "{name}: {:?}", header.behaviours);
        assert!(session.behaviours().contains_key(name));
    }
    assert!(
        !header.behaviours.contains(&"nothing".to_owned()) && !session.behaviours().contains_key("nothing")
    );

    let folder = tempfile::tempdir().unwrap();
    session.write(folder.path().join("again"), false).unwrap();
    let again = Session::read(folder.path().join("again")).unwrap();
    assert_eq!((again.texts("cue"), again.trial_id(5)), (session.texts("cue"), "105"));
    assert_eq!(again.behaviours(), session.behaviours());
}

/// Names that are no names are left out, and the session is read.
#[test]
fn trials_that_are_called_alike_keep_the_names_of_their_rows() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("twice");
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/more_columns");
    std::fs::create_dir(&folder).unwrap();
    // The test trial lies in the file of validation too.
    for (name, source) in [("train", "train"), ("val", "test"), ("test", "test")] {
        let [name, source] = [name, source].map(|split| format!("{split}.parquet"));
        std::fs::copy(from.join(source), folder.join(name)).unwrap();
    }
    let session = Session::read(&folder).unwrap();
    assert_eq!((session.trial_id(4), session.trial_id(5)), ("val-0", "test-0"));
    let left_out = session.left_out().iter().find(|left| left.column == "trial_id").unwrap();
    assert_eq!(left_out.why, "two trials are called 105");
}

#[test]
fn a_selection_knows_where_it_comes_from() {
    let whole = fixture("other_types");
    assert_eq!((whole.trial_id(3), whole.trial_id(4), whole.trial_id(5)), ("train-3", "val-0", "test-0"));
    let part = whole.select_trials(&[1, 5]).unwrap().select_units(&[3, 1]).unwrap();
    let part = part.select_units(&[1]).unwrap();
    assert_eq!((part.unit_index(0), part.units_before_filters()), (1, 4));
    assert_eq!((part.trial_index(1), part.trial_id(0), part.trial_id(1)), (5, "train-1", "test-0"));
}

/// A recording of the folder that `NEUROGLOT_RECORDINGS` names, or `None` with the reason printed.
fn recording(name: &str) -> Option<Session> {
    let Some(recordings) = std::env::var_os("NEUROGLOT_RECORDINGS") else {
        eprintln!("skipped: NEUROGLOT_RECORDINGS names no folder with {name}");
        return None;
    };
    let folder = Path::new(&recordings).join(name);
    let start = std::time::Instant::now();
    let session = Session::read(folder).unwrap();
    eprintln!("{name} was read in {:?}", start.elapsed());
    Some(session)
}

fn spikes(session: &Session, split: Split) -> u64 {
    let trials = session.trials_in(split);
    trials.iter().flat_map(|&trial| session.entries(trial)).map(|(_, _, count)| u64::from(count)).sum()
}

/// The expected numbers were computed with pyarrow and NumPy.
#[test]
fn a_published_ibl_recording() {
    let Some(session) = recording("ibl/ibl_dy016_aligned") else { return };
    assert_eq!((session.trials(), session.bins(), session.units().len()), (367, 50, 449));
    let summary = SessionSummary::of(&session);
    let regions = [("CA1", 66), ("DG", 69), ("LP", 126), ("PO", 159), ("VISa", 29)];
    assert_eq!(summary.units_per_region, regions.map(|(region, units)| (region.to_owned(), units)).into());
    let trials = [(Split::Train, 256), (Split::Validation, 37), (Split::Test, 74)];
    assert_eq!(summary.trials, BTreeMap::from(trials));
    assert_eq!(Split::ALL.map(|split| spikes(&session, split)), [514_702, 76_897, 148_160]);
    assert_eq!(session.counts().nonzero(), 415_521 + 61_618 + 118_910);
    let rates = session.unit_rates_hz(&session.trials_in(Split::Train));
    for (rate, expected) in rates.iter().zip([8.390625, 1.66015625, 4.2578125, 43.3828125, 23.671875]) {
        assert!((rate - expected).abs() < 1e-9, "{rate} Hz, not {expected}");
    }
    assert_eq!(rates.iter().filter(|&&rate| rate == 0.0).count(), 5);
    assert_eq!(rates.iter().filter(|&&rate| rate < 0.5).count(), 140);
    let train: f64 = session.behaviour_per_bin("whisker-motion-energy").unwrap()[..256 * 50].iter().sum();
    assert!((train - 60_623.265_932_649_374).abs() < 1e-6);
    assert_eq!((session.subject(), session.bin_seconds()), ("DY_016", 0.02));
}

#[test]
fn a_published_steinmetz_recording() {
    let Some(session) = recording("steinmetz/cori_2016-12-14_aligned") else { return };
    assert_eq!((session.trials(), session.bins(), session.units().len()), (214, 20, 733));
    assert_eq!(Split::ALL.map(|split| spikes(&session, split)), [168_171, 24_688, 47_839]);
    let train = session.trials_in(Split::Train);
    let sum = |name: &str| {
        train.iter().map(|&trial| session.behaviour_per_trial(name).unwrap()[trial]).sum::<f64>()
    };
    assert_eq!((sum("choice"), sum("contrast-left")), (9.0, 45.25));
    assert_eq!(session.units_in("VISp").len(), 178);
    assert!(matches!(session.behaviours()["wheel-speed"], Behaviour::PerBin(_)));
}
