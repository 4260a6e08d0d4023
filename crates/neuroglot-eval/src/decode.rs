//! Decoding behaviour by itself, with what was decoded of every test trial.

use crate::EvalError;
use crate::decoding::{DecodedTrials, SessionDecoding, decode_session};
use crate::end_to_end::EndToEnd;
use crate::evaluate::{evaluation_of, session_index};
use crate::tables::TableColumns;
use neuroglot_data::Session;
use neuroglot_engine::Device;
use neuroglot_ensemble::Ensemble;
use neuroglot_tasks::results::{Evaluation, SessionEvaluation};
use neuroglot_tasks::{EvaluationOptions, EvaluationProgress, TestTrials, WorkMeter};

/// Behaviours decoded from a model.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoding {
    /// The scores, as an evaluation of these behaviours alone has them.
    pub evaluation: Evaluation,
    /// What was decoded of each session, in the order of the evaluation's.
    pub trials: Vec<Vec<DecodedTrials>>,
}

/// Decodes the behaviours that `options` select of sessions, which have passed the run's filters, as
/// [`evaluate`](crate::evaluate) does. With a device to train on, the network itself is trained for each of them, end to end, and is
/// one decoder more.
///
/// # Errors
/// [`EvalError`]: a session that the model does not know or whose units have changed, or one without test trials;
/// [`EvalError::EndToEnd`] of one without validation trials.
pub fn decode(
    ensemble: &mut Ensemble,
    checkpoint: &str,
    sessions: &[Session],
    options: &EvaluationOptions,
    end_to_end: Option<Box<dyn Device>>,
    progress: &mut dyn FnMut(EvaluationProgress<'_>),
) -> Result<Decoding, EvalError> {
    let mut end_to_end = end_to_end.map(|device| EndToEnd::new(ensemble, device)).transpose()?;
    let behaviours = |session| options.selection.behaviours_of(session).len();
    let mut meter = WorkMeter::new(sessions.iter().map(behaviours).sum::<usize>() as f64);
    let (mut results, mut trials) = (Vec::new(), Vec::new());
    for session in sessions {
        let eid = session.eid();
        let mut predictor = ensemble.about(session_index(ensemble.config(), session)?);
        let test = TestTrials::of(session)?;
        let mut report = |task: &str, done: usize, total: usize| {
            if done == 0 {
                meter.begin(1.0);
            }
            progress(meter.at(eid, task, done, total));
        };
        let SessionDecoding { results: decoding, predictions, skipped } =
            decode_session(&mut predictor, session, options, end_to_end.as_mut(), &mut report)?;
        results.push(SessionEvaluation { decoding, skipped, ..test.nothing_yet() });
        trials.push(predictions);
    }
    Ok(Decoding { evaluation: evaluation_of(ensemble, checkpoint, results), trials })
}

/// One value of a decoded behaviour.
struct Row<'a> {
    session: &'a Session,
    decoded: &'a DecodedTrials,
    trial: usize,
    bin: Option<usize>,
    /// Place among the values.
    place: usize,
}

impl Row<'_> {
    fn number(&self, values: &[f64]) -> Option<f64> {
        self.decoded.classes.is_none().then(|| values[self.place])
    }

    fn category(&self, values: &[f64]) -> &str {
        self.decoded.classes.as_ref().map_or("", |classes| &classes[values[self.place] as usize])
    }

    fn probability(&self) -> Option<f64> {
        let classes = self.decoded.classes.as_ref()?.len();
        let probabilities = &self.decoded.probabilities[self.place * classes..][..classes];
        Some(probabilities[self.decoded.decoded[self.place] as usize])
    }
}

/// A row per test trial, and of traces per bin: `eid`, `behaviour`, `trial` (its index in the session, before filters),
/// `trial_id`, `bin`; of numbers the true and the decoded one, `value` and `decoded`; of categories `category`,
/// `decoded_category` and the `probability` of the decoded one.
pub fn decoding_table(decoding: &Decoding, sessions: &[Session]) -> TableColumns {
    let mut rows = Vec::new();
    for (session, behaviours) in sessions.iter().zip(&decoding.trials) {
        for decoded in behaviours {
            let width = decoded.truth.len() / decoded.trials.len();
            rows.extend((0..decoded.truth.len()).map(|place| Row {
                session,
                decoded,
                trial: decoded.trials[place / width],
                bin: (width > 1).then_some(place % width),
                place,
            }));
        }
    }
    TableColumns::default()
        .texts("eid", rows.iter().map(|row| row.session.eid()))
        .texts("behaviour", rows.iter().map(|row| &row.decoded.behaviour))
        .counts("trial", rows.iter().map(|row| Some(row.session.trial_index(row.trial))))
        .texts("trial_id", rows.iter().map(|row| row.session.trial_id(row.trial)))
        .counts("bin", rows.iter().map(|row| row.bin))
        .numbers("value", rows.iter().map(|row| row.number(&row.decoded.truth)))
        .numbers("decoded", rows.iter().map(|row| row.number(&row.decoded.decoded)))
        .texts("category", rows.iter().map(|row| row.category(&row.decoded.truth)))
        .texts("decoded_category", rows.iter().map(|row| row.category(&row.decoded.decoded)))
        .numbers("probability", rows.iter().map(Row::probability))
}
