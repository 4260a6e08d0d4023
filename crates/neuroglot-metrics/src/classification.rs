//! Scores of decisions between classes, whatever the share of each.

/// The mean over classes of the share of their samples that were decided rightly, over the classes that occur in `truth`;
/// always deciding for one class scores one over their number. `None` without a sample.
///
/// # Panics
/// If the slices differ in length.
pub fn balanced_accuracy(truth: &[usize], decided: &[usize]) -> Option<f64> {
    assert_eq!(truth.len(), decided.len(), "a decision per sample");
    let classes = truth.iter().max()? + 1;
    let (mut right, mut all) = (vec![0.0; classes], vec![0.0; classes]);
    for (truth, decided) in truth.iter().zip(decided) {
        all[*truth] += 1.0;
        right[*truth] += f64::from(truth == decided);
    }
    let recalls: Vec<f64> =
        right.iter().zip(&all).filter(|(_, all)| **all > 0.0).map(|(right, all)| right / all).collect();
    Some(recalls.iter().sum::<f64>() / recalls.len() as f64)
}

/// Area under the ROC curve: the probability that a sample of the class has a higher score than one that is not of it,
/// ties counting half (Mann and Whitney 1947). `None` where one of the two kinds does not occur.
///
/// # Panics
/// If the slices differ in length.
pub fn auc(scores: &[f64], is_of_class: &[bool]) -> Option<f64> {
    assert_eq!(scores.len(), is_of_class.len(), "a score per sample");
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let (mut inside, mut outside, mut wins) = (0.0, 0.0, 0.0);
    for equal in order.chunk_by(|a, b| scores[*a] == scores[*b]) {
        let of_class = equal.iter().filter(|sample| is_of_class[**sample]).count() as f64;
        let others = equal.len() as f64 - of_class;
        wins += of_class * (outside + others / 2.0);
        inside += of_class;
        outside += others;
    }
    (inside > 0.0 && outside > 0.0).then(|| wins / (inside * outside))
}

/// The mean of [`auc`] over classes, each against all others, of scores `[sample, class]`; classes that do not occur in
/// `truth` are left out. `None` where there are fewer than two.
///
/// # Panics
/// If there is not one score per sample and class.
pub fn macro_auc(scores: &[f64], truth: &[usize], classes: usize) -> Option<f64> {
    assert_eq!(scores.len(), truth.len() * classes, "a score per sample and class");
    let of_class = |class: usize| {
        let scores: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
        let is_of_class: Vec<bool> = truth.iter().map(|truth| *truth == class).collect();
        auc(&scores, &is_of_class)
    };
    crate::mean_defined(&(0..classes).map(of_class).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_answer_for_all_is_no_better_than_chance() {
        // 11 of 12 are of class 0: always saying so is right in 11 of 12, and balanced in a half.
        let truth: Vec<usize> = (0..12).map(|sample| usize::from(sample == 5)).collect();
        assert_eq!(balanced_accuracy(&truth, &[0; 12]), Some(0.5));
        assert_eq!(balanced_accuracy(&truth, &[1; 12]), Some(0.5));
        assert_eq!(balanced_accuracy(&truth, &truth), Some(1.0));
        assert_eq!(balanced_accuracy(&[0, 0, 2, 2], &[0, 0, 2, 1]), Some(0.75));
        assert_eq!(balanced_accuracy(&[], &[]), None);
    }

    #[test]
    fn areas_by_hand() {
        // scikit-learn's roc_auc_score([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) is 0.75.
        assert_eq!(auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true]), Some(0.75));
        assert_eq!(auc(&[1.0, 1.0, 1.0, 0.0], &[true, false, false, false]), Some(2.0 / 3.0));
        assert_eq!(auc(&[3.0, 2.0, 1.0], &[true, true, false]), Some(1.0));
        assert_eq!(auc(&[0.5; 4], &[true, false, true, false]), Some(0.5));
        assert_eq!(auc(&[0.5], &[true]), None);
    }

    #[test]
    fn classes_count_alike_each_against_the_others() {
        let scores = [0.8, 0.1, 0.1, 0.2, 0.7, 0.1, 0.1, 0.6, 0.3, 0.3, 0.3, 0.4];
        let truth = [0, 1, 2, 2];
        // Class 0: 0.8 above 0.2, 0.1, 0.3; class 1: 0.7 above 0.1, 0.6, 0.3; class 2: 0.3 and 0.4 above 0.1 and 0.1.
        assert_eq!(macro_auc(&scores, &truth, 3), Some(1.0));
        let scores = [0.2, 0.7, 0.1, 0.8, 0.1, 0.1, 0.1, 0.6, 0.3, 0.3, 0.3, 0.4];
        // Class 0: 0.2 above 0.1, below 0.8 and 0.3: 1/3; class 1: 0.1 below 0.7, 0.6 and 0.3: 0; class 2: 1.
        assert!((macro_auc(&scores, &truth, 3).unwrap() - (1.0 / 3.0 + 0.0 + 1.0) / 3.0).abs() < 1e-12);
        assert_eq!(macro_auc(&[0.5, 0.5], &[1], 2), None);
    }
}
