//! Decoding behaviour from the model's log-rates with nothing hidden.

use crate::EvalError;
use crate::decoders::{Features, LogisticDecoder, RidgeDecoder, SampleProducts};
use crate::holdout::Predictor;
use crate::results::{DecodingResult, Skipped};
use crate::task::prompt;
use crate::trials::Trials;
use neuroglot_data::{Behaviour, Session, Split};
use neuroglot_metrics::r2;
use neuroglot_model::{Prompt, Scheme};
use neuroglot_train::MaskPool;

/// Log-rates `[trial, bin · unit]` of the trials a decoder is fitted on (training and validation) and tested on.
struct Rates {
    prompt: Prompt,
    fit: Trials,
    test: Trials,
    fit_rates: Vec<f32>,
    test_rates: Vec<f32>,
}

/// Decodes each behaviour in turn; what a session lacks is skipped with a word.
pub(crate) fn decode(
    predictor: &mut Predictor<'_>,
    pool: MaskPool,
    session: &Session,
    behaviours: &[String],
    progress: &mut dyn FnMut(&str),
) -> Result<(Vec<DecodingResult>, Vec<Skipped>), EvalError> {
    let (mut results, mut skipped) = (Vec::new(), Vec::new());
    let mut rates: Option<Rates> = None;
    for name in behaviours {
        progress(name);
        let Some(behaviour) = session.behaviours().get(name) else {
            skipped.push(Skipped { what: name.clone(), why: "the session does not have it".to_owned() });
            continue;
        };
        let scheme = match behaviour {
            Behaviour::PerTrial(_) => Scheme::Neuron,
            Behaviour::PerBin(_) => Scheme::Causal,
        };
        let prompt = prompt(scheme, pool);
        if rates.as_ref().is_none_or(|rates| rates.prompt != prompt) {
            rates = Some(Rates::of(predictor, session, prompt)?);
        }
        let rates = rates.as_ref().expect("set above");
        let result = match behaviour {
            Behaviour::PerTrial(values) if name == "choice" => rates.decode_choice(name, values),
            Behaviour::PerTrial(values) => rates.decode_trace(name, values, 1),
            Behaviour::PerBin(values) => rates.decode_trace(name, values, session.bins()),
        };
        match result {
            Ok(result) => results.push(result),
            // Too few trials of a choice, say: the other results stand.
            Err(why) => skipped.push(Skipped { what: name.clone(), why }),
        }
    }
    Ok((results, skipped))
}

impl Rates {
    fn of(predictor: &mut Predictor<'_>, session: &Session, prompt: Prompt) -> Result<Self, EvalError> {
        let fit = [Split::Train, Split::Validation].into_iter().flat_map(|split| session.trials_in(split));
        let fit = Trials::of(session, fit.collect());
        let test = Trials::of(session, session.trials_in(Split::Test));
        let fit_rates = predictor.with_nothing_hidden(&fit, prompt)?;
        let test_rates = predictor.with_nothing_hidden(&test, prompt)?;
        Ok(Self { prompt, fit, test, fit_rates, test_rates })
    }

    /// Products of the trials that `keeps` says, and the kept trials of either part.
    fn products(
        &self,
        keeps: impl Fn(usize) -> bool,
    ) -> Result<(SampleProducts, Vec<usize>, Vec<usize>), String> {
        let width = self.fit.stride();
        let keep = |trials: &Trials, rates: &[f32]| {
            let pairs = trials.indices.iter().zip(rates.chunks(width)).filter(|(trial, _)| keeps(**trial));
            let (kept, rows): (Vec<usize>, Vec<&[f32]>) = pairs.map(|(trial, row)| (*trial, row)).unzip();
            (kept, rows.concat())
        };
        let (fit, fit_rates) = keep(&self.fit, &self.fit_rates);
        let (test, test_rates) = keep(&self.test, &self.test_rates);
        if test.is_empty() {
            return Err("no test trial has a value".to_owned());
        }
        let features = |rates| Features::new(rates, width).map_err(|error| error.to_string());
        let products = SampleProducts::new(features(&fit_rates)?, features(&test_rates)?);
        Ok((products.map_err(|error| error.to_string())?, fit, test))
    }

    /// Accuracy of logistic regression over trials with a choice.
    fn decode_choice(&self, name: &str, values: &[f64]) -> Result<DecodingResult, String> {
        let (products, fit, test) =
            self.products(|trial| values[trial].is_finite() && values[trial] != 0.0)?;
        let right =
            |trials: &[usize]| -> Vec<bool> { trials.iter().map(|trial| values[*trial] > 0.0).collect() };
        let (fit, test) = (right(&fit), right(&test));
        let found = LogisticDecoder::default().fit_predict_products(&products, &fit);
        let found = found.map_err(|error| error.to_string())?;
        let correct = found.predictions.iter().zip(&test).filter(|(a, b)| a == b).count();
        let rights = test.iter().filter(|right| **right).count();
        let share = |count: usize| count as f64 / test.len() as f64;
        Ok(DecodingResult {
            behaviour: name.to_owned(),
            metric: "accuracy".to_owned(),
            score: share(correct),
            chance: share(rights.max(test.len() - rights)),
            regularisation: found.inverse_penalty,
        })
    }

    /// R² of ridge regression over all test values; `outputs` values a trial.
    fn decode_trace(&self, name: &str, values: &[f64], outputs: usize) -> Result<DecodingResult, String> {
        let of = |trial: usize| &values[trial * outputs..][..outputs];
        let (products, fit, test) = self.products(|trial| of(trial).iter().all(|value| value.is_finite()))?;
        let gather =
            |trials: &[usize]| -> Vec<f64> { trials.iter().flat_map(|trial| of(*trial).to_vec()).collect() };
        let found = RidgeDecoder::default().fit_predict_products(&products, &gather(&fit), outputs);
        let found = found.map_err(|error| error.to_string())?;
        let score = r2(&gather(&test), &found.predictions).ok_or("it does not vary over the test trials")?;
        Ok(DecodingResult {
            behaviour: name.to_owned(),
            metric: "r2".to_owned(),
            score,
            chance: 0.0,
            regularisation: found.alpha,
        })
    }
}
