//! Units shown in detail.

use crate::conditions::Conditions;
use crate::results::{ConditionPsth, Example, UnitScores};
use crate::trials::Trials;
use neuroglot_metrics::psth;
use std::ops::Range;

/// Trials shown of a unit.
const TRIALS: usize = 200;

/// Units shown one by one at most, and trials shown of each: enough to see what a unit does, and few enough to be kept.
const DETAILED: (usize, usize) = (50, 30);

/// The best and the median unit of a task, by bits per spike, among units with at least `SPIKES` spikes where there
/// are any: the score of a unit that hardly fires is mostly luck.
pub(crate) fn examples(
    task: &str,
    trials: &Trials,
    conditions: &Conditions,
    log_rates: &[f32],
    bins: Range<usize>,
    scores: &[UnitScores],
) -> Vec<Example> {
    const SPIKES: f64 = 20.0;
    let ranked = |least: f64| {
        let scored = scores.iter().enumerate().filter(|(_, unit)| unit.spikes >= least);
        let mut scored: Vec<(usize, f64)> =
            scored.filter_map(|(index, unit)| Some((index, unit.bps?))).collect();
        scored.sort_by(|a, b| b.1.total_cmp(&a.1));
        scored
    };
    let mut units = ranked(SPIKES);
    if units.is_empty() {
        units = ranked(0.0);
    }
    if units.is_empty() {
        return Vec::new();
    }
    let places = [("best", 0), ("median", units.len() / 2)];
    let detail = |(rank, place): (&str, usize)| {
        let (unit, bps) = units[place];
        example(task, rank, unit, bps, trials, conditions, log_rates, &bins, TRIALS)
    };
    places.map(detail).to_vec()
}

/// The units of a task of which predictions tell the most bits over all test trials (bits per spike × spikes), the most telling
/// first; none of which they tell less than nothing.
pub(crate) fn details(
    task: &str,
    trials: &Trials,
    conditions: &Conditions,
    log_rates: &[f32],
    bins: Range<usize>,
    scores: &[UnitScores],
) -> Vec<Example> {
    let (most, shown) = DETAILED;
    let scored = scores.iter().enumerate().filter_map(|(unit, score)| Some((unit, score.bps?, score.spikes)));
    let mut telling: Vec<(usize, f64, f64)> = scored
        .filter(|(_, bps, _)| *bps > 0.0)
        .map(|(unit, bps, spikes)| (unit, bps, bps * spikes))
        .collect();
    telling.sort_by(|one, other| other.2.total_cmp(&one.2));
    let detail = |(unit, bps, _): (usize, f64, f64)| {
        let mut detail = example(task, "", unit, bps, trials, conditions, log_rates, &bins, shown);
        // Enough digits for a picture.
        let averages = detail.psth.iter_mut();
        let averages = averages.flat_map(|psth| {
            psth.observed.iter_mut().chain(&mut psth.observed_error).chain(&mut psth.predicted)
        });
        averages.for_each(|value| *value = (*value * 1e5).round() / 1e5);
        detail.predicted.iter_mut().flatten().for_each(|rate| *rate = (*rate * 1e4).round() / 1e4);
        detail
    };
    telling.into_iter().take(most).map(detail).collect()
}

