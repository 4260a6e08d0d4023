//! Reduced-rank decoding of behaviour across sessions (Zhang et al. 2024, Exploiting correlations across trials and
//! behavioral sessions to improve neural decoding):
//!
//! ```text
//! ŷ_p(k) = b_p + Σ_r Σ_t V_rtp Σ_n U_nr x_n(k, t)
//! ```
//!
//! of session i, trial k, output p (a bin of a trace; one of a decision between two, and one per class of more). The weights of units `U` `[unit, latent]` and
//! the intercept `b` belong to the session, the temporal basis `V` `[latent, bin, output]` to all sessions. `x` are spike
//! counts, less their mean in each bin and over their standard deviation. The loss is half the mean squared error of the
//! standardised behaviour, or for a decision the logistic loss, summed over sessions, plus
//! `λ/2 Σ_i (‖U_i‖² + ‖V‖²)`. Rank and λ are chosen on validation trials, for all sessions together.

use super::standard::Standard;
use super::{Decoded, check_trials, target};
use crate::choice::Best;
use crate::counts::Counts;
use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use neuroglot_data::Session;
use neuroglot_eval::{DecodingTarget, EvaluationOptions};
use neuroglot_fit::minimise;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Ranks to choose from.
const RANKS: [usize; 4] = [1, 2, 4, 8];

/// Penalties λ to choose from, in the order in which they are tried: each fit starts from the one before.
const PENALTIES: [f64; 5] = [0.003, 0.01, 0.03, 0.1, 0.3];

const TOLERANCE: f64 = 1e-3;
const MOST_STEPS: usize = 150;

/// Decodes one behaviour of sessions, together where they have equally many bins of equal size.
///
/// # Errors
/// Of each session, one line that says why it cannot be decoded.
pub(crate) fn reduced_rank(
    sessions: &[&Session],
    name: &str,
    options: &EvaluationOptions,
) -> Vec<Result<Decoded, String>> {
    let targets: Vec<Result<DecodingTarget, String>> = sessions
        .iter()
        .map(|session| {
            target(session, name, options).and_then(|target| check_trials(&target).map(|()| target))
        })
        .collect();
    // Sessions share a basis only where it means the same.
    let mut results: Vec<Result<Decoded, String>> =
        targets.iter().map(|target| Err(target.as_ref().err().cloned().unwrap_or_default())).collect();
    let kind_of = |place: usize| {
        let target = targets[place].as_ref().ok()?;
        let session = sessions[place];
        let classes = target.classes().map(<[String]>::to_vec);
        Some((classes, target.outputs(), session.bins(), session.bin_seconds().to_bits()))
    };
    let kinds: BTreeSet<_> = (0..targets.len()).filter_map(kind_of).collect();
    for kind in &kinds {
        let places: Vec<usize> =
            (0..targets.len()).filter(|place| kind_of(*place).as_ref() == Some(kind)).collect();
        let pairs: Vec<(&Session, &DecodingTarget)> = places
            .iter()
            .filter_map(|place| Some((sessions[*place], targets[*place].as_ref().ok()?)))
            .collect();
        for (place, result) in places.iter().zip(decode(&pairs, options.seed)) {
            results[*place] = result;
        }
    }
    results
}

