//! What is said elsewhere: codes with labels, rows of other tables, links to other files, parts that cannot be read
//! (`fixtures/make_references.py`).

mod expected;

use std::path::{Path, PathBuf};

use expected::{fixture, read_nwb, read_nwb_bytes, read_temporaldata, spikes_by_unit};
use neuroglot_prepare::{
    Location, NwbOptions, Preparation, PrepareError, PrepareOptions, RecordedUnit, Recording, SourceOptions,
    TemporaldataOptions, Trace, TraceSelection, TrialColumn, UnitColumns, assemble,
};

const GOOD: [bool; 6] = [true, false, false, true, true, false];
const AREAS: [&str; 6] = ["CA1", "DG", "VISp", "CA1", "VISp", "DG"];
/// Where electrodes of the linked files are.
const SITES: [&str; 6] = ["VISp", "CA1", "DG", "VISp", "CA1", "DG"];

fn regions(recording: &Recording) -> Vec<&str> {
    let region = |unit: &RecordedUnit| match &unit.location {
        Location::Acronym(name) => name.clone().leak() as &str,
        Location::Unknown => "",
        other => panic!("{other:?}"),
    };
    recording.units.iter().map(region).collect()
}

fn good(recording: &Recording) -> Vec<Option<bool>> {
    recording.units.iter().map(|unit| unit.good).collect()
}

fn text<'r>(recording: &'r Recording, column: &str) -> &'r [String] {
    match recording.trials.get(column) {
        Some(TrialColumn::Text(texts)) => texts,
        other => panic!("{column} is {other:?}"),
    }
}

fn nwb(name: &str, units: UnitColumns) -> Result<Recording, PrepareError> {
    read_nwb(fixture(name), &NwbOptions { units, ..NwbOptions::default() })
}

fn chosen(traces: &[&str]) -> NwbOptions {
    let traces = traces.iter().map(|text| text.parse().unwrap()).collect();
    NwbOptions { traces: TraceSelection::Chosen(traces), ..NwbOptions::default() }
}

fn some(name: &str) -> Option<String> {
    Some(name.to_owned())
}

#[test]
fn codes_are_read_as_their_labels() {
    let recording = nwb("codes.nwb", UnitColumns::default()).unwrap();
    assert_eq!(regions(&recording), AREAS);
    assert_eq!(good(&recording), GOOD.map(Some));
    assert_eq!(text(&recording, "response"), ["left", "right", "none", "right"].repeat(2));
    assert_eq!(text(&recording, "side"), ["left", "right"].repeat(4));
    // The lists of labels are no columns, and nobody need be told that they are none.
    assert!(!recording.notes.iter().any(|note| note.contains("_elements")), "{:?}", recording.notes);

    let options = PrepareOptions { good_units: true, ..PrepareOptions::default() };
    let prepared = assemble(recording, &options, None, Path::new("codes.nwb")).unwrap();
    let kept: Vec<(&str, &str)> =
        (prepared.session.units().iter()).map(|unit| (unit.uuid.as_str(), unit.region.as_str())).collect();
    assert_eq!(kept, [("codes-1:0", "CA1"), ("codes-1:3", "CA1"), ("codes-1:4", "VISp")]);
}

#[test]
fn rows_of_another_table_are_read_as_what_they_are() {
    let columns = UnitColumns { region: some("structure"), ..UnitColumns::default() };
    let recording = nwb("codes.nwb", columns).unwrap();
    assert_eq!(regions(&recording), ["VISp", "VISp", "LP", "CA1", "LP", "CA1"]);
    assert!(
        recording.notes.iter().any(|note| note.contains("structures: read as its column acronym")),
        "{:?}",
        recording.notes
    );
    let shown = ["grating", "blank", "blank", "grating", "grating", "blank", "grating", "blank"];
    assert_eq!(text(&recording, "stimulus"), shown);
    assert_eq!(text(&recording, "stimulus.label"), shown);
    assert_eq!(
        recording.trials.numbers("stimulus.contrast").unwrap(),
        [0.5, 0.0, 0.0, 0.5, 0.5, 0.0, 0.5, 0.0]
    );
}

