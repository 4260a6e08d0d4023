//! One behaviour of a session as decoders see it.

use crate::results::DecodingResult;
use neuroglot_data::{Behaviour, Session, Split};
use neuroglot_metrics::r2;

/// A behaviour to decode: which trials have it, their values, and how a prediction is scored.
#[derive(Debug, Clone)]
pub struct DecodingTarget<'a> {
    name: String,
    values: &'a [f64],
    is_choice: bool,
    outputs: usize,
    training: Vec<usize>,
    validation: Vec<usize>,
    test: Vec<usize>,
}

impl<'a> DecodingTarget<'a> {
    /// A behaviour by name. Trials with a missing value, or without a choice, are left out.
    ///
    /// # Errors
    /// One line that says why it cannot be decoded: the session does not have it, or no test trial does.
    pub fn of(session: &'a Session, name: &str) -> Result<Self, String> {
        let behaviour = session.behaviours().get(name).ok_or("the session does not have it")?;
        let (values, outputs) = match behaviour {
            Behaviour::PerTrial(values) => (values, 1),
            Behaviour::PerBin(values) => (values, session.bins()),
        };
        let is_choice = name == "choice" && outputs == 1;
        let has_value = |trial: &usize| {
            let values = &values[trial * outputs..][..outputs];
            values.iter().all(|value| value.is_finite()) && !(is_choice && values[0] == 0.0)
        };
        let trials_in =
            |split| session.trials_in(split).into_iter().filter(has_value).collect::<Vec<usize>>();
        let [training, validation, test] = Split::ALL.map(trials_in);
        if test.is_empty() {
            return Err("no test trial has a value".to_owned());
        }
        let name = name.to_owned();
        Ok(Self { name, values, is_choice, outputs, training, validation, test })
    }

    /// The behaviour's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is a choice, decoded as a decision between −1 and +1 and scored by accuracy; else its values are
    /// decoded and scored by R².
    pub fn is_choice(&self) -> bool {
        self.is_choice
    }

    /// Values per trial: 1, or one per bin.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Training trials that have a value, ascending.
    pub fn training(&self) -> &[usize] {
        &self.training
    }

    /// Validation trials that have a value, ascending.
    pub fn validation(&self) -> &[usize] {
        &self.validation
    }

    /// Test trials that have a value, ascending.
    pub fn test(&self) -> &[usize] {
        &self.test
    }

    /// The values of some trials, `[trial, output]`.
    pub fn values(&self, trials: &[usize]) -> Vec<f64> {
        trials
            .iter()
            .flat_map(|trial| &self.values[trial * self.outputs..][..self.outputs])
            .copied()
            .collect()
    }

    /// Scores predictions of the test trials, `[trial, output]`, against the truth: the share of the choices whose
    /// sign is right, or R² over all values.
    ///
    /// # Errors
    /// The truth does not vary.
    ///
    /// # Panics
    /// If there is not one prediction per test trial and output.
    pub fn score(&self, predictions: &[f64], regularisation: f64) -> Result<DecodingResult, String> {
        let truth = self.values(&self.test);
        assert_eq!(truth.len(), predictions.len(), "a prediction per test trial and output");
        let result = |metric: &str, score: f64, chance: f64| DecodingResult {
            behaviour: self.name.clone(),
            metric: metric.to_owned(),
            score,
            chance,
            regularisation,
        };
        if self.is_choice {
            let correct = truth.iter().zip(predictions).filter(|(a, b)| (**a > 0.0) == (**b > 0.0)).count();
            let rights = truth.iter().filter(|value| **value > 0.0).count();
            let share = |count: usize| count as f64 / truth.len() as f64;
            return Ok(result("accuracy", share(correct), share(rights.max(truth.len() - rights))));
        }
        let score = r2(&truth, predictions).ok_or("it does not vary over the test trials")?;
        Ok(result("r2", score, 0.0))
    }
}
