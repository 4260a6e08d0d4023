//! How trials are split so that training and test do not share time.

use std::collections::BTreeMap;
use std::str::FromStr;

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::{Split, split_trials_by};

/// More classes than this are no classes but numbers.
const MOST_CLASSES: usize = 20;

/// How it is decided which trial belongs to which split.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SplitKind {
    /// By a seeded random permutation, as the paper does (MtM, arXiv 2407.14668).
    #[default]
    Random,
    /// By time: the first trials train, the next ones validate, the last ones test.
    Contiguous,
    /// By chance among the trials of each class, so that every split has its share of rare ones.
    Stratified,
}

impl SplitKind {
    /// All kinds.
    pub const ALL: [SplitKind; 3] = [SplitKind::Random, SplitKind::Contiguous, SplitKind::Stratified];

    /// The name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            SplitKind::Random => "random",
            SplitKind::Contiguous => "contiguous",
            SplitKind::Stratified => "stratified",
        }
    }
}

impl std::fmt::Display for SplitKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for SplitKind {
    type Err = String;

    fn from_str(text: &str) -> Result<SplitKind, String> {
        let kind = SplitKind::ALL.into_iter().find(|kind| kind.name().eq_ignore_ascii_case(text));
        kind.ok_or_else(|| format!("there is no split `{text}`: write random, contiguous or stratified"))
    }
}

/// How trials are split.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SplitPlan {
    /// What decides.
    pub kind: SplitKind,
    /// Shares of the trials, from 0 to 1, together 1: train, validation, test.
    pub shares: [f64; 3],
    /// Least time between windows of two splits, s. `None` lets them lie as they come; a random or stratified split keeps
    /// trials together that are nearer to each other.
    pub gap: Option<f64>,
    /// Decides what is left to chance.
    pub seed: u64,
}

/// When the windows of trials are.
#[derive(Debug, Clone, Copy)]
pub struct TrialWindows<'a> {
    /// Begin of each trial's window, s: `[trial]`.
    pub starts: &'a [f64],
    /// Length of all of them, s.
    pub seconds: f64,
}

impl SplitPlan {
    /// The split of each of `trials` trials; `None` for those that a contiguous split leaves out because they lie in a gap.
    /// `windows` are not known of all recordings; `classes`, `[trial]`, is what a stratified split is by, NaN where missing.
    ///
    /// # Errors
    /// In words: a gap where windows are not known, classes that are none, a gap that leaves a split empty.
    pub fn draw(
        &self,
        trials: usize,
        windows: Option<TrialWindows>,
        classes: Option<&[f64]>,
    ) -> Result<Vec<Option<Split>>, String> {
        if self.gap.is_some() && windows.is_none() {
            return Err(
                "a gap between splits asks for the times of the trials, which are not known: leave it out, \
                        or say when the trials began"
                    .to_owned(),
            );
        }
        let splits: Vec<Option<Split>> = match self.kind {
            SplitKind::Contiguous => self.in_order(trials, windows),
            SplitKind::Random if self.gap.is_none() => {
                let [train, validation, _] = self.shares;
                split_trials_by(trials, self.seed, train, validation).into_iter().map(Some).collect()
            }
            SplitKind::Random => self.together(trials, windows, &vec![0; trials]),
            SplitKind::Stratified => {
                let classes = classes.ok_or("a stratified split needs classes of the trials")?;
                self.together(trials, windows, &numbered(classes)?)
            }
        };
        // Without a gap, small recordings are split as they always were.
        if self.gap.is_some() || self.kind == SplitKind::Contiguous {
            self.check_filled(&splits)?;
        }
        Ok(splits)
    }

    fn check_filled(&self, splits: &[Option<Split>]) -> Result<(), String> {
        for (split, share) in Split::ALL.into_iter().zip(self.shares) {
            if share > 0.0 && !splits.contains(&Some(split)) {
                let gap = self.gap.unwrap_or(0.0);
                return Err(match self.kind {
                    SplitKind::Contiguous => {
                        format!(
                            "a contiguous split with a gap of {gap} s leaves no {split} trial: shorten the gap"
                        )
                    }
                    kind => format!(
                        "a {kind} split with a gap of {gap} s leaves no {split} trial, because trials that are nearer to \
                         each other stay together: shorten the gap or the window, or take a contiguous split"
                    ),
                });
            }
        }
        Ok(())
    }

