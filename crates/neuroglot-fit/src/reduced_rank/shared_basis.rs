//! Reduced-rank regression of several sets that share the basis of their outputs.

use crate::row_major::{add_product, column_sums, product, rows};
use crate::{Loss, minimise};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

/// Samples with all that is known of them.
pub struct SampleSet {
    /// Bins of a sample.
    pub bins: usize,
    /// Units of a bin.
    pub units: usize,
    /// Outputs of a sample.
    pub outputs: usize,
    /// `x`, `[sample, bin, unit]`.
    pub inputs: Vec<f64>,
    /// What is to be predicted, `[sample, output]`.
    pub truth: Vec<f64>,
    /// How far predictions are from it.
    pub loss: Loss,
}

/// A reduced-rank regression of several sets: the parameters `V` `[latent · bin, output]` as `[bin, latent]` rows, then of
/// each set `U` `[unit, latent]` and `b` `[output]`.
pub struct SharedBasis {
    rank: usize,
    bins: usize,
    outputs: usize,
    parameters: Vec<f64>,
}

impl SharedBasis {
    /// Small random weights, for sets of equally many bins and outputs.
    ///
    /// # Panics
    /// If there is no set.
    pub fn start(sets: &[SampleSet], rank: usize, seed: u64) -> Self {
        let (bins, outputs) = (sets[0].bins, sets[0].outputs);
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |count: usize, size: f64| -> Vec<f64> {
            (0..count).map(|_| size * random.random_range(-1.0..1.0)).collect()
        };
        let mut parameters = draw(rank * bins * outputs, 0.1 / (bins as f64).sqrt());
        for set in sets {
            parameters.extend(draw(set.units * rank, 1.0 / (set.units as f64).sqrt()));
            parameters.extend(vec![0.0; outputs]);
        }
        Self { rank, bins, outputs, parameters }
    }

    /// Where the parameters of each set begin.
    fn places(&self, sets: &[SampleSet]) -> Vec<usize> {
        let mut next = self.rank * self.bins * self.outputs;
        let place = |set: &SampleSet| {
            let place = next;
            next += set.units * self.rank + self.outputs;
            place
        };
        sets.iter().map(place).collect()
    }

    /// Minimises from where it stands, until [`minimise`] finds its tolerance met or has taken so many steps. The sets are
    /// those that it was started with.
    pub fn fit(&mut self, sets: &[SampleSet], penalty: f64, tolerance: f64, most_steps: usize) {
        let start = std::mem::take(&mut self.parameters);
        let curvature = vec![1.0; start.len()];
        let places = self.places(sets);
        let objective = |parameters: &[f64], gradient: &mut [f64]| {
            self.objective(sets, &places, parameters, gradient, penalty)
        };
        self.parameters = minimise(objective, start, &curvature, tolerance, most_steps).point;
    }

    fn objective(
        &self,
        sets: &[SampleSet],
        places: &[usize],
        parameters: &[f64],
        gradient: &mut [f64],
        penalty: f64,
    ) -> f64 {
        let basis_size = self.rank * self.bins * self.outputs;
        let basis = &parameters[..basis_size];
        let of_set = |(set, place): (&SampleSet, &usize)| {
            let own = &parameters[*place..][..set.units * self.rank + self.outputs];
            let (u, b) = own.split_at(set.units * self.rank);
            let latents = self.latents(set.units, &set.inputs, u);
            let predicted = self.outputs_of(&latents, basis, b);
            let mut slopes = vec![0.0; predicted.len()];
            let loss = set.loss.value(&predicted, &set.truth, self.outputs, &mut slopes);
            let width = self.rank * self.bins;
            let by_basis = product(rows(&latents, width).transpose(), rows(&slopes, self.outputs));
            let by_latents = product(rows(&slopes, self.outputs), rows(basis, self.outputs).transpose());
            let inputs = rows(&set.inputs, set.units);
            let by_u = product(inputs.transpose(), rows(&by_latents, self.rank));
            let mut by_own: Vec<f64> = by_u.iter().zip(u).map(|(slope, u)| slope + penalty * u).collect();
            by_own.extend(column_sums(&slopes, self.outputs));
            (loss + 0.5 * penalty * squares(u), by_own, by_basis)
        };
        let found: Vec<_> = sets.par_iter().zip(places).map(of_set).collect();
        let count = sets.len() as f64;
        let mut value = 0.5 * penalty * count * squares(basis);
        let by_basis = &mut gradient[..basis_size];
        by_basis.iter_mut().zip(basis).for_each(|(slope, v)| *slope = penalty * count * v);
        for (loss, _, of_basis) in &found {
            value += loss;
            by_basis.iter_mut().zip(of_basis).for_each(|(sum, slope)| *sum += slope);
        }
        for ((_, by_own, _), place) in found.iter().zip(places) {
            gradient[*place..][..by_own.len()].copy_from_slice(by_own);
        }
        value
    }

