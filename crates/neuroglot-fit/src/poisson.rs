//! Poisson regressions with a logarithmic link of many targets on shared covariates, fitted at once.
//!
//! Each target n minimises `mean over rows of (exp(η) − y η) + λ/2 ‖b_n‖²` with `η = o_n + a_n + x · b_n`, where `o_n` is a
//! given offset, the intercept `a_n` is not penalised, and hidden covariates have weight 0: the objective of
//! scikit-learn's `PoissonRegressor`. Entries whose count is missing add nothing to the mean. All targets take a step of limited-memory BFGS together, so that the products with the
//! covariates, which take the time, are products of matrices. The steps are preconditioned with the second derivative at
//! a constant rate, `(r̄_n Xᵀ X / rows + λ I)⁻¹`, which all targets share up to their mean rate `r̄_n`.

use crate::exponential::exponentials;
use crate::lbfgs::{Descent, StepRule, Verdict};
use crate::{Covariates, Gram, HiddenColumns};
use faer::Mat;
use rayon::prelude::*;

/// The preconditioner knows how long steps should be, and all targets wait for each evaluation.
const RULE: StepRule = StepRule { memory: 6, most_trials: 30, remaining_slope: None };

const MOST_SWEEPS: usize = 500;

/// Rows evaluated at a time.
const ROWS: usize = Covariates::ROWS_AT_ONCE;

/// What is regressed on what.
pub struct PoissonRegressions<'a> {
    /// `[row, column]`.
    pub covariates: &'a Covariates,
    /// Their second moments.
    pub gram: &'a Gram,
    /// Counts per row, `[row, target]`; NaN where a count is missing.
    pub counts: &'a [f64],
    /// Added to the counts of each target where its rate is that of the intercept alone, so that the intercept of one
    /// that never counts is finite: 0 in plain regression.
    pub prior_count: f64,
    /// Logarithms of the rates to start from, `[bin, target]`; rows run through the bins again and again.
    pub offsets: &'a [f64],
    /// Covariates hidden from each target.
    pub hidden: &'a HiddenColumns,
}

/// Weights of all targets.
#[derive(Debug, Clone)]
pub struct PoissonWeights {
    /// `[target]`.
    pub intercepts: Vec<f64>,
    /// `[column, target]`.
    pub weights: Mat<f64>,
}

impl PoissonWeights {
    /// No covariate matters, and rates are the offsets.
    pub fn zero(columns: usize, targets: usize) -> Self {
        Self { intercepts: vec![0.0; targets], weights: Mat::zeros(columns, targets) }
    }

