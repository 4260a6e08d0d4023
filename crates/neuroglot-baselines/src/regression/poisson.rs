//! Poisson regressions with a logarithmic link of many units on shared covariates, fitted at once.
//!
//! Each unit n minimises `mean over rows of (exp(η) − y η) + λ/2 ‖b_n‖²` with `η = o_n + a_n + x · b_n`, where `o_n` is a
//! given offset, the intercept `a_n` is not penalised, and hidden covariates have weight 0: the objective of
//! scikit-learn's `PoissonRegressor`. All units take a step of limited-memory BFGS together, so that the products with the
//! covariates, which take the time, are products of matrices. The steps are preconditioned with the second derivative at
//! a constant rate, `(r̄_n Xᵀ X / rows + λ I)⁻¹`, which all units share up to their mean rate `r̄_n`.

use super::design::Covariates;
use super::exponential::exponentials;
use super::gram::Gram;
use super::products::{ROWS, times, transposed_times};
use faer::Mat;
use rayon::prelude::*;
use std::collections::VecDeque;

/// Pairs of steps and gradient changes remembered.
const MEMORY: usize = 6;

/// Share of the predicted decrease that a step must reach (Armijo).
const DECREASE: f64 = 1e-4;

/// Steps are not halved any further: what is left is rounding.
const SHORTEST: f64 = 1e-9;

const MOST_SWEEPS: usize = 500;

/// What is regressed on what.
pub(super) struct Regressions<'a> {
    pub covariates: &'a Covariates,
    pub gram: &'a Gram,
    /// Spikes/bin, `[row, target]`.
    pub counts: &'a [f64],
    /// ln(spikes/bin), `[bin, target]`; rows run through the bins again and again.
    pub offsets: &'a [f64],
    /// Sets of covariates that are hidden together.
    pub hidden: &'a [Vec<usize>],
    /// Which set is hidden from each target.
    pub hidden_from: &'a [usize],
}

/// Weights of all targets.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    /// `[target]`.
    pub intercepts: Vec<f64>,
    /// `[column, target]`.
    pub weights: Mat<f64>,
}

impl Weights {
    /// No covariate matters, and rates are the offsets.
    pub fn zero(columns: usize, targets: usize) -> Self {
        Self { intercepts: vec![0.0; targets], weights: Mat::zeros(columns, targets) }
    }

    /// `η`, ln(spikes/bin), `[row, target]`.
    pub fn log_rates(&self, covariates: &Covariates, offsets: &[f64]) -> Vec<f64> {
        times(covariates, self.weights.as_ref(), |first, piece| {
            add_offsets(piece, first, offsets, &self.intercepts);
        })
    }
}

fn add_offsets(piece: &mut [f64], first: usize, offsets: &[f64], intercepts: &[f64]) {
    let targets = intercepts.len();
    let bins = offsets.len() / targets;
    for (row, values) in piece.chunks_mut(targets).enumerate() {
        let offsets = &offsets[(first + row) % bins * targets..][..targets];
        for ((value, offset), intercept) in values.iter_mut().zip(offsets).zip(intercepts) {
            *value += offset + intercept;
        }
    }
}

