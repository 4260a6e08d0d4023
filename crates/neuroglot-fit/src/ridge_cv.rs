//! Ridge regression with the penalty chosen by cross-validation.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, Par};
use neuroglot_metrics::r2;

use crate::folds::k_fold;
use crate::principal_scores::PrincipalScores;
use crate::selection::{check_grid, first_best, mean_scores};
use crate::{FitError, Gram, SampleProducts};

/// Linear regression that minimises `Σ (y − X w − b)² + α ‖w‖²` with the intercept `b` unpenalised, α chosen by
/// cross-validated R² (averaged over outputs, then over consecutive folds); with α = 0 the solution of smallest norm.
#[derive(Clone, Debug, PartialEq)]
pub struct RidgeCv {
    /// The penalties α to choose from, each at least 0; the first of equally good ones wins.
    pub alphas: Vec<f64>,
    /// Number of cross-validation folds.
    pub folds: usize,
}

/// The penalty chosen, and what it predicts.
#[derive(Clone, Debug, PartialEq)]
pub struct RidgeFit {
    /// The penalty with the best mean score, used for the predictions.
    pub alpha: f64,
    /// Mean cross-validated R² of each penalty, in the order of the grid.
    pub mean_scores: Vec<f64>,
    /// Predictions for the test samples, in the unit of the targets: `[test sample, output]`.
    pub predictions: Vec<f64>,
}

impl Default for RidgeCv {
    /// The grid that MtM reports: α of 0, 10, 100, 1000 and 10 000, 4 folds.
    fn default() -> Self {
        Self { alphas: vec![0.0, 1e1, 1e2, 1e3, 1e4], folds: 4 }
    }
}

impl RidgeCv {
    /// Fits `targets` `[training sample, output]` and predicts the test samples.
    ///
    /// # Errors
    /// If the targets are not finite or not one row per training sample, there are fewer than two training samples per
    /// fold, or the grid is empty or holds a negative penalty.
    pub fn fit_predict(
        &self,
        products: &SampleProducts,
        targets: &[f64],
        outputs: usize,
    ) -> Result<RidgeFit, FitError> {
        check_grid("alphas", &self.alphas, |alpha| alpha >= 0.0, "of at least 0")?;
        check_targets(targets, products.train_samples(), outputs)?;
        let pick = |samples: &[usize]| {
            Mat::from_fn(samples.len(), outputs, |row, output| targets[samples[row] * outputs + output])
        };

        let splits = k_fold(products.train_samples(), self.folds)?;
        let mean_scores = mean_scores(products, &splits, |scores, split| {
            let regression = Regression::new(scores, pick(&split.train));
            let truth = pick(&split.test);
            Ok(self.alphas.iter().map(|&alpha| score(&truth, &regression.predict(alpha))).collect())
        })?;
        let alpha = self.alphas[first_best(&mean_scores)];

        let all: Vec<usize> = (0..products.train_samples()).collect();
        let predictions = Regression::new(PrincipalScores::of_all(products)?, pick(&all)).predict(alpha);
        let predictions = (0..predictions.nrows())
            .flat_map(|row| predictions.row(row).iter().copied().collect::<Vec<f64>>())
            .collect();
        Ok(RidgeFit { alpha, mean_scores, predictions })
    }
}

fn check_targets(targets: &[f64], samples: usize, outputs: usize) -> Result<(), FitError> {
    if outputs == 0 || Some(targets.len()) != samples.checked_mul(outputs) {
        return Err(FitError::target_count(targets.len(), samples, outputs));
    }
    match targets.iter().position(|target| !target.is_finite()) {
        Some(index) => {
            let problem = format!(
                "sample {}, output {} is {}; leave out trials whose behaviour is missing",
                index / outputs,
                index % outputs,
                targets[index]
            );
            Err(FitError::new("targets", problem))
        }
        None => Ok(()),
    }
}

/// The regressions of all penalties on the same samples.
struct Regression {
    /// `[scored sample, component]`.
    scored: Mat<f64>,
    /// Principal scores are decorrelated.
    gram: Gram,
    /// Products of components and centred targets: `[component, output]`.
    covariance: Mat<f64>,
    /// Mean target: `[output]`.
    intercept: Vec<f64>,
}

impl Regression {
    /// `targets`: `[fitted sample, output]`.
    fn new(scores: PrincipalScores, mut targets: Mat<f64>) -> Self {
        let samples = targets.nrows() as f64;
        let intercept: Vec<f64> =
            (0..targets.ncols()).map(|output| targets.col(output).iter().sum::<f64>() / samples).collect();
        for output in 0..targets.ncols() {
            targets.col_mut(output).iter_mut().for_each(|target| *target -= intercept[output]);
        }
        let mut covariance = Mat::zeros(scores.variance.len(), targets.ncols());
        let components = scores.fitted.transpose();
        matmul(covariance.as_mut(), Accum::Replace, components, targets.as_ref(), 1.0, Par::Seq);
        let PrincipalScores { scored, variance, .. } = scores;
        Self { scored, gram: Gram::of_decorrelated(variance), covariance, intercept }
    }

