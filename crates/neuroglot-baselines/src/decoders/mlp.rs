//! Behaviour by a network with one hidden layer of tanh units.
//!
//! Its inputs are the counts of the whole trial, smoothed over time and divided by the square root of the unit's mean
//! rate, in the coordinates of the principal components of the trials it is fitted to: nothing of these trials is lost,
//! and there are as many inputs as trials instead of bins times units. All weights have an L2 penalty; the [`Network`] is
//! fitted by Adam. Smoothing, hidden units, penalty and number of steps are those that predict
//! the validation trials best.

use super::{Decoded, target};
use neuroglot_coupling::{Counts, TimeFilter, seconds};
use neuroglot_data::Session;
use neuroglot_fit::{Best, Features, Mat, Network, PrincipalScores, SampleProducts};
use neuroglot_tasks::{EvaluationOptions, TargetScale};
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

/// Decodes one behaviour of a session.
///
/// # Errors
/// One line that says why it cannot be decoded.
pub(crate) fn mlp(session: &Session, name: &str, options: &EvaluationOptions) -> Result<Decoded, String> {
    let (target, seed) = (target(session, name, options)?, options.seed);
    target.require_validation()?;
    let (training, validation) = (target.training(), target.validation());
    let scale = TargetScale::of(&target, training);
    let truth = scale.apply(&target.values(training));
    let validation_truth = scale.apply(&target.values(validation));
    let mut best = Best::none();
    for width in WIDTHS {
        let inputs = Inputs::of(session, training, validation, width)?;
        let networks: Vec<(usize, f64)> =
            HIDDEN.into_iter().flat_map(|hidden| PENALTIES.map(|penalty| (hidden, penalty))).collect();
        let losses_of = |(hidden, penalty): &(usize, f64)| -> Vec<f64> {
            let mut network = Network::start(inputs.width, *hidden, target.outputs(), seed);
            let after_steps = |_| {
                network.descend(&inputs.fitted, &truth, scale.loss(), *penalty, STEPS_BETWEEN);
                let predicted = network.predict(&inputs.scored);
                let mut gradient = vec![0.0; validation_truth.len()];
                scale.loss().value(&predicted, &validation_truth, target.outputs(), &mut gradient)
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
    let scale = TargetScale::of(&target, &both);
    let inputs = Inputs::of(session, &both, target.test(), width)?;
    let mut network = Network::start(inputs.width, hidden, target.outputs(), seed);
    let truth = scale.apply(&target.values(&both));
    network.descend(&inputs.fitted, &truth, scale.loss(), penalty, steps);
    let result = target.score(&scale.undo(&network.predict(&inputs.scored)), penalty)?;
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
