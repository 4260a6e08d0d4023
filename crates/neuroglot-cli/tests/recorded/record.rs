//! Writing a record of results, and comparing results with it.

use super::machine::this_machine;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// How far a number may be from the recorded one on a machine with other instructions: so much, and this fraction of it.
/// Rounding moves trained weights, penalties that are chosen by scores, and what comes of both.
const TOLERANCE: f64 = 0.05;

/// Keys of what changes at a stroke where rounding differs: checksums, and what an interval over few units decides.
const BRITTLE: [&str; 4] = ["sha256", "low", "high", "verdict"];

/// Whether these are the scores of a decoder: a trial that changes sides is one of eight here, and R² of so few trials may
/// be anything.
fn is_of_decoder(scores: &Value) -> bool {
    let has = |key: &str| scores.get(key).is_some();
    has("accuracy") || (has("r2") && !has("bps")) || scores["decoded"] == true
}

/// Results of one test by name, and the file that they were recorded in.
pub struct Record {
    file: PathBuf,
    cases: Map<String, Value>,
}

impl Record {
    pub fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
        Self { file: folder.join(format!("{name}.json")), cases: Map::new() }
    }

    pub fn add(&mut self, case: impl Into<String>, result: Value) {
        let case = case.into();
        assert!(self.cases.insert(case.clone(), result).is_none(), "{case} is there twice");
    }

    /// Asserts that results are those of the file, or writes the file with `NEUROGLOT_RECORD`.
    pub fn check(self) {
        let machine = this_machine();
        if std::env::var_os("NEUROGLOT_RECORD").is_some() {
            let record = json!({ "machine": machine, "cases": self.cases });
            std::fs::write(&self.file, serde_json::to_string_pretty(&record).unwrap() + "\n").unwrap();
            return;
        }
        let text = std::fs::read_to_string(&self.file)
            .unwrap_or_else(|error| panic!("{}: {error}; NEUROGLOT_RECORD=1 makes it", self.file.display()));
        let recorded: Value = serde_json::from_str(&text).unwrap();
        let comparison = Comparison { is_exact: recorded["machine"] == machine };
        if !comparison.is_exact {
            println!(
                "{}: recorded on another kind of machine, so only within a tolerance of {TOLERANCE}\nrecorded on \
                 {}\nthis is     {machine}",
                self.file.display(),
                recorded["machine"]
            );
        }
        let mut differences = Vec::new();
        comparison.collect(&recorded["cases"], &Value::Object(self.cases), "", &mut differences);
        if let Some(first) = differences.first() {
            let degree = if comparison.is_exact {
                "this machine computes as that of the record, so every digit must agree".to_owned()
            } else {
                format!(
                    "this machine computes otherwise than that of the record, and {TOLERANCE} was allowed"
                )
            };
            panic!(
                "results changed: {first}\n{} values differ from {}; {degree}. If they are meant to, record them anew \
                 with NEUROGLOT_RECORD=1 and say why in the commit. All of them:\n{}",
                differences.len(),
                self.file.display(),
                differences.join("\n")
            );
        }
    }
}

struct Comparison {
    /// To the bit, as between equal machines.
    is_exact: bool,
}

impl Comparison {
    /// Says of every recorded value that was not found again where it is and what it is now. What is found beside recorded
    /// values is no difference: a new field changes no result.
    fn collect(&self, recorded: &Value, found: &Value, place: &str, differences: &mut Vec<String>) {
        match (recorded, found) {
            (Value::Object(recorded), Value::Object(found)) => {
                for (key, value) in recorded {
                    let place = if place.is_empty() { key.clone() } else { format!("{place} / {key}") };
                    let last = key.rsplit('_').next().unwrap_or_default();
                    let is_brittle = BRITTLE.contains(&last) || is_of_decoder(value);
                    match found.get(key) {
                        _ if is_brittle && !self.is_exact => {}
                        Some(found) => self.collect(value, found, &place, differences),
                        None => differences.push(format!("{place} is gone")),
                    }
                }
            }
            (Value::Array(recorded), Value::Array(found)) => {
                if recorded.len() != found.len() {
                    let (now, then) = (found.len(), recorded.len());
                    differences.push(format!("{place} has {now} entries, not {then} as recorded"));
                }
                for (index, (recorded, found)) in recorded.iter().zip(found).enumerate() {
                    if is_of_decoder(recorded) && !self.is_exact {
                        continue;
                    }
                    self.collect(recorded, found, &format!("{place} / {index}"), differences);
                }
            }
            _ if recorded == found => {}
            _ => match (recorded.as_f64(), found.as_f64()) {
                (Some(then), Some(now)) if self.is_near(then, now) => {}
                (Some(then), Some(now)) => differences
                    .push(format!("{place} is {found}, not {recorded} as recorded (by {:.1e})", now - then)),
                _ => differences.push(format!("{place} is {found}, not {recorded} as recorded")),
            },
        }
    }

    fn is_near(&self, then: f64, now: f64) -> bool {
        !self.is_exact && (then - now).abs() <= TOLERANCE * (1.0 + then.abs())
    }
}

#[test]
fn a_changed_digit_is_found_and_named() {
    let differences = |recorded: Value, found: Value, is_exact: bool| {
        let mut differences = Vec::new();
        Comparison { is_exact }.collect(&recorded, &found, "", &mut differences);
        differences
    };
    let recorded = json!({ "run": { "losses": [0.1, 0.30000000000000004], "weights_sha256": "ab" } });
    assert!(differences(recorded.clone(), recorded.clone(), true).is_empty());
    let mut last_digit = recorded.clone();
    last_digit["run"]["losses"][1] = json!(0.3);
    last_digit["run"]["epochs"] = json!(2);
    let said = differences(recorded.clone(), last_digit.clone(), true);
    assert_eq!(said, ["run / losses / 1 is 0.3, not 0.30000000000000004 as recorded (by -5.6e-17)"]);
    assert!(differences(recorded.clone(), last_digit.clone(), false).is_empty());
    last_digit["run"]["weights_sha256"] = json!("cd");
    assert!(differences(recorded.clone(), last_digit, false).is_empty());
    let other = json!({ "run": { "losses": [0.1], "weights_sha256": "ab" } });
    let said = differences(recorded, other, false);
    assert_eq!(said, ["run / losses has 1 entries, not 2 as recorded"]);
}
