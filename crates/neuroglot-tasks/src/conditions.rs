//! Trials sorted into conditions, for PSTHs: block × choice × reward, as far as a session has them.

use neuroglot_data::Session;

/// What each trial's condition is called, and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conditions {
    /// Number of each trial's condition, in the order of the trials asked for.
    pub of_trial: Vec<usize>,
    /// `choice −1, reward 1` and so on; `all trials` where the session has no conditions.
    pub labels: Vec<String>,
}

const VARIABLES: [&str; 3] = ["block", "choice", "reward"];

impl Conditions {
    /// The conditions of some trials. Variables that are missing, or the same in all of these trials, are left out;
    /// where only some trials lack a value, those are a condition of their own.
    pub fn of(session: &Session, trials: &[usize]) -> Self {
        let mut variables = Vec::new();
        for name in VARIABLES {
            let Ok(values) = session.behaviour_per_trial(name) else { continue };
            let values: Vec<f64> = trials.iter().map(|trial| values[*trial]).collect();
            if values.iter().any(|value| !same(*value, values[0])) {
                variables.push((name, values));
            }
        }
        let label = |trial: usize| {
            let parts = variables.iter().map(|(name, values)| format!("{name} {}", number(values[trial])));
            parts.collect::<Vec<_>>().join(", ")
        };
        if variables.is_empty() {
            return Self { of_trial: vec![0; trials.len()], labels: vec!["all trials".to_owned()] };
        }
        let names: Vec<String> = (0..trials.len()).map(label).collect();
        let mut labels = names.clone();
        labels.sort();
        labels.dedup();
        let of_trial = names.iter().map(|name| labels.binary_search(name).unwrap_or(0)).collect();
        Self { of_trial, labels }
    }

    /// Whether there is more than one.
    pub fn exist(&self) -> bool {
        self.labels.len() > 1
    }
}

/// A missing value equals a missing value.
fn same(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan())
}

/// A number with a real minus sign.
fn number(value: f64) -> String {
    if value.is_nan() {
        return "missing".to_owned();
    }
    value.to_string().replace('-', "−")
}