#[test]
fn texts_of_any_number_enumerations_and_references() {
    let columns = UnitColumns { region: some("sites"), probe: some("part"), ..UnitColumns::default() };
    let recording = nwb("codes.nwb", columns).unwrap();
    assert_eq!(regions(&recording), ["LP", "LP", "CA1", "VISp", "LP", "CA1"]);
    let parts: Vec<&str> = recording.units.iter().map(|unit| unit.probe.as_str()).collect();
    assert_eq!(parts, ["axon", "soma", "soma", "axon", "axon", "soma"]);
    // A reference to a group of electrodes: its place as a region, its name as a probe.
    let columns = UnitColumns {
        region: some("electrode_group"),
        probe: some("electrode_group"),
        ..UnitColumns::default()
    };
    let recording = nwb("codes.nwb", columns).unwrap();
    assert_eq!(regions(&recording), ["CA3"; 6]);
    assert!(recording.units.iter().all(|unit| unit.probe == "shank0"));
}

#[test]
fn numbers_are_no_quality_unless_the_good_ones_are_named() {
    let columns = UnitColumns { quality: some("phy_annotations"), ..UnitColumns::default() };
    let recording = nwb("codes.nwb", columns.clone()).unwrap();
    assert_eq!(good(&recording), [None; 6]);
    let options = PrepareOptions { good_units: true, ..PrepareOptions::default() };
    let message = assemble(recording, &options, None, Path::new("codes.nwb")).unwrap_err().to_string();
    for part in ["phy_annotations", "0, 1, 2, 3", "0 = noise, 1 = mua, 2 = good", "--good-values"] {
        assert!(message.contains(part), "{part}: {message}");
    }
    let values = ["2", "3"].map(str::to_owned).to_vec();
    let recording = nwb("codes.nwb", UnitColumns { good_values: values, ..columns }).unwrap();
    assert_eq!(good(&recording), [true, false, false, true, true, true].map(Some));
    // Without good units being asked for, codes hinder nothing.
    let recording = nwb("lab_codes.nwb", UnitColumns::default()).unwrap();
    let prepared = assemble(recording, &PrepareOptions::default(), None, Path::new("lab_codes.nwb")).unwrap();
    assert!(prepared.notes.iter().any(|note| note.contains("which units are good is not known")));
}

#[test]
fn numbers_as_regions_are_said_to_be_allen_ids_or_refused() {
    let prepared = |column: &str, codes: &[(i64, &str)]| {
        let columns = UnitColumns { region: some(column), ..UnitColumns::default() };
        let region_codes = codes.iter().map(|(code, name)| (*code, (*name).to_owned())).collect();
        let options = PrepareOptions { region_codes, ..PrepareOptions::default() };
        assemble(nwb("lab_codes.nwb", columns).unwrap(), &options, None, Path::new("lab_codes.nwb"))
    };
    let notes = prepared("brain_area", &[]).unwrap().notes.join("\n");
    assert!(notes.contains("read as Allen ids: 1 → TM, 2 → SSp-m"), "{notes}");
    let message = prepared("site", &[]).unwrap_err().to_string();
    assert!(message.contains("999999 are no ids") && message.contains("--region-codes"), "{message}");
    let session = prepared("site", &[(1, "VISp"), (2, "CA1"), (999_999, "DG")]).unwrap().session;
    let regions: Vec<&str> = session.units().iter().map(|unit| unit.region.as_str()).collect();
    assert_eq!(regions, ["VISp", "DG", "VISp", "VISp", "CA1", "CA1"]);
}

