//! Behaviour by a network with one hidden layer of tanh units.
//!
//! Its inputs are the counts of the whole trial, smoothed over time and divided by the square root of the unit's mean
//! rate, in the coordinates of the principal components of the trials it is fitted to: nothing of these trials is lost,
//! and there are as many inputs as trials instead of bins times units. All weights have an L2 penalty; Adam (Kingma and
//! Ba 2015) descends on all trials at once. Smoothing, hidden units, penalty and number of steps are those that predict
//! the validation trials best.

use super::standard::Standard;
use super::{Decoded, check_trials, target};
use crate::choice::{Best, seconds};
use crate::counts::Counts;
use crate::time_filter::TimeFilter;
use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatMut, MatRef, Par};
use neuroglot_data::Session;
use neuroglot_eval::EvaluationOptions;
use neuroglot_fit::{Features, PrincipalScores, SampleProducts};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Standard deviations of the smoothing to choose from, s.
const WIDTHS: [f64; 3] = [0.0, 0.04, 0.12];

/// Numbers of hidden units to choose from.
const HIDDEN: [usize; 2] = [16, 64];

/// Penalties to choose from.
const PENALTIES: [f64; 3] = [1e-3, 1e-2, 1e-1];

/// Steps are counted in tens; the best number of them is chosen.
const MOST_STEPS: usize = 400;
const STEPS_BETWEEN: usize = 10;

const LEARNING_RATE: f64 = 3e-3;

/// Decodes one behaviour of a session.
///
/// # Errors
/// One line that says why it cannot be decoded.
pub(crate) fn mlp(session: &Session, name: &str, options: &EvaluationOptions) -> Result<Decoded, String> {
    let (target, seed) = (target(session, name, options)?, options.seed);
    check_trials(&target)?;
    let (training, validation) = (target.training(), target.validation());
    let standard = Standard::of(&target, training);
    let truth = standard.apply(&target.values(training));
    let validation_truth = standard.apply(&target.values(validation));
    let mut best = Best::none();
    for width in WIDTHS {
        let inputs = Inputs::of(session, training, validation, width)?;
        let networks: Vec<(usize, f64)> =
            HIDDEN.into_iter().flat_map(|hidden| PENALTIES.map(|penalty| (hidden, penalty))).collect();
        let losses_of = |(hidden, penalty): &(usize, f64)| -> Vec<f64> {
            let mut network = Network::start(inputs.width, *hidden, target.outputs(), seed);
            let after_steps = |_| {
                network.descend(&inputs.fitted, &truth, &standard, *penalty, STEPS_BETWEEN);
                let predicted = network.predict(&inputs.scored);
                standard.loss(&predicted, &validation_truth, &mut vec![0.0; validation_truth.len()])
            };
            (0..MOST_STEPS / STEPS_BETWEEN).map(after_steps).collect()
        };
        let losses: Vec<Vec<f64>> = networks.par_iter().map(losses_of).collect();
        for ((hidden, penalty), losses) in networks.into_iter().zip(losses) {
            for (place, loss) in losses.into_iter().enumerate() {
                best.offer(-loss, || (width, hidden, penalty, (place + 1) * STEPS_BETWEEN));
            }
        }
    }
    let (width, hidden, penalty, steps) = best.take();
    let both = [training, validation].concat();
    let standard = Standard::of(&target, &both);
    let inputs = Inputs::of(session, &both, target.test(), width)?;
    let mut network = Network::start(inputs.width, hidden, target.outputs(), seed);
    network.descend(&inputs.fitted, &standard.apply(&target.values(&both)), &standard, penalty, steps);
    let result = target.score(&standard.undo(&network.predict(&inputs.scored)), penalty)?;
    let smoothing = seconds(width);
    let settings = format!("smoothing {smoothing}, {hidden} hidden units, penalty {penalty}, {steps} steps");
    Ok(Decoded { result, settings })
}

/// What a network sees of the trials it is fitted to and of others.
struct Inputs {
    width: usize,
    /// `[trial, input]`.
    fitted: Vec<f64>,
    scored: Vec<f64>,
}

