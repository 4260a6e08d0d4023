//! The choice of one penalty, or whatever else, by its score.

use crate::folds::Split;
use crate::{FitError, PrincipalScores, SampleProducts};
use rayon::prelude::*;

/// What a decision's penalty is chosen by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// The share of samples that are decided rightly, as MtM reports.
    Accuracy,
    /// The mean log-likelihood of the true classes, so that probabilities can be trusted.
    Likelihood,
}

/// Refuses an empty grid and values that `allowed` refuses; `range` says in words what it allows.
pub(crate) fn check_grid(
    grid: &'static str,
    values: &[f64],
    allowed: impl Fn(f64) -> bool,
    range: &str,
) -> Result<(), FitError> {
    if values.is_empty() {
        return Err(FitError::new(grid, "no value to choose from; give at least one"));
    }
    match values.iter().find(|value| !value.is_finite() || !allowed(**value)) {
        Some(value) => {
            Err(FitError::new(grid, format!("{value} is out of range; give finite values {range}")))
        }
        None => Ok(()),
    }
}

/// Cross-validated scores of a grid: the mean over splits of what `scores_of` finds for each penalty, from the principal
/// scores of a split.
pub(crate) fn mean_scores(
    products: &SampleProducts,
    splits: &[Split],
    scores_of: impl Fn(PrincipalScores, &Split) -> Result<Vec<f64>, FitError> + Sync,
) -> Result<Vec<f64>, FitError> {
    let of_split = |split| scores_of(PrincipalScores::of_split(products, split)?, split);
    Ok(mean_over_folds(&splits.par_iter().map(of_split).collect::<Result<Vec<_>, _>>()?))
}

/// Of scores `[fold][penalty]`.
fn mean_over_folds(scores: &[Vec<f64>]) -> Vec<f64> {
    let penalties = scores.first().map_or(0, Vec::len);
    (0..penalties)
        .map(|penalty| scores.iter().map(|fold| fold[penalty]).sum::<f64>() / scores.len() as f64)
        .collect()
}

/// Position of the highest score, the first of equals.
pub(crate) fn first_best(scores: &[f64]) -> usize {
    let mut best = 0;
    for (position, &score) in scores.iter().enumerate() {
        if score > scores[best] || scores[best].is_nan() {
            best = position;
        }
    }
    best
}

/// The best of candidates with their scores; the first of equals, and never one without a score.
pub struct Best<T> {
    found: Option<(f64, T)>,
}

impl<T> Best<T> {
    /// No candidate yet.
    pub fn none() -> Self {
        Self { found: None }
    }

    /// The best score so far.
    pub fn score(&self) -> Option<f64> {
        self.found.as_ref().map(|(score, _)| *score)
    }

    /// Whether a score beats what was found so far.
    fn is_beaten_by(&self, score: f64) -> bool {
        self.found.as_ref().is_none_or(|(best, _)| score > *best || best.is_nan())
    }

    /// Keeps a candidate if it is better; makes it only then.
    pub fn offer(&mut self, score: f64, candidate: impl FnOnce() -> T) {
        if self.is_beaten_by(score) {
            self.found = Some((score, candidate()));
        }
    }

    /// The best candidate so far.
    ///
    /// # Panics
    /// If there was none.
    pub fn get(&self) -> &T {
        &self.found.as_ref().expect("a grid is not empty").1
    }

    /// The best candidate.
    ///
    /// # Panics
    /// If there was none.
    pub fn take(self) -> T {
        self.found.expect("a grid is not empty").1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_equals_is_kept_and_nan_loses() {
        let mut best = Best::none();
        for (score, name) in [(f64::NAN, "nan"), (0.5, "a"), (0.75, "b"), (0.75, "c"), (f64::NAN, "d")] {
            best.offer(score, || name);
        }
        assert_eq!(best.take(), "b");
    }

    #[test]
    fn the_first_of_equal_scores_wins() {
        assert_eq!(first_best(&[0.5, 0.75, 0.75, 0.25]), 1);
        assert_eq!(first_best(&[f64::NAN, -3.0]), 1);
    }

    #[test]
    fn folds_weigh_the_same() {
        assert_eq!(mean_over_folds(&[vec![1.0, 0.0], vec![0.5, 1.0]]), [0.75, 0.5]);
    }

    #[test]
    fn grids_are_checked() {
        let positive = |values: &[f64]| check_grid("alphas", values, |value| value >= 0.0, "of at least 0");
        assert!(positive(&[0.0, 1.0]).is_ok());
        let refused = |values: &[f64]| positive(values).unwrap_err().to_string();
        assert_eq!(refused(&[]), "alphas: no value to choose from; give at least one");
        assert_eq!(refused(&[1.0, -1.0]), "alphas: -1 is out of range; give finite values of at least 0");
        assert!(positive(&[f64::NAN]).is_err());
    }
}
