//! The forms that HDF5 allows for one and the same file (`fixtures/make_layouts.py`), and files that are right and not read.

mod expected;

use expected::{check, expected, fixture, read_nwb, read_nwb_bytes};
use neuroglot_prepare::{Location, NwbOptions, Preparation, PrepareError};

const LAYOUTS: [&str; 8] = [
    "row",
    "column",
    "lzf",
    "shuffled_lzf",
    "user_block",
    "user_block_latest",
    "prepended",
    "processed_units",
];

fn layout(name: &str) -> std::path::PathBuf {
    fixture("layouts").join(format!("{name}.nwb"))
}

#[test]
fn all_forms_hold_the_same() {
    let expected = expected("layouts.json", "all");
    for name in LAYOUTS {
        let recording = read_nwb(layout(name), &NwbOptions::default());
        let recording = recording.unwrap_or_else(|error| panic!("{name}: {error}"));
        check(&recording, &expected);
        let bytes = std::fs::read(layout(name)).unwrap();
        check(&read_nwb_bytes("bytes.nwb", bytes).unwrap(), &expected);
        let of_processing =
            recording.notes.iter().any(|note| note == "units are those of /processing/ecephys/units");
        assert_eq!(of_processing, name == "processed_units", "{:?}", recording.notes);
    }
}

#[test]
fn files_behind_a_user_block_are_noticed_to_be_cut_off() {
    for name in ["user_block", "user_block_latest", "prepended"] {
        let mut bytes = std::fs::read(layout(name)).unwrap();
        bytes.pop();
        let message = read_nwb_bytes("cut.nwb", bytes).unwrap_err().to_string();
        assert!(message.contains("cut.nwb") && message.contains("truncated"), "{name}: {message}");
    }
}

/// The message about a file or folder that is right and not read.
fn unread(error: PrepareError) -> String {
    assert!(matches!(error, PrepareError::Unread { .. }), "{error}");
    let message = error.to_string();
    assert!(
        !message.contains("corrupt") && !message.contains("export it") && !message.contains("export the"),
        "{message}"
    );
    message
}

#[test]
fn filters_that_are_not_read_are_named() {
    // In the filter's message: its number, lengths of its name and of its parameters, its name.
    let mut bytes = std::fs::read(layout("lzf")).unwrap();
    let places: Vec<usize> = (0..bytes.len() - 12)
        .filter(|&at| bytes[at..at + 2] == 32_000_u16.to_le_bytes() && bytes[at + 8..].starts_with(b"lzf\0"))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 2].copy_from_slice(&32_001_u16.to_le_bytes());
    }
    let message = unread(read_nwb_bytes("packed.nwb", bytes).unwrap_err());
    assert!(message.starts_with("packed.nwb uses Blosc (HDF5 filter 32001) in /"), "{message}");
    assert!(message.contains("h5repack -f NONE IN OUT"), "{message}");
}

#[test]
fn virtual_data_sets_are_named_and_hide_nothing_else() {
    let recording = read_nwb(layout("virtual_column"), &NwbOptions::default()).unwrap();
    assert!(recording.traces.contains_key("place_0") && !recording.traces.contains_key("speed"));
    assert_eq!(recording.units[0].location, Location::Unknown);
    for name in ["/processing/behavior/speed", "location of /units"] {
        let is_named = |note: &&String| {
            note.contains(name) && note.contains("uses a virtual data set, whose values lie")
        };
        assert!(recording.notes.iter().any(|note| is_named(&note)), "{name}: {:?}", recording.notes);
    }
    let message = unread(read_nwb(layout("virtual_spikes"), &NwbOptions::default()).unwrap_err());
    assert!(message.ends_with("h5repack -l /units/spike_times:CONTI IN OUT"), "{message}");
}

#[test]
fn what_is_no_hdf5_is_called_what_it_is() {
    let gzip = b"\x1f\x8b\x08\0and so on".to_vec();
    let message = unread(read_nwb_bytes("a.nwb", gzip).unwrap_err());
    assert_eq!(message, "a.nwb uses compression by gzip, which is not read: unpack it: gunzip FILE");

    let folder = tempfile::tempdir().unwrap();
    let zarr = folder.path().join("recording.nwb");
    std::fs::create_dir(&zarr).unwrap();
    std::fs::write(zarr.join(".zgroup"), "{\"zarr_format\": 2}").unwrap();
    let message = unread(Preparation::default().assemble(&zarr).unwrap_err());
    assert!(
        message.contains("recording.nwb uses Zarr, which is not read") && message.contains("NWBZarrIO"),
        "{message}"
    );
}

#[test]
fn pickled_arrays_are_called_so() {
    let folder = tempfile::tempdir().unwrap();
    let mut npy = b"\x93NUMPY\x01\0\x76\0{'descr': '|O', 'fortran_order': False, 'shape': (2,), }".to_vec();
    npy.resize(127, b' ');
    npy.extend(b"\n\x80\x04\x95pickled");
    std::fs::write(folder.path().join("on.npy"), npy).unwrap();
    let text =
        "eid = 'a'\nalign = 'on'\n[spikes]\ntimes = [0.1, 0.2]\nclusters = [0, 0]\n[trials]\non = 'on.npy'";
    let file = folder.path().join("own.toml");
    std::fs::write(&file, text).unwrap();
    let message = unread(Preparation::default().assemble(&file).unwrap_err());
    assert!(message.contains("pickled Python objects (dtype object) for trials.on"), "{message}");
    assert!(message.contains("allow_pickle=True"), "{message}");
}
