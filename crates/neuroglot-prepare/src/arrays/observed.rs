//! When it was recorded, as the description says it.

use super::value::ArrayValue;
use crate::files::npy::NpyArray;
use crate::{Intervals, PrepareError};

const CURE: &str = "give [start, end] of each stretch of time that was recorded, s";

/// Stretches of time `[stretch, 2]`, s.
pub(super) fn stretches(array: &ArrayValue) -> Result<Intervals, PrepareError> {
    let NpyArray { shape, values } = array.numbers::<f64>()?;
    match shape[..] {
        [_, 2] => intervals(&values, array),
        _ => Err(array.wrong(format!("has shape {shape:?}, expected [stretch, 2]"), CURE)),
    }
}

/// Stretches of time of each of so many units, s: `[unit, 2]`, or `[unit, stretch, 2]` where those that a unit has not are
/// NaN.
pub(super) fn of_units(array: &ArrayValue, units: usize) -> Result<Vec<Option<Intervals>>, PrepareError> {
    let NpyArray { shape, values } = array.numbers::<f64>()?;
    let each = match shape[..] {
        [own, 2] if own == units => 2,
        [own, stretches, 2] if own == units => stretches * 2,
        _ => {
            return Err(array.wrong(
                format!("has shape {shape:?}, expected [unit, 2] = [{units}, 2] or [unit, stretch, 2]"),
                CURE,
            ));
        }
    };
    if each == 0 {
        return Ok(vec![Some(Intervals::default()); units]);
    }
    values.chunks(each).map(|own| intervals(own, array).map(Some)).collect()
}

/// Whether each unit was observed in each trial, `[trial, unit]` flattened; of `[trial]`, all units were or none.
pub(super) fn in_trials(array: &ArrayValue, trials: usize, units: usize) -> Result<Vec<bool>, PrepareError> {
    let NpyArray { shape, values } = array.numbers::<u32>()?;
    if let Some(other) = values.iter().find(|&&value| value > 1) {
        return Err(array.wrong(format!("holds {other}"), "give truth values, or 0 and 1"));
    }
    let each = match shape[..] {
        [own_trials, own_units] if [own_trials, own_units] == [trials, units] => 1,
        [own] if own == trials => units,
        _ => {
            return Err(array.wrong(
                format!("has shape {shape:?}, expected [trial, unit] = [{trials}, {units}] or [trial] = [{trials}]"),
                "give a truth value for each trial, or for each unit in it",
            ));
        }
    };
    Ok(values.into_iter().flat_map(|value| std::iter::repeat_n(value == 1, each)).collect())
}

fn intervals(edges: &[f64], array: &ArrayValue) -> Result<Intervals, PrepareError> {
    let (edges, _) = edges.as_chunks::<2>();
    if let Some([start, end]) = edges.iter().find(|[start, end]| start > end) {
        return Err(array.wrong(format!("has a stretch from {start} to {end} s"), CURE));
    }
    Ok(Intervals::new(edges.iter().copied()))
}
