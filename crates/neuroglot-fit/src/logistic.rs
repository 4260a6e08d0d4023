//! Logistic regression between two classes, with the penalty chosen by cross-validation.

use faer::linalg::matmul::matmul;
use faer::{Accum, ColMut, ColRef, Par};

use crate::folds::stratified_k_fold;
use crate::lbfgs::minimise;
use crate::loss::logistic_loss;
use crate::principal_scores::PrincipalScores;
use crate::selection::{check_grid, first_best, mean_scores};
use crate::{Criterion, FitError, SampleProducts};

/// Relative distance to the minimum at which a fit has converged. The curvature of the penalty is 1, so the gradient
/// bounds the error of the weights.
const TOLERANCE: f64 = 1e-9;

/// The same, at which a fit that rounding keeps from converging further is still good for predictions.
const ACCEPTABLE: f64 = 1e-5;

const MAX_STEPS: usize = 10_000;

/// Two-class logistic regression that minimises `½ ‖w‖² + C Σ ln(1 + exp(−s (x·w + b)))`, where `s` is 1 for samples
/// labelled true and −1 for the others, with the intercept `b` unpenalised; C chosen by cross-validation over
/// stratified folds.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticCv {
    /// The inverse penalties C to choose from, each positive; the first of equally good ones wins.
    pub inverse_penalties: Vec<f64>,
    /// Number of cross-validation folds.
    pub folds: usize,
    /// What C is chosen by.
    pub criterion: Criterion,
}

/// The penalty chosen, and what it predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct LogisticFit {
    /// The inverse penalty C with the best mean score, used for the predictions.
    pub inverse_penalty: f64,
    /// Mean cross-validated score of each inverse penalty, in the order of the grid.
    pub mean_scores: Vec<f64>,
    /// Log-odds of true, of which a probability may be rounded to 0 or 1: `[test sample]`.
    pub margins: Vec<f64>,
}

impl Default for LogisticCv {
    /// The grid that MtM reports: C of 1e-4, 1e-3, … 1e4, 4 folds, by accuracy.
    fn default() -> Self {
        let inverse_penalties = vec![1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2, 1e3, 1e4];
        Self { inverse_penalties, folds: 4, criterion: Criterion::Accuracy }
    }
}

impl LogisticCv {
    /// Fits `labels` `[training sample]` and predicts the test samples.
    ///
    /// # Errors
    /// If there is not one label per training sample, a class has fewer training samples than there are folds, the grid is
    /// empty or holds a value that is not positive, or a fit does not converge.
    pub fn fit_predict(&self, products: &SampleProducts, labels: &[bool]) -> Result<LogisticFit, FitError> {
        check_grid("inverse_penalties", &self.inverse_penalties, |value| value > 0.0, "above 0")?;
        let samples = products.train_samples();
        if labels.len() != samples {
            return Err(FitError::target_count(labels.len(), samples, 1));
        }
        let pick = |samples: &[usize]| samples.iter().map(|&sample| labels[sample]).collect::<Vec<bool>>();

        let splits = stratified_k_fold(labels, self.folds)?;
        let mean_scores = mean_scores(products, &splits, |scores, split| {
            let mut regression = Regression::new(&scores, &pick(&split.train));
            let truth = pick(&split.test);
            let score = |penalty: &f64| {
                regression.fit(*penalty)?;
                let margins = regression.margins();
                Ok(match self.criterion {
                    Criterion::Accuracy => accuracy(&truth, &margins),
                    Criterion::Likelihood => log_likelihood(&truth, &margins),
                })
            };
            self.inverse_penalties.iter().map(score).collect()
        })?;
        let inverse_penalty = self.inverse_penalties[first_best(&mean_scores)];

        let scores = PrincipalScores::of_all(products)?;
        let mut regression = Regression::new(&scores, labels);
        regression.fit(inverse_penalty)?;
        Ok(LogisticFit { inverse_penalty, mean_scores, margins: regression.margins() })
    }
}

/// The regressions of all penalties on the same samples, each started from the one before.
struct Regression<'a> {
    scores: &'a PrincipalScores,
    /// 1 for true, −1 for false: `[fitted sample]`.
    signs: Vec<f64>,
    /// The weights `[component]`, followed by the intercept.
    parameters: Vec<f64>,
}

impl<'a> Regression<'a> {
    fn new(scores: &'a PrincipalScores, labels: &[bool]) -> Self {
        Self {
            scores,
            signs: labels.iter().map(|&label| if label { 1.0 } else { -1.0 }).collect(),
            parameters: vec![0.0; scores.variance.len() + 1],
        }
    }

    fn fit(&mut self, inverse_penalty: f64) -> Result<(), FitError> {
        let fitted = self.scores.fitted.as_ref();
        let signs = &self.signs;
        let mut margins = vec![0.0; signs.len()];
        let objective = |parameters: &[f64], gradient: &mut [f64]| {
            let (intercept, weights) = parameters.split_last().expect("the intercept is always there");
            margins.fill(*intercept);
            let column = ColMut::from_slice_mut(&mut margins);
            matmul(column, Accum::Add, fitted, ColRef::from_slice(weights), 1.0, Par::Seq);

            let mut loss = 0.0;
            for (margin, sign) in margins.iter_mut().zip(signs) {
                let signed = sign * *margin;
                loss += logistic_loss(signed);
                // From here on the derivative of the loss by the margin.
                *margin = -sign * probability(-signed);
            }
            let (gradient_intercept, gradient_weights) =
                gradient.split_last_mut().expect("the intercept is always there");
            *gradient_intercept = inverse_penalty * margins.iter().sum::<f64>();
            gradient_weights.copy_from_slice(weights);
            let column = ColMut::from_slice_mut(gradient_weights);
            let derivative = ColRef::from_slice(&margins);
            matmul(column, Accum::Add, fitted.transpose(), derivative, inverse_penalty, Par::Seq);
            0.5 * weights.iter().map(|weight| weight * weight).sum::<f64>() + inverse_penalty * loss
        };

        // At the origin the loss has curvature ¼, and principal scores make the second derivative diagonal.
        let intercept_curvature = inverse_penalty * signs.len() as f64 / 4.0;
        let curvature: Vec<f64> = (self.scores.variance.iter())
            .map(|variance| 1.0 + inverse_penalty * variance / 4.0)
            .chain([intercept_curvature])
            .collect();
        let minimum = minimise(objective, self.parameters.clone(), &curvature, TOLERANCE, MAX_STEPS);
        if minimum.relative_distance > ACCEPTABLE {
            return Err(FitError::not_converged(inverse_penalty, minimum.relative_distance));
        }
        self.parameters = minimum.point;
        Ok(())
    }

