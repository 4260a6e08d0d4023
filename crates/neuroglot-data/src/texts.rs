//! Behaviours that are texts: kept as numbers, with what these stand for.

use std::collections::BTreeMap;

/// A column of more different texts is no column of categories.
const MOST_TEXTS: usize = 64;

/// Longer texts are remarks.
const LONGEST_TEXT: usize = 200;

/// A behaviour that is text: a value per trial, and what the values stand for.
#[derive(Debug, Clone, PartialEq)]
pub struct LabelledValues {
    /// Places among the texts, `[trial]`; NaN where missing.
    pub values: Vec<f64>,
    /// What the values 0, 1, … stand for.
    pub texts: Vec<String>,
}

impl LabelledValues {
    /// The texts of trials; one that is empty is missing.
    ///
    /// # Errors
    /// A few words that say why nothing is made of them: there are fewer than two different texts or very many, or long ones.
    pub fn of<'a>(trials: impl IntoIterator<Item = Option<&'a str>>) -> Result<Self, String> {
        let mut all = Texts::default();
        trials.into_iter().try_for_each(|text| all.add(text))?;
        // By the alphabet, so that a value means the same whatever trial comes first.
        let texts: Vec<String> = all.texts.keys().cloned().collect();
        match &texts[..] {
            [] => return Err("no text in any trial".to_owned()),
            [text] => return Err(format!("the same text wherever there is one, {text}")),
            _ => {}
        }
        let mut rank = vec![0.0; texts.len()];
        all.texts.values().enumerate().for_each(|(code, place)| rank[*place] = code as f64);
        let values = all.places.iter().map(|place| place.map_or(f64::NAN, |place| rank[place])).collect();
        Ok(Self { values, texts })
    }
}

/// Texts, each kept once: a file of a few bytes may hold a long one in a million rows.
#[derive(Default)]
pub(crate) struct Texts {
    /// Place in `texts` of each trial's; `None` where it is missing.
    places: Vec<Option<usize>>,
    texts: BTreeMap<String, usize>,
}

impl Texts {
    /// Adds a trial's; one that is empty is missing.
    ///
    /// # Errors
    /// A few words that say why these are no categories.
    pub(crate) fn add(&mut self, text: Option<&str>) -> Result<(), String> {
        let Some(text) = text.filter(|text| !text.is_empty()) else {
            self.places.push(None);
            return Ok(());
        };
        let place = match self.texts.get(text) {
            Some(place) => *place,
            None if text.len() > LONGEST_TEXT => {
                return Err(format!("texts of more than {LONGEST_TEXT} letters"));
            }
            None if self.texts.len() == MOST_TEXTS => {
                return Err(format!("more than {MOST_TEXTS} different texts"));
            }
            None => {
                self.texts.insert(text.to_owned(), self.texts.len());
                self.texts.len() - 1
            }
        };
        self.places.push(Some(place));
        Ok(())
    }

    /// The text of each trial.
    pub(crate) fn of_trials(&self) -> impl Iterator<Item = Option<&str>> {
        let mut by_place = vec![""; self.texts.len()];
        self.texts.iter().for_each(|(text, place)| by_place[*place] = text);
        self.places.iter().map(move |place| place.map(|place| by_place[place]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_numbered_by_the_alphabet() {
        let LabelledValues { values, texts } =
            LabelledValues::of([Some("late"), None, Some("early"), Some(""), Some("late")]).unwrap();
        assert_eq!(texts, ["early", "late"]);
        assert_eq!((values[0], values[2], values[4]), (1.0, 0.0, 1.0));
        assert!(values[1].is_nan() && values[3].is_nan());
    }

    #[test]
    fn what_says_nothing_of_trials_is_refused() {
        let refused = |texts: &[&str]| LabelledValues::of(texts.iter().map(|text| Some(*text))).unwrap_err();
        assert_eq!(refused(&["", ""]), "no text in any trial");
        assert_eq!(refused(&["a", "", "a"]), "the same text wherever there is one, a");
        assert_eq!(refused(&["a", &"b".repeat(201)]), "texts of more than 200 letters");
        let many: Vec<String> = (0..65).map(|number| format!("trial {number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(refused(&many), "more than 64 different texts");
        assert_eq!(LabelledValues::of(many[..64].iter().map(|text| Some(*text))).unwrap().texts.len(), 64);
    }
}
