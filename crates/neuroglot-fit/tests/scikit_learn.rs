//! Regressions against scikit-learn, on the problems that `fixtures/scikit_learn.py` writes.

use neuroglot_fit::{Features, LogisticCv, RidgeCv, SampleProducts};
use serde_json::Value;

fn problem(kind: &str, shape: &str) -> Value {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/scikit_learn.json")).unwrap();
    fixture[kind][shape].clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

fn booleans(value: &Value) -> Vec<bool> {
    value.as_array().unwrap().iter().map(|label| label.as_bool().unwrap()).collect()
}

fn size(value: &Value) -> usize {
    value.as_u64().unwrap() as usize
}

fn products(train: &[f32], test: &[f32], width: usize) -> SampleProducts {
    let [train, test] = [train, test].map(|values| Features::new(values, width).unwrap());
    SampleProducts::new(train, test).unwrap()
}

/// Compares to `tolerance`, relative to the largest expected value.
fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, name: &str) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let scale = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!(
            (found - expected).abs() <= tolerance * scale,
            "{name}: value {index} is {found} instead of {expected}"
        );
    }
}

fn check_ridge(shape: &str) {
    let problem = problem("ridge", shape);
    let (width, outputs) = (size(&problem["features"]), size(&problem["outputs"]));
    let (train, test, targets) =
        (singles(&problem["train"]), singles(&problem["test"]), numbers(&problem["targets"]));
    let products = products(&train, &test, width);
    assert_eq!(RidgeCv::default().alphas, numbers(&problem["alphas"]));

    let fit = RidgeCv::default().fit_predict(&products, &targets, outputs).unwrap();
    assert_eq!(fit.alpha, problem["alpha"].as_f64().unwrap());
    assert_close(&fit.mean_scores, &numbers(&problem["mean_scores"]), 1e-8, "mean R²");
    assert_close(&fit.predictions, &numbers(&problem["predictions"]), 1e-8, "predictions");

    for (alpha, expected) in
        numbers(&problem["alphas"]).into_iter().zip(problem["predictions_by_alpha"].as_array().unwrap())
    {
        let search = RidgeCv { alphas: vec![alpha], folds: 4 };
        let fit = search.fit_predict(&products, &targets, outputs).unwrap();
        assert_close(&fit.predictions, &numbers(expected), 1e-8, &format!("predictions with α = {alpha}"));
    }
}

#[test]
fn ridge_with_fewer_features_than_samples() {
    check_ridge("narrow");
}

#[test]
fn ridge_with_more_features_than_samples() {
    check_ridge("wide");
}

fn check_logistic(shape: &str) {
    let problem = problem("logistic", shape);
    let width = size(&problem["features"]);
    let (train, test, labels) =
        (singles(&problem["train"]), singles(&problem["test"]), booleans(&problem["labels"]));
    let products = products(&train, &test, width);
    assert_eq!(LogisticCv::default().inverse_penalties, numbers(&problem["inverse_penalties"]));

    let fit = LogisticCv::default().fit_predict(&products, &labels).unwrap();
    assert_eq!(fit.inverse_penalty, problem["inverse_penalty"].as_f64().unwrap());
    assert_close(&fit.mean_scores, &numbers(&problem["mean_scores"]), 1e-14, "mean accuracy");
    let predictions: Vec<bool> = fit.margins.iter().map(|margin| *margin > 0.0).collect();
    assert_eq!(predictions, booleans(&problem["predictions"]));

    for (inverse_penalty, expected) in numbers(&problem["inverse_penalties"])
        .into_iter()
        .zip(problem["probabilities_by_inverse_penalty"].as_array().unwrap())
    {
        let search =
            LogisticCv { inverse_penalties: vec![inverse_penalty], folds: 4, ..LogisticCv::default() };
        let fit = search.fit_predict(&products, &labels).unwrap();
        let probabilities: Vec<f64> =
            fit.margins.iter().map(|margin| 1.0 / (1.0 + (-margin).exp())).collect();
        assert_close(&probabilities, &numbers(expected), 1e-6, &format!("C = {inverse_penalty}"));
    }
}

#[test]
fn logistic_regression_with_fewer_features_than_samples() {
    check_logistic("narrow");
}

#[test]
fn logistic_regression_with_more_features_than_samples() {
    check_logistic("wide");
}
