//! Behaviour from spike counts: the decoders that models are compared with.
//!
//! Where a decoder chooses settings, it is fitted to the training trials and the settings that predict the validation
//! trials best are taken; it is then fitted anew to both, which is what the evaluation's own decoders are fitted to.

mod mlp;
mod reduced_rank;

pub(crate) use mlp::mlp;
pub(crate) use reduced_rank::reduced_rank;

use neuroglot_data::Session;
use neuroglot_tasks::results::DecodingResult;
use neuroglot_tasks::{DecodingFeatures, DecodingTarget, EvaluationOptions};

/// A decoded behaviour, and the settings that validation trials chose.
pub(crate) struct Decoded {
    pub result: DecodingResult,
    pub settings: String,
}

/// Ridge or logistic regression on the counts of the whole trial, `[bin · unit]`, with the penalty chosen by
/// cross-validation, as MtM decodes a model's rates.
///
/// # Errors
/// One line that says why the behaviour cannot be decoded.
pub(crate) fn linear(session: &Session, name: &str, options: &EvaluationOptions) -> Result<Decoded, String> {
    let target = target(session, name, options)?;
    let result = DecodingFeatures::counts(session).decode(&target)?;
    let penalty = if target.classes().is_some() { "inverse penalty" } else { "penalty" };
    Ok(Decoded { settings: format!("{penalty} {}", result.regularisation), result })
}

/// A behaviour to decode, scored as the options say.
fn target<'a>(
    session: &'a Session,
    name: &str,
    options: &EvaluationOptions,
) -> Result<DecodingTarget<'a>, String> {
    Ok(DecodingTarget::of(session, name)?.with_bootstrap(options.resamples, options.seed))
}