    /// Predictions for the scored samples: `[scored sample, output]`.
    fn predict(&self, alpha: f64) -> Mat<f64> {
        let weights = self.gram.solve(&self.covariance, &vec![1.0; self.intercept.len()], alpha);
        let scored = self.scored.as_ref();
        let mut predictions =
            Mat::from_fn(scored.nrows(), weights.ncols(), |_, output| self.intercept[output]);
        matmul(predictions.as_mut(), Accum::Add, scored, weights.as_ref(), 1.0, Par::Seq);
        predictions
    }
}

/// R² averaged over outputs. An output that does not vary counts 1 if it is predicted exactly and 0 if not, as in
/// scikit-learn's `r2_score`.
fn score(truth: &Mat<f64>, prediction: &Mat<f64>) -> f64 {
    let of_output = |output: usize| {
        let truth: Vec<f64> = truth.col(output).iter().copied().collect();
        let prediction: Vec<f64> = prediction.col(output).iter().copied().collect();
        r2(&truth, &prediction).unwrap_or(f64::from(truth == prediction))
    };
    (0..truth.ncols()).map(of_output).sum::<f64>() / truth.ncols() as f64
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
    fn one_feature_by_hand() {
        // x = −2, −1, 1, 2 (mean 0, Σx² = 10), y = 1 + 3x: w = 30 / (10 + α), b = mean y = 1.
        let x = [-2.0, -1.0, 1.0, 2.0];
        let y = [-5.0, -2.0, 4.0, 7.0];
        for (alpha, weight) in [(0.0, 3.0), (5.0, 2.0), (20.0, 1.0)] {
            let search = RidgeCv { alphas: vec![alpha], folds: 2 };
            let fit = search.fit_predict(&products(&x, &[0.0, 10.0]), &y, 1).unwrap();
            assert!((fit.predictions[0] - 1.0).abs() < 1e-12);
            assert!((fit.predictions[1] - (1.0 + 10.0 * weight)).abs() < 1e-11, "{alpha}: {fit:?}");
        }
    }

    #[test]
    fn the_penalty_that_predicts_the_left_out_fold_is_chosen() {
        // An exact line is predicted best without a penalty: score 1 in both folds.
        let x = [-2.0, -1.0, 1.0, 2.0];
        let search = RidgeCv { alphas: vec![10.0, 0.0], folds: 2 };
        let fit = search.fit_predict(&products(&x, &[]), &[-5.0, -2.0, 4.0, 7.0], 1).unwrap();
        assert_eq!(fit.alpha, 0.0);
        assert!(fit.mean_scores[0] < 1.0 && (fit.mean_scores[1] - 1.0).abs() < 1e-12);
        assert!(fit.predictions.is_empty());
    }

    #[test]
    fn outputs_weigh_the_same_and_constant_ones_count_one_or_zero() {
        // Output 0: R² ½; output 1: constant and exact; output 2: constant and missed.
        let truth = faer::mat![[0.0, 5.0, 5.0], [2.0, 5.0, 5.0]];
        let prediction = faer::mat![[0.0, 5.0, 5.0], [1.0, 5.0, 4.0]];
        assert!((score(&truth, &prediction) - 1.5 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn constant_features_predict_the_mean() {
        let search = RidgeCv::default();
        let fit = search
            .fit_predict(&products(&[2.0; 8], &[9.0]), &[1.0, 2.0, 3.0, 4.0, 1.0, 2.0, 3.0, 4.0], 1)
            .unwrap();
        assert_eq!(fit.predictions, [2.5]);
    }

    #[test]
    fn what_cannot_be_fitted_is_refused() {
        let search = RidgeCv::default();
        let refused = |x: &[f32], y: &[f64], outputs, said: &str| {
            let error = search.fit_predict(&products(x, &[]), y, outputs).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        };
        refused(&[0.0; 8], &[0.0; 7], 1, "targets: 7 values for 8 training samples of 1 outputs;");
        refused(&[0.0; 8], &[], 0, "targets: 0 values for 8 training samples of 0 outputs;");
        refused(
            &[0.0; 7],
            &[0.0; 7],
            1,
            "targets: 7 training samples are too few for 4 folds, which need 8;",
        );
        refused(&[], &[], 1, "targets: 0 training samples are too few for 4 folds, which need 8;");
        let mut targets = [0.0; 16];
        targets[5] = f64::NAN;
        refused(&[0.0; 8], &targets, 2, "targets: sample 2, output 1 is NaN;");
        let one_fold = RidgeCv { alphas: vec![1.0], folds: 1 };
        let error = one_fold.fit_predict(&products(&[0.0; 8], &[]), &[0.0; 8], 1).unwrap_err();
        assert_eq!(error.to_string(), "folds: 1 is too few to cross-validate; use at least 2");
    }
}
