//! NWB files written by pynwb (`fixtures/make_nwb.py`).

mod expected;

use expected::{check, expected, fixture, read_nwb, read_nwb_bytes};
use neuroglot_files::IoError;
use neuroglot_prepare::{
    Asked, Content, Location, NwbOptions, NwbSource, PrepareError, Source, TraceChoice, TraceSelection,
    UnitColumns,
};

fn choose(choices: &[&str]) -> NwbOptions {
    let choices: Vec<TraceChoice> = choices.iter().map(|choice| choice.parse().unwrap()).collect();
    NwbOptions { traces: TraceSelection::Chosen(choices), ..NwbOptions::default() }
}

/// The message of a reading that has to fail.
fn message(name: &str, options: &NwbOptions) -> String {
    let error = read_nwb(fixture(name), options).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(name), "{message}");
    message
}

#[test]
fn arrays_as_pynwb_writes_them() {
    let recording = read_nwb(fixture("plain.nwb"), &NwbOptions::default()).unwrap();
    check(&recording, &expected("nwb.json", "plain.nwb"));
    assert_eq!(
        (recording.eid.as_str(), recording.subject.as_str(), recording.lab.as_str()),
        ("plain-1", "mouse-3", "Example lab")
    );
    // A unit of one electrode has the number of that, one of several has none.
    let channels: Vec<Option<i64>> = recording.units.iter().map(|unit| unit.channel).collect();
    assert_eq!(channels, [Some(0), Some(1), None, Some(3), Some(4), None]);
    let notes = recording.notes.join("\n");
    assert!(notes.contains("lick_times"), "{notes}");
    assert!(notes.contains("/acquisition/video passed over"), "{notes}");
}

#[test]
fn compressed_chunks_in_the_newest_format() {
    let recording = read_nwb(fixture("packed.nwb"), &NwbOptions::default()).unwrap();
    check(&recording, &expected("nwb.json", "packed.nwb"));
    assert_eq!((recording.eid.as_str(), recording.lab.as_str()), ("packed-2", "Example institute"));
    let channels: Vec<Option<i64>> = recording.units.iter().map(|unit| unit.channel).collect();
    assert_eq!(channels, [Some(11), Some(22), Some(33), Some(44)]);
    assert!(recording.notes.contains(&"1 of 4 units have no region".to_owned()), "{:?}", recording.notes);
}

#[test]
fn bytes_are_read_as_the_file_is() {
    let bytes = std::fs::read(fixture("packed.nwb")).unwrap();
    let recording = read_nwb_bytes("elsewhere.nwb", bytes).unwrap();
    check(&recording, &expected("nwb.json", "packed.nwb"));
}

#[test]
fn coordinates_instead_of_names() {
    let options = NwbOptions { coordinates: true, ..NwbOptions::default() };
    let recording = read_nwb(fixture("plain.nwb"), &options).unwrap();
    let expected = expected("nwb.json", "plain.nwb");
    for (unit, expected) in recording.units.iter().zip(expected["units"].as_array().unwrap()) {
        let ccf: [f64; 3] = serde_json::from_value(expected["ccf"].clone()).unwrap();
        assert_eq!(unit.location, Location::Ccf(ccf), "{}", unit.uuid);
    }
    let message = message("packed.nwb", &options);
    assert!(
        message.contains("no columns x, y and z of numbers in /general/extracellular_ephys/electrodes"),
        "{message}"
    );
}

#[test]
fn columns_and_names_that_are_chosen() {
    let columns = UnitColumns {
        uuid: Some("probe".into()),
        region: Some("probe".into()),
        quality: Some("depth".into()),
        good_values: vec!["1500".into()],
        ..UnitColumns::default()
    };
    let options = NwbOptions { eid: Some("mine".into()), units: columns, ..NwbOptions::default() };
    let recording = read_nwb(fixture("packed.nwb"), &options).unwrap();
    assert_eq!(recording.eid, "mine");
    let unit = &recording.units[3];
    assert_eq!(unit.location, Location::Acronym("b".into()));
    // The probe of two units each: made unique, with a note.
    assert_eq!((unit.uuid.as_str(), unit.good), ("b_2", Some(true)));
    assert!(
        recording.notes.iter().any(|note| note.contains("identifier of another")),
        "{:?}",
        recording.notes
    );
}

