//! Any bytes as an `.npz` archive: its array `x` or an error that names the file, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuroglot_prepare::fuzzing::npz;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = npz(bytes, "x") {
        assert!(error.to_string().contains("arrays.npz"), "{error}");
    }
});
