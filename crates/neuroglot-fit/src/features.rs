//! What is known of each sample.

use crate::FitError;

/// Finite features `[sample, feature]`, row-major.
#[derive(Clone, Copy, Debug)]
pub struct Features<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Features<'a> {
    /// Checks `values` `[sample, feature]`, `width` features per sample.
    ///
    /// # Errors
    /// If the values are no whole number of samples, or one of them is not finite.
    pub fn new(values: &'a [f32], width: usize) -> Result<Self, FitError> {
        if width == 0 || !values.len().is_multiple_of(width) {
            let problem = format!(
                "{} values are no whole number of samples of {width} features; \
                 pass [sample, feature] row by row, with at least one feature",
                values.len()
            );
            return Err(FitError::new("features", problem));
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let problem = format!(
                "sample {}, feature {} is {}; every feature must be finite: check that the model's log-rates did not \
                 diverge",
                index / width,
                index % width,
                values[index]
            );
            return Err(FitError::new("features", problem));
        }
        Ok(Self { values, width })
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.values.len() / self.width
    }

    /// Number of features per sample.
    pub fn width(&self) -> usize {
        self.width
    }

    /// The features of one sample: `[feature]`.
    pub(crate) fn sample(&self, sample: usize) -> &'a [f32] {
        &self.values[sample * self.width..(sample + 1) * self.width]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_finite_is_named() {
        let error = Features::new(&[0.0, 1.0, 2.0, f32::INFINITY], 2).unwrap_err();
        assert!(error.to_string().starts_with("features: sample 1, feature 1 is inf;"), "{error}");
    }

    #[test]
    fn a_ragged_last_sample_is_refused() {
        let error = Features::new(&[0.0; 5], 2).unwrap_err();
        assert!(
            error.problem.starts_with("5 values are no whole number of samples of 2 features;"),
            "{error}"
        );
        assert!(Features::new(&[], 0).is_err());
    }
}
