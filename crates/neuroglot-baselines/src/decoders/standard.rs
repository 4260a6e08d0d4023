//! What decoders predict, on a scale of its own.

use neuroglot_eval::DecodingTarget;

/// The values of some trials, centred and scaled so that decoders of all behaviours can have the same settings.
pub(super) struct Standard {
    /// Mean of each output over the trials, `[output]`; 0 for a choice.
    centre: Vec<f64>,
    /// Standard deviation over all outputs; 1 for a choice.
    scale: f64,
    is_choice: bool,
}

impl Standard {
    /// Leaves values as they are.
    #[cfg(test)]
    pub fn plain(outputs: usize) -> Self {
        Self { centre: vec![0.0; outputs], scale: 1.0, is_choice: false }
    }

    /// As found on some trials.
    pub fn of(target: &DecodingTarget<'_>, trials: &[usize]) -> Self {
        let outputs = target.outputs();
        if target.is_choice() {
            return Self { centre: vec![0.0; outputs], scale: 1.0, is_choice: true };
        }
        let values = target.values(trials);
        let mut centre = vec![0.0; outputs];
        for row in values.chunks(outputs) {
            centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / trials.len() as f64);
        }
        let departures = values.chunks(outputs).flat_map(|row| row.iter().zip(&centre));
        let squares: f64 = departures.map(|(value, centre)| (value - centre).powi(2)).sum();
        let deviation = (squares / values.len() as f64).sqrt();
        Self { centre, scale: if deviation > 0.0 { deviation } else { 1.0 }, is_choice: false }
    }

    /// Values to predict, `[trial, output]`; a choice is −1 or 1.
    pub fn apply(&self, values: &[f64]) -> Vec<f64> {
        let rows = values.chunks(self.centre.len()).flat_map(|row| row.iter().zip(&self.centre));
        rows.map(|(value, centre)| (value - centre) / self.scale).collect()
    }

    /// Back to the behaviour's own unit; of a choice, the sign counts.
    pub fn undo(&self, values: &[f64]) -> Vec<f64> {
        let rows = values.chunks(self.centre.len()).flat_map(|row| row.iter().zip(&self.centre));
        rows.map(|(value, centre)| value * self.scale + centre).collect()
    }

    /// The loss of predictions of `trials` trials, `[trial, output]`, and its gradient by them: half the mean squared
    /// error, or of a choice the mean negative log-likelihood of logistic regression.
    pub fn loss(&self, predicted: &[f64], truth: &[f64], gradient: &mut [f64]) -> f64 {
        let share = 1.0 / truth.len() as f64;
        let mut loss = 0.0;
        for ((predicted, truth), gradient) in predicted.iter().zip(truth).zip(gradient) {
            if self.is_choice {
                let margin = predicted * truth;
                loss += share * ((-margin.abs()).exp().ln_1p() + (-margin).max(0.0));
                *gradient = -share * truth / (1.0 + margin.exp());
            } else {
                let error = predicted - truth;
                loss += 0.5 * share * error * error;
                *gradient = share * error;
            }
        }
        loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard(is_choice: bool) -> Standard {
        Standard { centre: vec![1.0, -2.0], scale: 4.0, is_choice }
    }

    #[test]
    fn values_come_back() {
        let values = [1.0, -2.0, 5.0, 6.0];
        assert_eq!(standard(false).apply(&values), [0.0, 0.0, 1.0, 2.0]);
        assert_eq!(standard(false).undo(&standard(false).apply(&values)), values);
    }

    #[test]
    fn gradients_are_those_of_the_losses() {
        let (predicted, truth) = ([0.3, -1.2, 2.0, 0.1], [1.0, 1.0, -1.0, -1.0]);
        for is_choice in [false, true] {
            let standard = standard(is_choice);
            let mut gradient = [0.0; 4];
            standard.loss(&predicted, &truth, &mut gradient);
            for place in 0..4 {
                let at = |change: f64| {
                    let mut predicted = predicted;
                    predicted[place] += change;
                    standard.loss(&predicted, &truth, &mut [0.0; 4])
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - gradient[place]).abs() < 1e-9, "{is_choice} {place}");
            }
        }
    }
}
