//! Regressions that `tests/fixtures/regressions.py` solves with scikit-learn and NumPy.

use crate::{Covariates, HiddenColumns};
use serde_json::Value;

/// One of the problems.
pub(crate) fn problem(name: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../tests/fixtures/regressions.json")).unwrap();
    all[name].clone()
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

pub(crate) fn covariates(problem: &Value) -> Covariates {
    let size = |name: &str| problem[name].as_u64().unwrap() as usize;
    Covariates { rows: size("rows"), columns: size("columns"), values: numbers(&problem["covariates"]) }
}

/// The columns hidden from each target: a set for each.
pub(crate) fn hidden() -> HiddenColumns {
    let columns = |set: &Value| numbers(set).into_iter().map(|column| column as usize).collect();
    let hidden: Vec<Vec<usize>> = problem("hidden").as_array().unwrap().iter().map(columns).collect();
    let set_of = (0..hidden.len()).collect();
    HiddenColumns::new(hidden, set_of)
}

pub(crate) fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= tolerance, "{name}, {place}: {found} instead of {expected}");
    }
}
