//! Any bytes as files of an IBL session folder: a value or an error that names the file, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuroglot_fuzz::{readers, tolerate_decoders};

fuzz_target!(|bytes: &[u8]| {
    tolerate_decoders();
    readers::alf(bytes);
});
