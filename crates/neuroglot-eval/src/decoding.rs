//! Decoding behaviour from a model: from its log-rates with nothing hidden, and from the counts that it was shown, by
//! decoders of their own, whose outputs are averaged. They err differently, so that their average errs less than any.
//!
//! Numbers and categories of trials are decoded from whole trials ([`DecodingFeatures`]), numbers through a few latent
//! variables besides ([`ReducedRankDecoded`]). So are traces, with a value per bin, and from what is around each bin
//! ([`decode_trace`]). Where it is asked for, a network that is trained for it is one decoder more ([`EndToEnd`]).

use crate::EvalError;
use crate::end_to_end::EndToEnd;
use crate::trace_decoder::decode_trace;
use neuroglot_coupling::TimeFilter;
use neuroglot_data::{Behaviour, Session};
use neuroglot_ensemble::Predictor;
use neuroglot_fit::{Criterion, probability, softmax};
use neuroglot_masks::Scheme;
use neuroglot_tasks::results::{DecoderUsed, DecodingResult, Skipped};
use neuroglot_tasks::{
    Decoded, DecodingFeatures, DecodingTarget, EvaluationOptions, ReducedRankDecoded, Trials, behaviour_name,
};

/// Standard deviation of the smoothing of counts from which numbers and categories of trials are decoded, s.
const SMOOTHING: f64 = 0.04;

/// What is decoded of a session.
#[derive(Default)]
pub(crate) struct SessionDecoding {
    pub results: Vec<DecodingResult>,
    pub predictions: Vec<DecodedTrials>,
    /// What it lacks, with a word.
    pub skipped: Vec<Skipped>,
}

/// A behaviour as it was and as it was decoded, in the test trials that have it.
#[derive(Debug, Clone, PartialEq)]
pub struct DecodedTrials {
    /// Its name.
    pub behaviour: String,
    /// Test trials, ascending, as places in the session.
    pub trials: Vec<usize>,
    /// Names of the categories; `None` of numbers.
    pub classes: Option<Vec<String>>,
    /// `[trial, bin]` or `[trial]`: numbers, or places among the categories.
    pub truth: Vec<f64>,
    /// As the truth; of categories the one decided for.
    pub decoded: Vec<f64>,
    /// Of categories, the probability of each, `[trial, category]`.
    pub probabilities: Vec<f64>,
}

/// Decodes each behaviour in turn, of the session that the predictor is about. `progress(behaviour, done, total)` is called with
/// nothing done as each begins.
pub(crate) fn decode_session(
    predictor: &mut Predictor<'_>,
    session: &Session,
    options: &EvaluationOptions,
    mut end_to_end: Option<&mut EndToEnd>,
    progress: &mut dyn FnMut(&str, usize, usize),
) -> Result<SessionDecoding, EvalError> {
    let mut found = SessionDecoding::default();
    let mut readings = None;
    for asked in &options.selection.behaviours_of(session) {
        let name = behaviour_name(asked);
        progress(name, 0, 1);
        let result = match DecodingTarget::of(session, asked) {
            Ok(target) => {
                if readings.is_none() {
                    readings = Some(Readings::of(session, predictor)?);
                }
                let readings = readings.as_ref().expect("set above");
                let target = target.with_bootstrap(options.resamples, options.seed);
                let mut report = |done: usize, total: usize| progress(name, done, total);
                let trained = end_to_end.as_mut().map(|end_to_end| {
                    end_to_end.decode((predictor.session(), session), &target, &mut report)
                });
                readings.decode(session, &target, trained.transpose()?, options.seed)
            }
            Err(why) => Err(why),
        };
        match result {
            Ok((result, predictions)) => {
                found.results.push(result);
                found.predictions.push(predictions);
            }
            // Too few trials of a choice, say: the other results stand.
            Err(why) => found.skipped.push(Skipped { what: name.to_owned(), why }),
        }
    }
    Ok(found)
}

/// What decoders read of a session's trials.
struct Readings {
    log_rates: DecodingFeatures,
    counts: DecodingFeatures,
    smooth_counts: DecodingFeatures,
    /// Square roots of the smoothed counts, whose noise is alike whatever the rate.
    roots: DecodingFeatures,
}