    /// Blocks in the order of time, or of the trials where that is not known.
    fn in_order(&self, trials: usize, windows: Option<TrialWindows>) -> Vec<Option<Split>> {
        let mut order: Vec<usize> = (0..trials).collect();
        if let Some(TrialWindows { starts, .. }) = windows {
            order.sort_by(|&a, &b| starts[a].total_cmp(&starts[b]));
        }
        let [train, validation, _] = self.shares;
        // The sizes are those of a random split.
        let mut sizes = split_trials_by(trials, 0, train, validation);
        sizes.sort_unstable();
        let mut splits = vec![None; trials];
        let mut ends = Split::ALL.map(|_| f64::NEG_INFINITY);
        for (&trial, split) in order.iter().zip(sizes) {
            let block = split as usize;
            if let Some(TrialWindows { starts, seconds }) = windows {
                // TrialWindows that touch do not overlap, whatever the rounding of their ends.
                let free = ends[..block].iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if starts[trial] < free + self.gap.unwrap_or(0.0) - 1e-6 * seconds {
                    continue;
                }
                ends[block] = ends[block].max(starts[trial] + seconds);
            }
            splits[trial] = Some(split);
        }
        splits
    }

    /// Groups of trials that are nearer to each other than the gap, each to the split that lacks most of its classes.
    fn together(
        &self,
        trials: usize,
        windows: Option<TrialWindows>,
        classes: &[usize],
    ) -> Vec<Option<Split>> {
        let mut groups = match (self.gap, windows) {
            (Some(gap), Some(windows)) => near(windows, gap),
            _ => (0..trials).map(|trial| vec![trial]).collect(),
        };
        groups.shuffle(&mut ChaCha8Rng::seed_from_u64(self.seed));
        // Long groups first: later ones can make up for them. The sort keeps the shuffled order of equal ones.
        groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
        let found = classes.iter().max().map_or(0, |most| most + 1);
        let mut sizes = vec![0.0; found];
        classes.iter().for_each(|&class| sizes[class] += 1.0);
        let mut lacking =
            self.shares.map(|share| sizes.iter().map(|size| share * size).collect::<Vec<f64>>());
        let mut of_split: [Vec<Vec<usize>>; 3] = Default::default();
        for group in groups {
            let need = |split: usize| group.iter().map(|&trial| lacking[split][classes[trial]]).sum::<f64>();
            let wanted = (0..3).filter(|&split| self.shares[split] > 0.0);
            // Of splits that lack as much, the first.
            let chosen = wanted.rev().max_by(|&a, &b| need(a).total_cmp(&need(b))).unwrap_or(0);
            group.iter().for_each(|&trial| lacking[chosen][classes[trial]] -= 1.0);
            of_split[chosen].push(group);
        }
        // Rounding may leave a small split without any. Groups come with their length falling: the last is the shortest.
        for empty in (0..3).filter(|&split| self.shares[split] > 0.0) {
            let longest = (0..3).max_by_key(|&split| of_split[split].len()).unwrap_or(0);
            if of_split[empty].is_empty() && of_split[longest].len() > 1 {
                let group = of_split[longest].pop().unwrap_or_default();
                of_split[empty].push(group);
            }
        }
        let mut splits = vec![None; trials];
        for (split, groups) in Split::ALL.into_iter().zip(of_split) {
            groups.iter().flatten().for_each(|&trial| splits[trial] = Some(split));
        }
        splits
    }
}

/// Trials in groups such that windows of two groups are at least `gap` apart.
fn near(TrialWindows { starts, seconds }: TrialWindows, gap: f64) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..starts.len()).collect();
    order.sort_by(|&a, &b| starts[a].total_cmp(&starts[b]));
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut last = f64::NEG_INFINITY;
    for trial in order {
        match groups.last_mut() {
            Some(group) if starts[trial] < last + seconds + gap - 1e-6 * seconds => group.push(trial),
            _ => groups.push(vec![trial]),
        }
        last = starts[trial];
    }
    groups
}

