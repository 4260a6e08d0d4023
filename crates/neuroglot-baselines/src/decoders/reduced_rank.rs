//! Reduced-rank decoding of behaviour across sessions (Zhang et al. 2024, Exploiting correlations across trials and
//! behavioral sessions to improve neural decoding):
//!
//! ```text
//! ŷ_p(k) = b_p + Σ_r Σ_t V_rtp Σ_n U_nr x_n(k, t)
//! ```
//!
//! of session i, trial k, output p (a bin of a trace; one of a decision between two, and one per class of more). The
//! weights of units `U` and the intercept `b` belong to the session, the temporal basis `V` to all sessions; `x` are spike
//! counts, less their mean in each bin and over their standard deviation. [`SharedBasis`] finds `U`, `V` and `b`. Rank and
//! penalty λ are chosen on validation trials, for all sessions together.

use super::standard::Standard;
use super::{Decoded, check_trials, target};
use neuroglot_coupling::{Best, Counts};
use neuroglot_data::Session;
use neuroglot_fit::{SampleSet, SharedBasis};
use neuroglot_tasks::{DecodingTarget, EvaluationOptions};
use std::collections::BTreeSet;

/// Ranks to choose from.
const RANKS: [usize; 4] = [1, 2, 4, 8];

/// Penalties λ to choose from, in the order in which they are tried: each fit starts from the one before.
const PENALTIES: [f64; 5] = [0.003, 0.01, 0.03, 0.1, 0.3];

const TOLERANCE: f64 = 1e-3;
const MOST_STEPS: usize = 150;

/// Decodes one behaviour of sessions, together where they have equally many bins of equal size.
///
/// # Errors
/// Of each session, one line that says why it cannot be decoded.
pub(crate) fn reduced_rank(
    sessions: &[&Session],
    name: &str,
    options: &EvaluationOptions,
) -> Vec<Result<Decoded, String>> {
    let targets: Vec<Result<DecodingTarget, String>> = sessions
        .iter()
        .map(|session| {
            target(session, name, options).and_then(|target| check_trials(&target).map(|()| target))
        })
        .collect();
    // Sessions share a basis only where it means the same.
    let mut results: Vec<Result<Decoded, String>> =
        targets.iter().map(|target| Err(target.as_ref().err().cloned().unwrap_or_default())).collect();
    let kind_of = |place: usize| {
        let target = targets[place].as_ref().ok()?;
        let session = sessions[place];
        let classes = target.classes().map(<[String]>::to_vec);
        Some((classes, target.outputs(), session.bins(), session.bin_seconds().to_bits()))
    };
    let kinds: BTreeSet<_> = (0..targets.len()).filter_map(kind_of).collect();
    for kind in &kinds {
        let places: Vec<usize> =
            (0..targets.len()).filter(|place| kind_of(*place).as_ref() == Some(kind)).collect();
        let pairs: Vec<(&Session, &DecodingTarget)> = places
            .iter()
            .filter_map(|place| Some((sessions[*place], targets[*place].as_ref().ok()?)))
            .collect();
        for (place, result) in places.iter().zip(decode(&pairs, options.seed)) {
            results[*place] = result;
        }
    }
    results
}

/// Decodes sessions whose behaviours are alike.
fn decode(sessions: &[(&Session, &DecodingTarget<'_>)], seed: u64) -> Vec<Result<Decoded, String>> {
    let (scales, sets) = samples_of(sessions, |target| target.training().to_vec());
    let mut best = Best::none();
    for rank in RANKS {
        let mut model = SharedBasis::start(&sets, rank, seed);
        for penalty in PENALTIES {
            model.fit(&sets, penalty, TOLERANCE, MOST_STEPS);
            let loss = |(place, (session, target)): (usize, &(&Session, &DecodingTarget<'_>))| {
                let (scales, trials): (&Scales, _) = (&scales[place], target.validation());
                let predicted = model.predict(&sets, place, &scales.inputs(session, trials));
                let truth = scales.standard.apply(&target.values(trials));
                let mut gradient = vec![0.0; truth.len()];
                scales.standard.loss().value(&predicted, &truth, target.outputs(), &mut gradient)
            };
            let loss: f64 = sessions.iter().enumerate().map(loss).sum();
            best.offer(-loss, || (rank, penalty));
        }
    }
    let (rank, penalty) = best.take();
    let (scales, sets) = samples_of(sessions, |target| [target.training(), target.validation()].concat());
    let mut model = SharedBasis::start(&sets, rank, seed);
    for penalty in PENALTIES.into_iter().take_while(|tried| *tried <= penalty) {
        model.fit(&sets, penalty, TOLERANCE, MOST_STEPS);
    }
    let scored = |(place, (session, target)): (usize, &(&Session, &DecodingTarget<'_>))| {
        let predicted = model.predict(&sets, place, &scales[place].inputs(session, target.test()));
        let result = target.score(&scales[place].standard.undo(&predicted), penalty)?;
        Ok(Decoded { result, settings: format!("rank {rank}, penalty {penalty}") })
    };
    sessions.iter().enumerate().map(scored).collect()
}

/// Some trials of each session, to be fitted to, and on what scales they are.
fn samples_of(
    sessions: &[(&Session, &DecodingTarget<'_>)],
    trials: impl Fn(&DecodingTarget<'_>) -> Vec<usize>,
) -> (Vec<Scales>, Vec<SampleSet>) {
    let of_session = |(session, target): &(&Session, &DecodingTarget<'_>)| {
        let trials = trials(target);
        let counts = Counts::of_trials(session, &trials);
        let scales = Scales::of(&counts, target, &trials);
        let set = SampleSet {
            bins: counts.bins,
            units: counts.units,
            outputs: target.outputs(),
            inputs: scales.standardised(counts),
            truth: scales.standard.apply(&target.values(&trials)),
            loss: scales.standard.loss(),
        };
        (scales, set)
    };
    sessions.iter().map(of_session).unzip()
}

/// What counts and behaviour of a session are standardised by, as found on some trials.
struct Scales {
    /// Mean count of each unit in each bin, `[bin, unit]`, and one over its standard deviation, `[unit]`.
    centre: Vec<f64>,
    scale: Vec<f64>,
    standard: Standard,
}

impl Scales {
    fn of(counts: &Counts, target: &DecodingTarget<'_>, trials: &[usize]) -> Self {
        let (bins, units) = (counts.bins, counts.units);
        let centre = counts.psth();
        let mut squares = vec![0.0; units];
        for (row, values) in counts.values.chunks(units).enumerate() {
            let centre = &centre[row % bins * units..][..units];
            for ((square, value), centre) in squares.iter_mut().zip(values).zip(centre) {
                *square += (value - centre).powi(2);
            }
        }
        let rows = (counts.trials * bins) as f64;
        let inverse = |square: &f64| if *square > 0.0 { (rows / square).sqrt() } else { 0.0 };
        Self { centre, scale: squares.iter().map(inverse).collect(), standard: Standard::of(target, trials) }
    }

    /// `x`, `[trial, bin, unit]`.
    fn standardised(&self, counts: Counts) -> Vec<f64> {
        let mut values = counts.values;
        for (row, values) in values.chunks_mut(counts.units).enumerate() {
            let centre = &self.centre[row % counts.bins * counts.units..][..counts.units];
            for ((value, centre), scale) in values.iter_mut().zip(centre).zip(&self.scale) {
                *value = (*value - centre) * scale;
            }
        }
        values
    }

    /// `x` of other trials, on the same scales.
    fn inputs(&self, session: &Session, trials: &[usize]) -> Vec<f64> {
        self.standardised(Counts::of_trials(session, trials))
    }
}