#[test]
fn codes_of_temporaldata_are_read_as_their_names() {
    let recording = read_temporaldata(fixture("codes.h5"), &TemporaldataOptions::default()).unwrap();
    assert_eq!(regions(&recording), ["M1", "PMd", "S1", "M1", "S1", ""]);
    assert_eq!(good(&recording), GOOD.map(Some));
    let probes: Vec<&str> = recording.units.iter().map(|unit| unit.probe.as_str()).collect();
    assert_eq!(probes, ["array", "array", "probe", "probe", "array", "probe"]);
    assert_eq!(text(&recording, "target_id"), ["south", "north"].repeat(4));
    let notes = recording.notes.join("\n");
    assert!(notes.contains("/units/brain_area is read as places in /brain_area_names"), "{notes}");
    // One series has fewer times than samples, and values of another are in a file that is not there.
    assert_eq!(recording.traces.keys().collect::<Vec<_>>(), ["gaze.x"]);
    assert!(notes.contains("hand.x passed over") && notes.contains("licks.force passed over"), "{notes}");
    assert!(notes.contains("gone.h5"), "{notes}");
    for path in ["hand.x", "licks.force"] {
        let traces = TraceSelection::Chosen(vec![format!("x={path}").parse().unwrap()]);
        let options = TemporaldataOptions { traces, ..TemporaldataOptions::default() };
        assert!(read_temporaldata(fixture("codes.h5"), &options).is_err(), "{path}");
    }
}

/// The spikes of all files: one every 2.5 s, of unit n from n / 10 s.
fn check_spikes(recording: &Recording) {
    for (unit, spikes) in spikes_by_unit(recording).iter().enumerate() {
        assert_eq!(spikes.len(), 10);
        for (spike, time) in spikes.iter().enumerate() {
            assert!((time - (0.1 * unit as f64 + 2.5 * spike as f64)).abs() < 1e-12);
        }
    }
    let starts: Vec<f64> = (0..8).map(|trial| 1.0 + 3.0 * f64::from(trial)).collect();
    assert_eq!(recording.trials.numbers("start_time").unwrap(), starts);
}

fn check_samples(trace: &Trace, of: fn(f64) -> f64) {
    let Trace::Samples { times, values } = trace else { panic!("{trace:?}") };
    assert_eq!(times.len(), 260);
    for (sample, (time, value)) in times.iter().zip(values).enumerate() {
        assert!((time - sample as f64 / 10.0).abs() < 1e-9, "{time}");
        assert!((value - of(*time)).abs() < 1e-9, "{value}");
    }
}

#[test]
fn links_are_followed_to_files_beside() {
    let recording = read_nwb(fixture("linked/needed.nwb"), &NwbOptions::default()).unwrap();
    check_spikes(&recording);
    assert_eq!(regions(&recording), SITES);
    assert_eq!(text(&recording, "choice"), ["left", "right"].repeat(4));
    assert_eq!(recording.links.followed, [fixture("linked/far.nwb")]);
    assert_eq!(recording.links.absent, Vec::<PathBuf>::new());
}

#[test]
fn linked_series_are_read_and_links_that_lead_nowhere_named() {
    let recording = read_nwb(fixture("linked/series.nwb"), &NwbOptions::default()).unwrap();
    check_spikes(&recording);
    assert_eq!(recording.traces.keys().collect::<Vec<_>>(), ["again", "rated", "speed"]);
    check_samples(&recording.traces["speed"], f64::sin);
    check_samples(&recording.traces["again"], f64::sin);
    check_samples(&recording.traces["rated"], f64::cos);
    assert_eq!(text(&recording, "choice"), ["left", "right"].repeat(4));
    let note = |name: &str| {
        let path = format!("/processing/behavior/{name} passed over: ");
        let notes: Vec<&String> = recording.notes.iter().filter(|note| note.starts_with(&path)).collect();
        assert_eq!(notes.len(), 1, "{name}: {:?}", recording.notes);
        notes[0].as_str()
    };
    assert!(note("above").contains("outside") && note("above").contains("--link-folder"));
    assert!(note("absolute").contains("/etc/far.nwb") && note("absolute").contains("outside"));
    assert!(note("gone").contains("gone.nwb, which is not there"));
    assert!(note("nothing").contains("/processing/nothing of far.nwb, where nothing is"));
    assert!(note("dangling").contains("a link to /processing/nothing, where nothing is"));
    assert!(note("circle").contains("in a circle"));
    assert!(note("mirror").contains("in a circle"));
    assert_eq!(recording.links.followed, [fixture("linked/far.nwb")]);
    assert_eq!(recording.links.absent, [fixture("linked/gone.nwb")]);
}