    /// Log-odds of true for the scored samples: `[scored sample]`.
    fn margins(&self) -> Vec<f64> {
        let (intercept, weights) = self.parameters.split_last().expect("the intercept is always there");
        let scored = self.scores.scored.as_ref();
        let mut margins = vec![*intercept; scored.nrows()];
        let column = ColMut::from_slice_mut(&mut margins);
        matmul(column, Accum::Add, scored, ColRef::from_slice(weights), 1.0, Par::Seq);
        margins
    }
}

/// The probability of true at some log-odds of it: the logistic function, without overflow and without cancellation at
/// either end.
pub fn probability(log_odds: f64) -> f64 {
    if log_odds >= 0.0 { 1.0 / (1.0 + (-log_odds).exp()) } else { log_odds.exp() / (1.0 + log_odds.exp()) }
}

fn accuracy(truth: &[bool], margins: &[f64]) -> f64 {
    let right = truth.iter().zip(margins).filter(|&(&truth, &margin)| truth == (margin > 0.0)).count();
    right as f64 / truth.len() as f64
}

/// The mean over samples.
fn log_likelihood(truth: &[bool], margins: &[f64]) -> f64 {
    let signed = truth.iter().zip(margins).map(|(&truth, &margin)| if truth { margin } else { -margin });
    -signed.map(logistic_loss).sum::<f64>() / truth.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Features;

    /// Of one feature.
    fn products(train: &[f32], test: &[f32]) -> SampleProducts {
        let [train, test] = [train, test].map(|values| Features::new(values, 1).unwrap());
        SampleProducts::new(train, test).unwrap()
    }

    #[test]
    fn the_likelihood_prefers_what_is_sure_where_all_are_right() {
        let products = products(&[-2.0, -1.9, -1.8, -1.7, 2.0, 1.9, 1.8, 1.7], &[0.0]);
        let chosen = |criterion| {
            let search = LogisticCv { criterion, ..LogisticCv::default() };
            search.fit_predict(&products, &HALVES).unwrap().inverse_penalty
        };
        // Any penalty decides rightly, and the first of equals is the strongest.
        assert_eq!((chosen(Criterion::Accuracy), chosen(Criterion::Likelihood)), (1e-4, 1e4));
    }

    const HALVES: [bool; 8] = [false, false, false, false, true, true, true, true];

    #[test]
    fn one_feature_satisfies_the_optimality_condition() {
        // x = ±1, labels by sign, b = 0 by symmetry: w = C · 8 · 1 / (1 + e^w), a scalar equation; C = 1 here.
        let x = [-1.0, -1.0, -1.0, -1.0, 1.0, 1.0, 1.0, 1.0];
        let search = LogisticCv { inverse_penalties: vec![1.0], folds: 4, ..LogisticCv::default() };
        let fit = search.fit_predict(&products(&x, &[1.0, -2.0]), &HALVES).unwrap();
        let weight = fit.margins[0];
        assert!((weight - 8.0 / (1.0 + weight.exp())).abs() < 1e-7, "{weight}");
        assert!((fit.margins[1] + 2.0 * weight).abs() < 1e-8);
        assert_eq!(fit.mean_scores, [1.0]);
    }

    #[test]
    fn the_intercept_is_not_penalised() {
        // Features that say nothing: the probability is the share of true, however strong the penalty.
        let labels = [true, false, true, true, true, false, true, true];
        let search = LogisticCv { inverse_penalties: vec![1e-4], folds: 2, ..LogisticCv::default() };
        let fit = search.fit_predict(&products(&[3.0; 8], &[3.0]), &labels).unwrap();
        assert!((probability(fit.margins[0]) - 0.75).abs() < 1e-8);
    }

    #[test]
    fn the_logistic_function_at_both_ends() {
        assert_eq!(probability(0.0), 0.5);
        assert_eq!(probability(800.0), 1.0);
        assert_eq!(probability(-800.0), 0.0);
        assert!((probability(-50.0) / (-50.0_f64).exp() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let search = LogisticCv::default();
        let refused = |labels: &[bool], said: &str| {
            let error = search.fit_predict(&products(&[0.0; 8], &[]), labels).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        };
        refused(&[true; 8], "labels: all 8 training samples are of one class;");
        refused(
            &[true, true, true, true, true, false, false, false],
            "labels: only 3 training samples are false, fewer than the 4 folds;",
        );
        refused(&HALVES[..7], "targets: 7 values for 8 training samples of 1 outputs;");
        let none = LogisticCv { inverse_penalties: vec![0.0], folds: 4, ..LogisticCv::default() };
        let error = none.fit_predict(&products(&[0.0; 8], &[]), &HALVES).unwrap_err();
        assert_eq!(error.to_string(), "inverse_penalties: 0 is out of range; give finite values above 0");
    }
}
