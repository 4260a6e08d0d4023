//! The small IBL session against what NumPy, SciPy and iblutil make of it (fixtures/make_alf.py).

mod common;

use std::path::{Path, PathBuf};

use common::{copy_folder, expected, fixture, in_source_order, numbers, texts};
use neuroglot_data::{Behaviour, Session, split_trials};
use neuroglot_prepare::{
    AlfOptions, AlfSource, Outcome, Preparation, PrepareError, PrepareOptions, Source, SourceOptions,
};

const SESSION: &str = "lab/Subjects/NG_001/2024-03-01/001";

/// A copy of the session that a test may change.
fn copy() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    copy_folder(&fixture("alf"), folder.path());
    let session = folder.path().join(SESSION);
    (folder, session)
}

fn prepare(session: &Path, options: PrepareOptions, out: &Path) -> Result<Outcome, PrepareError> {
    Preparation { options, ..Preparation::default() }.prepare(session, "session", out)
}

#[test]
fn counts_regions_and_behaviours_are_those_of_python() {
    let out = tempfile::tempdir().unwrap();
    let outcome = prepare(&fixture("alf").join(SESSION), PrepareOptions::default(), out.path()).unwrap();
    assert_eq!(outcome.folder, out.path().join("NG_001_2024-03-01_001_aligned"));
    let session = Session::read(&outcome.folder).unwrap();
    let expected = expected("alf.json");
    let kept = numbers(&expected["kept"]);
    assert_eq!((session.subject(), session.lab()), ("NG_001", "lab"));
    assert_eq!((session.trials(), session.bins(), session.units().len()), (kept.len(), 100, 18));

    let trials = in_source_order(&session, &split_trials(kept.len(), 42));
    let mut entries = Vec::new();
    for (row, &trial) in trials.iter().enumerate() {
        entries.extend(
            session
                .entries(trial)
                .map(|(bin, unit, count)| [row as f64, bin as f64, unit as f64, f64::from(count)].to_vec()),
        );
    }
    let wanted: Vec<Vec<f64>> = expected["entries"].as_array().unwrap().iter().map(numbers).collect();
    assert!(wanted.len() > 900, "the fixture has spikes");
    assert_eq!(entries, wanted);

    let units = session.units();
    let of = |get: &dyn Fn(&neuroglot_data::Unit) -> String| units.iter().map(get).collect::<Vec<_>>();
    assert_eq!(of(&|unit| unit.region.clone()), texts(&expected["regions"]));
    assert_eq!(of(&|unit| unit.uuid.clone()), texts(&expected["uuids"]));
    let depths: Vec<f64> = units.iter().map(|unit| unit.depth.unwrap()).collect();
    assert_eq!(depths, numbers(&expected["depths"]));
    assert!(
        units.iter().any(|unit| unit.good == Some(true)) && units.iter().any(|unit| unit.good == Some(false))
    );

    for (name, rows) in expected["behaviours"].as_object().unwrap() {
        let rows = rows.as_array().unwrap();
        let (values, width) = match &session.behaviours()[name] {
            Behaviour::PerTrial(values) => (values, 1),
            Behaviour::PerBin(values) => (values, 100),
        };
        for (&trial, row) in trials.iter().zip(rows) {
            let (found, wanted) = (&values[trial * width..][..width], numbers(row));
            for (found, wanted) in found.iter().zip(wanted) {
                let close = (found - wanted).abs() <= 1e-8 * wanted.abs().max(1.0);
                assert!(close || (found.is_nan() && wanted.is_nan()), "{name}: {found} instead of {wanted}");
            }
        }
    }
    let names: Vec<&String> = session.behaviours().keys().collect();
    assert_eq!(
        names,
        [
            "block",
            "choice",
            "contrast-left",
            "contrast-right",
            "licks",
            "reward",
            "wheel-speed",
            "wheel-velocity",
            "whisker-motion-energy"
        ]
    );
}

