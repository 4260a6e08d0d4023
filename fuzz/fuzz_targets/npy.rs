//! Any bytes as an `.npy` file: a value or an error that names the file, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuroglot_fuzz::readers;

fuzz_target!(|bytes: &[u8]| readers::npy(bytes));
