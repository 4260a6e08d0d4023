//! What decoders predict, on a scale of its own.

use neuroglot_eval::DecodingTarget;
use neuroglot_fit::softmax;

/// The values of some trials, centred and scaled so that decoders of all behaviours can have the same settings.
pub(super) struct Standard {
    /// Mean of each output over the trials, `[output]`; 0 for a decision.
    centre: Vec<f64>,
    /// Standard deviation over all outputs; 1 for a decision.
    scale: f64,
    kind: Kind,
}

/// What outputs mean.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Numbers,
    /// Of two classes: the log-odds of the second.
    OfTwo,
    /// Of more: the logits of all.
    OfMore,
}

impl Standard {
    /// Leaves values as they are.
    #[cfg(test)]
    pub fn plain(outputs: usize) -> Self {
        Self { centre: vec![0.0; outputs], scale: 1.0, kind: Kind::Numbers }
    }

    /// As found on some trials.
    pub fn of(target: &DecodingTarget<'_>, trials: &[usize]) -> Self {
        let outputs = target.outputs();
        if let Some(classes) = target.classes() {
            let kind = if classes.len() > 2 { Kind::OfMore } else { Kind::OfTwo };
            return Self { centre: vec![0.0; outputs], scale: 1.0, kind };
        }
        let values = target.values(trials);
        let mut centre = vec![0.0; outputs];
        for row in values.chunks(outputs) {
            centre.iter_mut().zip(row).for_each(|(sum, value)| *sum += value / trials.len() as f64);
        }
        let departures = values.chunks(outputs).flat_map(|row| row.iter().zip(&centre));
        let squares: f64 = departures.map(|(value, centre)| (value - centre).powi(2)).sum();
        let deviation = (squares / values.len() as f64).sqrt();
        Self { centre, scale: if deviation > 0.0 { deviation } else { 1.0 }, kind: Kind::Numbers }
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
        if self.kind == Kind::OfMore {
            values.chunks_mut(self.centre.len()).for_each(|row| {
                softmax(row);
            });
        }
        values
    }

    /// The loss of predictions of `trials` trials, `[trial, output]`, and its gradient by them: half the mean squared
    /// error, or of a decision the mean negative log-likelihood of logistic regression.
    pub fn loss(&self, predicted: &[f64], truth: &[f64], gradient: &mut [f64]) -> f64 {
        if self.kind == Kind::OfMore {
            return self.cross_entropy(predicted, truth, gradient);
        }
        let share = 1.0 / truth.len() as f64;
        let mut loss = 0.0;
        for ((predicted, truth), gradient) in predicted.iter().zip(truth).zip(gradient) {
            if self.kind == Kind::OfTwo {
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

    /// Between more than two classes; `truth` is 1 for the class of a trial.
    fn cross_entropy(&self, predicted: &[f64], truth: &[f64], gradient: &mut [f64]) -> f64 {
        let classes = self.centre.len();
        let share = classes as f64 / truth.len() as f64;
        gradient.copy_from_slice(predicted);
        let rows = gradient.chunks_mut(classes).zip(predicted.chunks(classes)).zip(truth.chunks(classes));
        let of_row = |((gradient, predicted), truth): ((&mut [f64], &[f64]), &[f64])| {
            let own: f64 = predicted.iter().zip(truth).map(|(logit, truth)| logit * truth).sum();
            let loss = softmax(gradient) - own;
            gradient.iter_mut().zip(truth).for_each(|(slope, truth)| *slope = share * (*slope - truth));
            share * loss
        };
        rows.map(of_row).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard(kind: Kind) -> Standard {
        Standard { centre: vec![1.0, -2.0], scale: 4.0, kind }
    }

    #[test]
    fn values_come_back() {
        let values = [1.0, -2.0, 5.0, 6.0];
        let standard = standard(Kind::Numbers);
        assert_eq!(standard.apply(&values), [0.0, 0.0, 1.0, 2.0]);
        assert_eq!(standard.undo(&standard.apply(&values)), values);
    }

    #[test]
    fn gradients_are_those_of_the_losses() {
        let predicted = [0.3, -1.2, 2.0, 0.1];
        for (kind, truth) in [
            (Kind::Numbers, [1.0, 1.0, -1.0, -1.0]),
            (Kind::OfTwo, [1.0, 1.0, -1.0, -1.0]),
            (Kind::OfMore, [0.0, 1.0, 1.0, 0.0]),
        ] {
            let standard = standard(kind);
            let mut gradient = [0.0; 4];
            standard.loss(&predicted, &truth, &mut gradient);
            for place in 0..4 {
                let at = |change: f64| {
                    let mut predicted = predicted;
                    predicted[place] += change;
                    standard.loss(&predicted, &truth, &mut [0.0; 4])
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - gradient[place]).abs() < 1e-9, "{truth:?} {place}");
            }
        }
    }
}
