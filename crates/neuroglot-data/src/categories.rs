//! Whether a behaviour is one of a few categories or a quantity, as its values tell.

use crate::{Behaviour, Session};
use serde::{Deserialize, Serialize};

/// Whole numbers of more different values than this are a quantity.
pub const MOST_CATEGORIES: usize = 10;

/// What a behaviour's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BehaviourKind {
    /// One of a few: decoded as a decision.
    Categories,
    /// A quantity: decoded as a number.
    Continuous,
}

impl BehaviourKind {
    /// Name in options and files.
    pub fn name(self) -> &'static str {
        match self {
            BehaviourKind::Categories => "categories",
            BehaviourKind::Continuous => "continuous",
        }
    }
}

/// The categories of a behaviour with one value per trial, by ascending value.
#[derive(Debug, Clone, PartialEq)]
pub struct Categories {
    values: Vec<f64>,
    labels: Vec<String>,
    /// Whether 0 stands for a trial without a choice.
    zero_is_missing: bool,
}

impl Categories {
    /// All values of a behaviour that has one per trial, each once; `None` if there is no such behaviour.
    ///
    /// 0 of `choice` means that there was none, and is no category, where there are two others and it is no text.
    pub fn of(session: &Session, name: &str) -> Option<Categories> {
        let Some(Behaviour::PerTrial(values)) = session.behaviours().get(name) else { return None };
        let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
        values.sort_unstable_by(f64::total_cmp);
        // −0 and 0 are one value.
        values.dedup_by(|a, b| a == b);
        let others = values.iter().filter(|value| **value != 0.0).count();
        let is_text = session.texts(name).is_some();
        let zero_is_missing = name == "choice" && !is_text && others > 1 && others < values.len();
        if zero_is_missing {
            values.retain(|value| *value != 0.0);
        }
        let texts = session.texts(name).unwrap_or_default();
        let label = |value: &f64| texts.get(*value as usize).cloned().unwrap_or_else(|| value.to_string());
        Some(Categories { labels: values.iter().map(label).collect(), values, zero_is_missing })
    }

    /// Number of categories.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Values, ascending.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// What each is called: its text, or its number.
    pub fn labels(&self) -> &[String] {
        &self.labels
    }

    /// Whether 0 was taken for a trial without a choice.
    pub fn zero_is_missing(&self) -> bool {
        self.zero_is_missing
    }

    /// Place of a value among the categories; `None` for one that is missing.
    pub fn place(&self, value: f64) -> Option<usize> {
        self.values.iter().position(|category| *category == value)
    }
}

