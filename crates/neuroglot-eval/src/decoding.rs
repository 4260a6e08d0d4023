//! Decoding behaviour from the log-rates that a model predicts with nothing hidden.

use crate::EvalError;
use neuroglot_data::{Behaviour, Session};
use neuroglot_ensemble::Predictor;
use neuroglot_masks::Scheme;
use neuroglot_tasks::results::{DecodingResult, Skipped};
use neuroglot_tasks::{DecodingFeatures, DecodingTarget, EvaluationOptions, behaviour_name};

/// Decodes each behaviour in turn; what a session lacks is skipped with a word.
pub(crate) fn decode(
    predictor: &mut Predictor<'_>,
    session: &Session,
    options: &EvaluationOptions,
    progress: &mut dyn FnMut(&str),
) -> Result<(Vec<DecodingResult>, Vec<Skipped>), EvalError> {
    let (mut results, mut skipped) = (Vec::new(), Vec::new());
    let mut made: Option<(Scheme, DecodingFeatures)> = None;
    for asked in &options.selection.behaviours_of(session) {
        let name = behaviour_name(asked);
        progress(name);
        let scheme = match session.behaviours().get(name) {
            Some(Behaviour::PerBin(_)) => Scheme::Causal,
            _ => Scheme::Neuron,
        };
        let result = match DecodingTarget::of(session, asked) {
            Ok(target) => {
                let target = target.with_bootstrap(options.resamples, options.seed);
                if made.as_ref().is_none_or(|(made_with, _)| *made_with != scheme) {
                    let features = DecodingFeatures::made_of(session, |trials| {
                        predictor.with_nothing_hidden(trials, scheme)
                    });
                    made = Some((scheme, features?));
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