/// Decodes sessions whose behaviours are alike.
fn decode(sessions: &[(&Session, &DecodingTarget<'_>)], seed: u64) -> Vec<Result<Decoded, String>> {
    let fitted: Vec<Recording> =
        sessions.iter().map(|(session, target)| Recording::of(session, target, target.training())).collect();
    let mut best = Best::none();
    for rank in RANKS {
        let mut model = Model::start(&fitted, rank, seed);
        for penalty in PENALTIES {
            model.fit(&fitted, penalty, TOLERANCE, MOST_STEPS);
            let loss = |(place, (session, target)): (usize, &(&Session, &DecodingTarget<'_>))| {
                let recording = &fitted[place];
                let predicted =
                    model.predict(&fitted, place, &recording.inputs_of(session, target.validation()));
                let truth = recording.standard.apply(&target.values(target.validation()));
                recording.standard.loss(&predicted, &truth, &mut vec![0.0; truth.len()])
            };
            let loss: f64 = sessions.iter().enumerate().map(loss).sum();
            best.offer(-loss, || (rank, penalty));
        }
    }
    let (rank, penalty) = best.take();
    let both = |(session, target): &(&Session, &DecodingTarget<'_>)| {
        Recording::of(session, target, &[target.training(), target.validation()].concat())
    };
    let fitted: Vec<Recording> = sessions.iter().map(both).collect();
    let mut model = Model::start(&fitted, rank, seed);
    for penalty in PENALTIES.into_iter().take_while(|tried| *tried <= penalty) {
        model.fit(&fitted, penalty, TOLERANCE, MOST_STEPS);
    }
    let scored = |(place, (session, target)): (usize, &(&Session, &DecodingTarget<'_>))| {
        let recording = &fitted[place];
        let predicted = model.predict(&fitted, place, &recording.inputs_of(session, target.test()));
        let result = target.score(&recording.standard.undo(&predicted), penalty)?;
        Ok(Decoded { result, settings: format!("rank {rank}, penalty {penalty}") })
    };
    sessions.iter().enumerate().map(scored).collect()
}

/// Some trials of one session, to be fitted to.
struct Recording {
    bins: usize,
    units: usize,
    /// Mean count of each unit in each bin, `[bin, unit]`, and one over its standard deviation, `[unit]`.
    centre: Vec<f64>,
    scale: Vec<f64>,
    standard: Standard,
    /// `x`, `[trial, bin, unit]`.
    inputs: Vec<f64>,
    /// `[trial, output]`.
    truth: Vec<f64>,
    outputs: usize,
}

impl Recording {
    fn of(session: &Session, target: &DecodingTarget<'_>, trials: &[usize]) -> Self {
        let counts = Counts::of_trials(session, trials);
        let (bins, units) = (counts.bins, counts.units);
        let centre = counts.psth();
        let mut squares = vec![0.0; units];
        for (row, values) in counts.values.chunks(units).enumerate() {
            let centre = &centre[row % bins * units..][..units];
            for ((square, value), centre) in squares.iter_mut().zip(values).zip(centre) {
                *square += (value - centre).powi(2);
            }
        }
        let rows = (counts.trials * bins) as f64;
        let inverse = |square: &f64| if *square > 0.0 { (rows / square).sqrt() } else { 0.0 };
        let scale: Vec<f64> = squares.iter().map(inverse).collect();
        let standard = Standard::of(target, trials);
        let truth = standard.apply(&target.values(trials));
        let mut recording = Self {
            bins,
            units,
            centre,
            scale,
            standard,
            inputs: Vec::new(),
            truth,
            outputs: target.outputs(),
        };
        recording.inputs = recording.standardised(counts);
        recording
    }

    fn standardised(&self, counts: Counts) -> Vec<f64> {
        let mut values = counts.values;
        for (row, values) in values.chunks_mut(self.units).enumerate() {
            let centre = &self.centre[row % self.bins * self.units..][..self.units];
            for ((value, centre), scale) in values.iter_mut().zip(centre).zip(&self.scale) {
                *value = (*value - centre) * scale;
            }
        }
        values
    }

    /// `x` of other trials, on the same scale.
    fn inputs_of(&self, session: &Session, trials: &[usize]) -> Vec<f64> {
        self.standardised(Counts::of_trials(session, trials))
    }
}

/// The parameters: `V` `[latent · bin, output]` as `[bin, latent]` rows, then of each session `U` `[unit, latent]` and
/// `b` `[output]`.
struct Model {
    rank: usize,
    bins: usize,
    outputs: usize,
    parameters: Vec<f64>,
}

impl Model {
    /// Small random weights.
    fn start(recordings: &[Recording], rank: usize, seed: u64) -> Self {
        let (bins, outputs) = (recordings[0].bins, recordings[0].outputs);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |count: usize, size: f64| -> Vec<f64> {
            (0..count).map(|_| size * random.random_range(-1.0..1.0)).collect()
        };
        let mut parameters = draw(rank * bins * outputs, 0.1 / (bins as f64).sqrt());
        for recording in recordings {
            parameters.extend(draw(recording.units * rank, 1.0 / (recording.units as f64).sqrt()));
            parameters.extend(vec![0.0; outputs]);
        }
        Self { rank, bins, outputs, parameters }
    }

    /// Where the parameters of each session begin.
    fn places(&self, recordings: &[Recording]) -> Vec<usize> {
        let mut next = self.rank * self.bins * self.outputs;
        let place = |recording: &Recording| {
            let place = next;
            next += recording.units * self.rank + self.outputs;
            place
        };
        recordings.iter().map(place).collect()
    }

    fn fit(&mut self, recordings: &[Recording], penalty: f64, tolerance: f64, most_steps: usize) {
        let start = std::mem::take(&mut self.parameters);
        let curvature = vec![1.0; start.len()];
        let places = self.places(recordings);
        let objective = |parameters: &[f64], gradient: &mut [f64]| {
            self.objective(recordings, &places, parameters, gradient, penalty)
        };
        self.parameters = minimise(objective, start, &curvature, tolerance, most_steps).point;
    }

    fn objective(
        &self,
        recordings: &[Recording],
        places: &[usize],
        parameters: &[f64],
        gradient: &mut [f64],
        penalty: f64,
    ) -> f64 {
        let basis_size = self.rank * self.bins * self.outputs;
        let basis = &parameters[..basis_size];
        let of_session = |(recording, place): (&Recording, &usize)| {
            let own = &parameters[*place..][..recording.units * self.rank + self.outputs];
            let (u, b) = own.split_at(recording.units * self.rank);
            let latents = self.latents(recording.units, &recording.inputs, u);
            let predicted = self.outputs_of(&latents, basis, b);
            let mut slopes = vec![0.0; predicted.len()];
            let loss = recording.standard.loss(&predicted, &recording.truth, &mut slopes);
            let trials = predicted.len() / self.outputs;
            let width = self.rank * self.bins;
            let slopes_view = MatRef::from_row_major_slice(&slopes, trials, self.outputs);
            let mut by_basis = vec![0.0; basis_size];
            matmul(
                MatMut::from_row_major_slice_mut(&mut by_basis, width, self.outputs),
                Accum::Replace,
                MatRef::from_row_major_slice(&latents, trials, width).transpose(),
                slopes_view,
                1.0,
                Par::Seq,
            );
            let mut by_latents = vec![0.0; latents.len()];
            matmul(
                MatMut::from_row_major_slice_mut(&mut by_latents, trials, width),
                Accum::Replace,
                slopes_view,
                MatRef::from_row_major_slice(basis, width, self.outputs).transpose(),
                1.0,
                Par::Seq,
            );
            let rows = trials * self.bins;
            let mut by_u = vec![0.0; u.len()];
            matmul(
                MatMut::from_row_major_slice_mut(&mut by_u, recording.units, self.rank),
                Accum::Replace,
                MatRef::from_row_major_slice(&recording.inputs, rows, recording.units).transpose(),
                MatRef::from_row_major_slice(&by_latents, rows, self.rank),
                1.0,
                Par::Seq,
            );
            let mut by_own: Vec<f64> = by_u.iter().zip(u).map(|(slope, u)| slope + penalty * u).collect();
            by_own
                .extend((0..self.outputs).map(|p| slopes.iter().skip(p).step_by(self.outputs).sum::<f64>()));
            (loss + 0.5 * penalty * squares(u), by_own, by_basis)
        };
        let found: Vec<_> = recordings.par_iter().zip(places).map(of_session).collect();
        let sessions = recordings.len() as f64;
        let mut value = 0.5 * penalty * sessions * squares(basis);
        let by_basis = &mut gradient[..basis_size];
        by_basis.iter_mut().zip(basis).for_each(|(slope, v)| *slope = penalty * sessions * v);
        for (loss, _, of_basis) in &found {
            value += loss;
            by_basis.iter_mut().zip(of_basis).for_each(|(sum, slope)| *sum += slope);
        }
        for ((_, by_own, _), place) in found.iter().zip(places) {
            gradient[*place..][..by_own.len()].copy_from_slice(by_own);
        }
        value
    }

    /// `Σ_n U_nr x_n(k, t)`, `[trial · bin, latent]`.
    fn latents(&self, units: usize, inputs: &[f64], u: &[f64]) -> Vec<f64> {
        let rows = inputs.len() / units;
        let mut latents = vec![0.0; rows * self.rank];
        matmul(
            MatMut::from_row_major_slice_mut(&mut latents, rows, self.rank),
            Accum::Replace,
            MatRef::from_row_major_slice(inputs, rows, units),
            MatRef::from_row_major_slice(u, units, self.rank),
            1.0,
            Par::Seq,
        );
        latents
    }

    /// `[trial, output]`.
    fn outputs_of(&self, latents: &[f64], basis: &[f64], intercept: &[f64]) -> Vec<f64> {
        let width = self.rank * self.bins;
        let trials = latents.len() / width;
        let mut outputs = intercept.repeat(trials);
        matmul(
            MatMut::from_row_major_slice_mut(&mut outputs, trials, self.outputs),
            Accum::Add,
            MatRef::from_row_major_slice(latents, trials, width),
            MatRef::from_row_major_slice(basis, width, self.outputs),
            1.0,
            Par::Seq,
        );
        outputs
    }

    /// Standardised predictions `[trial, output]` for inputs of one of the sessions.
    fn predict(&self, recordings: &[Recording], place: usize, inputs: &[f64]) -> Vec<f64> {
        let start = self.places(recordings)[place];
        let units = recordings[place].units;
        let own = &self.parameters[start..][..units * self.rank + self.outputs];
        let (u, b) = own.split_at(units * self.rank);
        let latents = self.latents(units, inputs, u);
        self.outputs_of(&latents, &self.parameters[..self.rank * self.bins * self.outputs], b)
    }
}

fn squares(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use faer::Mat;

    fn recording(seed: u64, trials: usize, bins: usize, units: usize, outputs: usize) -> Recording {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw =
            |count: usize| -> Vec<f64> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
        Recording {
            bins,
            units,
            centre: vec![0.0; bins * units],
            scale: vec![1.0; units],
            standard: Standard::plain(outputs),
            inputs: draw(trials * bins * units),
            truth: draw(trials * outputs),
            outputs,
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_objective() {
        let recordings = [recording(1, 7, 3, 4, 2), recording(2, 5, 3, 6, 2)];
        let model = Model::start(&recordings, 2, 3);
        let places = model.places(&recordings);
        let mut gradient = vec![0.0; model.parameters.len()];
        let at = |parameters: &[f64], gradient: &mut [f64]| {
            model.objective(&recordings, &places, parameters, gradient, 0.3)
        };
        at(&model.parameters, &mut gradient);
        for place in 0..gradient.len() {
            let moved = |change: f64| {
                let mut parameters = model.parameters.clone();
                parameters[place] += change;
                at(&parameters, &mut vec![0.0; gradient.len()])
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((slope - gradient[place]).abs() < 1e-8, "{place}: {slope} {}", gradient[place]);
        }
    }

    /// With one bin and without a penalty, the best weights of rank R are those of ordinary least squares, projected to
    /// the R leading right singular vectors of what these predict (Izenman 1975).
    #[test]
    fn with_one_bin_it_is_the_closed_form_of_reduced_rank_regression() {
        let (trials, units, outputs, rank) = (60, 5, 4, 2);
        let mut recording = recording(4, trials, 1, units, outputs);
        // Without an intercept to be found: all is centred.
        for (values, width) in [(&mut recording.inputs, units), (&mut recording.truth, outputs)] {
            for column in 0..width {
                let mean = values.iter().skip(column).step_by(width).sum::<f64>() / trials as f64;
                values.iter_mut().skip(column).step_by(width).for_each(|value| *value -= mean);
            }
        }
        let x = MatRef::from_row_major_slice(&recording.inputs, trials, units).to_owned();
        let y = MatRef::from_row_major_slice(&recording.truth, trials, outputs).to_owned();
        let least_squares: Mat<f64> = {
            use faer::linalg::solvers::Solve;
            (x.transpose() * &x).partial_piv_lu().solve(x.transpose() * &y)
        };
        let explained = &x * &least_squares;
        let svd = explained.thin_svd().unwrap();
        let leading = svd.V().subcols(0, rank);
        let expected = &explained * leading * leading.transpose();

        let recordings = [recording];
        let mut model = Model::start(&recordings, rank, 5);
        model.fit(&recordings, 0.0, 1e-10, 5000);
        let found = model.predict(&recordings, 0, &recordings[0].inputs);
        for trial in 0..trials {
            for output in 0..outputs {
                let (found, expected) = (found[trial * outputs + output], expected[(trial, output)]);
                assert!((found - expected).abs() < 1e-6, "{trial} {output}: {found} instead of {expected}");
            }
        }
    }
}
