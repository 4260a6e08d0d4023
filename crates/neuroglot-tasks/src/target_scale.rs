//! What decoders predict, on a scale of its own.

use crate::DecodingTarget;
use neuroglot_fit::{Loss, softmax};

/// The values of some trials, centred and scaled so that decoders of all behaviours can have the same settings.
pub struct TargetScale {
    /// Mean of each output over the trials, `[output]`; 0 for a decision.
    centre: Vec<f64>,
    /// TargetScale deviation over all outputs; 1 for a decision.
    scale: f64,
    /// Of a decision, outputs are the log-odds of the second of two classes, or the logits of more.
    loss: Loss,
}

impl TargetScale {
    /// As found on some trials.
    pub fn of(target: &DecodingTarget<'_>, trials: &[usize]) -> Self {
        let outputs = target.outputs();
        if let Some(classes) = target.classes() {
            let loss = if classes.len() > 2 { Loss::CrossEntropy } else { Loss::Logistic };
            return Self { centre: vec![0.0; outputs], scale: 1.0, loss };
        }
        let values = target.values(trials);
        let mut centre = vec![0.0; outputs];
        for row in values.chunks(outputs) {
            centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / trials.len() as f64);
        }
        let departures = values.chunks(outputs).flat_map(|row| row.iter().zip(&centre));
        let squares: f64 = departures.map(|(value, centre)| (value - centre).powi(2)).sum();
        let deviation = (squares / values.len() as f64).sqrt();
        Self { centre, scale: if deviation > 0.0 { deviation } else { 1.0 }, loss: Loss::Squares }
    }

    /// Values to predict, `[trial, output]`, as [`DecodingTarget::values`] gives them.
    pub fn apply(&self, values: &[f64]) -> Vec<f64> {
        let rows = values.chunks(self.centre.len()).flat_map(|row| row.iter().zip(&self.centre));
        rows.map(|(value, centre)| (value - centre) / self.scale).collect()
    }

    /// What is scored of predictions: numbers in the behaviour's own unit, the log-odds of one class of two, or the
    /// probabilities of more.
    pub fn undo(&self, values: &[f64]) -> Vec<f64> {
        let rows = values.chunks(self.centre.len()).flat_map(|row| row.iter().zip(&self.centre));
        let mut values: Vec<f64> = rows.map(|(value, centre)| value * self.scale + centre).collect();
        if self.loss == Loss::CrossEntropy {
            values.chunks_mut(self.centre.len()).for_each(|row| {
                softmax(row);
            });
        }
        values
    }

    /// How far predictions are from the truth, on this scale.
    pub fn loss(&self) -> Loss {
        self.loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back() {
        let values = [1.0, -2.0, 5.0, 6.0];
        let scale = TargetScale { centre: vec![1.0, -2.0], scale: 4.0, loss: Loss::Squares };
        assert_eq!(scale.apply(&values), [0.0, 0.0, 1.0, 2.0]);
        assert_eq!(scale.undo(&scale.apply(&values)), values);
    }
}
