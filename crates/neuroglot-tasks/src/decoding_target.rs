//! One behaviour of a session as decoders see it.

use crate::decoding_scores::{ScoredCategories, decide, score_categories, score_numbers};
use crate::results::{ClassResult, DecodedTrace, DecodingResult};
use neuroglot_data::{Behaviour, BehaviourKind, Categories, Session, Split};

/// More classes are no decision.
const MOST_CLASSES: usize = 64;

/// Test trials whose traces are kept with the scores at most.
const MOST_TRACES: usize = 6;

/// A behaviour to decode: which trials have it, their values, and how a prediction is scored.
#[derive(Debug, Clone)]
pub struct DecodingTarget<'a> {
    session: &'a Session,
    name: String,
    values: &'a [f64],
    /// Values per trial of the session.
    width: usize,
    categories: Option<Categories>,
    /// Why it was taken for what it is; `None` where it was asked for as that, or can be nothing else.
    assumed: Option<String>,
    training: Vec<usize>,
    validation: Vec<usize>,
    test: Vec<usize>,
    resamples: usize,
    seed: u64,
}

/// Divides `reward:continuous` into the behaviour's name and what it is asked for as.
pub(crate) fn name_and_kind(asked: &str) -> (&str, Option<BehaviourKind>) {
    for kind in [BehaviourKind::Categories, BehaviourKind::Continuous] {
        if let Some(name) = asked.strip_suffix(kind.name()).and_then(|rest| rest.strip_suffix(':')) {
            return (name, Some(kind));
        }
    }
    (asked, None)
}

/// The name of a behaviour without what it is asked for as, such as `reward` of `reward:continuous`.
pub fn behaviour_name(asked: &str) -> &str {
    name_and_kind(asked).0
}

impl<'a> DecodingTarget<'a> {
    /// A behaviour by name, which may end in `:categories` or `:continuous`; else
    /// [`Session::kind_of`] tells which it is. Trials with a missing value, or without a choice, are left out.
    ///
    /// # Errors
    /// One line that says why it cannot be decoded: the session does not have it, no training or no test trial does,
    /// or the training trials hold one category alone.
    pub fn of(session: &'a Session, asked: &str) -> Result<Self, String> {
        let (name, asked_kind) =
            if session.behaviours().contains_key(asked) { (asked, None) } else { name_and_kind(asked) };
        let behaviour = session.behaviours().get(name).ok_or("the session does not have it")?;
        let (values, width) = match behaviour {
            Behaviour::PerTrial(values) => (values, 1),
            Behaviour::PerBin(values) => (values, session.bins()),
        };
        let (kind, why) = session.kind_of(name).ok_or("the session does not have it")?;
        let kind = asked_kind.unwrap_or(kind);
        let categories = match kind {
            BehaviourKind::Continuous if session.texts(name).is_some() => {
                return Err("it is text, and can only be decoded as categories".to_owned());
            }
            BehaviourKind::Continuous => None,
            BehaviourKind::Categories => Some(
                Categories::of(session, name)
                    .ok_or("it has a value per bin, and categories are of trials")?,
            ),
        };
        if let Some(count) = categories.as_ref().map(Categories::len).filter(|count| *count > MOST_CLASSES) {
            return Err(format!("{count} different values are too many categories"));
        }
        let has_value = |trial: &usize| {
            let values = &values[trial * width..][..width];
            match &categories {
                Some(categories) => categories.place(values[0]).is_some(),
                None => values.iter().all(|value| value.is_finite()),
            }
        };
        let trials_in =
            |split| session.trials_in(split).into_iter().filter(has_value).collect::<Vec<usize>>();
        let [training, validation, test] = Split::ALL.map(trials_in);
        let target = Self {
            session,
            name: name.to_owned(),
            values,
            width,
            categories,
            // A trace can be nothing else.
            assumed: (asked_kind.is_none() && width == 1).then_some(why),
            training,
            validation,
            test,
            resamples: 1000,
            seed: 42,
        };
        target.check()?;
        Ok(target)
    }

