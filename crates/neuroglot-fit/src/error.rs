//! Why a regression could not be fitted.

use thiserror::Error;

/// Why a regression could not be fitted, and what to change, for a person to read.
#[derive(Clone, Debug, PartialEq, Error)]
#[error("{input}: {problem}")]
pub struct FitError {
    /// What is wrong: `features`, `targets`, `labels`, `folds`, or the name of a grid of penalties.
    pub input: &'static str,
    /// How it is wrong, and the cure.
    pub problem: String,
}

impl FitError {
    pub(crate) fn new(input: &'static str, problem: impl Into<String>) -> FitError {
        FitError { input, problem: problem.into() }
    }

    /// There are not as many targets as samples × outputs.
    pub(crate) fn target_count(values: usize, samples: usize, outputs: usize) -> FitError {
        let problem = format!(
            "{values} values for {samples} training samples of {outputs} outputs; \
             pass [sample, output] row by row, with at least one output"
        );
        FitError::new("targets", problem)
    }

    /// All labels are the same.
    pub(crate) fn one_class(samples: usize) -> FitError {
        let problem = format!(
            "all {samples} training samples are of one class; \
             a decision can be decoded only from sessions with trials of both classes"
        );
        FitError::new("labels", problem)
    }

    /// Logistic regression stopped at an estimated relative distance of the weights from their optimum.
    pub(crate) fn not_converged(inverse_penalty: f64, relative_distance: f64) -> FitError {
        let problem = format!(
            "logistic regression with C = {inverse_penalty} did not converge (relative distance \
             {relative_distance:.1e}); use smaller values of C or standardise the features"
        );
        FitError::new("inverse_penalties", problem)
    }
}
