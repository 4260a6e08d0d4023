//! Checksums of results.

use safetensors::SafeTensors;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::Path;

pub fn of_bytes(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// SHA-256 of a JSON value; numbers in it are written so that every bit of them can be read back.
pub fn digest_of(value: &Value) -> String {
    of_bytes(value.to_string().as_bytes())
}

/// SHA-256 of names, shapes and bytes of the tensors in a file, not of its metadata, which holds the version.
pub fn digest_of_tensors(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut names = tensors.names();
    names.sort();
    let mut digest = Sha256::new();
    for name in names {
        let tensor = tensors.tensor(name).unwrap();
        digest.update(format!("{name} {:?} {:?}\n", tensor.dtype(), tensor.shape()));
        digest.update(tensor.data());
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
