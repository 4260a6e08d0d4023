//! HDF5 files that are truncated, damaged or made to do damage: an error that names the file, no panic, little memory.

mod expected;

use std::sync::Mutex;

use neuroglot_prepare::{NwbOptions, PrepareError, Recording};
use peak_alloc::PeakAlloc;

use expected::{fixture, read_nwb, read_nwb_bytes, read_temporaldata_bytes};

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Most memory that a damaged copy of a fixture of at most 150 kB may take, MB.
const MOST_MEGABYTES: f32 = 64.0;

const FIXTURES: [&str; 6] = [
    "plain.nwb",
    "packed.nwb",
    "contiguous.h5",
    "chunked.h5",
    "layouts/shuffled_lzf.nwb",
    "layouts/user_block.nwb",
];

/// Tests of this file measure memory, so they run one after the other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn read(name: &str, bytes: Vec<u8>) -> Result<Recording, PrepareError> {
    if name.ends_with(".nwb") { read_nwb_bytes(name, bytes) } else { read_temporaldata_bytes(name, bytes) }
}

/// Reads a damaged copy; whether it still was a recording.
fn survives(name: &str, bytes: Vec<u8>, damage: &str) -> bool {
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage_as_mb();
    let result = read(name, bytes);
    let taken = ALLOCATED.peak_usage_as_mb() - before;
    assert!(taken < MOST_MEGABYTES, "{name}, {damage}: {taken} MB");
    match result {
        Ok(_) => true,
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(name), "{name}, {damage}: {message}");
            false
        }
    }
}

#[test]
fn truncated_files_are_errors() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for name in FIXTURES {
        let bytes = std::fs::read(fixture(name)).unwrap();
        assert!(survives(name, bytes.clone(), "whole"));
        let lengths = (0..bytes.len()).filter(|&length| length < 512 || length % 509 == 0);
        for length in lengths.chain([bytes.len() - 1]) {
            assert!(!survives(name, bytes[..length].to_vec(), "truncated"), "{name} of {length} bytes");
        }
    }
}

#[test]
fn flipped_bits_are_errors_or_other_values() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    for name in FIXTURES {
        let bytes = std::fs::read(fixture(name)).unwrap();
        let mut state = 1_u64;
        let mut refused = 0;
        for _ in 0..2000 {
            // Knuth's linear congruential generator; its high bits choose.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let place = (state >> 33) as usize % bytes.len();
            let bit = (state >> 61) as u32;
            let mut damaged = bytes.clone();
            damaged[place] ^= 1 << bit;
            refused += usize::from(!survives(name, damaged, &format!("bit {bit} of byte {place}")));
        }
        // Most bytes are values or nothing, but some are structure.
        assert!(refused > 20, "{name}: {refused} of 2000 refused");
    }
}

#[test]
fn sizes_that_a_header_claims_are_not_believed() {
    let _one = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // The dataspace of the old format has no checksum: 159 spikes become 2⁴⁰.
    let mut bytes = std::fs::read(fixture("plain.nwb")).unwrap();
    let claim = 159_u64.to_le_bytes();
    let places: Vec<usize> = (0..bytes.len() - 8).filter(|&at| bytes[at..at + 8] == claim).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
    }
    let message = read("plain.nwb", bytes.clone()).unwrap_err().to_string();
    assert!(message.contains("/units/spike_times") && message.contains("plain.nwb"), "{message}");
    assert!(!survives("plain.nwb", bytes, "claims"));

    // Every checksum is right, and nothing is behind the claims.
    for name in ["claims_contiguous.nwb", "claims_chunks.nwb", "claims_one_chunk.nwb"] {
        let bytes = std::fs::read(fixture(name)).unwrap();
        assert!(!survives(name, bytes, "claims"));
        let message = read_nwb(fixture(name), &NwbOptions::default()).unwrap_err().to_string();
        assert!(
            message.contains("/units/spike_times") && message.contains("more than a file of"),
            "{message}"
        );
    }
}
