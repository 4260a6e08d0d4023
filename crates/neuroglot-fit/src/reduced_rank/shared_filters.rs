//! Reduced-rank regression of several sets that share the filters of their latent variables.

use super::SetMoments;
use crate::covariates::product;
use crate::symmetric::symmetric_eigen;
use crate::{FitError, minimise};
use faer::Mat;
use rayon::prelude::*;

/// A reduced-rank regression of several sets: the parameters `V` `[latent, filter]`, then `U` `[input, latent]` of each set.
/// `W` follows from them.
#[derive(Clone)]
pub struct SharedFilters {
    rank: usize,
    filters: usize,
    parameters: Vec<f64>,
}

impl SharedFilters {
    /// From the leading left singular vectors of `Xᵀ Y` through the sum of all filters, of which each input of each set
    /// has `filters` columns side by side.
    ///
    /// # Errors
    /// If the singular vectors are not found.
    pub fn start(sets: &[&SetMoments], filters: usize, rank: usize) -> Result<Self, FitError> {
        let share = (1.0 / filters as f64).sqrt();
        let mut parameters = vec![share; rank * filters];
        for set in sets {
            let inputs = set.columns() / filters;
            let summed = Mat::from_fn(inputs, set.targets(), |input, target| {
                (0..filters).map(|filter| set.right[(input * filters + filter, target)]).sum::<f64>() * share
            });
            let (values, vectors) = symmetric_eigen(product(summed.as_ref(), summed.transpose()).as_ref())?;
            // Ascending order. A latent variable of nothing starts from next to nothing.
            let largest = values.last().copied().unwrap_or(0.0).max(1e-12);
            let element = |input: usize, latent: usize| {
                let place = inputs.checked_sub(latent + 1)?;
                Some(vectors[(input, place)] * values[place].max(1e-6 * largest).powf(0.25))
            };
            let elements = (0..inputs).flat_map(|input| (0..rank).map(move |latent| element(input, latent)));
            parameters.extend(elements.map(|element| element.unwrap_or(0.0)));
        }
        Ok(Self { rank, filters, parameters })
    }

    /// Where the parameters of each set begin.
    fn places(&self, sets: &[&SetMoments]) -> Vec<usize> {
        let mut next = self.rank * self.filters;
        let place = |set: &&SetMoments| {
            let place = next;
            next += set.columns() / self.filters * self.rank;
            place
        };
        sets.iter().map(place).collect()
    }

    /// Minimises from where it stands, until [`minimise`] finds its tolerance met or has taken so many steps. The sets are
    /// those that it was started with.
    pub fn minimise(&mut self, sets: &[&SetMoments], penalty: f64, tolerance: f64, most_steps: usize) {
        let places = self.places(sets);
        let start = std::mem::take(&mut self.parameters);
        let curvature = vec![1.0; start.len()];
        let objective = |parameters: &[f64], gradient: &mut [f64]| {
            self.objective(sets, &places, parameters, gradient, penalty)
        };
        self.parameters = minimise(objective, start, &curvature, tolerance, most_steps).point;
    }

