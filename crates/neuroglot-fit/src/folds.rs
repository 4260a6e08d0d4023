//! Cross-validation folds, assigned as scikit-learn assigns them without shuffling.

use crate::FitError;
use std::fmt::Display;

/// One division of the samples into those fitted and those scored, both ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    /// Samples the model is fitted on.
    pub(crate) train: Vec<usize>,
    /// Samples the model is scored on.
    pub(crate) test: Vec<usize>,
}

/// `folds` splits of `samples` samples; the test samples of a split are consecutive, and the first
/// `samples % folds` splits have one more (scikit-learn's `KFold`).
///
/// # Errors
/// If there are fewer than two folds, or fewer samples than two per fold (an R² needs two).
pub(crate) fn k_fold(samples: usize, folds: usize) -> Result<Vec<Split>, FitError> {
    check_folds(folds)?;
    let needed = folds.saturating_mul(2);
    if samples < needed {
        let problem = format!(
            "{samples} training samples are too few for {folds} folds, which need {needed}; \
             use fewer folds or more trials"
        );
        return Err(FitError::new("targets", problem));
    }
    let sizes = (0..folds).map(|fold| samples / folds + usize::from(fold < samples % folds));
    let fold_of: Vec<usize> = sizes.enumerate().flat_map(|(fold, size)| vec![fold; size]).collect();
    Ok(splits(&fold_of, folds))
}

/// `folds` splits with the same share of each class in every test part, up to one sample (scikit-learn's
/// `StratifiedKFold`).
///
/// # Errors
/// If there are fewer than two folds, fewer than two classes occur, or one that occurs has fewer samples than there are
/// folds.
pub(crate) fn stratified_k_fold<T: Copy + Display + Ord>(
    classes: &[T],
    folds: usize,
) -> Result<Vec<Split>, FitError> {
    check_folds(folds)?;
    let mut order_of_appearance = Vec::new();
    for class in classes {
        if !order_of_appearance.contains(class) {
            order_of_appearance.push(*class);
        }
    }
    if order_of_appearance.len() < 2 {
        return Err(FitError::one_class(classes.len()));
    }
    // The samples are dealt to the folds in turn, those of the class that appears first before those of the next. Only
    // the number of samples per class that each fold gets is kept: each class then fills the folds in order.
    let mut first = 0;
    let mut queues = std::collections::BTreeMap::new();
    for class in order_of_appearance {
        let samples = classes.iter().filter(|other| **other == class).count();
        if samples < folds {
            let problem = format!(
                "only {samples} training samples are {class}, fewer than the {folds} folds; use fewer folds or more trials"
            );
            return Err(FitError::new("labels", problem));
        }
        let mut assigned: Vec<usize> = (first..first + samples).map(|position| position % folds).collect();
        assigned.sort_unstable();
        queues.insert(class, assigned.into_iter());
        first += samples;
    }
    let mut next = |class: &T| queues.get_mut(class).and_then(Iterator::next);
    let fold_of: Vec<usize> =
        classes.iter().map(|class| next(class).expect("as many places were dealt as counted")).collect();
    Ok(splits(&fold_of, folds))
}

fn check_folds(folds: usize) -> Result<(), FitError> {
    if folds < 2 {
        let problem = format!("{folds} is too few to cross-validate; use at least 2");
        return Err(FitError::new("folds", problem));
    }
    Ok(())
}

fn splits(fold_of: &[usize], folds: usize) -> Vec<Split> {
    (0..folds)
        .map(|fold| {
            let (test, train) = (0..fold_of.len()).partition(|&sample| fold_of[sample] == fold);
            Split { train, test }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use serde_json::Value;

    /// Test folds as scikit-learn assigns them, from `tests/fixtures/scikit_learn.py`.
    fn fixture(name: &str) -> Vec<Value> {
        let fixture: Value =
            serde_json::from_str(include_str!("../tests/fixtures/scikit_learn.json")).unwrap();
        fixture["folds"][name].as_array().unwrap().clone()
    }

    fn fold_of(splits: &[Split], samples: usize) -> Vec<usize> {
        (0..samples)
            .map(|sample| splits.iter().position(|split| split.test.contains(&sample)).expect("tested once"))
            .collect()
    }

    fn sizes(value: &Value) -> Vec<usize> {
        value.as_array().unwrap().iter().map(|number| number.as_u64().unwrap() as usize).collect()
    }

    #[test]
    fn consecutive_folds_are_those_of_scikit_learn() {
        for case in fixture("k_fold") {
            let expected = sizes(&case["fold_of"]);
            let splits = k_fold(expected.len(), case["folds"].as_u64().unwrap() as usize).unwrap();
            assert_eq!(fold_of(&splits, expected.len()), expected);
        }
    }

    #[test]
    fn stratified_folds_are_those_of_scikit_learn() {
        for case in fixture("stratified") {
            let labels: Vec<bool> =
                case["labels"].as_array().unwrap().iter().map(|label| label.as_bool().unwrap()).collect();
            let splits = stratified_k_fold(&labels, case["folds"].as_u64().unwrap() as usize).unwrap();
            assert_eq!(fold_of(&splits, labels.len()), sizes(&case["fold_of"]));
        }
    }

    #[test]
    fn folds_of_three_classes_are_those_of_scikit_learn() {
        // In which of the test folds of StratifiedKFold(3) each sample is.
        let classes = [2, 2, 0, 1, 1, 0, 2, 1, 0, 2, 2];
        let found = stratified_k_fold(&classes, 3).unwrap();
        assert_eq!(fold_of(&found, 11), [0, 0, 0, 0, 1, 1, 1, 2, 2, 1, 2]);
        assert!(stratified_k_fold(&classes, 4).is_err());
    }

    #[test]
    fn without_samples_there_are_no_folds() {
        assert!(k_fold(0, 4).is_err());
        assert!(stratified_k_fold::<bool>(&[], 4).is_err());
        assert_eq!(k_fold(10, 1).unwrap_err().input, "folds");
    }

    fn assert_partition(splits: &[Split], samples: usize) {
        let all: Vec<usize> = (0..samples).collect();
        let mut tested: Vec<usize> = splits.iter().flat_map(|split| split.test.clone()).collect();
        tested.sort_unstable();
        assert_eq!(tested, all);
        for split in splits {
            let mut both = [split.train.clone(), split.test.clone()].concat();
            both.sort_unstable();
            assert_eq!(both, all);
        }
    }

    proptest! {
        #[test]
        fn every_sample_is_tested_once((folds, samples) in (2..8_usize).prop_flat_map(|f| (Just(f), 2 * f..60))) {
            assert_partition(&k_fold(samples, folds).unwrap(), samples);
        }

        #[test]
        fn every_fold_has_its_share_of_each_class(
            folds in 2..6_usize,
            labels in (0.0..=1.0_f64).prop_flat_map(|share| vec(proptest::bool::weighted(share), 2..80)),
        ) {
            let of_true = labels.iter().filter(|&&label| label).count();
            let rarer = of_true.min(labels.len() - of_true);
            let splits = stratified_k_fold(&labels, folds);
            prop_assert_eq!(splits.is_ok(), rarer >= folds);
            let Ok(splits) = splits else { return Ok(()) };
            assert_partition(&splits, labels.len());
            for class in [true, false] {
                let of_class =
                    |split: &Split| split.test.iter().filter(|&&sample| labels[sample] == class).count();
                let most = splits.iter().map(of_class).max().unwrap();
                let fewest = splits.iter().map(of_class).min().unwrap();
                prop_assert!(most - fewest <= 1, "{} to {} of {}", fewest, most, class);
            }
        }
    }
}
