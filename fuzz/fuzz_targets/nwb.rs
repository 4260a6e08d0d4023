//! Any bytes as an NWB file: a recording or an error that names the file, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuroglot_prepare::{NwbOptions, read_nwb_bytes};

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = read_nwb_bytes("fuzzed.nwb", bytes.to_vec(), &NwbOptions::default()) {
        assert!(error.to_string().contains("fuzzed.nwb"), "{error}");
    }
    // The same units by coordinates of their electrodes, in case the default ended early.
    let by_coordinates = NwbOptions { coordinates: true, ..NwbOptions::default() };
    let _ = read_nwb_bytes("fuzzed.nwb", bytes.to_vec(), &by_coordinates);
});