#[test]
fn every_trial_left_out_has_its_reason() {
    let out = tempfile::tempdir().unwrap();
    let outcome = prepare(&fixture("alf").join(SESSION), PrepareOptions::default(), out.path()).unwrap();
    let kept: Vec<usize> =
        numbers(&expected("alf.json")["kept"]).iter().map(|&trial| trial as usize).collect();
    let trials = &outcome.provenance.trials;
    assert_eq!((trials.found, trials.kept), (30, kept.len()));
    let dropped: Vec<usize> = trials.dropped.iter().map(|dropped| dropped.index).collect();
    let others: Vec<usize> = (0..30).filter(|trial| !kept.contains(trial)).collect();
    assert_eq!(dropped, others);
    assert!(trials.dropped.iter().all(|dropped| !dropped.reason.is_empty()));
    // The file says the same, with a hash for each file that was read.
    let read = neuroglot_prepare::Provenance::read(&outcome.folder).unwrap().unwrap();
    assert_eq!(read, outcome.provenance);
    let times =
        read.source.files.iter().find(|file| file.path.ends_with("iblsorter/spikes.times.npy")).unwrap();
    assert_eq!((times.bytes, times.sha256.len()), (1800 * 8 + 128, 64));
    assert!(
        !read.source.files.iter().any(|file| file.path.ends_with("pykilosort/spikes.times.npy")),
        "an old revision"
    );
}

#[test]
fn the_revision_asked_for_is_taken() {
    let out = tempfile::tempdir().unwrap();
    let reading = SourceOptions {
        alf: AlfOptions { revision: Some("2024-01-01".to_owned()), ..AlfOptions::default() },
        ..SourceOptions::default()
    };
    // Only spikes.times is that old, and says so.
    let error = Preparation { reading, ..Preparation::default() }
        .prepare(&fixture("alf").join(SESSION), "session", out.path())
        .unwrap_err()
        .to_string();
    assert!(error.contains("pykilosort has no spikes.clusters.npy"), "{error}");
    let reading = SourceOptions {
        alf: AlfOptions {
            probes: Some(vec!["probe00".to_owned()]),
            eid: Some("one".to_owned()),
            ..AlfOptions::default()
        },
        ..SourceOptions::default()
    };
    let outcome = Preparation { reading, ..Preparation::default() }
        .prepare(&fixture("alf").join(SESSION), "session", out.path())
        .unwrap();
    assert_eq!(Session::read(&outcome.folder).unwrap().units().len(), 9);
    assert!(outcome.folder.ends_with("one_aligned"));
}

#[test]
fn what_is_done_is_not_made_again_and_what_changed_is() {
    let (_folder, session) = copy();
    let out = tempfile::tempdir().unwrap();
    let first = prepare(&session, PrepareOptions::default(), out.path()).unwrap();
    let modified = || first.folder.join("data").metadata().unwrap().modified().unwrap();
    let before = modified();
    assert!(prepare(&session, PrepareOptions::default(), out.path()).unwrap().was_there);
    assert_eq!(modified(), before);
    // A file that was only touched is the same; other options or other content are not.
    let licks = session.join("alf/licks.times.npy");
    let content = std::fs::read(&licks).unwrap();
    std::fs::write(&licks, &content).unwrap();
    assert!(prepare(&session, PrepareOptions::default(), out.path()).unwrap().was_there);
    let other = PrepareOptions { seed: 1, ..PrepareOptions::default() };
    let error = prepare(&session, other.clone(), out.path()).unwrap_err();
    assert!(matches!(error, PrepareError::Exists { .. }), "{error}");
    let replace = Preparation { options: other, overwrite: true, ..Preparation::default() };
    assert!(!replace.prepare(&session, "session", out.path()).unwrap().was_there);
    let mut changed = content;
    *changed.last_mut().unwrap() ^= 1;
    std::fs::write(&licks, changed).unwrap();
    assert!(!replace.prepare(&session, "session", out.path()).unwrap().was_there);
}

#[test]
fn options_cut_other_trials() {
    let out = tempfile::tempdir().unwrap();
    let options = PrepareOptions {
        window: [-0.2, 0.8],
        bin_seconds: 0.05,
        align: Some("firstMovement_times".to_owned()),
        further_rules: vec!["probabilityLeft != 0.5".parse().unwrap()],
        conditions: vec!["side=contrastLeft".parse().unwrap()],
        behaviours: Some(vec!["side".to_owned(), "wheel-speed".to_owned()]),
        split: [50.0, 25.0, 25.0],
        ..PrepareOptions::default()
    };
    let outcome = prepare(&fixture("alf").join(SESSION), options, out.path()).unwrap();
    let session = Session::read(&outcome.folder).unwrap();
    assert_eq!(session.bins(), 20);
    assert_eq!(session.behaviours().keys().collect::<Vec<_>>(), ["side", "wheel-speed"]);
    assert!(outcome.provenance.trials.reasons().contains_key("probabilityLeft != 0.5"));
    let sizes = neuroglot_data::Split::ALL.map(|split| session.trials_in(split).len());
    assert_eq!(sizes[0], session.trials() / 2);
    // Without rules only an event without a time leaves a trial out.
    let all = PrepareOptions { rules: Some(Vec::new()), ..PrepareOptions::default() };
    let outcome = prepare(&fixture("alf").join(SESSION), all, &out.path().join("all")).unwrap();
    assert_eq!(outcome.provenance.trials.kept, 30);
    let missing = PrepareOptions { align: Some("stim".to_owned()), ..PrepareOptions::default() };
    let error = prepare(&fixture("alf").join(SESSION), missing, out.path()).unwrap_err().to_string();
    assert!(error.contains("no column stim") && error.contains("stimOn_times"), "{error}");
}

