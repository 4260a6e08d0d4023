//! Any bytes as an `.npy` file: an array or an error that names the file, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuroglot_prepare::fuzzing::npy;

fuzz_target!(|bytes: &[u8]| {
    if let Err(error) = npy(bytes) {
        assert!(error.to_string().contains("array.npy"), "{error}");
    }
});
