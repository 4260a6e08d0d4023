//! A trace, with a value per bin, from the activity around each bin:
//!
//! ```text
//! ŷ(k, t) = b_t + Σ_f Σ_a w_fa Σ_s φ_f(s − t) z_a(k, s)
//! ```
//!
//! of trial k and bin t, where `z` are the strongest principal axes of what is read (units standardised, less their mean in
//! each bin), and `φ` Gaussians around moments before and after the bin. The weights `w` are the same for all bins, so that
//! a few hundred trials determine them; `b` is the average trace. Ridge regression finds them, with the penalty that
//! predicts the validation trials best, and is then fitted anew to training and validation trials.

use neuroglot_coupling::TimeFilter;
use neuroglot_data::Session;
use neuroglot_fit::{Best, Covariates, Features, FitError, HiddenColumns, PrincipalAxes, Ridge};
use neuroglot_metrics::r2;
use neuroglot_tasks::{Decoded, DecodingFeatures, DecodingTarget, UnitScales};

/// How far the centres of the filters lie before and after the bin, s, those that lie further than half a trial left out;
/// each filter is half as wide as that, but at least a bin or [`NARROWEST`].
const OFFSETS: [f64; 5] = [0.0, 0.04, 0.08, 0.16, 0.32];

/// Standard deviation of the narrowest filter, s.
const NARROWEST: f64 = 0.02;

const MOST_AXES: usize = 128;

/// Penalties λ to choose from, where a row of covariates has a mean squared length of 1.
const PENALTIES: [f64; 11] = [1e-1, 3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 3e-6, 1e-6];

/// Trials without which there is nothing to choose a penalty by, as for other decoders.
const FEWEST_TRIALS: usize = 8;

/// Decodes a trace from what is read of each bin.
///
/// # Errors
/// One line that says why it cannot be decoded.
pub(crate) fn decode_trace(
    session: &Session,
    features: &DecodingFeatures,
    target: &DecodingTarget<'_>,
) -> Result<Decoded, String> {
    let fitted = target.fitted();
    if fitted.len() < FEWEST_TRIALS {
        let count = fitted.len();
        return Err(format!("{count} training trials have it, and at least {FEWEST_TRIALS} are needed"));
    }
    let in_words = |error: FitError| error.to_string();
    let design = Design::of(session, features, &fitted).map_err(in_words)?;
    let (training, held_out) = match (target.training(), target.validation()) {
        (training, validation) if !training.is_empty() && !validation.is_empty() => {
            (training.to_vec(), validation.to_vec())
        }
        _ => {
            let is_held_out = |place: usize| place % 5 == 4;
            let some = |held_out| {
                let kept = (0..fitted.len()).filter(|place| is_held_out(*place) == held_out);
                kept.map(|place| fitted[place]).collect::<Vec<usize>>()
            };
            (some(false), some(true))
        }
    };
    let regression = Regression::of(&design, &training, target).map_err(in_words)?;
    let seen = design.covariates(&held_out).map_err(in_words)?;
    let truth = target.values(&held_out);
    let mut best = Best::none();
    for penalty in PENALTIES {
        let score = r2(&truth, &regression.predict(&seen, penalty)).unwrap_or(0.0);
        best.offer(score, || penalty);
    }
    let regularisation = best.take();
    let seen = design.covariates(target.test()).map_err(in_words)?;
    let regression = Regression::of(&design, &fitted, target).map_err(in_words)?;
    Ok(Decoded { predictions: regression.predict(&seen, regularisation), regularisation, notes: Vec::new() })
}

/// How what is read of trials becomes covariates, as found on some of them.
struct Design<'a> {
    features: &'a DecodingFeatures,
    bins: usize,
    scales: UnitScales,
    axes: PrincipalAxes,
    filters: Vec<TimeFilter>,
    /// Makes the mean squared length of a row 1.
    length: f64,
}

