//! Logistic regression between any number of classes, with the penalty chosen by cross-validation.

use faer::MatRef;

use crate::folds::stratified_k_fold;
use crate::lbfgs::minimise;
use crate::principal_scores::PrincipalScores;
use crate::row_major::{add_product, rows};
use crate::selection::{check_grid, first_best, mean_scores};
use crate::{Criterion, FitError, SampleProducts};

/// Relative distance to the minimum at which a fit has converged.
const TOLERANCE: f64 = 1e-7;

/// The same, at which a fit that rounding keeps from converging further is still good for predictions.
const ACCEPTABLE: f64 = 1e-4;

const MAX_STEPS: usize = 10_000;

/// Logistic regression between any number of classes, which minimises `½ ‖W‖² − C Σ ln p(class of sample)` with
/// `p = softmax(x·W + b)` and the intercepts `b` unpenalised; C chosen by cross-validation over stratified folds.
#[derive(Clone, Debug, PartialEq)]
pub struct MultinomialCv {
    /// The inverse penalties C to choose from, each positive; the first of equally good ones wins.
    pub inverse_penalties: Vec<f64>,
    /// Number of cross-validation folds.
    pub folds: usize,
    /// What C is chosen by.
    pub criterion: Criterion,
}

/// The penalty chosen, and what it predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct MultinomialFit {
    /// The inverse penalty C with the best mean score, used for the predictions.
    pub inverse_penalty: f64,
    /// Probability of each class, `[test sample, class]`; 0 of a class without a training sample.
    pub probabilities: Vec<f64>,
}

impl Default for MultinomialCv {
    /// C of 1e-4, 1e-3, … 1e2, 4 folds, by accuracy.
    fn default() -> Self {
        let inverse_penalties = vec![1e-4, 1e-3, 1e-2, 1e-1, 1e0, 1e1, 1e2];
        Self { inverse_penalties, folds: 4, criterion: Criterion::Accuracy }
    }
}

impl MultinomialCv {
    /// Fits the classes `[training sample]`, numbers below `classes`, and predicts the test samples.
    ///
    /// # Errors
    /// If there is not one class per training sample, fewer than two of them occur, one that occurs has fewer training
    /// samples than there are folds, the grid is empty or holds a value that is not positive, or a fit does not
    /// converge.
    ///
    /// # Panics
    /// If a sample's class is `classes` or more.
    pub fn fit_predict(
        &self,
        products: &SampleProducts,
        class_of: &[usize],
        classes: usize,
    ) -> Result<MultinomialFit, FitError> {
        check_grid("inverse_penalties", &self.inverse_penalties, |value| value > 0.0, "above 0")?;
        let samples = products.train_samples();
        if class_of.len() != samples {
            return Err(FitError::target_count(class_of.len(), samples, 1));
        }
        assert!(class_of.iter().all(|class| *class < classes), "classes are numbers below {classes}");
        // Classes that do not occur would have intercepts of −∞.
        let occurring: Vec<usize> = (0..classes).filter(|class| class_of.contains(class)).collect();
        let places: Vec<usize> = class_of
            .iter()
            .map(|class| occurring.iter().position(|other| other == class).expect("it occurs"))
            .collect();
        let pick = |samples: &[usize]| samples.iter().map(|&sample| places[sample]).collect::<Vec<usize>>();

        let splits = stratified_k_fold(&places, self.folds)?;
        let mean_scores = mean_scores(products, &splits, |scores, split| {
            let mut regression = Regression::new(&scores, &pick(&split.train), occurring.len());
            let truth = pick(&split.test);
            let score = |penalty: &f64| {
                regression.fit(*penalty)?;
                let probabilities = regression.probabilities();
                Ok(match self.criterion {
                    Criterion::Accuracy => accuracy(&truth, &probabilities, occurring.len()),
                    Criterion::Likelihood => log_likelihood(&truth, &probabilities, occurring.len()),
                })
            };
            self.inverse_penalties.iter().map(score).collect()
        })?;
        let inverse_penalty = self.inverse_penalties[first_best(&mean_scores)];

        let scores = PrincipalScores::of_all(products)?;
        let mut regression = Regression::new(&scores, &places, occurring.len());
        regression.fit(inverse_penalty)?;
        let mut probabilities = vec![0.0; products.test_samples() * classes];
        for (row, found) in
            probabilities.chunks_mut(classes).zip(regression.probabilities().chunks(occurring.len()))
        {
            occurring.iter().zip(found).for_each(|(class, found)| row[*class] = *found);
        }
        Ok(MultinomialFit { inverse_penalty, probabilities })
    }
}

