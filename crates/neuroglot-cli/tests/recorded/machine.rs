//! What of a machine decides the last digits of results.

use super::digest::of_bytes;
use serde_json::{Value, json};
use std::env::consts::{ARCH, OS};
use std::hint::black_box;

/// The system, its processor's vector instructions, and a checksum of what its mathematics library returns.
pub fn this_machine() -> Value {
    json!({
        "system": format!("{ARCH} {OS}"),
        "instructions": vector_instructions().join(" "),
        "mathematics_sha256": mathematics(),
    })
}

/// Products and sums are made in another order for each set of these; none are known where the system does not list them.
fn vector_instructions() -> Vec<String> {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = text.lines().find(|line| line.starts_with("flags")).and_then(|line| line.split_once(':'));
    let is_vector = |flag: &&str| ["avx", "fma", "amx"].iter().any(|start| flag.starts_with(start));
    let flags = flags.map_or("", |(_, flags)| flags).split_whitespace().filter(is_vector);
    let mut flags: Vec<String> = flags.map(str::to_owned).collect();
    flags.sort();
    flags
}

/// exp, ln and the like are the system's, and differ between systems in their last bit.
fn mathematics() -> String {
    let functions: [fn(f64) -> f64; 8] =
        [f64::exp, f64::ln, f64::exp_m1, f64::ln_1p, f64::sin, f64::cos, f64::tanh, |x| x.powf(1.7)];
    let singles: [fn(f32) -> f32; 4] = [f32::exp, f32::ln, f32::tanh, f32::sin];
    let mut bytes = Vec::new();
    for index in 1..2000 {
        let x = black_box(f64::from(index) * 0.00731);
        bytes.extend(functions.iter().flat_map(|function| function(x).to_le_bytes()));
        bytes.extend(singles.iter().flat_map(|function| function(x as f32).to_le_bytes()));
    }
    of_bytes(&bytes)
}
