//! Reduced-rank decoding of behaviour across sessions (Zhang et al. 2024, Exploiting correlations across trials and
//! behavioral sessions to improve neural decoding):
//!
//! ```text
//! ŷ_p(k) = b_p + Σ_r Σ_t V_rtp Σ_n U_nr x_n(k, t)
//! ```
//!
//! of session i, trial k, output p (a bin of a trace; one of a decision between two, and one per class of more). The
//! weights of units `U` and the intercept `b` belong to the session, the temporal basis `V` to all sessions; `x` are
//! features of units such as spike counts, standardised by [`UnitScales`]. [`SharedBasis`] finds `U`, `V` and `b`. Rank and
//! penalty λ are chosen on validation trials, for all sessions together.

use crate::target_scale::TargetScale;
use crate::unit_scales::UnitScales;
use crate::{Decoded, DecodingFeatures, DecodingTarget};
use neuroglot_fit::{Best, SampleSet, SharedBasis};

/// Ranks to choose from.
const RANKS: [usize; 4] = [1, 2, 4, 8];

/// Penalties λ to choose from, in the order in which they are tried: each fit starts from the one before.
const PENALTIES: [f64; 5] = [0.003, 0.01, 0.03, 0.1, 0.3];

const TOLERANCE: f64 = 1e-3;
const MOST_STEPS: usize = 150;

/// A behaviour of a session, and the features to decode it from.
pub type FeaturesAndTarget<'a> = (&'a DecodingFeatures, &'a DecodingTarget<'a>);

/// Behaviours of sessions, decoded through latent variables.
pub struct ReducedRankDecoded {
    /// How many latent variables were chosen.
    pub rank: usize,
    /// What was decoded of each session, with the same penalty.
    pub decoded: Vec<Decoded>,
}

impl ReducedRankDecoded {
    /// Decodes behaviours that are alike, of sessions that have equally many bins of equal size.
    ///
    /// # Errors
    /// One line that says why one of them cannot be decoded: see [`DecodingTarget::require_validation`].
    ///
    /// # Panics
    /// If there is no session.
    pub fn of(sessions: &[FeaturesAndTarget<'_>], seed: u64) -> Result<Self, String> {
        sessions.iter().try_for_each(|(_, target)| target.require_validation())?;
        let (scales, sets) = samples_of(sessions, |target| target.training().to_vec());
        let mut best = Best::none();
        for rank in RANKS {
            let mut model = SharedBasis::start(&sets, rank, seed);
            for penalty in PENALTIES {
                model.fit(&sets, penalty, TOLERANCE, MOST_STEPS);
                let loss = |(place, (features, target)): (usize, &FeaturesAndTarget<'_>)| {
                    let (scales, trials): (&Scales, _) = (&scales[place], target.validation());
                    let predicted = model.predict(&sets, place, &scales.units.standardised(features, trials));
                    let truth = scales.target.apply(&target.values(trials));
                    let mut gradient = vec![0.0; truth.len()];
                    scales.target.loss().value(&predicted, &truth, target.outputs(), &mut gradient)
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
        let decoded = |(place, (features, target)): (usize, &FeaturesAndTarget<'_>)| {
            let scales = &scales[place];
            let predicted = model.predict(&sets, place, &scales.units.standardised(features, target.test()));
            let predictions = scales.target.undo(&predicted);
            Decoded { predictions, regularisation: penalty, notes: Vec::new() }
        };
        Ok(Self { rank, decoded: sessions.iter().enumerate().map(decoded).collect() })
    }
}

/// What features and behaviour of a session are standardised by, as found on some trials.
struct Scales {
    units: UnitScales,
    target: TargetScale,
}

/// Some trials of each session, to be fitted to, and on what scales they are.
fn samples_of(
    sessions: &[FeaturesAndTarget<'_>],
    trials: impl Fn(&DecodingTarget<'_>) -> Vec<usize>,
) -> (Vec<Scales>, Vec<SampleSet>) {
    let of_session = |(features, target): &FeaturesAndTarget<'_>| {
        let trials = trials(target);
        let scales =
            Scales { units: UnitScales::of(features, &trials), target: TargetScale::of(target, &trials) };
        let set = SampleSet {
            bins: features.bins(),
            units: features.units(),
            outputs: target.outputs(),
            inputs: scales.units.standardised(features, &trials),
            truth: scales.target.apply(&target.values(&trials)),
            loss: scales.target.loss(),
        };
        (scales, set)
    };
    sessions.iter().map(of_session).unzip()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::{Behaviour, Session, SessionParts, SimulatorConfig, Split};
    use neuroglot_metrics::r2;

    const BINS: usize = 6;

    /// 200 trials of 6 bins of 8 units, with a number per trial that `value` makes of its counts `[bin, unit]`.
    fn session(value: impl Fn(&[f32]) -> f64) -> Session {
        let config = SimulatorConfig { units: 8, trials: 200, bins: BINS, ..SimulatorConfig::default() };
        let session = config.simulate().unwrap().remove(0);
        let values = (0..200).map(|trial| value(&session.dense(&[trial]))).collect();
        let behaviours = [("number".to_owned(), Behaviour::PerTrial(values))].into();
        Session::new(SessionParts { behaviours, true_rates: None, ..session.into_parts() }).unwrap()
    }

    /// A difference of two units that counts more and more towards the end of the trial: rank 1.
    fn ramp(counts: &[f32]) -> f64 {
        let of_bin = |bin: usize| bin as f64 * f64::from(counts[bin * 8] - counts[bin * 8 + 3]);
        (0..BINS).map(of_bin).sum()
    }

    fn decoded(session: &Session) -> Result<Decoded, String> {
        let target = DecodingTarget::of(session, "number").unwrap();
        let mut found = ReducedRankDecoded::of(&[(&DecodingFeatures::counts(session), &target)], 1)?;
        Ok(found.decoded.remove(0))
    }

    #[test]
    fn what_one_latent_variable_holds_is_decoded() {
        let session = session(ramp);
        let target = DecodingTarget::of(&session, "number").unwrap();
        let score = r2(&target.values(target.test()), &decoded(&session).unwrap().predictions).unwrap();
        assert!(score > 0.97, "{score}");
    }

    #[test]
    fn without_validation_trials_there_is_nothing_to_choose_by() {
        let all = session(ramp);
        let without = [Split::Train, Split::Test].map(|split| all.trials_in(split)).concat();
        let error = decoded(&all.select_trials(&without).unwrap()).unwrap_err();
        assert_eq!(error, "no validation trial has a value");
    }
}
