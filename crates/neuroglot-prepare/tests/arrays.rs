//! Plain arrays become sessions that hold what NumPy put into them, and contradictions are named.

use std::path::{Path, PathBuf};

use neuroglot_data::{Session, Split};
use neuroglot_prepare::{Outcome, Preparation, PrepareError, PrepareOptions, SourceOptions, open_source};
use serde_json::Value;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/arrays").join(name)
}

fn expected(name: &str) -> Value {
    let text = std::fs::read_to_string(fixture("expected.json")).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[name].clone()
}

fn prepare(source: &Path, options: PrepareOptions, out: &Path) -> Result<Outcome, PrepareError> {
    Preparation { options, ..Preparation::default() }.prepare(source, "source", out)
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

fn assert_close(found: f64, expected: &Value, what: &str) {
    let expected = number(expected);
    let close = (found - expected).abs() <= 1e-9 * expected.abs().max(1.0);
    assert!(close || (found.is_nan() && expected.is_nan()), "{what} is {found}, expected {expected}");
}

/// Compares a session with what a Python computation says of it.
fn check(session: &Session, expected: &Value) {
    let trials = expected["trials"].as_object().unwrap();
    assert_eq!(session.trials(), trials.len());
    for (unit, found) in session.units().iter().enumerate() {
        assert_eq!(found.region, expected["regions"][unit].as_str().unwrap());
        assert_eq!(found.depth, expected["depths"][unit].as_f64());
        assert_eq!(found.channel, expected["channels"][unit].as_i64());
        assert_eq!(found.good.unwrap_or(false), expected["good"][unit].as_bool().unwrap_or(false));
    }
    let sizes: Vec<usize> = Split::ALL.iter().map(|&split| session.trials_in(split).len()).collect();
    assert_eq!(sizes, serde_json::from_value::<Vec<usize>>(expected["splits"].clone()).unwrap());
    let numbers = session.behaviour_per_trial("number").unwrap();
    let (bins, units) = (session.bins(), session.units().len());
    for (trial, number_of_trial) in numbers.iter().enumerate() {
        let expected = &trials[&number_of_trial.to_string()];
        let counts = session.dense(&[trial]);
        for (bin, row) in expected["counts"].as_array().unwrap().iter().enumerate() {
            for (unit, count) in row.as_array().unwrap().iter().enumerate() {
                assert_eq!(f64::from(counts[bin * units + unit]), number(count), "{trial} {bin} {unit}");
            }
        }
        assert_eq!(expected["counts"].as_array().unwrap().len(), bins);
        for (name, value) in expected["per_trial"].as_object().unwrap() {
            assert_close(session.behaviour_per_trial(name).unwrap()[trial], value, name);
        }
        for (name, values) in expected["per_bin"].as_object().unwrap() {
            let found = &session.behaviour_per_bin(name).unwrap()[trial * bins..(trial + 1) * bins];
            for (found, expected) in found.iter().zip(values.as_array().unwrap()) {
                assert_close(*found, expected, name);
            }
        }
    }
}

#[test]
fn spikes_are_cut_into_trials() {
    let out = TempDir::new().unwrap();
    let options = PrepareOptions { bin_seconds: 0.05, window: [-0.2, 0.6], ..PrepareOptions::default() };
    let outcome = prepare(&fixture("spikes.toml"), options.clone(), out.path()).unwrap();
    assert_eq!(outcome.folder, out.path().join("spikes_aligned"));
    let session = Session::read(&outcome.folder).unwrap();
    let expected = expected("spikes");
    check(&session, &expected);
    assert_eq!((session.eid(), session.subject(), session.lab()), ("spikes", "mouse-3", "a lab"));
    let uuids: Vec<&str> = session.units().iter().map(|unit| unit.uuid.as_str()).collect();
    assert_eq!(uuids, serde_json::from_value::<Vec<String>>(expected["uuids"].clone()).unwrap());

    let provenance = &outcome.provenance;
    assert_eq!(provenance.source.kind, "arrays");
    // The trial whose stimulus time is missing.
    assert_eq!(provenance.trials.dropped.iter().map(|dropped| dropped.index).collect::<Vec<_>>(), [4]);
    assert_eq!(session.texts("side").unwrap(), ["left", "right"]);
    assert_eq!(provenance.behaviours["rt"].trials_with_missing, 1);
    let left_out = format!("left out: {} (clusters: 1)", expected["left_out"]);
    assert!(provenance.notes.iter().any(|note| note.ends_with(&left_out)), "{:?}", provenance.notes);
    let files: Vec<String> = (provenance.source.files.iter())
        .map(|file| file.path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    assert_eq!(
        files,
        [
            "spikes.toml",
            "behaviour.npz",
            "clusters.npz",
            "regions.npy",
            "spike_times.npy",
            "trials.npz",
            "uuids.npy"
        ]
    );
    assert!(prepare(&fixture("spikes.toml"), options, out.path()).unwrap().was_there);
}

#[test]
fn counts_become_a_session_in_either_order() {
    let out = TempDir::new().unwrap();
    for name in ["counts", "columns_first"] {
        let outcome =
            prepare(&fixture(&format!("{name}.toml")), PrepareOptions::default(), out.path()).unwrap();
        let session = Session::read(&outcome.folder).unwrap();
        check(&session, &expected("counts"));
        assert_eq!((session.bin_seconds(), session.subject(), session.bins()), (0.01, "monkey-1", 6));
        assert_eq!(session.units()[3].uuid, format!("{name}-3"));
        assert_eq!(outcome.provenance.behaviours["speed"].trials_with_missing, 1);
    }
}

#[test]
fn options_choose_trials_and_units_of_counts() {
    let out = TempDir::new().unwrap();
    let options = PrepareOptions {
        further_rules: vec!["choice != 0".parse().unwrap()],
        conditions: vec!["response=choice".parse().unwrap()],
        behaviours: Some(vec!["response".to_owned(), "number".to_owned()]),
        split: [50.0, 25.0, 25.0],
        good_units: true,
        ..PrepareOptions::default()
    };
    let outcome = prepare(&fixture("counts.toml"), options, out.path()).unwrap();
    let session = Session::read(&outcome.folder).unwrap();
    let expected = expected("counts");
    let chosen: Vec<f64> = (0..15)
        .filter(|trial| number(&expected["trials"][trial.to_string()]["per_trial"]["choice"]) != 0.0)
        .map(f64::from)
        .collect();
    assert!(!chosen.is_empty() && chosen.len() < 15);
    let mut numbers = session.behaviour_per_trial("number").unwrap().to_vec();
    numbers.sort_by(f64::total_cmp);
    assert_eq!(numbers, chosen);
    assert_eq!(session.trials_in(Split::Train).len(), chosen.len() / 2);
    let uuids: Vec<&str> = session.units().iter().map(|unit| unit.uuid.as_str()).collect();
    assert_eq!(uuids, ["counts-0", "counts-2"]);
    let reasons: Vec<&str> = outcome.provenance.units.dropped.iter().map(|d| d.reason.as_str()).collect();
    assert_eq!(reasons, ["quality is not good"; 2]);
    assert_eq!(session.behaviours().keys().collect::<Vec<_>>(), ["number", "response"]);
}

/// Prepares a TOML file that is written among the fixtures' arrays.
fn error_of(text: &str) -> String {
    let folder = TempDir::new().unwrap();
    for entry in fixture("").read_dir().unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    let file = folder.path().join("own.toml");
    std::fs::write(&file, text).unwrap();
    let out = folder.path().join("out");
    let error = prepare(&file, PrepareOptions::default(), &out).expect_err(text);
    assert!(!out.exists() || out.read_dir().unwrap().next().is_none(), "{text}");
    error.to_string().replace(&format!("{}/", folder.path().display()), "")
}

/// The fixture of spikes with a change.
fn spikes_with(from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(fixture("spikes.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    error_of(&text.replace(from, to))
}

fn counts_with(from: &str, to: &str) -> String {
    let text = std::fs::read_to_string(fixture("counts.toml")).unwrap();
    assert!(text.contains(from), "{from}");
    error_of(&text.replace(from, to))
}

#[test]
fn keys_that_there_are_not_name_the_nearest() {
    assert_eq!(
        spikes_with("regions =", "region ="),
        "units.region of own.toml is no key, the nearest is units.regions: correct it, docs/arrays.md lists all keys"
    );
    assert!(spikes_with("subject =", "subjct =").contains("the nearest is subject"));
    assert!(spikes_with("values =", "value =").contains("traces.wheel.value of own.toml is no key"));
    assert!(counts_with("bin_seconds", "bin_second").contains("the nearest is counts.bin_seconds"));
    assert!(counts_with("[units]", "[units]\nlab = 'x'").contains("above the first [table]"));
    assert!(spikes_with("[trials]", "[trials]\nalign = 'rt'").contains("above the first [table]"));
}

#[test]
fn what_is_missing_is_named_with_the_cure() {
    assert!(spikes_with("eid = \"spikes\"", "").starts_with("own.toml has no eid: give the session a name"));
    assert!(spikes_with("align = \"stim_on\"", "").starts_with("own.toml has no align: name the column"));
    assert_eq!(
        spikes_with("align = \"stim_on\"", "align = \"go\""),
        "own.toml has no column go in [trials], which align names: it has choice, number, rt, side, stim_on"
    );
    assert_eq!(
        spikes_with("trials.npz:rt", "trials.npz:reaction"),
        "trials.npz has no array reaction: it has stim_on, choice, side, rt, number"
    );
    let nowhere = spikes_with("regions.npy", "nowhere.npy");
    assert!(nowhere.starts_with("cannot ") && nowhere.contains(" nowhere.npy: No such file"), "{nowhere}");
    assert!(spikes_with("trials.npz:rt", "trials.npz").contains("name one, such as \"file.npz:array\""));
    assert!(spikes_with("clusters = ", "#").starts_with("own.toml has no spikes.clusters"));
    assert!(error_of("eid = 'a'").starts_with("own.toml has no [counts] or [spikes]"));
    assert!(error_of("eid = 'a'\n[counts").contains("is no TOML (line 2:"));
    assert!(counts_with("bin_seconds = 0.01", "").starts_with("own.toml has no counts.bin_seconds"));
    assert!(counts_with("0.01", "0").contains("no positive number"));
    assert!(
        counts_with("[units]", "[spikes]\ntimes='a.npy'\nclusters='a.npy'\n[units]").contains("leave one")
    );
    assert!(counts_with("subject", "align = 'x'\nsubject").contains("counts are aligned already"));
    assert!(counts_with("[units]", "[traces.a]\nevents = [1]\n[units]").contains("[trial, bin] in [trials]"));
}

#[test]
fn arrays_that_contradict_each_other_are_named() {
    let is = |message: String, expected: &str| assert_eq!(message, expected);
    is(
        spikes_with("clusters.npz:clusters", "clusters.npz:ids"),
        "spikes.clusters (array ids) of clusters.npz has 5 values for 2500 spikes.times: \
         save times and clusters of the same spikes",
    );
    is(
        spikes_with("[1, 2, 3, 4, 5]", "[1, 2]"),
        "units.channels of own.toml has 2 values for 5 units: give one value for each unit",
    );
    let unlisted = spikes_with("ids = \"clusters.npz:ids\"", "");
    assert!(
        unlisted.starts_with("spikes.clusters (array clusters) of clusters.npz names cluster "),
        "{unlisted}"
    );
    assert!(
        unlisted
            .ends_with(", units.regions has 5 units, from 0: list the numbers of all clusters as units.ids")
    );
    is(
        spikes_with("trials.npz:rt", "clusters.npz:ids"),
        "trials.rt (array ids) of clusters.npz has 5 values for 21 trials.stim_on (array stim_on): \
         give one value for each trial",
    );
    is(
        counts_with("choice.npy", "counts.npz:coordinates"),
        "trials.choice (array coordinates) of counts.npz has shape [4, 3], expected [trial] = [15] or [trial, bin] = \
         [15, 6]: give one value for each trial of the counts, or one for each of their bins",
    );
    is(
        counts_with("counts.npz:counts", "choice.npy"),
        "counts.file of choice.npy has shape [15], expected [trial, bin, unit]: \
         save counts as [trial, bin, unit], with numpy.transpose if they lie otherwise",
    );
    is(
        counts_with("regions = \"counts.npz:regions\"", "uuids = ['a', 'b', 'a', 'c']"),
        "units.uuids of own.toml names a twice: give every unit a name of its own",
    );
    is(
        counts_with("regions = \"counts.npz:regions\"", "coordinates = [[1, 2, 3]]"),
        "units.coordinates of own.toml has shape [1, 3], expected [unit, 3] = [4, 3]: \
         give three coordinates for each unit, µm in the Allen CCF",
    );
}

#[test]
fn cluster_numbers_do_not_size_memory() {
    let text = "eid = 'a'\nalign = 'on'\n[spikes]\ntimes = [0.1, 0.2]\nclusters = [0, 4000000000]\n[trials]\non = [0.0]";
    let message = error_of(text);
    assert_eq!(
        message,
        "spikes.clusters of own.toml names cluster 4000000000: list the numbers of all clusters as units.ids"
    );
    assert!(error_of(&text.replace("4000000000", "-1")).contains("names cluster -1"));
    assert!(
        error_of(&text.replace("4000000000", "0.5")).contains("holds 0.5 where whole numbers are needed")
    );
}

#[test]
fn spikes_in_lists_make_as_many_units_as_the_largest_cluster_says() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("small.toml");
    let text = "eid = 'small'\nalign = 'on'\n[spikes]\ntimes = [1.1, 0.2, 1.3]\nclusters = [2, 0, 2]\n\
                [trials]\non = [0.0, 1.0, 5.0]\n[units]\ncoordinates = []";
    // An empty list of coordinates is a contradiction, none is not.
    std::fs::write(&file, text).unwrap();
    let options = || PrepareOptions { window: [0.0, 1.0], bin_seconds: 0.5, ..PrepareOptions::default() };
    assert!(prepare(&file, options(), folder.path()).unwrap_err().to_string().contains("names cluster 2"));
    std::fs::write(&file, text.replace("[units]\ncoordinates = []", "")).unwrap();
    let outcome = prepare(&file, options(), folder.path()).unwrap();
    let session = Session::read(&outcome.folder).unwrap();
    assert_eq!((session.units().len(), session.trials()), (3, 2));
    assert_eq!(session.counts().total(), 3);
    assert_eq!(session.units()[1].region, "void");
    assert_eq!(outcome.provenance.trials.dropped[0].reason, "not recorded");
}

#[test]
fn only_toml_files_are_descriptions() {
    let options = SourceOptions::default();
    assert_eq!(open_source(&fixture("counts.toml"), &options).unwrap().eid().as_deref(), Some("counts"));
    assert!(open_source(&fixture("counts.npz"), &options).unwrap_err().to_string().contains(".toml files"));
}

#[test]
fn the_page_of_the_docs_shows_descriptions_that_are_read() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/arrays.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("recording.toml");
    let mut kinds = Vec::new();
    for block in page.split("```toml\n").skip(1) {
        std::fs::write(&file, block.split("```").next().unwrap()).unwrap();
        let source = open_source(&file, &SourceOptions::default()).unwrap();
        kinds.push((source.eid().unwrap(), source.files().len()));
    }
    assert_eq!(kinds, [("mouse-3-day-2".to_owned(), 2), ("monkey-1".to_owned(), 4)]);
}
