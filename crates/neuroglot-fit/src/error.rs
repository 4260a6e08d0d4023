//! Why a regression could not be fitted.

use thiserror::Error;

/// Why a regression could not be fitted, and what to change.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum FitError {
    /// The features are no whole number of samples.
    #[error(
        "features: {values} values are no whole number of samples of {width} features; \
         pass [sample, feature] row by row, with at least one feature"
    )]
    RaggedFeatures {
        /// Number of values passed.
        values: usize,
        /// Features per sample.
        width: usize,
    },
    /// A feature is NaN or infinite.
    #[error(
        "features: sample {sample}, feature {feature} is {value}; every feature must be finite: \
         check that the model's log-rates did not diverge"
    )]
    NonFiniteFeature {
        /// Row of the value.
        sample: usize,
        /// Column of the value.
        feature: usize,
        /// The value.
        value: f32,
    },
    /// Training and test samples have different features.
    #[error(
        "features: training samples have {train} features and test samples {test}; \
         use the same bins and units for both"
    )]
    FeatureWidths {
        /// Features of a training sample.
        train: usize,
        /// Features of a test sample.
        test: usize,
    },
    /// The number of targets is not samples × outputs.
    #[error(
        "targets: {values} values for {samples} training samples of {outputs} outputs; \
         pass [sample, output] row by row, with at least one output"
    )]
    TargetCount {
        /// Number of values passed.
        values: usize,
        /// Training samples.
        samples: usize,
        /// Outputs per sample.
        outputs: usize,
    },
    /// A target is NaN or infinite.
    #[error(
        "targets: sample {sample}, output {output} is {value}; leave out trials whose behaviour is missing"
    )]
    NonFiniteTarget {
        /// Row of the value.
        sample: usize,
        /// Column of the value.
        output: usize,
        /// The value.
        value: f64,
    },
    /// Cross-validation needs at least two folds.
    #[error("folds: {folds} is too few to cross-validate; use at least 2")]
    TooFewFolds {
        /// Folds asked for.
        folds: usize,
    },
    /// Some fold would hold too few samples to score.
    #[error(
        "targets: {samples} training samples are too few for {folds} folds, which need {needed}; \
         use fewer folds or more trials"
    )]
    TooFewSamples {
        /// Training samples.
        samples: usize,
        /// Folds asked for.
        folds: usize,
        /// The fewest samples that suffice.
        needed: usize,
    },
    /// All labels are the same.
    #[error(
        "labels: all {samples} training samples are {label}; \
         a decision can be decoded only from sessions with trials of both classes"
    )]
    OneClass {
        /// Training samples.
        samples: usize,
        /// The label they share.
        label: bool,
    },
    /// A class has fewer samples than there are folds.
    #[error(
        "labels: only {samples} training samples are {label}, fewer than the {folds} folds; \
         use fewer folds or more trials"
    )]
    TooFewOfClass {
        /// Samples of the class.
        samples: usize,
        /// The class.
        label: String,
        /// Folds asked for.
        folds: usize,
    },
    /// There is no penalty to choose from.
    #[error("{grid}: no value to choose from; give at least one")]
    EmptyGrid {
        /// Name of the field that holds the values.
        grid: &'static str,
    },
    /// A penalty is out of range.
    #[error("{grid}: {value} is out of range; give finite values {range}")]
    GridValue {
        /// Name of the field that holds the value.
        grid: &'static str,
        /// The value.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// The eigenvalues of products of features or covariates were not found.
    #[error(
        "features: the eigendecomposition of a {size} × {size} matrix of their products did not converge; \
         check for values of extreme size"
    )]
    Eigendecomposition {
        /// Rows of the matrix.
        size: usize,
    },
    /// Logistic regression did not converge.
    #[error(
        "inverse_penalties: logistic regression with C = {inverse_penalty} did not converge (relative distance \
         {relative_distance:.1e}); use smaller values of C or standardise the features"
    )]
    NotConverged {
        /// The C of the fit.
        inverse_penalty: f64,
        /// Estimated relative distance of the weights from their optimum where it stopped.
        relative_distance: f64,
    },
}