impl Regressions<'_> {
    /// Minimises from `start` on, until no target's objective is expected to fall by more than `tolerance` times its mean
    /// count (nats/spike).
    pub fn fit(&self, penalty: f64, start: &Weights, tolerance: f64) -> Weights {
        let targets = self.hidden_from.len();
        let rows = self.covariates.rows as f64;
        let mut rates = vec![0.0; targets];
        for row in self.counts.chunks(targets) {
            rates.iter_mut().zip(row).for_each(|(rate, count)| *rate += count / rows);
        }
        let new = |target: usize| Descent::new(start, target, rates[target]);
        let mut descents: Vec<Descent> = (0..targets).map(new).collect();
        for _ in 0..MOST_SWEEPS {
            let mut active: Vec<&mut Descent> = descents.iter_mut().filter(|descent| !descent.done).collect();
            if active.is_empty() {
                break;
            }
            let (values, gradients) = self.evaluate(&active);
            active.par_iter_mut().enumerate().for_each(|(place, descent)| {
                let hidden = &self.hidden[self.hidden_from[descent.target]];
                descent.take(values[place], gradients.col_as_slice(place), penalty, hidden);
            });
            let mut moved: Vec<&mut Descent> =
                active.into_iter().filter(|descent| descent.accepted).collect();
            self.turn(&mut moved, penalty, tolerance);
        }
        let mut found = Weights::zero(self.covariates.columns, targets);
        for descent in &descents {
            let (intercept, weights) = descent.point.split_last().expect("the intercept is always there");
            found.intercepts[descent.target] = *intercept;
            found.weights.col_as_slice_mut(descent.target).copy_from_slice(weights);
        }
        found
    }

    /// Mean negative log-likelihood, and its gradient `[column and intercept, place]`, at the points that are tried.
    fn evaluate(&self, active: &[&mut Descent]) -> (Vec<f64>, Mat<f64>) {
        let (columns, count) = (self.covariates.columns, active.len());
        let targets: Vec<usize> = active.iter().map(|descent| descent.target).collect();
        let weights = Mat::from_fn(columns, count, |column, place| active[place].tried[column]);
        let intercepts: Vec<f64> = active.iter().map(|descent| descent.tried[columns]).collect();
        let all = self.hidden_from.len();
        let offsets: Vec<f64> =
            self.offsets.chunks(all).flat_map(|row| targets.iter().map(|target| row[*target])).collect();
        // Log-rates first, then, in place, the derivative of the likelihood by them.
        let scale = 1.0 / self.covariates.rows as f64;
        let mut residuals = times(self.covariates, weights.as_ref(), |first, piece| {
            add_offsets(piece, first, &offsets, &intercepts);
        });
        let pieces = residuals.par_chunks_mut(ROWS * count).enumerate();
        let values: Vec<Vec<f64>> = pieces
            .map(|(piece, log_rates)| {
                let mut values = vec![0.0; count];
                let counts_of = |row: usize| {
                    let counts = &self.counts[(piece * ROWS + row) * all..][..all];
                    targets.iter().map(|target| counts[*target])
                };
                for (row, log_rates) in log_rates.chunks(count).enumerate() {
                    for ((value, log_rate), spikes) in values.iter_mut().zip(log_rates).zip(counts_of(row)) {
                        *value -= spikes * log_rate;
                    }
                }
                exponentials(log_rates);
                for (row, rates) in log_rates.chunks_mut(count).enumerate() {
                    for ((value, rate), spikes) in values.iter_mut().zip(rates).zip(counts_of(row)) {
                        *value += *rate;
                        *rate = (*rate - spikes) * scale;
                    }
                }
                values
            })
            .collect();
        let value = |place: usize| values.iter().map(|piece| piece[place]).sum::<f64>() * scale;
        let of_weights = transposed_times(self.covariates, &residuals, count);
        let mut gradients = Mat::zeros(columns + 1, count);
        gradients.as_mut().subrows_mut(0, columns).copy_from(&of_weights);
        for row in residuals.chunks(count) {
            row.iter().enumerate().for_each(|(place, residual)| gradients[(columns, place)] += residual);
        }
        ((0..count).map(value).collect(), gradients)
    }

    /// Finds where to go next from the points just reached, or that they are good enough.
    fn turn(&self, moved: &mut [&mut Descent], penalty: f64, tolerance: f64) {
        let columns = self.covariates.columns;
        moved.par_iter_mut().for_each(|descent| descent.begin_direction());
        // Rounding in old pairs can spoil a direction: then one more without them.
        for _ in 0..2 {
            let undecided: Vec<usize> = (0..moved.len()).filter(|place| !moved[*place].decided).collect();
            if undecided.is_empty() {
                return;
            }
            let right = Mat::from_fn(columns, undecided.len(), |column, place| {
                moved[undecided[place]].direction[column]
            });
            let rates: Vec<f64> = undecided.iter().map(|place| moved[*place].rate).collect();
            let solved = self.gram.solve(&right, &rates, penalty);
            for (column, place) in undecided.into_iter().enumerate() {
                let descent = &mut *moved[place];
                let hidden = &self.hidden[self.hidden_from[descent.target]];
                descent.end_direction(solved.col_as_slice(column), hidden, tolerance);
            }
        }
    }
}

