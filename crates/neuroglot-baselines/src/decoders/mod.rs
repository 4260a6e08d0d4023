//! Behaviour from spike counts: the decoders that models are compared with.
//!
//! Where a decoder chooses settings, it is fitted to the training trials and the settings that predict the validation
//! trials best are taken; it is then fitted anew to both, which is what the evaluation's own decoders are fitted to.

mod mlp;
mod reduced_rank;
mod standard;

pub(crate) use mlp::mlp;
pub(crate) use reduced_rank::reduced_rank;

use neuroglot_data::Session;
use neuroglot_eval::results::DecodingResult;
use neuroglot_eval::{DecodingFeatures, DecodingTarget};

/// A decoded behaviour, and the settings that validation trials chose.
pub(crate) struct Decoded {
    pub result: DecodingResult,
    pub settings: String,
}

/// Ridge or logistic regression on the counts of the whole trial, `[bin · unit]`, with the penalty chosen by
/// cross-validation, exactly as the evaluation decodes a model's rates.
///
/// # Errors
/// One line that says why the behaviour cannot be decoded.
pub(crate) fn linear(session: &Session, name: &str) -> Result<Decoded, String> {
    let target = DecodingTarget::of(session, name)?;
    let result = DecodingFeatures::counts(session).decode(&target)?;
    let penalty = if target.is_choice() { "inverse penalty" } else { "penalty" };
    Ok(Decoded { settings: format!("{penalty} {}", result.regularisation), result })
}

/// The trials that a decoder with settings needs of each kind.
pub(crate) fn check_trials(target: &DecodingTarget<'_>) -> Result<(), String> {
    for (what, trials) in [("training", target.training()), ("validation", target.validation())] {
        if trials.is_empty() {
            return Err(format!("no {what} trial has a value"));
        }
    }
    let values = target.values(target.training());
    if values.iter().all(|value| *value == values[0]) {
        return Err("it does not vary over the training trials".to_owned());
    }
    Ok(())
}
