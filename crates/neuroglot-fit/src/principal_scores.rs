//! Samples in the coordinates of their principal components.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Par};

use crate::folds::Split;
use crate::symmetric::symmetric_eigen;
use crate::{FitError, SampleProducts};

/// Samples rotated to the principal components of the fitted ones: as few coordinates as there are fitted samples,
/// instead of the features. A rotation changes neither the fit nor the L2 penalty of a linear model. All features are
/// centred on the fitted samples.
pub struct PrincipalScores {
    /// `[fitted sample, component]`; the columns are orthogonal.
    pub fitted: Mat<f64>,
    /// `[scored sample, component]`.
    pub scored: Mat<f64>,
    /// Squared length of each column of `fitted`, positive: `[component]`.
    pub variance: Vec<f64>,
}

impl PrincipalScores {
    /// Of the training samples of one cross-validation split.
    pub(crate) fn of_split(products: &SampleProducts, split: &Split) -> Result<Self, FitError> {
        let products = products.train();
        let pick = |rows: &[usize]| {
            Mat::from_fn(rows.len(), split.train.len(), |row, column| {
                products[(rows[row], split.train[column])]
            })
        };
        Self::new(pick(&split.train), pick(&split.test))
    }

    /// Of all samples: training samples fitted, test samples scored.
    ///
    /// # Errors
    /// If the components are not found.
    pub fn of_all(products: &SampleProducts) -> Result<Self, FitError> {
        Self::new(products.train().to_owned(), products.test().to_owned())
    }

    /// From products `[fitted, fitted]` and `[scored, fitted]` of samples centred anywhere.
    fn new(mut fitted: Mat<f64>, mut scored: Mat<f64>) -> Result<Self, FitError> {
        let samples = fitted.nrows();
        // Subtracting the fitted mean m from both factors: (x − m)·(y − m) = x·y − x·m − m·y + m·m.
        let with_mean: Vec<f64> = (0..samples).map(|sample| mean(fitted.as_ref(), sample)).collect();
        let mean_with_mean = with_mean.iter().sum::<f64>() / samples as f64;
        for products in [&mut scored, &mut fitted] {
            for row in 0..products.nrows() {
                let row_with_mean = mean(products.as_ref(), row);
                for column in 0..samples {
                    products[(row, column)] += mean_with_mean - row_with_mean - with_mean[column];
                }
            }
        }

        let (eigenvalues, eigenvectors) = symmetric_eigen(fitted.as_ref())?;
        // Ascending order; what is smaller is rounding, foremost the direction that centring removed.
        let largest = eigenvalues.last().copied().unwrap_or(0.0);
        let smallest = largest * samples as f64 * f64::EPSILON;
        let first = eigenvalues.partition_point(|&eigenvalue| eigenvalue <= smallest.max(0.0));
        let variance = eigenvalues[first..].to_vec();
        let eigenvectors = eigenvectors.subcols(first, variance.len());

        let mut rotated = Mat::zeros(scored.nrows(), variance.len());
        matmul(rotated.as_mut(), Accum::Replace, scored.as_ref(), eigenvectors, 1.0, Par::Seq);
        Ok(Self {
            fitted: Mat::from_fn(samples, variance.len(), |sample, component| {
                eigenvectors[(sample, component)] * variance[component].sqrt()
            }),
            scored: Mat::from_fn(scored.nrows(), variance.len(), |sample, component| {
                rotated[(sample, component)] / variance[component].sqrt()
            }),
            variance,
        })
    }
}

fn mean(products: MatRef<'_, f64>, row: usize) -> f64 {
    products.row(row).iter().sum::<f64>() / products.ncols() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Features;

    const TRAIN: [f32; 12] = [1.0, 5.0, -2.0, 0.0, 3.0, 4.0, 2.0, 2.0, 1.0, -1.0, 0.0, 7.0];
    const TEST: [f32; 6] = [4.0, 4.0, 4.0, 0.0, 1.0, -3.0];

    fn scores() -> PrincipalScores {
        let train = Features::new(&TRAIN, 3).unwrap();
        let test = Features::new(&TEST, 3).unwrap();
        PrincipalScores::of_all(&SampleProducts::new(train, test).unwrap()).unwrap()
    }

    #[test]
    fn distances_between_samples_are_kept() {
        let scores = scores();
        let rows: Vec<&[f32]> = TRAIN.chunks_exact(3).chain(TEST.chunks_exact(3)).collect();
        let rotated = |sample: usize| {
            if sample < 4 { scores.fitted.row(sample) } else { scores.scored.row(sample - 4) }
        };
        // The four training samples span all three dimensions, so nothing of a test sample is lost either.
        for a in 0..6 {
            for b in 0..6 {
                let before: f64 = (0..3).map(|j| f64::from(rows[a][j] - rows[b][j]).powi(2)).sum();
                let after: f64 = (rotated(a) - rotated(b)).iter().map(|difference| difference.powi(2)).sum();
                assert!((before - after).abs() < 1e-10, "samples {a} and {b}: {before} became {after}");
            }
        }
    }

    #[test]
    fn fitted_samples_are_centred_and_components_orthogonal() {
        let scores = scores();
        assert_eq!(scores.variance.len(), 3);
        for component in 0..3 {
            let column = scores.fitted.col(component);
            assert!(column.iter().sum::<f64>().abs() < 1e-10);
            for other in 0..3 {
                let product: f64 =
                    column.iter().zip(scores.fitted.col(other).iter()).map(|(a, b)| a * b).sum();
                let expected = if component == other { scores.variance[component] } else { 0.0 };
                assert!((product - expected).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn features_that_never_vary_leave_no_component() {
        let features = Features::new(&[0.1; 12], 3).unwrap();
        let scores = PrincipalScores::of_all(&SampleProducts::new(features, features).unwrap()).unwrap();
        assert!(scores.variance.len() <= 1 && scores.variance.iter().all(|&variance| variance < 1e-20));
    }
}
