//! All units in a few trials, as observed and as predicted.

use crate::conditions::Conditions;
use crate::results::PopulationTrial;
use crate::trials::Trials;

/// Trials shown of a session.
const TRIALS: usize = 2;

/// Units shown at most: more cannot be told apart in a picture.
const UNITS: usize = 200;

/// The first trial of each of the conditions with the most trials; where there is one condition, its first trials. Of many
/// units, some are shown, spread evenly over those that are scored.
pub(crate) fn population(
    trials: &Trials,
    conditions: &Conditions,
    units: &[usize],
    log_rates: &[f32],
) -> Vec<PopulationTrial> {
    let mut of_condition = vec![0; conditions.labels.len()];
    conditions.of_trial.iter().for_each(|condition| of_condition[*condition] += 1);
    let mut places: Vec<usize> = (0..trials.len()).collect();
    let nth_of_condition = |place: usize| {
        conditions.of_trial[..place].iter().filter(|other| **other == conditions.of_trial[place]).count()
    };
    places.sort_by_key(|place| {
        (nth_of_condition(*place), std::cmp::Reverse(of_condition[conditions.of_trial[*place]]), *place)
    });
    let shown = units.len().min(UNITS);
    let units: Vec<usize> = (0..shown).map(|place| units[place * units.len() / shown]).collect();
    let of_trial = |place: &usize| {
        let rows = |values: &[f32], value: fn(f32) -> f32| -> Vec<Vec<f32>> {
            let trial = &values[place * trials.stride()..][..trials.stride()];
            units
                .iter()
                .map(|unit| trial[*unit..].iter().step_by(trials.units).map(|v| value(*v)).collect())
                .collect()
        };
        PopulationTrial {
            trial: trials.indices[*place],
            condition: conditions.labels[conditions.of_trial[*place]].clone(),
            units: units.clone(),
            observed: rows(&trials.counts, |count| count),
            // Enough digits for a picture.
            predicted: rows(log_rates, |log_rate| (log_rate.exp() * 1e4).round() / 1e4),
        }
    };
    places.iter().take(TRIALS).map(of_trial).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_of_each_of_the_largest_conditions_is_shown() {
        let counts: Vec<f32> = (0..4 * 2 * 3).map(|value| value as f32).collect();
        let trials = Trials {
            indices: vec![10, 11, 12, 13],
            bins: 2,
            units: 3,
            counts: counts.clone(),
            true_log_rates: None,
            log_rates_given_latents: None,
            log_rates_given_past: None,
        };
        let labels = ["left", "right"].map(str::to_owned).to_vec();
        let conditions = Conditions { of_trial: vec![0, 1, 1, 1], labels };
        let shown = population(&trials, &conditions, &[0, 2], &vec![0.0; counts.len()]);
        let named: Vec<(usize, &str)> =
            shown.iter().map(|trial| (trial.trial, trial.condition.as_str())).collect();
        assert_eq!(named, [(11, "right"), (10, "left")]);
        // Trial 11 is the second, whose entries [bin, unit] are 6, 7, 8 and 9, 10, 11.
        assert_eq!(shown[0].observed, [[6.0, 9.0], [8.0, 11.0]]);
        assert_eq!(shown[0].predicted, [[1.0, 1.0], [1.0, 1.0]]);
        assert_eq!(shown[0].units, [0, 2]);
    }
}