    /// `Σ_n U_nr x_n(k, t)`, `[sample · bin, latent]`.
    fn latents(&self, units: usize, inputs: &[f64], u: &[f64]) -> Vec<f64> {
        product(rows(inputs, units), rows(u, self.rank))
    }

    /// `[sample, output]`.
    fn outputs_of(&self, latents: &[f64], basis: &[f64], intercept: &[f64]) -> Vec<f64> {
        let latents = rows(latents, self.rank * self.bins);
        let mut outputs = intercept.repeat(latents.nrows());
        add_product(&mut outputs, latents, rows(basis, self.outputs), 1.0);
        outputs
    }

    /// Predictions `[sample, output]` for inputs of one of the sets.
    pub fn predict(&self, sets: &[SampleSet], place: usize, inputs: &[f64]) -> Vec<f64> {
        let start = self.places(sets)[place];
        let units = sets[place].units;
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

    fn sample_set(seed: u64, samples: usize, bins: usize, units: usize, outputs: usize) -> SampleSet {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut draw =
            |count: usize| -> Vec<f64> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
        SampleSet {
            bins,
            units,
            outputs,
            inputs: draw(samples * bins * units),
            truth: draw(samples * outputs),
            loss: Loss::Squares,
        }
    }

    #[test]
    fn the_gradient_is_that_of_the_objective() {
        let sets = [sample_set(1, 7, 3, 4, 2), sample_set(2, 5, 3, 6, 2)];
        let model = SharedBasis::start(&sets, 2, 3);
        let places = model.places(&sets);
        let mut gradient = vec![0.0; model.parameters.len()];
        let at = |parameters: &[f64], gradient: &mut [f64]| {
            model.objective(&sets, &places, parameters, gradient, 0.3)
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
        let (samples, units, outputs, rank) = (60, 5, 4, 2);
        let mut set = sample_set(4, samples, 1, units, outputs);
        // Without an intercept to be found: all is centred.
        for (values, width) in [(&mut set.inputs, units), (&mut set.truth, outputs)] {
            for column in 0..width {
                let mean = values.iter().skip(column).step_by(width).sum::<f64>() / samples as f64;
                values.iter_mut().skip(column).step_by(width).for_each(|value| *value -= mean);
            }
        }
        let x = rows(&set.inputs, units).to_owned();
        let y = rows(&set.truth, outputs).to_owned();
        let least_squares: Mat<f64> = {
            use faer::linalg::solvers::Solve;
            (x.transpose() * &x).partial_piv_lu().solve(x.transpose() * &y)
        };
        let explained = &x * &least_squares;
        let svd = explained.thin_svd().unwrap();
        let leading = svd.V().subcols(0, rank);
        let expected = &explained * leading * leading.transpose();

        let sets = [set];
        let mut model = SharedBasis::start(&sets, rank, 5);
        model.fit(&sets, 0.0, 1e-10, 5000);
        let found = model.predict(&sets, 0, &sets[0].inputs);
        for sample in 0..samples {
            for output in 0..outputs {
                let (found, expected) = (found[sample * outputs + output], expected[(sample, output)]);
                assert!((found - expected).abs() < 1e-6, "{sample} {output}: {found} instead of {expected}");
            }
        }
    }
}