/// The descent of one target.
struct Descent {
    target: usize,
    /// Mean count, spikes/bin.
    rate: f64,
    /// Weights and, last, the intercept.
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    direction: Vec<f64>,
    slope: f64,
    length: f64,
    tried: Vec<f64>,
    /// Whether the point tried last was good enough to go on from.
    accepted: bool,
    decided: bool,
    done: bool,
    pairs: VecDeque<Pair>,
    shares: Vec<f64>,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// `step · change`, positive.
    product: f64,
}

impl Descent {
    fn new(start: &Weights, target: usize, rate: f64) -> Self {
        let mut point = start.weights.col_as_slice(target).to_vec();
        point.push(start.intercepts[target]);
        Self {
            target,
            rate,
            tried: point.clone(),
            value: f64::INFINITY,
            gradient: vec![0.0; point.len()],
            direction: vec![0.0; point.len()],
            slope: 0.0,
            length: 0.0,
            accepted: false,
            decided: false,
            // A unit that never fires has no rate to find.
            done: rate == 0.0,
            pairs: VecDeque::new(),
            shares: Vec::new(),
            point,
        }
    }

    /// Takes the likelihood at the point tried: goes there, or shortens the step.
    fn take(&mut self, value: f64, gradient: &[f64], penalty: f64, hidden: &[usize]) {
        let columns = self.tried.len() - 1;
        let value = value + 0.5 * penalty * dot(&self.tried[..columns], &self.tried[..columns]);
        let is_first = self.length == 0.0;
        // Where the decrease drowns in rounding, a step that does not rise by more is taken.
        let most = self.value + DECREASE * self.length * self.slope + 1e-15 * self.value.abs();
        self.accepted = is_first || (value.is_finite() && value <= most);
        if !self.accepted {
            self.length *= 0.5;
            self.done = self.length < SHORTEST;
            self.try_step();
            return;
        }
        let mut gradient = gradient.to_vec();
        for (slope, weight) in gradient.iter_mut().zip(&self.tried[..columns]) {
            *slope += penalty * weight;
        }
        hidden.iter().for_each(|column| gradient[*column] = 0.0);
        if !is_first {
            let step = difference(&self.tried, &self.point);
            let change = difference(&gradient, &self.gradient);
            let product = dot(&step, &change);
            if product > 0.0 {
                if self.pairs.len() == MEMORY {
                    self.pairs.pop_front();
                }
                self.pairs.push_back(Pair { step, change, product });
            }
        }
        self.point.clone_from(&self.tried);
        (self.value, self.gradient) = (value, gradient);
    }

    /// The first half of the two-loop recursion.
    fn begin_direction(&mut self) {
        self.decided = false;
        self.direction = self.gradient.iter().map(|slope| -slope).collect();
        self.shares.clear();
        for pair in self.pairs.iter().rev() {
            let share = dot(&pair.step, &self.direction) / pair.product;
            add_scaled(&mut self.direction, -share, &pair.change);
            self.shares.push(share);
        }
    }