    /// `η`, the logarithm of the rate, `[row, target]`.
    pub fn log_rates(&self, covariates: &Covariates, offsets: &[f64]) -> Vec<f64> {
        covariates.times_then(self.weights.as_ref(), |first, piece| {
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

impl PoissonRegressions<'_> {
    /// Minimises from `start` on, until no target's objective is expected to fall by more than `tolerance` times its mean
    /// count (nats per count).
    pub fn fit(&self, penalty: f64, start: &PoissonWeights, tolerance: f64) -> PoissonWeights {
        let targets = self.hidden.targets();
        let rows = self.covariates.rows as f64;
        let (mut rates, mut has_entries) = (vec![self.prior_count / rows; targets], vec![false; targets]);
        for row in self.counts.chunks(targets) {
            for (target, count) in row.iter().enumerate().filter(|(_, count)| !count.is_nan()) {
                rates[target] += count / rows;
                has_entries[target] = true;
            }
        }
        let new = |target: usize| {
            // Where nothing was counted, there is no rate to find.
            let is_done = rates[target] == 0.0 || !has_entries[target];
            TargetDescent::new(start, target, rates[target], is_done)
        };
        let mut all: Vec<TargetDescent> = (0..targets).map(new).collect();
        for _ in 0..MOST_SWEEPS {
            let mut active: Vec<&mut TargetDescent> =
                all.iter_mut().filter(|target| !target.is_done).collect();
            if active.is_empty() {
                break;
            }
            let (values, gradients) = self.evaluate(&active);
            active.par_iter_mut().enumerate().for_each(|(place, target)| {
                let hidden = self.hidden.from_target(target.target);
                target.judge(values[place], gradients.col_as_slice(place), penalty, hidden);
            });
            let mut moved: Vec<&mut TargetDescent> =
                active.into_iter().filter(|target| target.verdict == Verdict::Accepted).collect();
            self.turn(&mut moved, penalty, tolerance);
        }
        let mut found = PoissonWeights::zero(self.covariates.columns, targets);
        for TargetDescent { target, descent, .. } in &all {
            let (intercept, weights) = descent.point.split_last().expect("the intercept is always there");
            found.intercepts[*target] = *intercept;
            found.weights.col_as_slice_mut(*target).copy_from_slice(weights);
        }
        found
    }

    /// The best weights if no covariate matters, from which [`PoissonRegressions::fit`] can start: rates are the offsets times
    /// what gives each target its counts. A target without a count that is known keeps its offset.
    pub fn without_covariates(&self) -> PoissonWeights {
        let targets = self.hidden.targets();
        let (mut counts, mut expected) = (vec![self.prior_count; targets], vec![0.0; targets]);
        for (row, offsets) in self.counts.chunks(targets).zip(self.offsets.chunks(targets).cycle()) {
            for (target, count) in row.iter().enumerate().filter(|(_, count)| !count.is_nan()) {
                counts[target] += count;
                expected[target] += offsets[target].exp();
            }
        }
        let mut weights = PoissonWeights::zero(self.covariates.columns, targets);
        for ((intercept, count), expected) in weights.intercepts.iter_mut().zip(counts).zip(expected) {
            if count > 0.0 && expected > 0.0 {
                *intercept = (count / expected).ln();
            }
        }
        weights
    }

    /// Mean negative log-likelihood, and its gradient `[column and intercept, place]`, at the points that are tried.
    fn evaluate(&self, active: &[&mut TargetDescent]) -> (Vec<f64>, Mat<f64>) {
        let (columns, count) = (self.covariates.columns, active.len());
        let targets: Vec<usize> = active.iter().map(|target| target.target).collect();
        let weights = Mat::from_fn(columns, count, |column, place| active[place].descent.trial[column]);
        let intercepts: Vec<f64> = active.iter().map(|target| target.descent.trial[columns]).collect();
        let all = self.hidden.targets();
        let offsets: Vec<f64> =
            self.offsets.chunks(all).flat_map(|row| targets.iter().map(|target| row[*target])).collect();
        // Log-rates first, then, in place, the derivative of the likelihood by them.
        let scale = 1.0 / self.covariates.rows as f64;
        let mut residuals = self.covariates.times_then(weights.as_ref(), |first, piece| {
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
                    for ((value, log_rate), count) in values.iter_mut().zip(log_rates).zip(counts_of(row)) {
                        if !count.is_nan() {
                            *value -= count * log_rate;
                        }
                    }
                }
                exponentials(log_rates);
                for (row, rates) in log_rates.chunks_mut(count).enumerate() {
                    for ((value, rate), count) in values.iter_mut().zip(rates).zip(counts_of(row)) {
                        if count.is_nan() {
                            *rate = 0.0;
                            continue;
                        }
                        *value += *rate;
                        *rate = (*rate - count) * scale;
                    }
                }
                values
            })
            .collect();
        let value = |place: usize| {
            let sum = values.iter().map(|piece| piece[place]).sum::<f64>();
            (sum - self.prior_count * intercepts[place]) * scale
        };
        let of_weights = self.covariates.transposed_times(&residuals, count);
        let mut gradients = Mat::zeros(columns + 1, count);
        gradients.as_mut().subrows_mut(0, columns).copy_from(&of_weights);
        (0..count).for_each(|place| gradients[(columns, place)] = -self.prior_count * scale);
        for row in residuals.chunks(count) {
            row.iter().enumerate().for_each(|(place, residual)| gradients[(columns, place)] += residual);
        }
        ((0..count).map(value).collect(), gradients)
    }

    /// Finds where to go next from the points just reached, or that they are good enough.
    fn turn(&self, moved: &mut [&mut TargetDescent], penalty: f64, tolerance: f64) {
        let columns = self.covariates.columns;
        moved.par_iter_mut().for_each(|target| target.begin_direction());
        // Rounding in old pairs can spoil a direction: then one more without them.
        for _ in 0..2 {
            let undecided: Vec<usize> = (0..moved.len()).filter(|place| !moved[*place].is_decided).collect();
            if undecided.is_empty() {
                return;
            }
            let right = Mat::from_fn(columns, undecided.len(), |column, place| {
                moved[undecided[place]].descent.direction[column]
            });
            let rates: Vec<f64> = undecided.iter().map(|place| moved[*place].rate).collect();
            let solved = self.gram.solve(&right, &rates, penalty);
            for (column, place) in undecided.into_iter().enumerate() {
                let target = &mut *moved[place];
                let hidden = self.hidden.from_target(target.target);
                target.end_direction(solved.col_as_slice(column), hidden, tolerance);
            }
        }
    }
}

/// The descent of one target.
struct TargetDescent {
    target: usize,
    /// Mean count per row.
    rate: f64,
    /// Weights and, last, the intercept.
    descent: Descent,
    verdict: Verdict,
    is_decided: bool,
    is_done: bool,
}

impl TargetDescent {
    fn new(start: &PoissonWeights, target: usize, rate: f64, is_done: bool) -> Self {
        let mut point = start.weights.col_as_slice(target).to_vec();
        point.push(start.intercepts[target]);
        Self {
            target,
            rate,
            descent: Descent::new(point, RULE),
            verdict: Verdict::Retry,
            is_decided: false,
            is_done,
        }
    }

    /// Takes the likelihood at the trial point and its gradient, and penalises both.
    fn judge(&mut self, value: f64, gradient: &[f64], penalty: f64, hidden: &[usize]) {
        let weights = &self.descent.trial[..gradient.len() - 1];
        let squares: f64 = weights.iter().map(|weight| weight * weight).sum();
        let mut gradient = gradient.to_vec();
        gradient.iter_mut().zip(weights).for_each(|(slope, weight)| *slope += penalty * weight);
        hidden.iter().for_each(|column| gradient[*column] = 0.0);
        self.verdict = self.descent.judge(value + 0.5 * penalty * squares, &gradient);
        self.is_done = self.verdict == Verdict::Stuck;
    }

    fn begin_direction(&mut self) {
        self.is_decided = false;
        self.descent.begin_direction();
    }

    /// Ends it with the preconditioned weights.
    fn end_direction(&mut self, solved: &[f64], hidden: &[usize], tolerance: f64) {
        let columns = solved.len();
        self.descent.direction[..columns].copy_from_slice(solved);
        // Leaving out rows and columns of the inverse keeps it positive definite.
        hidden.iter().for_each(|column| self.descent.direction[*column] = 0.0);
        self.descent.direction[columns] /= self.rate;
        self.descent.end_direction();
        self.is_decided = self.descent.slope < 0.0 || !self.descent.forget();
        if !self.is_decided {
            self.descent.begin_direction();
            return;
        }
        // Half the slope is what a quadratic objective would fall by.
        self.is_done = -0.5 * self.descent.slope <= tolerance * self.rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::{assert_close, covariates, hidden, numbers, problem};

    /// Fits the fixture's problem with every penalty, from the fit before, and hands each to `check`.
    fn fits(offset: f64, mut check: impl FnMut(&serde_json::Value, &PoissonWeights)) {
        let problem = problem("poisson");
        let (covariates, counts) = (covariates(&problem), numbers(&problem["counts"]));
        let hidden = hidden();
        let regressions = PoissonRegressions {
            covariates: &covariates,
            gram: &Gram::of(&covariates).unwrap(),
            counts: &counts,
            prior_count: 0.0,
            offsets: &vec![offset; hidden.targets()],
            hidden: &hidden,
        };
        let mut weights = PoissonWeights::zero(covariates.columns, hidden.targets());
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
        let regressions = PoissonRegressions {
            covariates: &covariates,
            gram: &Gram::of(&covariates).unwrap(),
            counts: &[0.0; 4],
            prior_count: 0.0,
            offsets: &[-3.0],
            hidden: &HiddenColumns::none(1),
        };
        let found = regressions.fit(0.1, &PoissonWeights::zero(1, 1), 1e-9);
        assert_eq!(found.log_rates(&covariates, &[-3.0]), [-3.0; 4]);
    }

    /// The problem of the fixture with two more rows, whose counts are missing, has the same solution but for the number of
    /// rows that the mean is over.
    #[test]
    fn missing_counts_are_as_if_the_rows_were_not_there() {
        let problem = problem("poisson");
        let (mut x, mut counts) = (covariates(&problem), numbers(&problem["counts"]));
        let hidden = hidden();
        let (rows, gram) = (x.rows, Gram::of(&x).unwrap());
        x.values.extend(vec![3.0; 2 * x.columns]);
        x.rows += 2;
        counts.extend(vec![f64::NAN; 2 * hidden.targets()]);
        let regressions = PoissonRegressions {
            covariates: &x,
            gram: &gram,
            counts: &counts,
            prior_count: 0.0,
            offsets: &vec![0.0; hidden.targets()],
            hidden: &hidden,
        };
        let fit = &problem["fits"][1];
        let penalty = fit["penalty"].as_f64().unwrap() * rows as f64 / x.rows as f64;
        let found = regressions.fit(penalty, &regressions.without_covariates(), 1e-16);
        for (target, expected) in fit["targets"].as_array().unwrap().iter().enumerate() {
            let name = format!("target {target}");
            assert_close(found.weights.col_as_slice(target), &numbers(&expected["weights"]), 1e-6, &name);
        }
    }

    #[test]
    fn without_covariates_rates_give_the_counts() {
        let x = Covariates { rows: 4, columns: 1, values: vec![1.0, -1.0, 2.0, -2.0] };
        let missing = f64::NAN;
        // Offsets ln 1 and ln 3 in turn. Target 0: 5 counts and a half where 1 + 3 + 1 are expected. Target 1 never counts,
        // and nothing is known of target 2.
        let offsets = [0.0, 0.0, 0.0, 3f64.ln(), 3f64.ln(), 3f64.ln()];
        let counts = [0.0, 0.0, missing, 4.0, 0.0, missing, 1.0, 0.0, missing, missing, 0.0, missing];
        let regressions = PoissonRegressions {
            covariates: &x,
            gram: &Gram::of(&x).unwrap(),
            counts: &counts,
            prior_count: 0.5,
            offsets: &offsets,
            hidden: &HiddenColumns::none(3),
        };
        let start = regressions.without_covariates();
        assert_close(
            &start.intercepts,
            &[(5.5f64 / 5.0).ln(), (0.5f64 / 8.0).ln(), 0.0],
            1e-14,
            "intercepts",
        );
        // A penalty beyond all measure leaves them.
        let found = regressions.fit(1e12, &start, 1e-12);
        assert_close(&found.intercepts, &start.intercepts, 1e-9, "with a strong penalty");
    }
}