impl<'a> Design<'a> {
    fn of(session: &Session, features: &'a DecodingFeatures, trials: &[usize]) -> Result<Self, FitError> {
        let scales = UnitScales::of(features, trials);
        let standardised = standardised(&scales, features, trials);
        let axes =
            PrincipalAxes::of(Features::new(&standardised, features.units())?, 1.0)?.strongest(MOST_AXES);
        let (bins, bin) = (session.bins(), session.bin_seconds());
        let filter = |offset: f64| {
            let width = (offset.abs() / 2.0).max(NARROWEST).max(bin);
            TimeFilter::around(bins, offset / bin, width / bin).scaled(bin / width)
        };
        let offsets = OFFSETS.into_iter().filter(|offset| 2.0 * offset <= bin * bins as f64);
        let both_sides =
            offsets.flat_map(|offset| if offset > 0.0 { vec![-offset, offset] } else { vec![offset] });
        let filters = both_sides.map(filter).collect();
        let mut design = Self { features, bins, scales, axes, filters, length: 1.0 };
        let found = design.covariates(trials)?;
        let squares: f64 = found.values.iter().map(|value| value * value).sum();
        design.length = if squares > 0.0 { (found.rows as f64 / squares).sqrt() } else { 0.0 };
        Ok(design)
    }

    /// A row per trial and bin, and in it for each filter a column per axis.
    fn covariates(&self, trials: &[usize]) -> Result<Covariates, FitError> {
        let values = standardised(&self.scales, self.features, trials);
        let centred = self.axes.centred(Features::new(&values, self.features.units())?);
        let coordinates = self.axes.coordinates(&centred);
        let (axes, filters) = (coordinates.columns, self.filters.len());
        let columns = axes * filters;
        let mut values = vec![0.0; coordinates.rows * columns];
        let of_trials = coordinates.values.chunks((self.bins * axes).max(1));
        for (trial, out) in of_trials.zip(values.chunks_mut((self.bins * columns).max(1))) {
            for (bin, row) in out.chunks_mut(columns).enumerate() {
                for (filter, out) in self.filters.iter().zip(row.chunks_mut(axes)) {
                    filter.add_to(bin, trial, out);
                }
                row.iter_mut().for_each(|value| *value *= self.length);
            }
        }
        Ok(Covariates { rows: trials.len() * self.bins, columns, values })
    }
}

fn standardised(scales: &UnitScales, features: &DecodingFeatures, trials: &[usize]) -> Vec<f32> {
    scales.standardised(features, trials).into_iter().map(|value| value as f32).collect()
}

/// The regressions of all penalties on the same trials.
struct Regression {
    /// The average trace, `[bin]`.
    average: Vec<f64>,
    ridge: Ridge,
}

impl Regression {
    fn of(design: &Design<'_>, trials: &[usize], target: &DecodingTarget<'_>) -> Result<Self, FitError> {
        let mut values = target.values(trials);
        let mut average = vec![0.0; design.bins];
        for trace in values.chunks(design.bins) {
            average.iter_mut().zip(trace).for_each(|(sum, value)| *sum += value / trials.len() as f64);
        }
        values.iter_mut().zip(average.iter().cycle()).for_each(|(value, average)| *value -= average);
        let ridge = Ridge::new(&design.covariates(trials)?, &values, HiddenColumns::none(1))?;
        Ok(Self { average, ridge })
    }

