//! Scores of decoded behaviours, with intervals over test trials.

use crate::results::{ClassResult, Interval};
use neuroglot_fit::most_probable;
use neuroglot_metrics::{auc, balanced_accuracy, bootstrap_statistic, macro_auc, r2};

/// How well decisions between classes are made.
pub(crate) struct ScoredCategories {
    pub accuracy: Interval,
    /// Accuracy of always deciding for the class that most training trials are of.
    pub chance: f64,
    /// `None` where the test trials are of one class.
    pub balanced_accuracy: Option<Interval>,
    pub auc: Option<Interval>,
    /// Test trials of each class by the class that was decided for, `[class][class]`.
    pub decided: Vec<Vec<usize>>,
}

/// The class of each trial that predictions `[trial, output]` decide for.
pub(crate) fn decide(predictions: &[f64], outputs: usize) -> Vec<usize> {
    let of_trial = |row: &[f64]| if outputs == 1 { usize::from(row[0] > 0.0) } else { most_probable(row) };
    predictions.chunks(outputs).map(of_trial).collect()
}

/// How often each class occurs.
fn counts_of(found: &[usize], classes: usize) -> Vec<usize> {
    (0..classes).map(|class| found.iter().filter(|other| **other == class).count()).collect()
}

/// Scores predictions of trials `[trial, output]`, one output of two classes and else one per class, whose true classes
/// are known; `training` are the training trials of each class.
///
/// Balanced accuracy and AUC are resampled within classes, so that a rare class is in every resample.
pub(crate) fn score_categories(
    truth: &[usize],
    predictions: &[f64],
    training: &[usize],
    resamples: usize,
    seed: u64,
) -> ScoredCategories {
    let classes = training.len();
    let outputs = predictions.len() / truth.len();
    let decided = decide(predictions, outputs);
    let pick = |trials: &[usize], of: &[usize]| trials.iter().map(|trial| of[*trial]).collect::<Vec<usize>>();
    let strata: Vec<Vec<usize>> =
        (0..classes).map(|class| (0..truth.len()).filter(|trial| truth[*trial] == class).collect()).collect();
    let of_all = |trials: &[usize]| {
        let right = trials.iter().filter(|trial| truth[**trial] == decided[**trial]).count();
        Some(right as f64 / trials.len() as f64)
    };
    let balanced = |trials: &[usize]| balanced_accuracy(&pick(trials, truth), &pick(trials, &decided));
    let area = |trials: &[usize]| {
        let rows = trials.iter().flat_map(|trial| &predictions[trial * outputs..][..outputs]);
        let rows: Vec<f64> = rows.copied().collect();
        let truth = pick(trials, truth);
        match outputs {
            1 => auc(&rows, &truth.iter().map(|class| *class == 1).collect::<Vec<bool>>()),
            _ => macro_auc(&rows, &truth, classes),
        }
    };
    let all = [(0..truth.len()).collect::<Vec<usize>>()];
    let accuracy = bootstrap_statistic(&all, of_all, resamples, seed).expect("there are test trials");
    let is_varied = strata.iter().filter(|stratum| !stratum.is_empty()).count() > 1;
    let within = |statistic: &dyn Fn(&[usize]) -> Option<f64>| {
        is_varied.then(|| bootstrap_statistic(&strata, statistic, resamples, seed)).flatten()
    };
    let most = training.iter().max().copied().unwrap_or(0);
    let majority: Vec<usize> = (0..classes).filter(|class| training[*class] == most).collect();
    let in_majority: usize = majority.iter().map(|class| strata[*class].len()).sum();
    ScoredCategories {
        accuracy,
        // Of several classes that are equally frequent, any may be the answer.
        chance: in_majority as f64 / (majority.len() * truth.len()) as f64,
        balanced_accuracy: within(&balanced),
        auc: within(&area),
        decided: strata.iter().map(|trials| counts_of(&pick(trials, &decided), classes)).collect(),
    }
}

