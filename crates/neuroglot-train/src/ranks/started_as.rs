//! What all ranks must have been started with alike.

use crate::RunConfig;
use neuroglot_data::{Session, TrialFingerprint};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Version, settings and sessions of a rank.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StartedAs {
    version: String,
    settings: Value,
    /// Identifiers of the sessions, each with a digest of its trials and units.
    sessions: Vec<(String, String)>,
}

impl StartedAs {
    /// Of this process.
    pub fn of(config: &RunConfig, sessions: &[Session]) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settings: serde_json::to_value(config).expect("settings are JSON"),
            sessions: sessions.iter().map(|session| (session.eid().to_owned(), digest(session))).collect(),
        }
    }

    /// What this, the start of the first rank, has otherwise than another.
    pub(super) fn difference(&self, other: &Self) -> Option<String> {
        if self.version != other.version {
            return Some(format!("it is neuroglot {}, and rank 0 is {}", other.version, self.version));
        }
        let (own, others) = (leaves(&self.settings), leaves(&other.settings));
        let keys: std::collections::BTreeSet<&String> = own.keys().chain(others.keys()).collect();
        for key in keys {
            let value =
                |of: &BTreeMap<String, Value>| of.get(key).map_or("not there".to_owned(), Value::to_string);
            if own.get(key) != others.get(key) {
                return Some(format!(
                    "its {key} is {}, and that of rank 0 is {}",
                    value(&others),
                    value(&own)
                ));
            }
        }
        let eids = |of: &Self| of.sessions.iter().map(|(eid, _)| eid.clone()).collect::<Vec<_>>();
        if eids(self) != eids(other) {
            let (own, others) = (eids(self).join(", "), eids(other).join(", "));
            return Some(format!("its sessions are {others}, and those of rank 0 are {own}"));
        }
        let pairs = self.sessions.iter().zip(&other.sessions);
        let differing = pairs.map(|(own, other)| (own != other, &own.0)).find(|(differs, _)| *differs);
        differing.map(|(_, eid)| {
            format!("its session {eid} has other trials, splits or units than that of rank 0")
        })
    }
}

/// Settings by their keys, such as `train.batch`.
fn leaves(settings: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut todo = vec![(String::new(), settings)];
    while let Some((key, value)) = todo.pop() {
        match value {
            Value::Object(inner) => todo.extend(inner.iter().map(|(name, value)| {
                (if key.is_empty() { name.clone() } else { format!("{key}.{name}") }, value)
            })),
            value => drop(found.insert(key, value.clone())),
        }
    }
    found
}

/// The first 64 bits of the SHA-256 of all that training reads of a session, in hexadecimal.
fn digest(session: &Session) -> String {
    let [trials, units] = [session.trials(), session.units().len()].map(|n| (0..n).collect::<Vec<_>>());
    let mut hash = Sha256::new();
    hash.update(format!("{} {} {:?}", session.bins(), session.bin_seconds(), session.splits()));
    for unit in session.units() {
        hash.update(format!("{:?} {:?} ", unit.uuid, unit.region));
    }
    for fingerprint in TrialFingerprint::of_trials(session, &trials, &units) {
        hash.update(format!("{fingerprint:?}"));
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::SimulatorConfig;

    #[test]
    fn what_ranks_were_started_with_otherwise_is_named() {
        let sessions = |seed: u64| {
            let simulator = SimulatorConfig {
                sessions: 2,
                units: 5,
                trials: 20,
                bins: 4,
                seed,
                ..SimulatorConfig::default()
            };
            simulator.simulate().unwrap()
        };
        let (config, own) = (RunConfig::default(), sessions(1));
        let first = StartedAs::of(&config, &own);
        assert_eq!(first.difference(&StartedAs::of(&config, &own)), None);
        let mut other = config.clone();
        other.train.batch = 7;
        let difference = first.difference(&StartedAs::of(&other, &own)).unwrap();
        assert_eq!(difference, "its train.batch is 7, and that of rank 0 is 16");
        let difference = first.difference(&StartedAs::of(&config, &own[..1])).unwrap();
        assert!(difference.starts_with("its sessions are simulated-1-00, and"), "{difference}");
        let mut changed = first.clone();
        changed.sessions[1].1 = "0".to_owned();
        let difference = first.difference(&changed).unwrap();
        assert!(difference.starts_with("its session simulated-1-01 has other trials"), "{difference}");
        assert_ne!(digest(&own[0]), digest(&own[1]));
        let older = StartedAs { version: "0.0.1".to_owned(), ..first.clone() };
        assert!(first.difference(&older).unwrap().starts_with("it is neuroglot 0.0.1"));
    }
}