    fn check(&self) -> Result<(), String> {
        if self.test.is_empty() {
            return Err("no test trial has a value".to_owned());
        }
        if self.training.is_empty() && self.validation.is_empty() {
            return Err("no training trial has a value".to_owned());
        }
        let Some(categories) = &self.categories else { return Ok(()) };
        let counts = self.class_counts(&self.fitted());
        let learned: Vec<usize> = (0..counts.len()).filter(|class| counts[*class] > 1).collect();
        match learned[..] {
            [] => Err("no category has two training trials, and a decision needs two categories that have"
                .to_owned()),
            [class] => {
                let label = &categories.labels()[class];
                let others: usize = counts.iter().sum::<usize>() - counts[class];
                Err(match others {
                    0 => format!(
                        "all {} training trials are {label}, and a decision needs two categories",
                        counts[class]
                    ),
                    _ => format!(
                        "all training trials but {others} are {label}, and a decision needs two trials of each of \
                         two categories; split trials stratified"
                    ),
                })
            }
            _ => Ok(()),
        }
    }

    /// Refuses what no settings can be chosen for on validation trials.
    ///
    /// # Errors
    /// One line: no training or no validation trial has a value, or all training trials have the same.
    pub fn require_validation(&self) -> Result<(), String> {
        for (what, trials) in [("training", &self.training), ("validation", &self.validation)] {
            if trials.is_empty() {
                return Err(format!("no {what} trial has a value"));
            }
        }
        let values = self.values(&self.training);
        // Of more than two classes there is an output per class: a trial is compared as a whole.
        let mut trials = values.chunks(if self.classes().is_some() { self.outputs() } else { 1 });
        let first = trials.next();
        if trials.all(|trial| Some(trial) == first) {
            return Err("it does not vary over the training trials".to_owned());
        }
        Ok(())
    }

    /// The target with other resamples and another seed of the bootstrap.
    pub fn with_bootstrap(self, resamples: usize, seed: u64) -> Self {
        Self { resamples, seed, ..self }
    }

    /// The behaviour's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the categories that are decided between, if it is such a decision, scored by accuracy; else its values
    /// are decoded and scored by R².
    pub fn classes(&self) -> Option<&[String]> {
        self.categories.as_ref().map(Categories::labels)
    }

    /// Numbers that decoders predict per trial: one per bin of a trace, one of a single number and of a decision between
    /// two, and one per class of a decision between more.
    pub fn outputs(&self) -> usize {
        match self.classes() {
            Some(classes) if classes.len() > 2 => classes.len(),
            _ => self.width,
        }
    }

    /// Training trials that have a value, ascending.
    pub fn training(&self) -> &[usize] {
        &self.training
    }

    /// Validation trials that have a value, ascending.
    pub fn validation(&self) -> &[usize] {
        &self.validation
    }

    /// Test trials that have a value, ascending.
    pub fn test(&self) -> &[usize] {
        &self.test
    }

    /// Training and validation trials that have a value, ascending: what decoders are fitted to in the end.
    pub fn fitted(&self) -> Vec<usize> {
        let mut fitted = [&self.training[..], &self.validation].concat();
        fitted.sort_unstable();
        fitted
    }

    /// What decoders predict of some trials, `[trial, output]`: the values; of two classes −1 for the first and 1 for
    /// the second; of more, 1 for the trial's own and 0 for the others.
    pub fn values(&self, trials: &[usize]) -> Vec<f64> {
        let Some(classes) = self.classes() else {
            let rows = trials.iter().flat_map(|trial| &self.values[trial * self.width..][..self.width]);
            return rows.copied().collect();
        };
        let of_trial = |class: usize| match classes.len() {
            0..=2 => vec![if class == 1 { 1.0 } else { -1.0 }],
            count => (0..count).map(|other| f64::from(other == class)).collect(),
        };
        self.classes_of(trials).into_iter().flat_map(of_trial).collect()
    }

    /// The class of some trials, as a place in [`DecodingTarget::classes`].
    ///
    /// # Panics
    /// If it is no decision, or a trial has no value.
    pub fn classes_of(&self, trials: &[usize]) -> Vec<usize> {
        let categories = self.categories.as_ref().expect("a decision between classes");
        let class = |trial: &usize| categories.place(self.values[*trial]).expect("trials that have a value");
        trials.iter().map(class).collect()
    }