/// R² of predictions `[trial, output]` over all values, its interval over trials; `None` where the truth does not vary.
pub(crate) fn score_numbers(
    truth: &[f64],
    predictions: &[f64],
    outputs: usize,
    resamples: usize,
    seed: u64,
) -> Option<Interval> {
    let score = r2(truth, predictions)?;
    let centre = truth.iter().sum::<f64>() / truth.len() as f64;
    // Sums of each trial are all that a resample needs.
    let sums: Vec<[f64; 3]> = truth
        .chunks(outputs)
        .zip(predictions.chunks(outputs))
        .map(|(truth, predicted)| {
            let residual = truth.iter().zip(predicted).map(|(truth, predicted)| (truth - predicted).powi(2));
            let departures = truth.iter().map(|value| value - centre);
            [residual.sum(), departures.clone().sum(), departures.map(|value| value * value).sum()]
        })
        .collect();
    let of_trials = |trials: &[usize]| {
        let sum = |part: usize| trials.iter().map(|trial| sums[*trial][part]).sum::<f64>();
        let variation = sum(2) - sum(1).powi(2) / (trials.len() * outputs) as f64;
        (variation > 0.0).then(|| 1.0 - sum(0) / variation)
    };
    let all = [(0..sums.len()).collect::<Vec<usize>>()];
    let interval = bootstrap_statistic(&all, of_trials, resamples, seed);
    Some(
        interval.map_or(Interval { mean: score, low: score, high: score }, |ends| Interval {
            mean: score,
            ..ends
        }),
    )
}

impl ClassResult {
    /// What keeps the class from being learned or scored, if anything does.
    pub(crate) fn note(&self) -> Option<String> {
        let Self { label, training, test, .. } = self;
        let wrong = |why: &str| {
            format!("{label} is in {why}: its {test} test trials count as wrong; split trials stratified")
        };
        match (training, test) {
            (0, 1..) => Some(wrong("no training trial")),
            (1, 1..) => Some(wrong("one training trial alone, too few to learn it")),
            (1.., 0) => Some(format!(
                "{label} is in no test trial: how well it is decoded cannot be told; split trials stratified"
            )),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(truth: &[usize], predictions: &[f64], training: &[usize]) -> ScoredCategories {
        score_categories(truth, predictions, training, 500, 1)
    }

    /// The trials that were reported: 11 of 12 test trials are of the class that is rare in training.
    #[test]
    fn chance_is_what_the_training_trials_make_likely() {
        let truth: Vec<usize> = (0..12).map(|trial| usize::from(trial > 0)).collect();
        // A decoder that has learned to answer with the class of most training trials.
        let found = scored(&truth, &[-1.0; 12], &[30, 3]);
        assert!((found.accuracy.mean - 1.0 / 12.0).abs() < 1e-12);
        assert!((found.chance - 1.0 / 12.0).abs() < 1e-12);
        assert_eq!(found.balanced_accuracy.unwrap().mean, 0.5);
        assert_eq!(found.auc.unwrap().mean, 0.5);
        assert_eq!(found.decided, [[1, 0], [11, 0]]);
    }

    #[test]
    fn classes_that_are_equally_frequent_are_equally_likely_answers() {
        assert_eq!(scored(&[0, 0, 0, 1], &[1.0; 4], &[5, 5]).chance, 0.5);
        let three = scored(&[0, 0, 1, 2], &[1.0; 12], &[5, 5, 2]);
        assert!((three.chance - 3.0 / 8.0).abs() < 1e-12);
    }

    #[test]
    fn intervals_hold_the_score_and_one_class_has_no_balance() {
        let truth = [0, 1, 0, 1, 0, 1, 0, 1, 1, 1];
        let predictions = [-1.0, 2.0, 0.5, 1.0, -2.0, -0.5, -1.0, 1.5, 0.7, 0.2];
        let found = scored(&truth, &predictions, &[20, 20]);
        assert_eq!(found.accuracy.mean, 0.8);
        for interval in [found.accuracy, found.balanced_accuracy.unwrap(), found.auc.unwrap()] {
            assert!(interval.low < interval.mean && interval.mean < interval.high, "{interval:?}");
        }
        let one = scored(&[1, 1, 1], &[1.0, 1.0, -1.0], &[3, 4]);
        assert_eq!((one.balanced_accuracy, one.auc), (None, None));
        assert!((one.accuracy.mean - 2.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn intervals_of_r2_are_over_trials() {
        let truth: Vec<f64> = (0..40).map(|place| f64::from(place % 8)).collect();
        let predictions: Vec<f64> = truth
            .iter()
            .enumerate()
            .map(|(place, truth)| truth + f64::from(place as u32 % 3) - 1.0)
            .collect();
        let found = score_numbers(&truth, &predictions, 4, 500, 1).unwrap();
        assert_eq!(found.mean, r2(&truth, &predictions).unwrap());
        assert!(found.low < found.mean && found.mean < found.high, "{found:?}");
        let exact = score_numbers(&truth, &truth, 4, 500, 1).unwrap();
        assert_eq!((exact.low, exact.mean, exact.high), (1.0, 1.0, 1.0));
        assert_eq!(score_numbers(&[2.0; 8], &[1.0; 8], 4, 500, 1), None);
    }
}