impl Inputs {
    fn of(session: &Session, fitted: &[usize], scored: &[usize], width: f64) -> Result<Self, String> {
        let filter = TimeFilter::gaussian(session.bins(), width / session.bin_seconds());
        let counts = Counts::of_trials(session, fitted);
        let scale: Vec<f64> = counts.mean().into_iter().map(|rate| 1.0 / rate.sqrt()).collect();
        let features = |counts: &Counts| -> Vec<f32> {
            let smooth = counts.values.chunks(counts.stride()).flat_map(|trial| filter.apply(trial));
            smooth.zip(scale.iter().cycle()).map(|(value, scale)| (value * scale) as f32).collect()
        };
        let (fitted, scored) = (features(&counts), features(&Counts::of_trials(session, scored)));
        let of = |values| Features::new(values, counts.stride()).map_err(|error| error.to_string());
        let products = SampleProducts::new(of(&fitted)?, of(&scored)?).map_err(|error| error.to_string())?;
        let scores = PrincipalScores::of_all(&products).map_err(|error| error.to_string())?;
        let width = scores.variance.len();
        // Inputs of a typical trial have length 1 for each of them.
        let total: f64 = scores.variance.iter().sum::<f64>() / counts.trials as f64;
        let scale = if total > 0.0 { (width as f64 / total).sqrt() } else { 0.0 };
        let rows = |matrix: &Mat<f64>| -> Vec<f64> {
            (0..matrix.nrows() * width).map(|place| matrix[(place / width, place % width)] * scale).collect()
        };
        Ok(Self { width, fitted: rows(&scores.fitted), scored: rows(&scores.scored) })
    }
}

