//! HDF5 files written by temporaldata (`fixtures/make_temporaldata.py`).

mod expected;

use expected::{check, expected, fixture, read_temporaldata, read_temporaldata_bytes};
use neuroglot_prepare::{
    Source, TemporaldataOptions, TemporaldataSource, Trace, TraceSelection, UnitColumns,
};

fn message(name: &str, options: &TemporaldataOptions) -> String {
    let message = read_temporaldata(fixture(name), options).unwrap_err().to_string();
    assert!(message.contains(name), "{message}");
    message
}

#[test]
fn files_as_the_library_writes_them() {
    for name in ["contiguous", "chunked"] {
        let file = format!("{name}.h5");
        let recording = read_temporaldata(fixture(&file), &TemporaldataOptions::default()).unwrap();
        check(&recording, &expected("temporaldata.json", &file));
        assert_eq!(
            (recording.eid.as_str(), recording.subject.as_str(), recording.lab.as_str()),
            (name, "monkey-j", "example_2024")
        );
        let notes = recording.notes.join("\n");
        assert!(notes.contains("own splits are not used: test_domain, train_domain"), "{notes}");
        assert!(notes.contains("lfp.raw passed over"), "{notes}");
    }
}

#[test]
fn bytes_are_read_as_the_file_is() {
    let bytes = std::fs::read(fixture("chunked.h5")).unwrap();
    let recording = read_temporaldata_bytes("other.h5", bytes).unwrap();
    check(&recording, &expected("temporaldata.json", "chunked.h5"));
}

#[test]
fn traces_that_are_chosen() {
    let traces =
        TraceSelection::Chosen(["vx=cursor.vel:0", "voltage=raw:31"].map(|t| t.parse().unwrap()).to_vec());
    let options = TemporaldataOptions { traces, ..TemporaldataOptions::default() };
    let recording = read_temporaldata(fixture("contiguous.h5"), &options).unwrap();
    assert_eq!(recording.traces.keys().collect::<Vec<_>>(), ["voltage", "vx"]);
    let Trace::Samples { times, .. } = &recording.traces["voltage"] else { panic!("not samples") };
    assert_eq!(times.len(), 10);
}

#[test]
fn what_is_not_there_is_said_with_what_is() {
    let text = message(
        "chunked.h5",
        &TemporaldataOptions { intervals: "movements".into(), ..TemporaldataOptions::default() },
    );
    assert!(text.contains("no movements") && text.contains("it has: trials"), "{text}");
    let units = UnitColumns { region: Some("waveforms".into()), ..UnitColumns::default() };
    let text = message("chunked.h5", &TemporaldataOptions { units, ..TemporaldataOptions::default() });
    assert!(
        text.contains("no column waveforms in /units") && text.contains("brain_area, id, quality"),
        "{text}"
    );
    let traces = TraceSelection::Chosen(vec!["v=cursor.pos".parse().unwrap()]);
    let text = message("chunked.h5", &TemporaldataOptions { traces, ..TemporaldataOptions::default() });
    assert!(
        text.contains("no series cursor.pos") && text.contains("cursor.vel, gaze.x, lfp.raw, licks"),
        "{text}"
    );
    let text = message("plain.nwb", &TemporaldataOptions::default());
    assert!(text.contains("not of temporaldata"), "{text}");
}

#[test]
fn the_identifier_alone() {
    let eid = |options: &TemporaldataOptions| {
        TemporaldataSource::open(&fixture("chunked.h5"), options).unwrap().eid()
    };
    assert_eq!(eid(&TemporaldataOptions::default()).as_deref(), Some("chunked"));
    let named = TemporaldataOptions { eid: Some("mine".into()), ..TemporaldataOptions::default() };
    assert_eq!(eid(&named).as_deref(), Some("mine"));
}
