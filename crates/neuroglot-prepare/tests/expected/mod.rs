//! Recordings compared with what the scripts that wrote the fixtures say is in them.
#![allow(dead_code, reason = "each test binary uses some of them")]

use std::path::{Path, PathBuf};

use neuroglot_prepare::{
    Asked, Location, NwbOptions, NwbSource, PrepareError, RecordedUnit, Recording, SpikeStream,
    TemporaldataOptions, TemporaldataSource, Trace, TrialColumn,
};
use serde_json::Value;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

pub fn read_nwb(path: impl AsRef<Path>, options: &NwbOptions) -> Result<Recording, PrepareError> {
    NwbSource::open(path.as_ref(), options)?.recording(Asked::ALL)
}

/// Reads the bytes of an NWB file under a name.
pub fn read_nwb_bytes(name: &str, bytes: Vec<u8>) -> Result<Recording, PrepareError> {
    NwbSource::from_bytes(Path::new(name), bytes, &NwbOptions::default())?.recording(Asked::ALL)
}

pub fn read_temporaldata(
    path: impl AsRef<Path>,
    options: &TemporaldataOptions,
) -> Result<Recording, PrepareError> {
    TemporaldataSource::open(path.as_ref(), options)?.recording(Asked::ALL)
}

/// Reads the bytes of a file of temporaldata under a name.
pub fn read_temporaldata_bytes(name: &str, bytes: Vec<u8>) -> Result<Recording, PrepareError> {
    TemporaldataSource::from_bytes(Path::new(name), bytes, &TemporaldataOptions::default())?
        .recording(Asked::ALL)
}

/// What a JSON file says of a fixture.
pub fn expected(json: &str, name: &str) -> Value {
    let text = std::fs::read_to_string(fixture(json)).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()[name].clone()
}

/// Numbers, NaN where null; truth values as 0 and 1.
fn floats(values: &Value) -> Vec<f64> {
    let values = values.as_array().unwrap();
    values
        .iter()
        .map(|value| {
            value.as_bool().map_or(value.as_f64().unwrap_or(f64::NAN), |truth| f64::from(u8::from(truth)))
        })
        .collect()
}

fn assert_same(found: &[f64], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let same = found == expected || (found.is_nan() && expected.is_nan());
        assert!(same, "{what}[{place}] is {found}, not {expected}");
    }
}

/// Spikes of each unit.
pub fn spikes_by_unit(recording: &Recording) -> Vec<Vec<f64>> {
    let mut spikes = vec![Vec::new(); recording.units.len()];
    for stream in &recording.spikes {
        match stream {
            SpikeStream::Interleaved { times, units } => {
                assert_eq!(times.len(), units.len());
                times.iter().zip(units).for_each(|(time, unit)| spikes[*unit as usize].push(*time));
            }
            SpikeStream::PerUnit { first_unit, times, ends } => {
                let mut start = 0;
                for (unit, &end) in ends.iter().enumerate() {
                    spikes[*first_unit as usize + unit].extend(&times[start..end]);
                    start = end;
                }
            }
        }
    }
    spikes
}

fn check_unit(unit: &RecordedUnit, expected: &Value) {
    assert_eq!(unit.uuid, expected["uuid"].as_str().unwrap());
    let location = match expected["location"].as_str() {
        Some(name) => Location::Acronym(name.to_owned()),
        None => Location::Unknown,
    };
    assert_eq!(unit.location, location, "{}", unit.uuid);
    assert_eq!(unit.probe, expected["probe"].as_str().unwrap(), "{}", unit.uuid);
    assert_eq!(unit.good, expected["good"].as_bool(), "{}", unit.uuid);
    assert_eq!(unit.depth, expected.get("depth").and_then(Value::as_f64), "{}", unit.uuid);
}

/// Checks everything but the counts.
pub fn check(recording: &Recording, expected: &Value) {
    let spikes = spikes_by_unit(recording);
    let expected_spikes = expected["spikes"].as_array().unwrap();
    assert_eq!(spikes.len(), expected_spikes.len());
    for (unit, (found, expected)) in spikes.iter().zip(expected_spikes).enumerate() {
        assert_same(found, &floats(expected), &format!("spikes of unit {unit}"));
    }
    let units = expected["units"].as_array().unwrap();
    assert_eq!(recording.units.len(), units.len());
    recording.units.iter().zip(units).for_each(|(unit, expected)| check_unit(unit, expected));

    let columns = expected["trials"].as_object().unwrap();
    let mut names: Vec<&str> = columns.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(recording.trials.names().collect::<Vec<_>>(), names);
    for (name, expected) in columns {
        match recording.trials.get(name).unwrap() {
            TrialColumn::Numbers(values) => assert_same(values, &floats(expected), name),
            TrialColumn::Text(values) => assert_eq!(serde_json::json!(values), *expected, "{name}"),
        }
    }

    let traces = expected["traces"].as_object().unwrap();
    let mut names: Vec<&str> = traces.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(recording.traces.keys().map(String::as_str).collect::<Vec<_>>(), names);
    for (name, expected) in traces {
        match &recording.traces[name] {
            Trace::Samples { times, values } => {
                assert_same(times, &floats(&expected["times"]), &format!("times of {name}"));
                assert_same(values, &floats(&expected["values"]), &format!("values of {name}"));
            }
            Trace::Regular { .. } => panic!("{name}: readers of HDF5 keep the times of samples"),
            Trace::Events(times) => assert_same(times, &floats(&expected["events"]), name),
        }
    }
}
