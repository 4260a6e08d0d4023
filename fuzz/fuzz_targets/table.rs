//! Any bytes as a table in a Parquet file: a value or an error that names the file, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuroglot_fuzz::{readers, tolerate_decoders};

fuzz_target!(|bytes: &[u8]| {
    tolerate_decoders();
    readers::table(bytes);
});