    /// The class that predictions `[trial, output]` decide for: of two classes the second where the prediction is positive, of
    /// more the one with the largest.
    pub fn decide(&self, predictions: &[f64]) -> Vec<usize> {
        decide(predictions, self.outputs())
    }

    /// Trials of each class among some trials.
    pub(crate) fn class_counts(&self, trials: &[usize]) -> Vec<usize> {
        let mut counts = vec![0; self.classes().map_or(0, <[String]>::len)];
        self.classes_of(trials).into_iter().for_each(|class| counts[class] += 1);
        counts
    }

    /// Scores predictions of the test trials, `[trial, output]`, against the truth, with 95 % intervals over test trials:
    /// of a decision the share that is right (of two classes the second where the prediction is positive, of more the one
    /// with the largest), or R² over all values.
    ///
    /// # Errors
    /// The truth does not vary.
    ///
    /// # Panics
    /// If there is not one prediction per test trial and output.
    pub fn score(&self, predictions: &[f64], regularisation: f64) -> Result<DecodingResult, String> {
        assert_eq!(predictions.len(), self.test.len() * self.outputs(), "a prediction per trial and output");
        let mut result = DecodingResult {
            behaviour: self.name.clone(),
            regularisation,
            assumed: self.assumed.clone(),
            ..DecodingResult::default()
        };
        let Some(labels) = self.classes() else {
            let found =
                score_numbers(&self.values(&self.test), predictions, self.width, self.resamples, self.seed);
            let found = found.ok_or("it does not vary over the test trials")?;
            result.metric = "r2".to_owned();
            result.score = found.mean;
            result.interval = Some(found);
            result.traces = self.some_traces(predictions);
            return Ok(result);
        };
        let training = self.class_counts(&self.fitted());
        let test = self.classes_of(&self.test);
        let ScoredCategories { accuracy, chance, balanced_accuracy, auc, decided } =
            score_categories(&test, predictions, &training, self.resamples, self.seed);
        result.metric = "accuracy".to_owned();
        result.score = accuracy.mean;
        result.interval = Some(accuracy);
        result.chance = chance;
        result.balanced_accuracy = balanced_accuracy;
        result.auc = auc;
        let counts = self.class_counts(&self.test);
        result.classes = (labels.iter().enumerate())
            .map(|(class, label)| ClassResult {
                label: label.clone(),
                training: training[class],
                test: counts[class],
                right: decided[class][class],
                decided: decided[class].clone(),
            })
            .collect();
        result.notes = result.classes.iter().filter_map(ClassResult::note).collect();
        if self.categories.as_ref().is_some_and(Categories::zero_is_missing) {
            result.assumed = result.assumed.map(|why| format!("{why}, 0 is none"));
        }
        Ok(result)
    }

    /// A few test trials, spread over all, beside what was decoded of them; none where there is one value per trial.
    fn some_traces(&self, predictions: &[f64]) -> Vec<DecodedTrace> {
        let narrow = |values: &[f64]| values.iter().map(|value| *value as f32).collect();
        let trace = |(trial, decoded): (&usize, &[f64])| DecodedTrace {
            trial: self.session.trial_index(*trial),
            value: narrow(&self.values(&[*trial])),
            decoded: narrow(decoded),
        };
        let every = self.test.len().div_ceil(MOST_TRACES);
        let trials = self.test.iter().zip(predictions.chunks(self.width)).step_by(every);
        if self.width > 1 { trials.map(trace).collect() } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_say_what_it_is() {
        assert_eq!(behaviour_name("reward:continuous"), "reward");
        assert_eq!(name_and_kind("block"), ("block", None));
        assert_eq!(name_and_kind("block:categories"), ("block", Some(BehaviourKind::Categories)));
        assert_eq!(name_and_kind("a:b:continuous"), ("a:b", Some(BehaviourKind::Continuous)));
        assert_eq!(name_and_kind("continuous"), ("continuous", None));
    }
}