    fn objective(
        &self,
        sets: &[&SetMoments],
        places: &[usize],
        parameters: &[f64],
        gradient: &mut [f64],
        penalty: f64,
    ) -> f64 {
        let v = self.filters_of(parameters);
        let of_set = |(set, place): (&&SetMoments, &usize)| {
            let u = self.factor(set, *place, parameters);
            let found = set.project(&self.through_filters(u, &v), penalty);
            let mut by_u = Vec::with_capacity(u.len());
            let mut by_v = vec![0.0; v.len()];
            for (input, weights) in u.chunks(self.rank).enumerate() {
                for (latent, weight) in weights.iter().enumerate() {
                    let mut slope_of_weight = penalty * weight;
                    let slopes = &found.gradient.col_as_slice(latent)[input * self.filters..];
                    for (filter, slope) in slopes[..self.filters].iter().enumerate() {
                        slope_of_weight += slope * v[latent * self.filters + filter];
                        by_v[latent * self.filters + filter] += slope * weight;
                    }
                    by_u.push(slope_of_weight);
                }
            }
            let squares: f64 = u.iter().map(|weight| weight * weight).sum();
            (found.error + 0.5 * penalty * squares, by_u, by_v)
        };
        let found: Vec<_> = sets.par_iter().zip(places).map(of_set).collect();
        let mut by_v = vec![0.0; v.len()];
        let mut value = 0.0;
        for ((of_set, by_u, of_v), place) in found.into_iter().zip(places) {
            value += of_set;
            gradient[*place..][..by_u.len()].copy_from_slice(&by_u);
            by_v.iter_mut().zip(of_v).for_each(|(sum, slope)| *sum += slope);
        }
        // Only the direction of a filter counts.
        for latent in 0..self.rank {
            let range = latent * self.filters..(latent + 1) * self.filters;
            let (unit, slopes) = (&v[range.clone()], &by_v[range.clone()]);
            let along: f64 = unit.iter().zip(slopes).map(|(a, b)| a * b).sum();
            let length = parameters[range.clone()].iter().map(|value| value * value).sum::<f64>().sqrt();
            for ((out, slope), unit) in gradient[range].iter_mut().zip(slopes).zip(unit) {
                *out = (slope - along * unit) / length;
            }
        }
        value
    }

    /// `V` with rows of unit norm.
    fn filters_of(&self, parameters: &[f64]) -> Vec<f64> {
        let rows = parameters[..self.rank * self.filters].chunks(self.filters);
        let unit = |row: &[f64]| -> Vec<f64> {
            let norm = row.iter().map(|value| value * value).sum::<f64>().sqrt();
            row.iter().map(|value| value / norm).collect()
        };
        rows.flat_map(unit).collect()
    }

