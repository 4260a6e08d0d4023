//! Decoding behaviour from features of whole trials: log-rates with nothing hidden, or the counts themselves.

use crate::results::DecodingResult;
use crate::{DecodingTarget, Trials};
use neuroglot_data::{Session, Split};
use neuroglot_fit::{Features, LogisticCv, MultinomialCv, RidgeCv, SampleProducts};
use std::convert::Infallible;

/// Features `[trial, bin · unit]` of the trials that a decoder is fitted on (training and validation) and tested on.
pub struct DecodingFeatures {
    width: usize,
    fit: Vec<usize>,
    test: Vec<usize>,
    fit_features: Vec<f32>,
    test_features: Vec<f32>,
}

impl DecodingFeatures {
    /// The spike counts.
    pub fn counts(session: &Session) -> Self {
        let counts = |trials: &Trials| Ok::<_, Infallible>(trials.counts.clone());
        let Ok(features) = Self::made_of(session, counts);
        features
    }

    /// What `features` makes of trials, `[trial, bin, unit]`: of those for fitting, then of those for testing.
    ///
    /// # Errors
    /// That of `features`.
    pub fn made_of<E>(
        session: &Session,
        mut features: impl FnMut(&Trials) -> Result<Vec<f32>, E>,
    ) -> Result<Self, E> {
        let (fit, test) = trials(session);
        let fit_features = features(&fit)?;
        let test_features = features(&test)?;
        Ok(Self { width: fit.stride(), fit: fit.indices, test: test.indices, fit_features, test_features })
    }

    /// Fits a decoder on the training and validation trials that have the behaviour, with the penalty chosen by
    /// cross-validation, and scores it on the test trials: logistic regression for categories, ridge regression for all
    /// else. A class with fewer trials than there are folds makes them fewer; one with a single trial is not learned.
    ///
    /// # Errors
    /// One line that says why it cannot be decoded: too few trials, a behaviour that does not vary.
    pub fn decode(&self, target: &DecodingTarget<'_>) -> Result<DecodingResult, String> {
        let mut learned = target.fitted();
        let mut rarest = usize::MAX;
        if target.classes().is_some() {
            let counts = target.class_counts(&learned);
            learned.retain(|trial| counts[target.classes_of(&[*trial])[0]] > 1);
            rarest = counts.into_iter().filter(|count| *count > 1).min().unwrap_or(0);
        }
        let keep = |trials: &[usize], features: &[f32], kept: &[usize]| {
            let pairs = trials
                .iter()
                .zip(features.chunks(self.width))
                .filter(|(trial, _)| kept.binary_search(trial).is_ok());
            let (kept, rows): (Vec<usize>, Vec<&[f32]>) = pairs.map(|(trial, row)| (*trial, row)).unzip();
            (kept, rows.concat())
        };
        let (fit, fit_features) = keep(&self.fit, &self.fit_features, &learned);
        let (_, test_features) = keep(&self.test, &self.test_features, target.test());
        let in_words = |error: neuroglot_fit::FitError| error.to_string();
        let fit_features = Features::new(&fit_features, self.width).map_err(in_words)?;
        let test_features = Features::new(&test_features, self.width).map_err(in_words)?;
        let products = SampleProducts::new(fit_features, test_features).map_err(in_words)?;
        let folds = LogisticCv::default().folds.min(rarest);
        let mut result = match target.classes().map(<[String]>::len) {
            None => {
                let values = target.values(&fit);
                let found = RidgeCv::default().fit_predict(&products, &values, target.outputs());
                let found = found.map_err(in_words)?;
                target.score(&found.predictions, found.alpha)
            }
            Some(2) => {
                let labels: Vec<bool> = target.classes_of(&fit).iter().map(|class| *class == 1).collect();
                let decoder = LogisticCv { folds, ..LogisticCv::default() };
                let found = decoder.fit_predict(&products, &labels).map_err(in_words)?;
                target.score(&found.margins, found.inverse_penalty)
            }
            Some(classes) => {
                let class_of = target.classes_of(&fit);
                let decoder = MultinomialCv { folds, ..MultinomialCv::default() };
                let found = decoder.fit_predict(&products, &class_of, classes).map_err(in_words)?;
                target.score(&found.probabilities, found.inverse_penalty)
            }
        }?;
        if folds < LogisticCv::default().folds {
            result.notes.push(format!(
                "the rarest category has {rarest} training trials: the penalty was chosen with {folds} folds"
            ));
        }
        Ok(result)
    }
}

/// The trials that a decoder is fitted on, and those it is tested on.
fn trials(session: &Session) -> (Trials, Trials) {
    let fit = [Split::Train, Split::Validation].into_iter().flat_map(|split| session.trials_in(split));
    (Trials::of(session, fit.collect()), Trials::of(session, session.trials_in(Split::Test)))
}
