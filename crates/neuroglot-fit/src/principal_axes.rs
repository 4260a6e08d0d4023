//! The principal axes of features of which there are fewer than samples.

use crate::covariates::product;
use crate::symmetric::symmetric_eigen;
use crate::{Covariates, Features, FitError, Gram, Mat};

/// The principal axes that hold most of the variance of some features.
pub struct PrincipalAxes {
    mean: Vec<f64>,
    /// An axis per column, from the least variance to the most, `[feature, axis]`.
    directions: Mat<f64>,
    /// Mean square along each axis, `[axis]`.
    variance: Vec<f64>,
}

impl PrincipalAxes {
    /// The fewest axes that hold at least this share of the variance; none of features that do not vary.
    ///
    /// # Errors
    /// If they are not found.
    pub fn of(features: Features<'_>, share: f64) -> Result<Self, FitError> {
        let (width, count) = (features.width(), features.samples().max(1) as f64);
        let mut mean = vec![0.0; width];
        for sample in 0..features.samples() {
            let values = features.sample(sample);
            mean.iter_mut().zip(values).for_each(|(mean, value)| *mean += f64::from(*value) / count);
        }
        let all = Self { mean, directions: Mat::zeros(width, 0), variance: Vec::new() };
        let (values, vectors) = symmetric_eigen(all.centred(features).moments().as_ref())?;
        let variance: Vec<f64> = values.into_iter().map(|value| value.max(0.0)).collect();
        let total: f64 = variance.iter().sum();
        let mut left_out = 0.0;
        let is_left_out = |variance: &&f64| {
            left_out += **variance;
            left_out <= (1.0 - share) * total
        };
        let first = variance.iter().take_while(is_left_out).count();
        let directions = vectors.subcols(first, width - first).to_owned();
        Ok(Self { mean: all.mean, directions, variance: variance[first..].to_vec() })
    }

    /// The strongest of the axes, at most so many.
    pub fn strongest(self, most: usize) -> Self {
        let left_out = self.variance.len().saturating_sub(most);
        let kept = self.variance.len() - left_out;
        Self {
            directions: self.directions.subcols(left_out, kept).to_owned(),
            variance: self.variance[left_out..].to_vec(),
            ..self
        }
    }

    /// Mean square along each axis, from the least to the most, `[axis]`.
    pub fn variance(&self) -> &[f64] {
        &self.variance
    }

    /// Mean of each feature, `[feature]`.
    pub fn mean(&self) -> &[f64] {
        &self.mean
    }

    /// Features less the mean, `[sample, feature]`.
    pub fn centred(&self, features: Features<'_>) -> Covariates {
        let rows = (0..features.samples()).flat_map(|sample| features.sample(sample).iter().zip(&self.mean));
        let values = rows.map(|(value, mean)| f64::from(*value) - mean).collect();
        Covariates { rows: features.samples(), columns: self.mean.len(), values }
    }

    /// Where samples are along the axes, `[sample, axis]`, of features less the mean.
    pub fn coordinates(&self, centred: &Covariates) -> Covariates {
        let values = centred.times(self.directions.as_ref());
        Covariates { rows: centred.rows, columns: self.variance.len(), values }
    }

    /// The second moments of the coordinates of the samples whose axes these are.
    pub fn gram(&self) -> Gram {
        Gram::of_decorrelated(self.variance.clone())
    }

    /// Weights of the features `[feature, target]` that do what weights of the coordinates `[axis, target]` do.
    pub fn weights(&self, of_coordinates: &Mat<f64>) -> Mat<f64> {
        product(self.directions.as_ref(), of_coordinates.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Around (1, 2, 5): ±2 along (3, 4) / 5, ±½ along (−4, 3) / 5, and nothing in the third feature.
    const VALUES: [f32; 12] = [2.2, 3.6, 5.0, -0.2, 0.4, 5.0, 0.6, 2.3, 5.0, 1.4, 1.7, 5.0];

    #[test]
    fn axes_of_four_samples_by_hand() {
        let features = Features::new(&VALUES, 3).unwrap();
        let axes = PrincipalAxes::of(features, 0.999).unwrap();
        for (found, expected) in axes.mean().iter().zip([1.0, 2.0, 5.0]) {
            assert!((found - expected).abs() < 1e-6);
        }
        // Variances ½² · 2 / 4 and 2² · 2 / 4.
        assert!((axes.variance[0] - 0.125).abs() < 1e-6 && (axes.variance[1] - 2.0).abs() < 1e-6);
        let centred = axes.centred(features);
        let coordinates = axes.coordinates(&centred);
        assert_eq!((coordinates.rows, coordinates.columns), (4, 2));
        for (found, expected) in coordinates.values.iter().zip([0.0, 2.0, 0.0, 2.0, 0.5, 0.0, 0.5, 0.0]) {
            assert!((found.abs() - expected).abs() < 1e-6, "{coordinates:?}");
        }
        // What weights of coordinates predict, weights of features predict too.
        let weights = faer::mat![[3.0], [-2.0]];
        let there = coordinates.times(weights.as_ref());
        let here = centred.times(axes.weights(&weights).as_ref());
        assert!(there.iter().zip(&here).all(|(a, b)| (a - b).abs() < 1e-12));
    }

    #[test]
    fn axes_of_little_variance_are_left_out() {
        let axes =
            |share| PrincipalAxes::of(Features::new(&VALUES, 3).unwrap(), share).unwrap().variance.len();
        // The strongest holds 2 / 2.125 = 94 %.
        assert_eq!((axes(0.95), axes(0.94)), (2, 1));
        let strongest = PrincipalAxes::of(Features::new(&VALUES, 3).unwrap(), 1.0).unwrap().strongest(1);
        assert!(strongest.variance.len() == 1 && (strongest.variance[0] - 2.0).abs() < 1e-6);
        let constant = Features::new(&[1.0; 6], 2).unwrap();
        assert!(PrincipalAxes::of(constant, 0.999).unwrap().variance.is_empty());
    }
}