fn example(
    task: &str,
    rank: &str,
    unit: usize,
    bps: f64,
    trials: &Trials,
    conditions: &Conditions,
    log_rates: &[f32],
    bins: &Range<usize>,
    shown: usize,
) -> Example {
    let of_unit = |values: &[f32], f: fn(f32) -> f32| -> Vec<Vec<f32>> {
        let rows = values.chunks(trials.stride());
        let scored = |trial: &[f32]| -> Vec<f32> {
            trial.chunks(trials.units).take(bins.end).skip(bins.start).map(|row| f(row[unit])).collect()
        };
        rows.map(scored).collect()
    };
    let (observed, predicted) = (of_unit(&trials.counts, |count| count), of_unit(log_rates, f32::exp));
    let count = bins.len();
    let average = |values: &[Vec<f32>]| psth(&values.concat(), count, 1, &conditions.of_trial);
    let (observed_psth, predicted_psth) = (average(&observed), average(&predicted));
    let psth = (0..observed_psth.conditions.len()).map(|index| {
        let condition = observed_psth.conditions[index];
        let of_condition = observed.iter().zip(&conditions.of_trial).filter(|(_, of)| **of == condition);
        let mean = &observed_psth.mean[index * count..][..count];
        ConditionPsth {
            label: conditions.labels[condition].clone(),
            trials: observed_psth.trials[index],
            observed: mean.to_vec(),
            observed_error: standard_error(of_condition.map(|(trial, _)| &trial[..]), mean),
            predicted: predicted_psth.mean[index * count..][..count].to_vec(),
        }
    });
    let psth = psth.collect();
    let first = |values: Vec<Vec<f32>>| values.into_iter().take(shown).collect();
    Example {
        task: task.to_owned(),
        rank: rank.to_owned(),
        unit,
        bps,
        first_bin: bins.start,
        observed: first(observed),
        predicted: first(predicted),
        psth,
    }
}

/// Standard error of the mean of trials `[bin]`, per bin; empty where there are fewer than two.
fn standard_error<'a>(trials: impl Iterator<Item = &'a [f32]>, mean: &[f64]) -> Vec<f64> {
    let (mut squares, mut count) = (vec![0.0; mean.len()], 0.0);
    for trial in trials {
        for ((sum, value), mean) in squares.iter_mut().zip(trial).zip(mean) {
            *sum += (f64::from(*value) - mean).powi(2);
        }
        count += 1.0;
    }
    if count < 2.0 {
        return Vec::new();
    }
    squares.into_iter().map(|sum| (sum / (count - 1.0) / count).sqrt()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_which_predictions_tell_the_most_bits_are_shown_one_by_one() {
        let (count, bins, units) = (40, 2, 60);
        let trials = Trials {
            indices: (0..count).collect(),
            bins,
            units,
            counts: (0..count * bins * units).map(|entry| (entry % units) as f32).collect(),
            true_log_rates: None,
            log_rates_given_latents: None,
            log_rates_given_past: None,
        };
        let labels = ["left", "right"].map(str::to_owned).to_vec();
        let conditions = Conditions { of_trial: (0..count).map(|trial| trial % 2).collect(), labels };
        // Unit 1 has few spikes, unit 2 many; unit 3 is predicted worse than its mean, unit 4 has no score.
        let score = |bps, spikes| UnitScores { bps, spikes, ..UnitScores::default() };
        let mut scores = vec![score(Some(0.1), 100.0); units];
        scores[1] = score(Some(2.0), 1.0);
        scores[2] = score(Some(0.5), 1000.0);
        scores[3] = score(Some(-0.5), 9000.0);
        scores[4] = score(None, 0.0);
        let log_rates = vec![(1.0f32 / 3.0).ln(); count * bins * units];
        let shown = details("co-smoothing", &trials, &conditions, &log_rates, 0..bins, &scores);
        let order: Vec<usize> = shown.iter().map(|detail| detail.unit).collect();
        assert_eq!((order.len(), order[0], order[1]), (50, 2, 0));
        assert!([1, 3, 4].iter().all(|unit| !order.contains(unit)));
        // Thirty trials, averages of all forty.
        assert_eq!((shown[0].observed.len(), shown[0].predicted.len()), (30, 30));
        assert_eq!((&shown[0].observed[7], &shown[0].predicted[7]), (&vec![2.0; 2], &vec![0.3333; 2]));
        let psth = &shown[0].psth[1];
        assert_eq!((psth.label.as_str(), psth.trials), ("right", 20));
        assert_eq!((&psth.observed, &psth.predicted), (&vec![2.0; 2], &vec![0.33333; 2]));
    }
}
