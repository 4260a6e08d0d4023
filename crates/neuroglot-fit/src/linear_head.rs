//! A linear layer on top of what something else computes and learns along with it.

use crate::Loss;
use crate::adam::Adam;
use crate::row_major::{add_product, column_sums, product, rows};

/// Linear outputs of inputs that are trained too: steps on batches of samples say which way the inputs should go.
pub struct LinearHead {
    inputs: usize,
    outputs: usize,
    /// `[input, output]`, `[output]`.
    parameters: Vec<f64>,
    adam: Adam,
}

impl LinearHead {
    /// Weights of 0.
    pub fn start(inputs: usize, outputs: usize) -> Self {
        let count = (inputs + 1) * outputs;
        Self { inputs, outputs, parameters: vec![0.0; count], adam: Adam::new(count) }
    }

    /// Predictions `[sample, output]` of inputs `[sample, input]`.
    pub fn predict(&self, inputs: &[f64]) -> Vec<f64> {
        let (weights, bias) = self.parameters.split_at(self.inputs * self.outputs);
        let mut predicted = product(rows(inputs, self.inputs), rows(weights, self.outputs));
        predicted.iter_mut().zip(bias.iter().cycle()).for_each(|(value, bias)| *value += bias);
        predicted
    }

    /// The loss of predictions of the truth `[sample, output]`, and its slope by each input and by each parameter.
    fn slopes(&self, inputs: &[f64], truth: &[f64], loss: Loss) -> (f64, Vec<f64>, Vec<f64>) {
        let predicted = self.predict(inputs);
        let mut by_outputs = vec![0.0; predicted.len()];
        let value = loss.value(&predicted, truth, self.outputs, &mut by_outputs);
        let slopes = rows(&by_outputs, self.outputs);
        let weights = rows(&self.parameters[..self.inputs * self.outputs], self.outputs);
        let by_inputs = product(slopes, weights.transpose());
        let mut by_parameters = vec![0.0; self.inputs * self.outputs];
        add_product(&mut by_parameters, rows(inputs, self.inputs).transpose(), slopes, 1.0);
        by_parameters.extend(column_sums(&by_outputs, self.outputs));
        (value, by_inputs, by_parameters)
    }

    /// Takes a step of Adam down the loss of predictions of the truth `[sample, output]`; returns the slope of the loss by each input
    /// before it.
    pub fn step(&mut self, inputs: &[f64], truth: &[f64], loss: Loss, rate: f64) -> Vec<f64> {
        let (_, by_inputs, by_parameters) = self.slopes(inputs, truth, loss);
        self.adam.step(&mut self.parameters, &by_parameters, rate);
        by_inputs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 3 samples of 2 inputs.
    const INPUTS: [f64; 6] = [1.0, -2.0, 0.5, 0.3, -1.5, 0.8];

    #[test]
    fn slopes_are_those_of_the_loss() {
        let classes = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0];
        let numbers = [0.4, -1.0, 2.0, 0.1, 0.7, -0.3, 1.2, 0.0, -2.0];
        let cases = [
            (Loss::Squares, 3, &numbers[..]),
            (Loss::Logistic, 1, &[1.0, -1.0, 1.0]),
            (Loss::CrossEntropy, 3, &classes),
        ];
        for (loss, outputs, truth) in cases {
            let mut head = LinearHead::start(2, outputs);
            let parameters = 3 * outputs;
            head.parameters = (0..parameters).map(|place| (place as f64 * 1.7).sin()).collect();
            let (_, by_inputs, by_parameters) = head.slopes(&INPUTS, truth, loss);
            let width = 1e-5;
            for (place, slope) in by_inputs.iter().enumerate() {
                let value = |moved: f64| {
                    let mut inputs = INPUTS;
                    inputs[place] += moved;
                    head.slopes(&inputs, truth, loss).0
                };
                let expected = (value(width) - value(-width)) / (2.0 * width);
                assert!((slope - expected).abs() < 1e-8, "{loss:?}, input {place}: {slope}, not {expected}");
            }
            for (place, slope) in by_parameters.iter().enumerate() {
                let mut value = |moved: f64| {
                    head.parameters[place] += moved;
                    let value = head.slopes(&INPUTS, truth, loss).0;
                    head.parameters[place] -= moved;
                    value
                };
                let expected = (value(width) - value(-width)) / (2.0 * width);
                assert!((slope - expected).abs() < 1e-8, "{loss:?}, {place}: {slope}, not {expected}");
            }
        }
    }

    #[test]
    fn what_is_linear_is_found() {
        let mut head = LinearHead::start(2, 1);
        let truth: Vec<f64> = INPUTS.chunks(2).map(|x| 0.5 + 2.0 * x[0] - x[1]).collect();
        for step in 0..8000 {
            head.step(&INPUTS, &truth, Loss::Squares, 0.02 * 0.999_f64.powi(step));
        }
        for (found, expected) in head.predict(&INPUTS).into_iter().zip(truth) {
            assert!((found - expected).abs() < 1e-3, "{found}, not {expected}");
        }
    }
}