/// The classes, numbered in their order; a missing one is a class of its own.
fn numbered(classes: &[f64]) -> Result<Vec<usize>, String> {
    // Equal numbers have equal bits but for the sign of 0.
    let key = |class: f64| if class.is_nan() { u64::MAX } else { (class + 0.0).to_bits() };
    let mut numbers: BTreeMap<u64, usize> = classes.iter().map(|&class| (key(class), 0)).collect();
    if numbers.len() > MOST_CLASSES {
        return Err(format!(
            "it has {} different values: a stratified split is by classes, at most {MOST_CLASSES}",
            numbers.len()
        ));
    }
    numbers.values_mut().enumerate().for_each(|(number, class)| *class = number);
    Ok(classes.iter().map(|&class| numbers[&key(class)]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SHARES: [f64; 3] = [0.7, 0.1, 0.2];

    fn plan(kind: SplitKind, gap: Option<f64>) -> SplitPlan {
        SplitPlan { kind, shares: SHARES, gap, seed: 42 }
    }

    fn sizes(splits: &[Option<Split>]) -> [usize; 3] {
        Split::ALL.map(|split| splits.iter().filter(|other| **other == Some(split)).count())
    }

    #[test]
    fn a_random_split_is_the_published_one() {
        let splits = plan(SplitKind::Random, None).draw(367, None, None).unwrap();
        assert!(splits.into_iter().eq(crate::split_trials(367, 42).into_iter().map(Some)));
    }

    #[test]
    fn a_contiguous_split_is_in_order_of_time_with_a_gap_between_blocks() {
        // Ten windows of 2 s, one each 3 s, given backwards: 1 s lies between neighbours.
        let starts: Vec<f64> = (0..10).rev().map(|trial| 3.0 * f64::from(trial)).collect();
        let windows = Some(TrialWindows { starts: &starts, seconds: 2.0 });
        let draw = |gap| plan(SplitKind::Contiguous, gap).draw(10, windows, None);
        let (train, validation, test) = (Some(Split::Train), Some(Split::Validation), Some(Split::Test));
        let expected = [test, test, validation, train, train, train, train, train, train, train];
        assert_eq!(draw(None).unwrap(), expected);
        assert_eq!(draw(Some(1.0)).unwrap(), expected, "windows are 1 s apart");
        // The only validation trial begins 1 s after training has ended.
        let error = draw(Some(1.1)).unwrap_err();
        assert!(error.contains("leaves no validation trial"), "{error}");
        let wide = SplitPlan { shares: [0.5, 0.0, 0.5], ..plan(SplitKind::Contiguous, Some(1.1)) };
        let expected = [test, test, test, test, None, train, train, train, train, train];
        assert_eq!(wide.draw(10, windows, None).unwrap(), expected);
    }

    #[test]
    fn a_stratified_split_gives_rare_classes_their_share() {
        let mut classes = vec![1.0; 100];
        classes[..10].fill(-1.0);
        let splits = plan(SplitKind::Stratified, None).draw(100, None, Some(&classes)).unwrap();
        assert_eq!(sizes(&splits), [70, 10, 20]);
        assert_eq!(sizes(&splits[..10]), [7, 1, 2]);
        // Half a validation trial of each class makes none, but no split is left empty.
        let classes = [1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0];
        let splits = plan(SplitKind::Stratified, None).draw(8, None, Some(&classes)).unwrap();
        assert_eq!(sizes(&splits), [5, 1, 2]);
        let numbers: Vec<f64> = (0..100).map(f64::from).collect();
        let error = plan(SplitKind::Stratified, None).draw(100, None, Some(&numbers)).unwrap_err();
        assert!(error.contains("100 different values"), "{error}");
    }

    #[test]
    fn a_gap_where_times_are_not_known_is_an_error() {
        let error = plan(SplitKind::Random, Some(0.0)).draw(10, None, None).unwrap_err();
        assert!(error.contains("not known"), "{error}");
    }

    #[test]
    fn windows_that_all_overlap_cannot_be_drawn_at_random() {
        let starts: Vec<f64> = (0..240).map(|trial| 0.25 * f64::from(trial)).collect();
        let windows = Some(TrialWindows { starts: &starts, seconds: 2.0 });
        let error = plan(SplitKind::Random, Some(0.0)).draw(240, windows, None).unwrap_err();
        assert!(error.contains("contiguous"), "{error}");
        let splits = plan(SplitKind::Contiguous, None).draw(240, windows, None).unwrap();
        // The last training trial, from 41.75 s, ends at 43.75 s: the seven that begin before are left out, and as many
        // between validation and test.
        assert_eq!(splits.iter().filter(|split| split.is_none()).count(), 14);
        assert_eq!(sizes(&splits), [168, 17, 41]);
    }

    proptest! {
        #[test]
        fn splits_with_a_gap_are_that_far_apart(
            steps in proptest::collection::vec(0.0f64..6.0, 20..80),
            gap in 0.0f64..1.0,
            seed: u64,
            kind in proptest::sample::select(vec![SplitKind::Random, SplitKind::Contiguous, SplitKind::Stratified]),
        ) {
            let starts: Vec<f64> = steps.iter().scan(0.0, |at, step| { *at += step; Some(*at) }).collect();
            let classes: Vec<f64> = (0..starts.len()).map(|trial| (trial % 3) as f64).collect();
            let windows = TrialWindows { starts: &starts, seconds: 1.0 };
            let plan = SplitPlan { kind, shares: SHARES, gap: Some(gap), seed };
            if let Ok(splits) = plan.draw(starts.len(), Some(windows), Some(&classes)) {
                for (a, b) in (0..starts.len()).flat_map(|a| (0..a).map(move |b| (a, b))) {
                    if splits[a].is_some() && splits[b].is_some() && splits[a] != splits[b] {
                        prop_assert!((starts[a] - starts[b]).abs() >= 1.0 + gap - 1e-5);
                    }
                }
                prop_assert_eq!(&splits, &plan.draw(starts.len(), Some(windows), Some(&classes)).unwrap());
            }
        }
    }
}