/// The regressions of all penalties on the same samples, each started from the one before.
struct Regression<'a> {
    scores: &'a PrincipalScores,
    class_of: Vec<usize>,
    classes: usize,
    /// Weights `[component, class]`, followed by the intercepts `[class]`.
    parameters: Vec<f64>,
}

impl<'a> Regression<'a> {
    fn new(scores: &'a PrincipalScores, class_of: &[usize], classes: usize) -> Self {
        let parameters = vec![0.0; (scores.variance.len() + 1) * classes];
        Self { scores, class_of: class_of.to_vec(), classes, parameters }
    }

    fn fit(&mut self, inverse_penalty: f64) -> Result<(), FitError> {
        let (classes, class_of) = (self.classes, &self.class_of);
        let components = self.scores.variance.len();
        let objective = |parameters: &[f64], gradient: &mut [f64]| {
            let mut slopes = logits(self.scores.fitted.as_ref(), parameters, classes);
            let mut loss = 0.0;
            for (row, class) in slopes.chunks_mut(classes).zip(class_of) {
                let own = row[*class];
                loss += softmax(row) - own;
                row[*class] -= 1.0;
            }
            let (weights, _) = parameters.split_at(components * classes);
            let (by_weights, by_intercepts) = gradient.split_at_mut(components * classes);
            by_weights.copy_from_slice(weights);
            add_product(by_weights, self.scores.fitted.transpose(), rows(&slopes, classes), inverse_penalty);
            for (class, slope) in by_intercepts.iter_mut().enumerate() {
                *slope = inverse_penalty * slopes.iter().skip(class).step_by(classes).sum::<f64>();
            }
            0.5 * weights.iter().map(|weight| weight * weight).sum::<f64>() + inverse_penalty * loss
        };
        // At the origin each class has the same probability, and principal scores make the second derivative diagonal.
        let share = 1.0 / classes as f64;
        let uncertainty = inverse_penalty * share * (1.0 - share);
        let of_components = self.scores.variance.iter().map(|variance| 1.0 + uncertainty * variance);
        let curvature: Vec<f64> = of_components
            .chain([uncertainty * class_of.len() as f64])
            .flat_map(|curvature| vec![curvature; classes])
            .collect();
        let minimum = minimise(objective, self.parameters.clone(), &curvature, TOLERANCE, MAX_STEPS);
        let relative_distance = minimum.relative_distance;
        if relative_distance > ACCEPTABLE {
            return Err(FitError::not_converged(inverse_penalty, relative_distance));
        }
        self.parameters = minimum.point;
        Ok(())
    }

    /// Of the scored samples, `[scored sample, class]`.
    fn probabilities(&self) -> Vec<f64> {
        let mut rows = logits(self.scores.scored.as_ref(), &self.parameters, self.classes);
        rows.chunks_mut(self.classes).for_each(|row| {
            softmax(row);
        });
        rows
    }
}

/// `x·W + b`, `[sample, class]`.
fn logits(samples: MatRef<'_, f64>, parameters: &[f64], classes: usize) -> Vec<f64> {
    let (weights, intercepts) = parameters.split_at(parameters.len() - classes);
    let mut logits = intercepts.repeat(samples.nrows());
    add_product(&mut logits, samples, rows(weights, classes), 1.0);
    logits
}

/// Makes probabilities of logits, and returns the logarithm of the sum of their exponentials.
pub fn softmax(logits: &mut [f64]) -> f64 {
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
    logits.iter_mut().for_each(|logit| *logit = (*logit - largest).exp() / sum);
    largest + sum.ln()
}

/// Place of the largest value, the first of equals.
pub fn most_probable(probabilities: &[f64]) -> usize {
    first_best(probabilities)
}

fn accuracy(truth: &[usize], probabilities: &[f64], classes: usize) -> f64 {
    let decided = probabilities.chunks(classes).map(most_probable);
    truth.iter().zip(decided).filter(|(truth, decided)| **truth == *decided).count() as f64
        / truth.len() as f64
}