#[test]
fn a_series_without_its_linked_times_is_no_events() {
    let recording = read_nwb(fixture("linked/times.nwb"), &NwbOptions::default()).unwrap();
    assert_eq!(recording.traces.keys().collect::<Vec<_>>(), ["rated"]);
    assert!(
        recording.notes.iter().any(|note| note.contains("/processing/behavior/speed passed over")
            && note.contains("gone.nwb, which is not there")),
        "{:?}",
        recording.notes
    );
    let message = read_nwb(fixture("linked/times.nwb"), &chosen(&["v=speed"])).unwrap_err().to_string();
    assert!(message.contains("speed/timestamps") && message.contains("put "), "{message}");
    let message = read_nwb(fixture("linked/series.nwb"), &chosen(&["v=gone"])).unwrap_err().to_string();
    assert!(message.contains("/processing/behavior/gone") && message.contains("gone.nwb"), "{message}");
}

#[test]
fn what_is_needed_and_lies_in_a_file_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let copy = |name: &str| {
        std::fs::copy(fixture("linked").join(name), folder.path().join(name)).unwrap();
        folder.path().join(name)
    };
    let main = copy("needed.nwb");
    let message = read_nwb(&main, &NwbOptions::default()).unwrap_err().to_string();
    assert!(
        message.contains("/intervals/trials of far.nwb") || message.contains("/intervals of far.nwb"),
        "{message}"
    );
    assert!(message.contains("which is not there: put"), "{message}");
    // Bytes have no folder.
    let bytes = std::fs::read(&main).unwrap();
    let message = read_nwb_bytes("needed.nwb", bytes).unwrap_err().to_string();
    assert!(message.contains("far.nwb, which is not at hand"), "{message}");
    // A series that was a link becomes neither events nor nothing.
    let series = copy("series.nwb");
    let recording = read_nwb(&series, &NwbOptions::default()).unwrap();
    assert!(recording.traces.is_empty(), "{:?}", recording.traces.keys());
    for part in ["speed passed over", "rated passed over", "again passed over", "column choice of"] {
        assert!(recording.notes.iter().any(|note| note.contains(part)), "{part}: {:?}", recording.notes);
    }
    let conditions = vec!["side=choice".parse().unwrap()];
    let options = PrepareOptions { conditions, ..PrepareOptions::default() };
    let message = assemble(recording, &options, None, &series).unwrap_err().to_string();
    assert!(message.contains("column choice of the trials could not be read") && message.contains("far.nwb"));
}

#[test]
#[cfg(unix)]
fn symbolic_links_out_of_the_folder_are_followed_only_where_that_is_allowed() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let main = folder.path().join("needed.nwb");
    std::fs::copy(fixture("linked/needed.nwb"), &main).unwrap();
    std::fs::copy(fixture("linked/far.nwb"), other.path().join("far.nwb")).unwrap();
    std::os::unix::fs::symlink(other.path().join("far.nwb"), folder.path().join("far.nwb")).unwrap();
    let message = read_nwb(&main, &NwbOptions::default()).unwrap_err().to_string();
    assert!(
        message.contains("far.nwb, which lies outside") && message.contains("--link-folder"),
        "{message}"
    );
    let options = NwbOptions { link_folders: vec![other.path().to_owned()], ..NwbOptions::default() };
    check_spikes(&read_nwb(&main, &options).unwrap());
    // Neither a pipe nor a device is waited for.
    std::fs::remove_file(folder.path().join("far.nwb")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", folder.path().join("far.nwb")).unwrap();
    let options = NwbOptions { link_folders: vec!["/dev".into()], ..NwbOptions::default() };
    let message = read_nwb(&main, &options).unwrap_err().to_string();
    assert!(message.contains("which is no file"), "{message}");
}