    fn predict(&self, seen: &Covariates, penalty: f64) -> Vec<f64> {
        let mut predicted = seen.times(self.ridge.weights(penalty).as_ref());
        predicted.iter_mut().zip(self.average.iter().cycle()).for_each(|(value, average)| *value += average);
        predicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::{Behaviour, SessionParts, SimulatorConfig, Split};

    /// 120 trials, 24 of them test trials, of 20 bins of 20 ms of 12 units, with a trace that `value` makes of the counts of a
    /// trial `[bin, unit]`.
    fn session(value: impl Fn(usize, &[f32]) -> Vec<f64>) -> Session {
        let config = SimulatorConfig { units: 12, trials: 120, bins: 20, ..SimulatorConfig::default() };
        let session = config.simulate().unwrap().remove(0);
        let trace = (0..120).flat_map(|trial| value(trial, &session.dense(&[trial]))).collect();
        with_trace(&session, trace)
    }

    fn with_trace(session: &Session, trace: Vec<f64>) -> Session {
        let behaviours = [("trace".to_owned(), Behaviour::PerBin(trace))].into();
        Session::new(SessionParts { behaviours, true_rates: None, ..session.clone().into_parts() }).unwrap()
    }

    fn decoded(session: &Session) -> Decoded {
        let target = DecodingTarget::of(session, "trace").unwrap();
        decode_trace(session, &DecodingFeatures::counts(session), &target).unwrap()
    }

    fn score(session: &Session) -> f64 {
        let target = DecodingTarget::of(session, "trace").unwrap();
        r2(&target.values(target.test()), &decoded(session).predictions).unwrap()
    }

    /// What a filter makes of some units, on top of an average that differs from bin to bin.
    fn filtered(_: usize, counts: &[f32]) -> Vec<f64> {
        let units = |bin: usize| f64::from(counts[bin * 12]) - 2.0 * f64::from(counts[bin * 12 + 7]);
        let values: Vec<f64> = (0..20).map(units).collect();
        let later = TimeFilter::around(20, 2.0, 1.0).apply(&values);
        let earlier = TimeFilter::around(20, -8.0, 4.0).apply(&values);
        (0..20).map(|bin| bin as f64 + 3.0 * later[bin] - earlier[bin]).collect()
    }

    #[test]
    fn what_the_filters_make_of_units_is_decoded_exactly() {
        let session = session(filtered);
        let found = decoded(&session);
        assert_eq!(found.regularisation, 1e-6);
        assert!(score(&session) > 0.999, "{}", score(&session));
    }

    #[test]
    fn what_other_trials_hold_is_not_decoded() {
        let found = session(filtered);
        // Every trial has the trace of the next: the average of each bin is all that can be told.
        let mut trace = found.behaviours()["trace"].values().to_vec();
        trace.rotate_left(20);
        let other = with_trace(&found, trace);
        let average = session(|_, _| (0..20).map(f64::from).collect());
        let target = DecodingTarget::of(&other, "trace").unwrap();
        let truth = target.values(target.test());
        let known = DecodingTarget::of(&average, "trace").unwrap().values(target.test());
        let chance = r2(&truth, &known).unwrap();
        assert!(score(&other) < chance + 0.05, "{} beside {chance}", score(&other));
    }

    #[test]
    fn test_trials_choose_nothing_and_threads_change_no_bit() {
        let before = session(filtered);
        let mut trace = before.behaviours()["trace"].values().to_vec();
        for trial in before.trials_in(Split::Test) {
            trace[trial * 20..][..20].iter_mut().for_each(|value| *value = 100.0 - *value * *value);
        }
        let after = with_trace(&before, trace);
        let with_threads = |session: &Session, threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| decoded(session))
        };
        let found = with_threads(&before, 1);
        assert_eq!(found, with_threads(&after, 1));
        assert_eq!(found, with_threads(&before, 3));
    }

    #[test]
    fn without_validation_trials_some_training_trials_choose_and_too_few_are_refused() {
        let mut found = session(filtered);
        let trials = |split| found.trials_in(split);
        let without = [trials(Split::Train), trials(Split::Test)].concat();
        let few = [trials(Split::Train)[..7].to_vec(), trials(Split::Test)].concat();
        let few = found.select_trials(&few).unwrap();
        found = found.select_trials(&without).unwrap();
        assert!(score(&found) > 0.999, "{}", score(&found));
        let target = DecodingTarget::of(&few, "trace").unwrap();
        let error = decode_trace(&few, &DecodingFeatures::counts(&few), &target).unwrap_err();
        assert_eq!(error, "7 training trials have it, and at least 8 are needed");
    }
}