    /// The second half, from the preconditioned weights of the first.
    fn end_direction(&mut self, solved: &[f64], hidden: &[usize], tolerance: f64) {
        let columns = solved.len();
        self.direction[..columns].copy_from_slice(solved);
        // Leaving out rows and columns of the inverse keeps it positive definite.
        hidden.iter().for_each(|column| self.direction[*column] = 0.0);
        self.direction[columns] /= self.rate;
        for (pair, share) in self.pairs.iter().zip(self.shares.iter().rev()) {
            let correction = share - dot(&pair.change, &self.direction) / pair.product;
            add_scaled(&mut self.direction, correction, &pair.step);
        }
        self.slope = dot(&self.gradient, &self.direction);
        self.decided = self.slope < 0.0 || self.pairs.is_empty();
        if !self.decided {
            self.pairs.clear();
            self.begin_direction();
            return;
        }
        // Half the slope is what a quadratic objective would fall by.
        self.done = -0.5 * self.slope <= tolerance * self.rate;
        self.length = 1.0;
        self.try_step();
    }

    fn try_step(&mut self) {
        for ((tried, point), direction) in self.tried.iter_mut().zip(&self.point).zip(&self.direction) {
            *tried = point + self.length * direction;
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add_scaled(target: &mut [f64], scale: f64, added: &[f64]) {
    target.iter_mut().zip(added).for_each(|(target, added)| *target += scale * added);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    use super::super::fixture::{assert_close, covariates, hidden, numbers, problem};
    use super::*;

    /// Fits the fixture's problem with every penalty, from the fit before, and hands each to `check`.
    fn fits(offset: f64, mut check: impl FnMut(&serde_json::Value, &Weights)) {
        let problem = problem("poisson");
        let (covariates, counts) = (covariates(&problem), numbers(&problem["counts"]));
        let (hidden, hidden_from) = hidden();
        let regressions = Regressions {
            covariates: &covariates,
            gram: &Gram::of(&covariates).unwrap(),
            counts: &counts,
            offsets: &vec![offset; hidden_from.len()],
            hidden: &hidden,
            hidden_from: &hidden_from,
        };
        let mut weights = Weights::zero(covariates.columns, hidden_from.len());
        for fit in problem["fits"].as_array().unwrap().iter().rev() {
            weights = regressions.fit(fit["penalty"].as_f64().unwrap(), &weights, 1e-16);
            check(fit, &weights);
        }
    }

    #[test]
    fn weights_are_those_of_scikit_learn() {
        fits(0.0, |fit, found| {
            for (target, expected) in fit["targets"].as_array().unwrap().iter().enumerate() {
                let name = format!("penalty {}, target {target}", fit["penalty"]);
                let expected_weights = numbers(&expected["weights"]);
                assert_close(found.weights.col_as_slice(target), &expected_weights, 1e-6, &name);
                let intercept = expected["intercept"].as_f64().unwrap();
                assert_close(&[found.intercepts[target]], &[intercept], 1e-6, &name);
            }
        });
    }

    #[test]
    fn a_constant_offset_moves_the_intercept_alone() {
        fits(0.75, |fit, found| {
            for (target, expected) in fit["targets"].as_array().unwrap().iter().enumerate() {
                assert_close(
                    found.weights.col_as_slice(target),
                    &numbers(&expected["weights"]),
                    1e-6,
                    "weights",
                );
                let intercept = expected["intercept"].as_f64().unwrap();
                assert_close(&[found.intercepts[target] + 0.75], &[intercept], 1e-6, "intercept");
            }
        });
    }

    #[test]
    fn a_unit_that_never_fires_keeps_its_offset() {
        let covariates = Covariates { rows: 4, columns: 1, values: vec![1.0, -1.0, 2.0, -2.0] };
        let regressions = Regressions {
            covariates: &covariates,
            gram: &Gram::of(&covariates).unwrap(),
            counts: &[0.0; 4],
            offsets: &[-3.0],
            hidden: &[vec![]],
            hidden_from: &[0],
        };
        let found = regressions.fit(0.1, &Weights::zero(1, 1), 1e-9);
        assert_eq!(found.log_rates(&covariates, &[-3.0]), [-3.0; 4]);
    }
}