#[test]
fn provenance_lists_the_files_that_links_led_to() {
    let folder = tempfile::tempdir().unwrap();
    let (main, far, gone) =
        (folder.path().join("series.nwb"), folder.path().join("far.nwb"), folder.path().join("gone.nwb"));
    for file in [&main, &far] {
        std::fs::copy(fixture("linked").join(file.file_name().unwrap()), file).unwrap();
    }
    let out = folder.path().join("out");
    let preparation = Preparation { overwrite: true, ..Preparation::default() };
    let prepare = || preparation.prepare(&main, "series.nwb", &out).unwrap();
    let source = prepare().provenance.source;
    assert_eq!(source.linked.iter().map(|file| &file.path).collect::<Vec<_>>(), [&far]);
    assert_eq!(source.linked[0].sha256.len(), 64);
    assert_eq!(source.absent, std::slice::from_ref(&gone));
    assert!(prepare().was_there);
    // A linked file that changed, or that has come, makes another session.
    let mut bytes = std::fs::read(&far).unwrap();
    bytes.push(0);
    std::fs::write(&far, bytes).unwrap();
    assert!(!prepare().was_there);
    assert!(prepare().was_there);
    std::fs::copy(&far, &gone).unwrap();
    let outcome = prepare();
    assert!(!outcome.was_there && outcome.provenance.source.absent.is_empty());
    assert!(outcome.provenance.behaviours.contains_key("gone"));
}

#[test]
fn a_bad_series_is_passed_over_unless_it_was_asked_for() {
    let recording = read_nwb(fixture("broken.nwb"), &NwbOptions::default()).unwrap();
    check_spikes(&recording);
    assert_eq!(regions(&recording), SITES);
    assert_eq!(recording.traces.keys().collect::<Vec<_>>(), ["rated", "speed"]);
    check_samples(&recording.traces["speed"], f64::sin);
    for name in ["twice", "short", "rateless", "worded"] {
        let path = format!("/processing/behavior/{name}");
        let is_named = |note: &String| note.starts_with(&format!("{path} passed over: "));
        assert!(recording.notes.iter().any(is_named), "{name}: {:?}", recording.notes);
        let error = read_nwb(fixture("broken.nwb"), &chosen(&[&format!("x={name}")])).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&path) && message.contains("choose "), "{message}");
    }
    // What is bad hinders nobody who asks for something else.
    let recording = read_nwb(fixture("broken.nwb"), &chosen(&["v=speed"])).unwrap();
    assert_eq!(recording.traces.keys().collect::<Vec<_>>(), ["v"]);
    check_samples(&recording.traces["v"], f64::sin);
}

#[test]
fn a_bad_column_of_the_trials_is_passed_over_unless_it_is_needed() {
    let recording = read_nwb(fixture("broken.nwb"), &NwbOptions::default()).unwrap();
    assert_eq!(recording.trials.names().collect::<Vec<_>>(), ["choice", "start_time", "stop_time"]);
    assert!(
        recording
            .notes
            .iter()
            .any(|note| note.starts_with("column packed of /intervals/trials passed over: ")),
        "{:?}",
        recording.notes
    );
    for options in [
        PrepareOptions { align: some("packed"), ..PrepareOptions::default() },
        PrepareOptions { conditions: vec!["packed".parse().unwrap()], ..PrepareOptions::default() },
        PrepareOptions { further_rules: vec!["packed > 0".parse().unwrap()], ..PrepareOptions::default() },
    ] {
        let error = assemble(recording.clone(), &options, None, Path::new("broken.nwb")).unwrap_err();
        let message = error.to_string();
        assert!(message.contains("column packed of the trials could not be read"), "{message}");
        assert!(message.contains("choice, start_time, stop_time"), "{message}");
    }
}

#[test]
fn reading_options_are_read_back() {
    let mut options = SourceOptions::default();
    options.nwb.link_folders = vec!["archive".into()];
    options.nwb.units.good_values = vec!["2".to_owned()];
    let text = serde_json::to_string(&options).unwrap();
    assert_eq!(serde_json::from_str::<SourceOptions>(&text).unwrap(), options);
    let codes = [(-3, "CA1".to_owned()), (0, "M1".to_owned())].into();
    let options = PrepareOptions { region_codes: codes, ..PrepareOptions::default() };
    let text = serde_json::to_string(&options).unwrap();
    assert!(text.contains(r#""region_codes":{"-3":"CA1","0":"M1"}"#), "{text}");
    assert_eq!(serde_json::from_str::<PrepareOptions>(&text).unwrap(), options);
}