    /// `U` of a set.
    fn factor<'p>(&self, set: &SetMoments, place: usize, parameters: &'p [f64]) -> &'p [f64] {
        &parameters[place..][..set.columns() / self.filters * self.rank]
    }

    /// `Z` of `U` and `V`, `[column, latent]`.
    fn through_filters(&self, u: &[f64], v: &[f64]) -> Mat<f64> {
        let (rank, filters) = (self.rank, self.filters);
        Mat::from_fn(u.len() / rank * filters, rank, |column, latent| {
            u[column / filters * rank + latent] * v[latent * filters + column % filters]
        })
    }

    /// Weights of the covariates of each set, `[column, target]`, in units of the targets.
    pub fn weights(&self, sets: &[&SetMoments], penalty: f64) -> Vec<Mat<f64>> {
        let v = self.filters_of(&self.parameters);
        let of_set = |(set, place): (&&SetMoments, usize)| {
            set.weights(&self.through_filters(self.factor(set, place, &self.parameters), &v), penalty)
        };
        sets.iter().zip(self.places(sets)).map(of_set).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{assert_close, covariates, numbers, problem};
    use crate::{Covariates, HiddenColumns};
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn with_one_filter_and_no_penalty_it_is_the_closed_form() {
        let problem = problem("reduced_rank");
        let (covariates, targets) = (covariates(&problem), numbers(&problem["targets"]));
        let count = targets.len() / covariates.rows;
        let set = SetMoments::new(&covariates, targets, HiddenColumns::none(count));
        for case in problem["by_rank"].as_array().unwrap() {
            let rank = case["rank"].as_u64().unwrap() as usize;
            let mut fit = SharedFilters::start(&[&set], 1, rank).unwrap();
            fit.minimise(&[&set], 0.0, 1e-10, 5000);
            let weights = &fit.weights(&[&set], 0.0)[0];
            let found: Vec<f64> = (0..covariates.columns * count)
                .map(|place| weights[(place / count, place % count)])
                .collect();
            assert_close(&found, &numbers(&case["weights"]), 1e-6, &format!("rank {rank}"));
        }
    }

    /// Two sets, of one filter set, from each target of which something else is hidden.
    fn sets() -> Vec<SetMoments> {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let mut draw =
            |count: usize| -> Vec<f64> { (0..count).map(|_| random.random_range(-1.0..1.0)).collect() };
        let mut set = |inputs: usize, hidden: Vec<Vec<usize>>, set_of: Vec<usize>| {
            let covariates = Covariates { rows: 30, columns: inputs * 2, values: draw(30 * inputs * 2) };
            let targets = draw(30 * set_of.len());
            SetMoments::new(&covariates, targets, HiddenColumns::new(hidden, set_of))
        };
        let units =
            |units: &[usize]| units.iter().flat_map(|unit| [unit * 2, unit * 2 + 1]).collect::<Vec<_>>();
        vec![
            set(3, vec![units(&[0]), units(&[1]), units(&[2])], vec![0, 1, 2]),
            set(4, vec![units(&[0, 3]), units(&[1])], vec![0, 0, 1]),
        ]
    }

    #[test]
    fn the_gradient_is_that_of_the_objective() {
        let sets = sets();
        let sets: Vec<&SetMoments> = sets.iter().collect();
        let fit = SharedFilters::start(&sets, 2, 2).unwrap();
        let places = fit.places(&sets);
        let mut gradient = vec![0.0; fit.parameters.len()];
        fit.objective(&sets, &places, &fit.parameters, &mut gradient, 0.2);
        for place in 0..gradient.len() {
            let at = |change: f64| {
                let mut parameters = fit.parameters.clone();
                parameters[place] += change;
                fit.objective(&sets, &places, &parameters, &mut vec![0.0; gradient.len()], 0.2)
            };
            let slope = (at(1e-5) - at(-1e-5)) / 2e-5;
            assert!((slope - gradient[place]).abs() < 1e-8, "{place}: {slope} {}", gradient[place]);
        }
    }

    #[test]
    fn hidden_columns_have_no_weight_and_the_rest_is_the_best_for_them() {
        for set in sets() {
            let mut fit = SharedFilters::start(&[&set], 2, 2).unwrap();
            fit.minimise(&[&set], 0.1, 1e-6, 500);
            let z =
                fit.through_filters(fit.factor(&set, 4, &fit.parameters), &fit.filters_of(&fit.parameters));
            let w = set.project(&z, 0.1).w;
            // Half the penalised squared error of a target, written out.
            let error = |target: usize, w: &[f64]| {
                let seen = |column: usize| !set.hidden.from_target(target).contains(&column);
                let weight = |column: usize| -> f64 {
                    if seen(column) {
                        w.iter().enumerate().map(|(r, w)| z[(column, r)] * w).sum()
                    } else {
                        0.0
                    }
                };
                let weights: Vec<f64> = (0..set.columns()).map(weight).collect();
                let mut error = 0.05 * w.iter().map(|w| w * w).sum::<f64>();
                for (row, weight) in weights.iter().enumerate() {
                    error -= weight * set.right[(row, target)];
                    let through =
                        (0..set.columns()).map(|column| set.moments[(row, column)] * weights[column]);
                    error += 0.5 * weight * through.sum::<f64>();
                }
                error
            };
            for target in 0..set.targets() {
                let best = w.col_as_slice(target);
                for (latent, change) in [(0, 1e-3), (0, -1e-3), (1, 1e-3), (1, -1e-3)] {
                    let mut moved = best.to_vec();
                    moved[latent] += change;
                    assert!(error(target, &moved) > error(target, best));
                }
                for column in set.hidden.from_target(target) {
                    assert_eq!(fit.weights(&[&set], 0.1)[0][(*column, target)], 0.0);
                }
            }
        }
    }
}