impl Session {
    /// What a behaviour is taken for, and why; `None` if the session does not have it.
    ///
    /// Texts and choices are categories, and so are whole numbers (and truth values) of at most [`MOST_CATEGORIES`]
    /// different values, each there twice on average; all else, and whatever has a value per bin, is continuous.
    pub fn kind_of(&self, name: &str) -> Option<(BehaviourKind, String)> {
        let values = match self.behaviours().get(name)? {
            Behaviour::PerBin(_) => return Some((BehaviourKind::Continuous, "a value per bin".to_owned())),
            Behaviour::PerTrial(values) => values,
        };
        if self.texts(name).is_some() {
            return Some((BehaviourKind::Categories, "text".to_owned()));
        }
        if name == "choice" {
            return Some((BehaviourKind::Categories, "a choice".to_owned()));
        }
        let different = Categories::of(self, name)?.len();
        let present = || values.iter().filter(|value| value.is_finite());
        Some(if present().any(|value| value.fract() != 0.0) {
            (BehaviourKind::Continuous, "numbers with fractions".to_owned())
        } else if different > MOST_CATEGORIES || 2 * different > present().count() {
            (BehaviourKind::Continuous, format!("{different} different whole numbers"))
        } else {
            (BehaviourKind::Categories, format!("{different} different whole numbers"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SessionParts, SpikeCountsBuilder, Split, Unit};
    use std::collections::BTreeMap;

    fn session(name: &str, values: Behaviour, trials: usize) -> Session {
        let mut counts = SpikeCountsBuilder::new(2, 1);
        (0..trials).for_each(|_| counts.push_dense(&[1, 0]));
        let unit = Unit { uuid: "a".into(), region: "PO".into(), depth: None, channel: None, good: None };
        Session::new(SessionParts {
            eid: "example".into(),
            subject: String::new(),
            lab: String::new(),
            bin_seconds: 0.02,
            units: vec![unit],
            splits: vec![Split::Train; trials],
            counts: counts.finish(),
            behaviours: BTreeMap::from([(name.to_owned(), values)]),
            true_rates: None,
        })
        .unwrap()
    }

    fn kind(name: &str, values: &[f64]) -> BehaviourKind {
        session(name, Behaviour::PerTrial(values.to_vec()), values.len()).kind_of(name).unwrap().0
    }

    #[test]
    fn few_whole_numbers_are_categories_and_all_else_is_a_quantity() {
        use BehaviourKind::*;
        assert_eq!(kind("reward", &[0.0, 1.0, 1.0, 0.0, f64::NAN]), Categories);
        assert_eq!(kind("block", &[0.2, 0.8, 0.2, 0.8, 0.5, 0.5]), Continuous);
        assert_eq!(kind("contrast", &[0.0, 1.0, 0.25, 0.0, 1.0]), Continuous);
        let numbers: Vec<f64> = (0..40).map(|trial| f64::from(trial % 20)).collect();
        assert_eq!(kind("licks", &numbers), Continuous);
        let numbers: Vec<f64> = (0..40).map(|trial| f64::from(trial % 10)).collect();
        assert_eq!(kind("target", &numbers), Categories);
        // Numbers of trials are no categories, however few trials there are.
        assert_eq!(kind("trial-number", &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0]), Continuous);
        let trace = session("speed", Behaviour::PerBin(vec![0.0, 1.0, 1.0, 0.0]), 2);
        assert_eq!(trace.kind_of("speed").unwrap().0, Continuous);
        assert_eq!(trace.kind_of("pupil"), None);
    }

    #[test]
    fn no_choice_is_no_category_but_0_may_be_one_of_two() {
        let of = |name: &str, values: &[f64]| {
            let session = session(name, Behaviour::PerTrial(values.to_vec()), values.len());
            Categories::of(&session, name).unwrap()
        };
        let choice = of("choice", &[1.0, 0.0, -1.0, f64::NAN]);
        assert_eq!((choice.values(), choice.zero_is_missing()), (&[-1.0, 1.0][..], true));
        assert_eq!((choice.place(0.0), choice.place(1.0), choice.place(f64::NAN)), (None, Some(1), None));
        let zero_and_one = of("choice", &[1.0, 0.0, 1.0]);
        assert_eq!((zero_and_one.values(), zero_and_one.zero_is_missing()), (&[0.0, 1.0][..], false));
        assert_eq!(of("side", &[1.0, 0.0, -1.0]).labels(), ["-1", "0", "1"]);
    }

    #[test]
    fn texts_are_categories_by_their_words() {
        let session = session("cue", Behaviour::PerTrial(vec![1.0, 0.0, f64::NAN]), 3);
        let session = session.with_texts("cue", vec!["tone".into(), "light".into()]).unwrap();
        assert_eq!(session.kind_of("cue").unwrap(), (BehaviourKind::Categories, "text".to_owned()));
        assert_eq!(Categories::of(&session, "cue").unwrap().labels(), ["tone", "light"]);
    }

    #[test]
    fn the_first_of_three_choices_that_are_texts_is_one() {
        let choices = session("choice", Behaviour::PerTrial(vec![1.0, 0.0, 2.0, 0.0]), 4);
        let texts = ["left", "none", "right"].map(str::to_owned).to_vec();
        let categories = Categories::of(&choices.with_texts("choice", texts).unwrap(), "choice").unwrap();
        assert_eq!(categories.labels(), ["left", "none", "right"]);
        assert!(!categories.zero_is_missing());
    }
}
