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
                variables.push((name, values, session.texts(name).unwrap_or_default()));
            }
        }
        let label = |trial: usize| {
            let parts = variables.iter().map(|(name, values, texts)| {
                let text = texts.get(values[trial] as usize).filter(|_| !values[trial].is_nan());
                format!("{name} {}", text.cloned().unwrap_or_else(|| number(values[trial])))
            });
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

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::{Behaviour, SimulatorConfig};

    #[test]
    fn conditions_are_called_by_their_texts() {
        let config =
            SimulatorConfig { sessions: 1, units: 2, trials: 4, bins: 4, ..SimulatorConfig::default() };
        let mut parts = config.simulate().unwrap().remove(0).into_parts();
        parts.behaviours = [
            ("block".to_owned(), Behaviour::PerTrial(vec![1.0, 0.0, f64::NAN, 1.0])),
            ("choice".to_owned(), Behaviour::PerTrial(vec![-1.0, -1.0, 1.0, -1.0])),
        ]
        .into();
        let texts = vec!["early".to_owned(), "late".to_owned()];
        let session = Session::new(parts).unwrap().with_texts("block", texts).unwrap();
        let Conditions { of_trial, labels } = Conditions::of(&session, &[0, 1, 2, 3]);
        assert_eq!(labels, ["block early, choice −1", "block late, choice −1", "block missing, choice 1"]);
        assert_eq!(of_trial, [1, 0, 2, 1]);
    }
}
