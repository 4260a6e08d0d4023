//! Trials known again by what was recorded in them.
//!
//! A trial has no name that lasts: its place in a session changes when the session is split anew. Its counts do not.

use crate::Session;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The first 64 bits of SHA-256 over a trial's counts `[bin, unit]`: for each entry that is not 0, bins ascending and
/// units within a bin, its bin, its unit (both counted from 0) and its count as 32-bit little-endian numbers.
///
/// Of a million trials, two different ones have the same fingerprint by chance with a probability below 10⁻⁷.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TrialFingerprint(u64);

impl TrialFingerprint {
    /// Fingerprints of some trials of a session, `[trial]`, over some of its units in the order given.
    ///
    /// # Panics
    /// If the session has no such trial or unit.
    pub fn of_trials(session: &Session, trials: &[usize], units: &[usize]) -> Vec<Self> {
        let mut places = vec![None; session.units().len()];
        for (place, unit) in units.iter().enumerate() {
            places[*unit] = Some(place);
        }
        let of_trial = |trial: &usize| {
            let entries = session.entries(*trial);
            Self::of(entries.filter_map(|(bin, unit, count)| Some([bin as u32, places[unit]? as u32, count])))
        };
        trials.par_iter().map(of_trial).collect()
    }

    /// Of `[bin, unit, count]`.
    fn of(entries: impl Iterator<Item = [u32; 3]>) -> Self {
        let mut entries: Vec<[u32; 3]> = entries.collect();
        entries.sort_unstable();
        let bytes: Vec<u8> = entries.as_flattened().iter().flat_map(|number| number.to_le_bytes()).collect();
        let digest = Sha256::digest(&bytes);
        Self(u64::from_be_bytes(*digest.first_chunk().expect("SHA-256 has 32 bytes")))
    }
}

/// 16 hexadecimal digits, as `sha256sum` begins.
impl fmt::Display for TrialFingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl From<TrialFingerprint> for String {
    fn from(fingerprint: TrialFingerprint) -> String {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for TrialFingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let value = if is_one { u64::from_str_radix(&text, 16).ok() } else { None };
        value.map(Self).ok_or_else(|| format!("`{text}` is no fingerprint of a trial: 16 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SessionParts, SpikeCountsBuilder, Split, Unit};
    use std::collections::BTreeMap;

    fn session() -> Session {
        let unit = |uuid: &str| Unit {
            uuid: uuid.to_owned(),
            region: "CA1".to_owned(),
            depth: None,
            channel: None,
            good: None,
        };
        // Trial 0: unit 1 fires 3 times in bin 0, unit 0 once in bin 1. Trial 1: nothing. Trials 2 and 3: unit 0 once.
        let mut counts = SpikeCountsBuilder::new(2, 2);
        counts.push_csr(&[0, 1, 2], &[1, 0], &[3, 1]).unwrap();
        counts.push_csr(&[0, 0, 0], &[], &[]).unwrap();
        counts.push_csr(&[0, 1, 1], &[0], &[1]).unwrap();
        counts.push_csr(&[0, 0, 1], &[0], &[1]).unwrap();
        Session::new(SessionParts {
            eid: "a".to_owned(),
            subject: String::new(),
            lab: String::new(),
            bin_seconds: 0.02,
            units: vec![unit("u"), unit("v")],
            splits: vec![Split::Train, Split::Validation, Split::Train, Split::Test],
            counts: counts.finish(),
            behaviours: BTreeMap::new(),
            true_rates: None,
        })
        .unwrap()
    }

    /// By Python's hashlib: `sha256(struct.pack("<6I", 0, 1, 3, 1, 0, 1)).hexdigest()[:16]`, and so on.
    const BY_HASHLIB: [&str; 4] =
        ["90e8f6ca7ec6d335", "e3b0c44298fc1c14", "c3e42245ffdff31c", "d05796eb3a889d20"];

    #[test]
    fn fingerprints_are_those_of_another_implementation() {
        let found = |units: &[usize]| {
            let fingerprints = TrialFingerprint::of_trials(&session(), &[0, 1, 2, 3], units);
            fingerprints.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(found(&[0, 1]), BY_HASHLIB);
        // Units in another order: (0, 0, 3, 1, 1, 1), and so on. One unit alone: unit 1 is silent but in trial 0.
        assert_eq!(found(&[1, 0])[0], "a838e66953c69f26");
        assert_eq!(found(&[1]), ["1f91fc716ad664bd", BY_HASHLIB[1], BY_HASHLIB[1], BY_HASHLIB[1]]);
    }

    #[test]
    fn what_is_no_fingerprint_is_named() {
        for text in ["", "e3b0c44298fc1c1", "+3b0c44298fc1c14", "e3b0c44298fc1c1é"] {
            let error = serde_json::from_value::<TrialFingerprint>(text.into()).unwrap_err().to_string();
            assert!(error.contains(&format!("`{text}` is no fingerprint")), "{error}");
        }
    }
}
