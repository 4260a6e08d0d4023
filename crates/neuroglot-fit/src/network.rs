//! A small network of one hidden layer, for what no line can say.

use crate::Loss;
use crate::adam::Adam;
use crate::row_major::{add_product, column_sums, product, rows};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LEARNING_RATE: f64 = 3e-3;

/// A network with one hidden layer of tanh units, fitted by Adam on all samples at once.
pub struct Network {
    inputs: usize,
    hidden: usize,
    outputs: usize,
    /// `[input, hidden]`, `[hidden]`, `[hidden, output]`, `[output]`.
    parameters: Vec<f64>,
    adam: Adam,
}

impl Network {
    /// Random weights of variance 1 over the number of inputs of a unit.
    pub fn start(inputs: usize, hidden: usize, outputs: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |count: usize, from: usize| -> Vec<f64> {
            let reach = (3.0 / from.max(1) as f64).sqrt();
            (0..count).map(|_| random.random_range(-reach..reach)).collect()
        };
        let mut parameters = draw(inputs * hidden, inputs);
        parameters.extend(vec![0.0; hidden]);
        parameters.extend(draw(hidden * outputs, hidden));
        parameters.extend(vec![0.0; outputs]);
        Self { inputs, hidden, outputs, adam: Adam::new(parameters.len()), parameters }
    }

    /// Weights and biases of both layers.
    fn layers(&self) -> (&[f64], &[f64], &[f64], &[f64]) {
        let (weights, rest) = self.parameters.split_at(self.inputs * self.hidden);
        let (bias, rest) = rest.split_at(self.hidden);
        let (out_weights, out_bias) = rest.split_at(self.hidden * self.outputs);
        (weights, bias, out_weights, out_bias)
    }

    /// What hidden units say, `[sample, hidden]`.
    fn activity(&self, inputs: &[f64]) -> Vec<f64> {
        let (weights, bias, ..) = self.layers();
        let mut activity = through_layer(inputs, weights, bias);
        activity.iter_mut().for_each(|value| *value = value.tanh());
        activity
    }

    /// Predictions `[sample, output]` of inputs `[sample, input]`.
    pub fn predict(&self, inputs: &[f64]) -> Vec<f64> {
        let (_, _, weights, bias) = self.layers();
        through_layer(&self.activity(inputs), weights, bias)
    }

    /// The penalised loss and its gradient.
    fn slopes(&self, inputs: &[f64], truth: &[f64], loss: Loss, penalty: f64) -> (f64, Vec<f64>) {
        let (weights, _, out_weights, out_bias) = self.layers();
        let activity = self.activity(inputs);
        let predicted = through_layer(&activity, out_weights, out_bias);
        let mut by_outputs = vec![0.0; predicted.len()];
        let value = loss.value(&predicted, truth, self.outputs, &mut by_outputs);
        let mut by_hidden =
            product(rows(&by_outputs, self.outputs), rows(out_weights, self.outputs).transpose());
        by_hidden.iter_mut().zip(&activity).for_each(|(slope, value)| *slope *= 1.0 - value * value);
        let of_layer = |inputs: &[f64], width: usize, slopes: &[f64], weights: &[f64], outputs: usize| {
            let mut gradient: Vec<f64> = weights.iter().map(|weight| penalty * weight).collect();
            add_product(&mut gradient, rows(inputs, width).transpose(), rows(slopes, outputs), 1.0);
            gradient.extend(column_sums(slopes, outputs));
            gradient
        };
        let mut gradient = of_layer(inputs, self.inputs, &by_hidden, weights, self.hidden);
        gradient.extend(of_layer(&activity, self.hidden, &by_outputs, out_weights, self.outputs));
        let squares: f64 = weights.iter().chain(out_weights).map(|weight| weight * weight).sum();
        (value + 0.5 * penalty * squares, gradient)
    }

    /// Takes some steps down the loss of predictions of the truth `[sample, output]`, plus `penalty / 2` times the squares
    /// of all weights.
    pub fn descend(&mut self, inputs: &[f64], truth: &[f64], loss: Loss, penalty: f64, steps: usize) {
        for _ in 0..steps {
            let (_, gradient) = self.slopes(inputs, truth, loss, penalty);
            self.adam.step(&mut self.parameters, &gradient, LEARNING_RATE);
        }
    }
}

/// Inputs `[sample, input]` times weights `[input, output]` plus a bias `[output]`.
fn through_layer(inputs: &[f64], weights: &[f64], bias: &[f64]) -> Vec<f64> {
    let weights = rows(weights, bias.len());
    let inputs = rows(inputs, weights.nrows());
    let mut out = bias.repeat(inputs.nrows());
    add_product(&mut out, inputs, weights, 1.0);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let inputs = [0.5, -1.0, 2.0, 0.25, 1.5, -0.75];
        let truth = [1.0, 0.0, -1.0, 0.5, 0.25, 2.0];
        let network = Network::start(2, 3, 2, 7);
        let (_, gradient) = network.slopes(&inputs, &truth, Loss::Squares, 0.1);
        for place in 0..gradient.len() {
            let at = |change: f64| {
                let mut network = Network::start(2, 3, 2, 7);
                network.parameters[place] += change;
                network.slopes(&inputs, &truth, Loss::Squares, 0.1).0
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - gradient[place]).abs() < 1e-8, "{place}: {slope} {}", gradient[place]);
        }
    }

    #[test]
    fn it_learns_what_no_line_can_say() {
        // Exclusive or.
        let inputs = [1.0, 1.0, 1.0, -1.0, -1.0, 1.0, -1.0, -1.0];
        let truth = [-1.0, 1.0, 1.0, -1.0];
        let mut network = Network::start(2, 16, 1, 1);
        network.descend(&inputs, &truth, Loss::Squares, 0.0, 2000);
        let predicted = network.predict(&inputs);
        assert!(predicted.iter().zip(truth).all(|(a, b)| (a - b).abs() < 0.1), "{predicted:?}");
    }
}
