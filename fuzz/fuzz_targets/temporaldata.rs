//! Any bytes as a temporaldata file: a recording or an error that names the file, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuroglot_prepare::{TemporaldataOptions, read_temporaldata_bytes};

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = read_temporaldata_bytes("fuzzed.h5", bytes.to_vec(), &TemporaldataOptions::default()) {
        assert!(error.to_string().contains("fuzzed.h5"), "{error}");
    }
});
