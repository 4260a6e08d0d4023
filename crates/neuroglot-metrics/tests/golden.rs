//! Scores against an independent implementation: `metrics.json` of `golden/` at the root of the repository, or of the folder
//! that `NEUROGLOT_GOLDENS` names.

use std::collections::BTreeMap;
use std::path::Path;

use neuroglot_metrics::{bits_per_spike, mean_defined, poisson_d2, psth_r2, single_trial_r2};
use serde_json::Value;

const BINS: usize = 12;
const UNITS: usize = 6;
const TOLERANCE: f64 = 1e-9;

fn golden() -> Value {
    let folder = std::env::var_os("NEUROGLOT_GOLDENS");
    let folder = folder.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden").into());
    let text =
        std::fs::read_to_string(Path::new(&folder).join("metrics.json")).expect("metrics.json is readable");
    serde_json::from_str(&text).expect("metrics.json is JSON")
}

/// The numbers of an array of any depth, in row-major order.
fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

/// One label per trial: equal rows of `conditions` get equal labels.
fn labels(conditions: &Value) -> Vec<usize> {
    let mut known = BTreeMap::new();
    let rows = conditions.as_array().expect("conditions is an array");
    rows.iter()
        .map(|row| {
            let next = known.len();
            *known.entry(row.to_string()).or_insert(next)
        })
        .collect()
}

fn first_units(values: &[f64], units: usize) -> Vec<f64> {
    values.chunks_exact(UNITS).flat_map(|entry| entry[..units].to_vec()).collect()
}

fn assert_close(found: Option<f64>, expected: &Value, name: &str) {
    match (found, expected.as_f64()) {
        (Some(found), Some(expected)) => {
            assert!((found - expected).abs() <= TOLERANCE, "{name}: {found} instead of {expected}");
        }
        (found, expected) => assert_eq!(found, expected, "{name}"),
    }
}

#[test]
fn bits_per_spike_per_unit_mean_and_pooled() {
    let golden = golden();
    let score = bits_per_spike(&numbers(&golden["log_rates"]), &numbers(&golden["counts"]), UNITS);
    let expected = golden["bps_per_neuron"].as_array().expect("one figure per unit");
    assert_eq!(score.per_unit.len(), expected.len());
    for (unit, expected) in expected.iter().enumerate() {
        assert_close(score.per_unit[unit], expected, &format!("bits per spike of unit {unit}"));
    }
    assert_close(score.mean(), &golden["bps_mean"], "mean bits per spike");
    assert_close(score.pooled, &golden["bps_pooled"], "pooled bits per spike");
}

#[test]
fn mean_poisson_d2() {
    let golden = golden();
    let d2 = poisson_d2(&numbers(&golden["log_rates"]), &numbers(&golden["counts"]), UNITS);
    assert_close(mean_defined(&d2), &golden["poisson_d2"], "Poisson D²");
}

#[test]
fn r2_of_the_first_five_units_by_trial_and_by_condition() {
    let golden = golden();
    let counts = first_units(&numbers(&golden["counts"]), 5);
    let log_rates = first_units(&numbers(&golden["log_rates"]), 5);
    let rates: Vec<f64> = log_rates.iter().map(|log_rate| log_rate.exp()).collect();

    let by_condition = psth_r2(&rates, &counts, BINS, 5, &labels(&golden["conditions"]));
    assert_close(mean_defined(&by_condition), &golden["psth_r2_first5"], "PSTH R²");

    let by_trial = single_trial_r2(&rates, &counts, 5);
    for (unit, found) in by_trial.into_iter().enumerate() {
        assert_close(
            found,
            &golden["single_trial_r2_first5"][unit],
            &format!("single-trial R² of unit {unit}"),
        );
    }
}
