//! Decoding behaviour from features of whole trials: log-rates with nothing hidden, or the counts themselves.

use crate::DecodingTarget;
use crate::results::DecodingResult;
use neuroglot_data::Session;
use neuroglot_fit::{Criterion, Features, LogisticCv, MultinomialCv, RidgeCv, SampleProducts};

/// Features of all trials of a session, `[trial, bin, unit]`.
pub struct DecodingFeatures {
    bins: usize,
    units: usize,
    values: Vec<f32>,
}

/// What a decoder predicts of a behaviour in the test trials that have it.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// `[trial, output]`, as [`DecodingTarget::score`] takes it.
    pub predictions: Vec<f64>,
    /// The penalty that was chosen: α or λ of a ridge regression, C of a logistic one.
    pub regularisation: f64,
    /// What kept the penalty from being chosen as usual.
    pub notes: Vec<String>,
}

impl DecodingFeatures {
    /// Values `[trial, bin, unit]` of all trials of a session.
    ///
    /// # Panics
    /// If there is not one for each trial, bin and unit.
    pub fn new(session: &Session, values: Vec<f32>) -> Self {
        let (bins, units) = (session.bins(), session.units().len());
        assert_eq!(values.len(), session.trials() * bins * units, "values of every trial");
        Self { bins, units, values }
    }

    /// The spike counts.
    pub fn counts(session: &Session) -> Self {
        let all: Vec<usize> = (0..session.trials()).collect();
        Self::new(session, session.dense(&all))
    }

    /// Bins of a trial.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// Values of a trial.
    pub(crate) fn width(&self) -> usize {
        self.bins * self.units
    }

    /// The values of some trials, `[trial, bin, unit]`.
    pub fn of_trials(&self, trials: &[usize]) -> Vec<f32> {
        let width = self.width();
        trials.iter().flat_map(|trial| &self.values[trial * width..][..width]).copied().collect()
    }

    /// Fits a decoder, its penalty chosen by accuracy or R², and scores it on the test trials.
    ///
    /// # Errors
    /// As [`DecodingFeatures::predict`].
    pub fn decode(&self, target: &DecodingTarget<'_>) -> Result<DecodingResult, String> {
        let Decoded { predictions, regularisation, notes } = self.predict(target, Criterion::Accuracy)?;
        let mut result = target.score(&predictions, regularisation)?;
        result.notes.extend(notes);
        Ok(result)
    }

    /// Fits a decoder on the training and validation trials that have the behaviour, with the penalty chosen by
    /// cross-validation, of a decision by `criterion`, and predicts the test trials: logistic regression for categories, ridge
    /// regression for all else. A class with fewer trials than there are folds makes them fewer; one with a single trial
    /// is not learned.
    ///
    /// # Errors
    /// One line that says why it cannot be decoded: too few trials, a behaviour that does not vary.
    pub fn predict(&self, target: &DecodingTarget<'_>, criterion: Criterion) -> Result<Decoded, String> {
        let mut fit = [target.training(), target.validation()].concat();
        let mut rarest = usize::MAX;
        if target.classes().is_some() {
            let counts = target.class_counts(&fit);
            fit.retain(|trial| counts[target.classes_of(&[*trial])[0]] > 1);
            rarest = counts.into_iter().filter(|count| *count > 1).min().unwrap_or(0);
        }
        let in_words = |error: neuroglot_fit::FitError| error.to_string();
        let [fit_features, test_features] = [&fit, target.test()].map(|trials| self.of_trials(trials));
        let fit_features = Features::new(&fit_features, self.width()).map_err(in_words)?;
        let test_features = Features::new(&test_features, self.width()).map_err(in_words)?;
        let products = SampleProducts::new(fit_features, test_features).map_err(in_words)?;
        let folds = LogisticCv::default().folds.min(rarest);
        let (predictions, regularisation) = match target.classes().map(<[String]>::len) {
            None => {
                let values = target.values(&fit);
                let found = RidgeCv::default().fit_predict(&products, &values, target.outputs());
                found.map(|found| (found.predictions, found.alpha))
            }
            Some(2) => {
                let labels: Vec<bool> = target.classes_of(&fit).iter().map(|class| *class == 1).collect();
                let decoder = LogisticCv { folds, criterion, ..LogisticCv::default() };
                let found = decoder.fit_predict(&products, &labels);
                found.map(|found| (found.margins, found.inverse_penalty))
            }
            Some(classes) => {
                let decoder = MultinomialCv { folds, criterion, ..MultinomialCv::default() };
                let found = decoder.fit_predict(&products, &target.classes_of(&fit), classes);
                found.map(|found| (found.probabilities, found.inverse_penalty))
            }
        }
        .map_err(in_words)?;
        let mut notes = Vec::new();
        if folds < LogisticCv::default().folds {
            notes.push(format!(
                "the rarest category has {rarest} training trials: the penalty was chosen with {folds} folds"
            ));
        }
        Ok(Decoded { predictions, regularisation, notes })
    }
}