/// The mean over samples; no probability counts as less than what a double can hold.
fn log_likelihood(truth: &[usize], probabilities: &[f64], classes: usize) -> f64 {
    let own = truth.iter().zip(probabilities.chunks(classes)).map(|(class, row)| row[*class]);
    own.map(|probability| probability.max(f64::MIN_POSITIVE).ln()).sum::<f64>() / truth.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Features, LogisticCv};

    #[test]
    fn three_groups_are_told_apart_and_a_class_without_samples_is_never_chosen() {
        let train: Vec<f32> = (0..24).flat_map(|s| [[0.0, 3.0], [3.0, 0.0], [-3.0, -3.0]][s % 3]).collect();
        let test = [0.1, 2.5, 2.5, -0.1, -2.0, -2.0];
        let products =
            SampleProducts::new(Features::new(&train, 2).unwrap(), Features::new(&test, 2).unwrap()).unwrap();
        let classes: Vec<usize> = (0..24).map(|sample| [0, 1, 3][sample % 3]).collect();
        let fit = MultinomialCv::default().fit_predict(&products, &classes, 4).unwrap();
        let decided: Vec<usize> = fit.probabilities.chunks(4).map(most_probable).collect();
        assert_eq!(decided, [0, 1, 3]);
        for row in fit.probabilities.chunks(4) {
            assert_eq!(row[2], 0.0);
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        let one = MultinomialCv::default().fit_predict(&products, &[1; 24], 4);
        assert!(one.unwrap_err().problem.starts_with("all 24 training samples are of one class;"));
    }

    /// SciPy's BFGS on the same objective with its gradient written out, to a gradient of 5e-11.
    #[test]
    fn probabilities_of_three_classes_are_those_that_scipy_finds() {
        let train = [
            0.5, 1.0, 1.0, -0.5, 2.0, 0.25, -1.0, 1.5, 0.0, 0.75, 1.5, 2.0, -0.5, -1.0, 0.25, -2.0, -2.0,
            0.5, 1.0, 1.0, -1.5, -0.25, 0.75, -1.25,
        ];
        let test = [0.5, 0.5, -1.0, -1.0, 2.0, 1.5];
        let expected = [
            0.3623934956,
            0.2448481276,
            0.3927583769,
            0.2167461314,
            0.59465497,
            0.1885988986,
            0.3581413507,
            0.0928139041,
            0.5490447452,
        ];
        let products =
            SampleProducts::new(Features::new(&train, 2).unwrap(), Features::new(&test, 2).unwrap()).unwrap();
        let classes: Vec<usize> = (0..12).map(|sample| sample % 3).collect();
        let search = MultinomialCv { inverse_penalties: vec![2.0], folds: 2, ..MultinomialCv::default() };
        let fit = search.fit_predict(&products, &classes, 3).unwrap();
        for (found, expected) in fit.probabilities.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{:?}", fit.probabilities);
        }
    }

    /// With two classes, weights of opposite sign share the penalty: `½ ‖W‖²` is `¼ ‖w‖²` of the difference `w`, so C is
    /// that of two-class regression halved.
    #[test]
    fn two_classes_are_logistic_regression() {
        let train: Vec<f32> =
            (0..16).map(|s| [0.5, -1.0, 2.0, -0.25, 1.5, 0.75, -2.0, 0.1][s % 8] + s as f32 * 0.01).collect();
        let labels: Vec<bool> =
            (0..16).map(|s| [true, false, true, false, false, true, false, true][s % 8]).collect();
        let test = [-1.0, 0.2, 1.0];
        let products =
            SampleProducts::new(Features::new(&train, 1).unwrap(), Features::new(&test, 1).unwrap()).unwrap();
        let two = LogisticCv { inverse_penalties: vec![2.0], folds: 2, ..LogisticCv::default() };
        let two = two.fit_predict(&products, &labels).unwrap();
        let classes: Vec<usize> = labels.iter().map(|label| usize::from(*label)).collect();
        let many = MultinomialCv { inverse_penalties: vec![1.0], folds: 2, ..MultinomialCv::default() };
        let many = many.fit_predict(&products, &classes, 2).unwrap();
        for (sample, margin) in two.margins.iter().enumerate() {
            let (probability, found) = (1.0 / (1.0 + (-margin).exp()), many.probabilities[2 * sample + 1]);
            assert!((found - probability).abs() < 1e-5, "{found} {probability}");
        }
    }

    #[test]
    fn probabilities_do_not_overflow() {
        let mut logits = [1000.0, 1000.0, -1000.0];
        let total = softmax(&mut logits);
        assert_eq!(logits, [0.5, 0.5, 0.0]);
        assert!((total - (1000.0 + 2.0_f64.ln())).abs() < 1e-9);
    }
}
