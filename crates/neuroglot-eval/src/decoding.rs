//! Decoding behaviour from features of whole trials: the model's log-rates with nothing hidden, or the counts themselves.

use crate::decoding_target::{DecodingTarget, name_and_kind};
use crate::holdout::Predictor;
use crate::results::{DecodingResult, Skipped};
use crate::task::prompt;
use crate::trials::Trials;
use crate::{EvalError, EvaluationOptions};
use neuroglot_data::{Behaviour, Session, Split};
use neuroglot_fit::{Features, LogisticCv, MultinomialCv, RidgeCv, SampleProducts};
use neuroglot_masks::{Prompt, Scheme};
use neuroglot_train::MaskPool;

/// Decodes each behaviour in turn; what a session lacks is skipped with a word.
pub(crate) fn decode(
    predictor: &mut Predictor<'_>,
    pool: MaskPool,
    session: &Session,
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<(Vec<DecodingResult>, Vec<Skipped>), EvalError> {
    let (mut results, mut skipped) = (Vec::new(), Vec::new());
    let mut made: Option<(Prompt, DecodingFeatures)> = None;
    for asked in &options.selection.behaviours_of(session) {
        let (name, _) = name_and_kind(asked);
        progress(name);
        let scheme = match session.behaviours().get(name) {
            Some(Behaviour::PerBin(_)) => Scheme::Causal,
            _ => Scheme::Neuron,
        };
        let result = match DecodingTarget::of(session, asked) {
            Ok(target) => {
                let target = target.with_bootstrap(options.resamples, options.seed);
                let prompt = prompt(scheme, pool);
                if made.as_ref().is_none_or(|(made_with, _)| *made_with != prompt) {
                    made = Some((prompt, DecodingFeatures::predicted(predictor, session, prompt)?));
                }
                let (_, features) = made.as_ref().expect("set above");
                features.decode(&target)
            }
            Err(why) => Err(why),
        };
        match result {
            Ok(result) => results.push(result),
            // Too few trials of a choice, say: the other results stand.
            Err(why) => skipped.push(Skipped { what: name.to_owned(), why }),
        }
    }
    Ok((results, skipped))
}

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
        let (fit, test) = trials(session);
        let width = fit.stride();
        Self {
            width,
            fit: fit.indices,
            test: test.indices,
            fit_features: fit.counts,
            test_features: test.counts,
        }
    }

    /// The log-rates that a model predicts with nothing hidden.
    fn predicted(
        predictor: &mut Predictor<'_>,
        session: &Session,
        prompt: Prompt,
    ) -> Result<Self, EvalError> {
        let (fit, test) = trials(session);
        let fit_features = predictor.with_nothing_hidden(&fit, prompt)?;
        let test_features = predictor.with_nothing_hidden(&test, prompt)?;
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
                let found = RidgeCv::default().fit_predict_products(&products, &values, target.outputs());
                let found = found.map_err(in_words)?;
                target.score(&found.predictions, found.alpha)
            }
            Some(2) => {
                let labels: Vec<bool> = target.classes_of(&fit).iter().map(|class| *class == 1).collect();
                let decoder = LogisticCv { folds, ..LogisticCv::default() };
                let found = decoder.fit_predict_products(&products, &labels).map_err(in_words)?;
                target.score(&found.margins, found.inverse_penalty)
            }
            Some(classes) => {
                let class_of = target.classes_of(&fit);
                let decoder = MultinomialCv { folds, ..MultinomialCv::default() };
                let found = decoder.fit_predict_products(&products, &class_of, classes).map_err(in_words)?;
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