#[test]
fn traces_that_are_chosen() {
    let recording = read_nwb(
        fixture("plain.nwb"),
        &choose(&["speed=/processing/behavior/running_speed", "hand_y=hand:1", "pixel=video:7"]),
    )
    .unwrap();
    assert_eq!(recording.traces.keys().collect::<Vec<_>>(), ["hand_y", "pixel", "speed"]);
    let all = read_nwb(fixture("plain.nwb"), &NwbOptions::default()).unwrap();
    assert_eq!(recording.traces["hand_y"], all.traces["hand_1"]);
    assert_eq!(recording.traces["speed"], all.traces["running_speed"]);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let region = UnitColumns { region: Some("beryl".into()), ..UnitColumns::default() };
    let text = message("packed.nwb", &NwbOptions { units: region, ..NwbOptions::default() });
    assert!(text.contains("no column beryl in /units"), "{text}");
    assert!(text.contains("brain_area, depth, id, is_good"), "{text}");

    let text = message("plain.nwb", &NwbOptions { intervals: "epochs".into(), ..NwbOptions::default() });
    assert!(text.contains("no /intervals/epochs") && text.contains("it has: trials"), "{text}");

    let text = message("plain.nwb", &choose(&["speed=wheel"]));
    assert!(
        text.contains("no series wheel") && text.contains("/processing/behavior/running_speed"),
        "{text}"
    );

    let text = message("plain.nwb", &choose(&["x=hand:2"]));
    assert!(text.contains("/processing/behavior/Position/hand") && text.contains("no column 2"), "{text}");

    let text = message("plain.nwb", &choose(&["pixels=video"]));
    assert!(text.contains("too many columns"), "{text}");
}

#[test]
fn other_files_are_not_nwb() {
    let text = message("contiguous.h5", &NwbOptions::default());
    assert!(text.contains("not NWB 2"), "{text}");
    let error = read_nwb(fixture("make_nwb.py"), &NwbOptions::default()).unwrap_err();
    assert!(matches!(error, PrepareError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("not an HDF5 file"), "{error}");
    let error = read_nwb(fixture("absent.nwb"), &NwbOptions::default()).unwrap_err();
    assert!(matches!(error, PrepareError::Io(IoError { action: "open", .. })), "{error}");
}

#[test]
fn the_identifier_alone() {
    let eid = |options: &NwbOptions| NwbSource::open(&fixture("plain.nwb"), options).unwrap().eid();
    assert_eq!(eid(&NwbOptions::default()).as_deref(), Some("plain-1"));
    let named = NwbOptions { eid: Some("mine".into()), ..NwbOptions::default() };
    assert_eq!(eid(&named).as_deref(), Some("mine"));
}

#[test]
fn series_that_nobody_asks_for_are_not_read() {
    for (file, asked) in [("plain.nwb", "running_speed"), ("broken.nwb", "speed")] {
        let options = NwbOptions::default();
        let all = read_nwb(fixture(file), &options).unwrap();
        let names = [asked.to_owned()];
        let source = NwbSource::open(&fixture(file), &options).unwrap();
        let Content::Recording(some) = source.read(Asked::of(Some(&names))).unwrap() else {
            panic!("a recording")
        };
        assert!(all.traces.len() > 1 && all.traces.contains_key(asked), "{:?}", all.traces.keys());
        assert_eq!(some.traces.len(), 1);
        assert_eq!(some.traces[asked], all.traces[asked]);
        // Nothing is said of those that were left alone.
        assert!(some.notes.len() < all.notes.len() || file == "plain.nwb", "{:?}", some.notes);
    }
}
