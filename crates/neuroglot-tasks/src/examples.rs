//! Units shown in detail.

use crate::conditions::Conditions;
use crate::results::{ConditionPsth, Example, UnitScores};
use crate::trials::Trials;
use neuroglot_metrics::psth;
use std::ops::Range;

/// Trials shown of a unit.
const TRIALS: usize = 200;

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
        example(task, rank, unit, bps, trials, conditions, log_rates, &bins)
    };
    places.map(detail).to_vec()
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
    let shown = |values: Vec<Vec<f32>>| values.into_iter().take(TRIALS).collect();
    Example {
        task: task.to_owned(),
        rank: rank.to_owned(),
        unit,
        bps,
        first_bin: bins.start,
        observed: shown(observed),
        predicted: shown(predicted),
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