/// Weights, and the running moments of their gradients.
struct Network {
    inputs: usize,
    hidden: usize,
    outputs: usize,
    /// `[input, hidden]`, `[hidden]`, `[hidden, output]`, `[output]`.
    parameters: Vec<f64>,
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Network {
    /// Random weights of variance 1 over the number of inputs of a unit.
    fn start(inputs: usize, hidden: usize, outputs: usize, seed: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |count: usize, from: usize| -> Vec<f64> {
            let reach = (3.0 / from.max(1) as f64).sqrt();
            (0..count).map(|_| random.random_range(-reach..reach)).collect()
        };
        let mut parameters = draw(inputs * hidden, inputs);
        parameters.extend(vec![0.0; hidden]);
        parameters.extend(draw(hidden * outputs, hidden));
        parameters.extend(vec![0.0; outputs]);
        let zeros = vec![0.0; parameters.len()];
        Self { inputs, hidden, outputs, parameters, first: zeros.clone(), second: zeros, steps: 0 }
    }

    /// Weights and biases of both layers.
    fn layers(&self) -> (&[f64], &[f64], &[f64], &[f64]) {
        let (weights, rest) = self.parameters.split_at(self.inputs * self.hidden);
        let (bias, rest) = rest.split_at(self.hidden);
        let (out_weights, out_bias) = rest.split_at(self.hidden * self.outputs);
        (weights, bias, out_weights, out_bias)
    }

    /// What hidden units say, `[trial, hidden]`.
    fn activity(&self, inputs: &[f64]) -> Vec<f64> {
        let (weights, bias, ..) = self.layers();
        let trials = inputs.len() / self.inputs.max(1);
        let mut activity = product(inputs, self.inputs, weights, self.hidden, trials, bias);
        activity.iter_mut().for_each(|value| *value = value.tanh());
        activity
    }

    /// `[trial, output]`.
    fn predict(&self, inputs: &[f64]) -> Vec<f64> {
        let (_, _, weights, bias) = self.layers();
        let activity = self.activity(inputs);
        product(&activity, self.hidden, weights, self.outputs, activity.len() / self.hidden, bias)
    }

    /// The penalised loss and its gradient.
    fn slopes(&self, inputs: &[f64], truth: &[f64], standard: &Standard, penalty: f64) -> (f64, Vec<f64>) {
        let (weights, _, out_weights, bias) = self.layers();
        let activity = self.activity(inputs);
        let trials = activity.len() / self.hidden;
        let predicted = product(&activity, self.hidden, out_weights, self.outputs, trials, bias);
        let mut by_outputs = vec![0.0; predicted.len()];
        let loss = standard.loss(&predicted, truth, &mut by_outputs);
        let by_outputs_view = MatRef::from_row_major_slice(&by_outputs, trials, self.outputs);
        let mut by_hidden = vec![0.0; activity.len()];
        matmul(
            MatMut::from_row_major_slice_mut(&mut by_hidden, trials, self.hidden),
            Accum::Replace,
            by_outputs_view,
            MatRef::from_row_major_slice(out_weights, self.hidden, self.outputs).transpose(),
            1.0,
            Par::Seq,
        );
        by_hidden.iter_mut().zip(&activity).for_each(|(slope, value)| *slope *= 1.0 - value * value);
        let mut gradient = transposed(inputs, self.inputs, &by_hidden, self.hidden, trials, weights, penalty);
        gradient.extend(column_sums(&by_hidden, self.hidden));
        gradient.extend(transposed(
            &activity,
            self.hidden,
            &by_outputs,
            self.outputs,
            trials,
            out_weights,
            penalty,
        ));
        gradient.extend(column_sums(&by_outputs, self.outputs));
        let squares: f64 = weights.iter().chain(out_weights).map(|weight| weight * weight).sum();
        (loss + 0.5 * penalty * squares, gradient)
    }

    /// Some steps of Adam.
    fn descend(&mut self, inputs: &[f64], truth: &[f64], standard: &Standard, penalty: f64, steps: usize) {
        const DECAYS: (f64, f64) = (0.9, 0.999);
        for _ in 0..steps {
            let (_, gradient) = self.slopes(inputs, truth, standard, penalty);
            self.steps += 1;
            let corrections = (1.0 - DECAYS.0.powi(self.steps), 1.0 - DECAYS.1.powi(self.steps));
            let moments = self.first.iter_mut().zip(&mut self.second);
            for ((parameter, slope), (first, second)) in self.parameters.iter_mut().zip(gradient).zip(moments)
            {
                *first = DECAYS.0 * *first + (1.0 - DECAYS.0) * slope;
                *second = DECAYS.1 * *second + (1.0 - DECAYS.1) * slope * slope;
                *parameter -=
                    LEARNING_RATE * (*first / corrections.0) / ((*second / corrections.1).sqrt() + 1e-8);
            }
        }
    }
}

/// `left` `[row, inner]` times `right` `[inner, column]` plus a bias `[column]`.
fn product(left: &[f64], inner: usize, right: &[f64], columns: usize, rows: usize, bias: &[f64]) -> Vec<f64> {
    let mut out = bias.repeat(rows);
    matmul(
        MatMut::from_row_major_slice_mut(&mut out, rows, columns),
        Accum::Add,
        MatRef::from_row_major_slice(left, rows, inner),
        MatRef::from_row_major_slice(right, inner, columns),
        1.0,
        Par::Seq,
    );
    out
}

/// `leftᵀ right + penalty · weights`, `[left column, right column]`.
fn transposed(
    left: &[f64],
    left_columns: usize,
    right: &[f64],
    right_columns: usize,
    rows: usize,
    weights: &[f64],
    penalty: f64,
) -> Vec<f64> {
    let mut out: Vec<f64> = weights.iter().map(|weight| penalty * weight).collect();
    matmul(
        MatMut::from_row_major_slice_mut(&mut out, left_columns, right_columns),
        Accum::Add,
        MatRef::from_row_major_slice(left, rows, left_columns).transpose(),
        MatRef::from_row_major_slice(right, rows, right_columns),
        1.0,
        Par::Seq,
    );
    out
}

fn column_sums(values: &[f64], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for row in values.chunks(columns) {
        sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gradient_is_that_of_the_loss() {
        let inputs = [0.5, -1.0, 2.0, 0.25, 1.5, -0.75];
        let truth = [1.0, 0.0, -1.0, 0.5, 0.25, 2.0];
        let network = Network::start(2, 3, 2, 7);
        let (_, gradient) = network.slopes(&inputs, &truth, &Standard::plain(2), 0.1);
        for place in 0..gradient.len() {
            let at = |change: f64| {
                let mut network = Network::start(2, 3, 2, 7);
                network.parameters[place] += change;
                network.slopes(&inputs, &truth, &Standard::plain(2), 0.1).0
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
        network.descend(&inputs, &truth, &Standard::plain(1), 0.0, 2000);
        let predicted = network.predict(&inputs);
        assert!(predicted.iter().zip(truth).all(|(a, b)| (a - b).abs() < 0.1), "{predicted:?}");
    }
}
