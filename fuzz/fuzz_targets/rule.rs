//! Any text as a rule of trials: a rule that is written as it is read, or an error, never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuroglot_fuzz::readers;

fuzz_target!(|bytes: &[u8]| readers::rule(bytes));