impl Readings {
    fn of(session: &Session, predictor: &mut Predictor<'_>) -> Result<Self, EvalError> {
        let trials = Trials::of(session, (0..session.trials()).collect());
        let log_rates = predictor.with_nothing_hidden(&trials, Scheme::Neuron)?;
        let filter = TimeFilter::gaussian(session.bins(), SMOOTHING / session.bin_seconds());
        let smooth = |trial: &[f32]| {
            let counts: Vec<f64> = trial.iter().copied().map(f64::from).collect();
            filter.apply(&counts).into_iter().map(|value| value as f32)
        };
        let smooth_counts: Vec<f32> = trials.counts.chunks(trials.stride()).flat_map(smooth).collect();
        let roots = smooth_counts.iter().map(|count| count.sqrt()).collect();
        Ok(Self {
            log_rates: DecodingFeatures::new(session, log_rates),
            counts: DecodingFeatures::new(session, trials.counts),
            smooth_counts: DecodingFeatures::new(session, smooth_counts),
            roots: DecodingFeatures::new(session, roots),
        })
    }

    fn decode(
        &self,
        session: &Session,
        target: &DecodingTarget<'_>,
        end_to_end: Option<Decoded>,
        seed: u64,
    ) -> Result<(DecodingResult, DecodedTrials), String> {
        let is_trace = matches!(session.behaviours().get(target.name()), Some(Behaviour::PerBin(_)));
        let whole_trials = |features: &DecodingFeatures| features.predict(target, Criterion::Likelihood);
        let (mut used, low_rank) = if is_trace {
            let used = vec![
                ("log-rates around each bin", decode_trace(session, &self.log_rates, target)?),
                ("counts around each bin", decode_trace(session, &self.counts, target)?),
                ("counts", whole_trials(&self.smooth_counts)?),
            ];
            (used, Some(("log-rates, reduced rank", &self.log_rates)))
        } else {
            let used = vec![
                ("log-rates", whole_trials(&self.log_rates)?),
                ("counts", whole_trials(&self.smooth_counts)?),
                ("square roots of counts", whole_trials(&self.roots)?),
            ];
            (used, target.classes().is_none().then_some(("counts, reduced rank", &self.counts)))
        };
        // Its rank is chosen on validation trials: where there are none, the others do.
        if let Some((name, features)) = low_rank.filter(|_| target.require_validation().is_ok()) {
            let found = ReducedRankDecoded::of(&[(features, target)], seed)?;
            used.extend(found.decoded.into_iter().map(|decoded| (name, decoded)));
        }
        used.extend(end_to_end.map(|decoded| ("end to end", decoded)));
        let predictions = average(target, &used);
        let mut result = target.score(&predictions, used[0].1.regularisation)?;
        let weight = 1.0 / used.len() as f64;
        result.decoders = used
            .iter()
            .map(|(features, decoded)| DecoderUsed {
                features: (*features).to_owned(),
                weight,
                regularisation: decoded.regularisation,
            })
            .collect();
        // All were fitted to the same trials.
        result.notes.extend(used[0].1.notes.iter().cloned());
        Ok((result, decoded_trials(target, &predictions)))
    }
}

/// The mean of numbers and of log-odds; of probabilities of several classes, of their logarithms.
fn average(target: &DecodingTarget<'_>, used: &[(&str, Decoded)]) -> Vec<f64> {
    let of_classes = target.classes().is_some_and(|classes| classes.len() > 2);
    let mut averages = vec![0.0; used[0].1.predictions.len()];
    for (_, decoded) in used {
        for (sum, value) in averages.iter_mut().zip(&decoded.predictions) {
            *sum += if of_classes { value.ln() } else { *value };
        }
    }
    averages.iter_mut().for_each(|sum| *sum /= used.len() as f64);
    if of_classes {
        averages.chunks_mut(target.outputs()).for_each(|row| {
            softmax(row);
        });
    }
    averages
}

fn decoded_trials(target: &DecodingTarget<'_>, predictions: &[f64]) -> DecodedTrials {
    let trials = target.test().to_vec();
    let behaviour = target.name().to_owned();
    let Some(classes) = target.classes() else {
        let (truth, decoded) = (target.values(&trials), predictions.to_vec());
        return DecodedTrials { behaviour, trials, classes: None, truth, decoded, probabilities: Vec::new() };
    };
    let probabilities: Vec<f64> = match target.outputs() {
        1 => predictions.iter().flat_map(|log_odds| [-log_odds, *log_odds].map(probability)).collect(),
        _ => predictions.to_vec(),
    };
    DecodedTrials {
        behaviour,
        classes: Some(classes.to_vec()),
        truth: target.classes_of(&trials).into_iter().map(|class| class as f64).collect(),
        decoded: target.decide(predictions).into_iter().map(|class| class as f64).collect(),
        probabilities,
        trials,
    }
}