#[test]
fn broken_files_are_named() {
    let (_folder, session) = copy();
    let out = tempfile::tempdir().unwrap();
    let files: Vec<PathBuf> = AlfSource::open(&session, &AlfOptions::default()).unwrap().files();
    assert_eq!(files.len(), 20);
    for file in files {
        let content = std::fs::read(&file).unwrap();
        for length in [0, 1, 7, content.len() / 2, content.len() - 1] {
            std::fs::write(&file, &content[..length]).unwrap();
            let name = file.file_name().unwrap().to_str().unwrap();
            match prepare(&session, PrepareOptions::default(), out.path()) {
                Err(error) => assert!(error.to_string().contains(name), "{name} cut to {length}: {error}"),
                // A table of uuids of which the last line end is missing is whole.
                Ok(outcome) => {
                    assert!(
                        name.ends_with(".csv") && length + 1 == content.len(),
                        "{name} cut to {length} is read"
                    );
                    std::fs::remove_dir_all(outcome.folder).unwrap();
                }
            }
        }
        std::fs::write(&file, content).unwrap();
    }
    assert_eq!(out.path().read_dir().unwrap().count(), 0, "nothing half-written is left");
}

/// Writes an array of doubles as NumPy does.
fn save(file: &Path, values: &[f64]) {
    let header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({},), }}", values.len());
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(118u16.to_le_bytes());
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_broken_wheel_is_a_note_and_surplus_times_of_a_camera_are_counted() {
    let (_folder, session) = copy();
    let out = tempfile::tempdir().unwrap();
    let alf = session.join("alf");
    save(&alf.join("_ibl_wheel.timestamps.npy"), &[1.0, 3.0, 2.0]);
    save(&alf.join("_ibl_wheel.position.npy"), &[0.0, 0.1, 0.2]);
    // 600 frames, and 7 times before them.
    let times: Vec<f64> = (0..607).map(|frame| 0.1 * f64::from(frame)).collect();
    save(&alf.join("_ibl_leftCamera.times.npy"), &times);
    let outcome = prepare(&session, PrepareOptions::default(), out.path()).unwrap();
    let notes = outcome.provenance.notes.join("\n");
    assert!(notes.contains("wheel.timestamps.npy does not ascend, no wheel-speed"), "{notes}");
    assert!(
        notes.contains("7 more times than the 600 frames") && !notes.contains("clock gone wrong"),
        "{notes}"
    );
    let behaviours = &outcome.provenance.behaviours;
    assert!(!behaviours.contains_key("wheel-speed") && behaviours.contains_key("whisker-motion-energy"));

    let times: Vec<f64> = (0..900).map(|frame| 0.1 * f64::from(frame)).collect();
    save(&alf.join("_ibl_leftCamera.times.npy"), &times);
    let again = Preparation { overwrite: true, ..Preparation::default() };
    let notes = again.prepare(&session, "session", out.path()).unwrap().provenance.notes.join("\n");
    assert!(notes.contains("300 more times than the 600 frames"), "{notes}");
    assert!(notes.contains("clock gone wrong"), "{notes}");
}

#[test]
fn a_folder_that_is_no_session_says_what_is_missing() {
    let out = tempfile::tempdir().unwrap();
    let error = prepare(out.path(), PrepareOptions::default(), out.path()).unwrap_err().to_string();
    assert!(error.contains("probe00"), "{error}");
    let error =
        prepare(&out.path().join("none"), PrepareOptions::default(), out.path()).unwrap_err().to_string();
    assert!(error.contains("check the path"), "{error}");
}
