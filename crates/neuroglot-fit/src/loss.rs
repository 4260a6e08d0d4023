//! How far predictions are from the truth, for what is fitted by descent.

use crate::softmax;

/// A loss of predictions and its gradient by them, averaged over samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// Of numbers: half the mean squared error.
    Squares,
    /// Of two classes, −1 and 1: the mean negative log-likelihood, where the output is the log-odds of class 1.
    Logistic,
    /// Of more classes, 1 for the sample's own and 0 for the others: the mean negative log-likelihood, where outputs are
    /// logits.
    CrossEntropy,
}

impl Loss {
    /// The loss of predictions `[sample, output]`; fills in its gradient.
    pub fn value(self, predicted: &[f64], truth: &[f64], outputs: usize, gradient: &mut [f64]) -> f64 {
        if self == Loss::CrossEntropy {
            return cross_entropy(predicted, truth, outputs, gradient);
        }
        let share = 1.0 / truth.len() as f64;
        let mut loss = 0.0;
        for ((predicted, truth), gradient) in predicted.iter().zip(truth).zip(gradient) {
            if self == Loss::Logistic {
                let margin = predicted * truth;
                loss += share * logistic_loss(margin);
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

/// `ln(1 + exp(−margin))`, without overflow.
pub(crate) fn logistic_loss(margin: f64) -> f64 {
    (-margin.abs()).exp().ln_1p() + (-margin).max(0.0)
}

fn cross_entropy(predicted: &[f64], truth: &[f64], classes: usize, gradient: &mut [f64]) -> f64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_by_hand() {
        let (predicted, mut gradient) = ([2.0, 0.0], [0.0; 2]);
        assert_eq!(Loss::Squares.value(&predicted, &[1.0, 3.0], 2, &mut gradient), (1.0 + 9.0) / 4.0);
        let logistic = Loss::Logistic.value(&predicted, &[1.0, -1.0], 1, &mut gradient);
        assert!((logistic - ((1.0 + (-2f64).exp()).ln() + 2f64.ln()) / 2.0).abs() < 1e-15);
        // One sample of two classes, of the second: probability 1 / (1 + e²).
        let entropy = Loss::CrossEntropy.value(&predicted, &[0.0, 1.0], 2, &mut gradient);
        assert!((entropy - (1.0 + 2f64.exp()).ln()).abs() < 1e-15);
        assert_eq!(logistic_loss(-1000.0), 1000.0);
    }

    #[test]
    fn gradients_are_those_of_the_losses() {
        let predicted = [0.3, -1.2, 2.0, 0.1];
        for (loss, truth) in [
            (Loss::Squares, [1.0, 1.0, -1.0, -1.0]),
            (Loss::Logistic, [1.0, 1.0, -1.0, -1.0]),
            (Loss::CrossEntropy, [0.0, 1.0, 1.0, 0.0]),
        ] {
            let mut gradient = [0.0; 4];
            loss.value(&predicted, &truth, 2, &mut gradient);
            for place in 0..4 {
                let at = |change: f64| {
                    let mut predicted = predicted;
                    predicted[place] += change;
                    loss.value(&predicted, &truth, 2, &mut [0.0; 4])
                };
                let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert!((slope - gradient[place]).abs() < 1e-9, "{truth:?} {place}");
            }
        }
    }
}
