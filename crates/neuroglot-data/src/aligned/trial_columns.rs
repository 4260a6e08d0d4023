//! Columns that say something of each trial: numbers, lists of numbers, or texts.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::batches::Decoder;
use super::columns::{Lists, floats, string};
use crate::{DataError, LeftOutColumn};

/// A column of more different texts is no column of categories.
const MOST_TEXTS: usize = 64;

/// Longer texts are remarks.
const LONGEST_TEXT: usize = 200;

/// Values of some trials of one column.
pub(super) enum TrialColumn {
    /// Numbers, any number of them a trial.
    Numbers(RaggedValues),
    /// A text a trial.
    Texts(Texts),
    /// None that could be kept, for the reason given.
    LeftOut(String),
}

/// Lists of numbers, one per trial.
#[derive(Default)]
pub(super) struct RaggedValues {
    /// Length of each trial's list; 0 where it is null.
    pub lengths: Vec<usize>,
    /// All trials' values, one after the other.
    pub values: Vec<f64>,
}

/// Texts, each kept once: a file of a few bytes may hold a long one in a million rows.
#[derive(Default)]
pub(super) struct Texts {
    /// Place in `texts` of each trial's; `None` where it is missing.
    places: Vec<Option<usize>>,
    texts: BTreeMap<String, usize>,
}

impl Texts {
    fn add(&mut self, text: Option<&str>) -> Result<(), String> {
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
    fn of_trials(&self) -> impl Iterator<Item = Option<&str>> {
        let mut by_place = vec![""; self.texts.len()];
        self.texts.iter().for_each(|(text, place)| by_place[*place] = text);
        self.places.iter().map(move |place| place.map(|place| by_place[place]))
    }
}

impl TrialColumn {
    /// The values of all rows of a column; `None` for a column without a type of its own, which holds nothing.
    ///
    /// # Errors
    /// [`DataError::Corrupt`] where categories cannot be decoded.
    pub fn read(file: &Path, column: &ArrayRef) -> Result<Option<TrialColumn>, DataError> {
        let column = &plain(file, column)?;
        let lists = Lists::new(column);
        let values = match &lists {
            Some(lists) => plain(file, lists.values)?,
            None => column.clone(),
        };
        if *values.data_type() == DataType::Null {
            return Ok(None);
        }
        let range = |row: usize| match &lists {
            Some(lists) => lists.range(row).unwrap_or_default(),
            None => row..row + 1,
        };
        if let Some(numbers) = floats(&values) {
            let mut found = RaggedValues::default();
            for row in 0..column.len() {
                let range = range(row);
                found.lengths.push(range.len());
                found.values.extend_from_slice(&numbers[range]);
            }
            return Ok(Some(TrialColumn::Numbers(found)));
        }
        let mut texts = Texts::default();
        for row in 0..column.len() {
            let range = range(row);
            if range.len() > 1 {
                return Ok(Some(TrialColumn::LeftOut(format!("{} values a trial, no numbers", range.len()))));
            }
            let text = match range.clone().next().map(|at| string(&values, at)) {
                None => None,
                Some(Some(text)) => text,
                Some(None) => {
                    let why = format!("of type {}, neither numbers nor text", short(values.data_type()));
                    return Ok(Some(TrialColumn::LeftOut(why)));
                }
            };
            if let Err(why) = texts.add(text) {
                return Ok(Some(TrialColumn::LeftOut(why)));
            }
        }
        Ok(Some(TrialColumn::Texts(texts)))
    }

    /// Adds the values of later trials.
    pub fn append(&mut self, later: TrialColumn) {
        let problem = match (&mut *self, later) {
            (TrialColumn::LeftOut(_), _) => return,
            (TrialColumn::Numbers(first), TrialColumn::Numbers(later)) => {
                first.lengths.extend(later.lengths);
                first.values.extend(later.values);
                return;
            }
            (TrialColumn::Texts(first), TrialColumn::Texts(later)) => {
                match later.of_trials().try_for_each(|text| first.add(text)) {
                    Ok(()) => return,
                    Err(why) => why,
                }
            }
            (_, TrialColumn::LeftOut(why)) => why,
            _ => "numbers in some rows, texts in others".to_owned(),
        };
        *self = TrialColumn::LeftOut(problem);
    }
}

/// A column whose type says how it is packed as one of its values.
fn plain(file: &Path, column: &ArrayRef) -> Result<ArrayRef, DataError> {
    let values = match column.data_type() {
        DataType::Dictionary(_, values) => (**values).clone(),
        DataType::Decimal32(..)
        | DataType::Decimal64(..)
        | DataType::Decimal128(..)
        | DataType::Decimal256(..) => DataType::Float64,
        _ => return Ok(column.clone()),
    };
    Decoder { file, handle: None }.step(|| arrow_cast::cast(column, &values))
}

/// The name of a type, without what it is made of.
fn short(data_type: &DataType) -> String {
    let name = data_type.to_string();
    name.split(['(', '<']).next().unwrap_or_default().to_owned()
}

/// A behaviour that was text: a value per trial, NaN where missing, and what the values stand for.
pub(super) struct Labelled {
    pub values: Vec<f64>,
    pub texts: Vec<String>,
}

/// Makes one column of the texts of several files, `None` standing for so many trials of a file that lacks it.
///
/// # Errors
/// A few words that say why nothing is made of it.
pub(super) fn join_texts(files: &[Result<&Texts, usize>]) -> Result<Labelled, String> {
    let mut all = Texts::default();
    for file in files {
        match file {
            Ok(texts) => texts.of_trials().try_for_each(|text| all.add(text))?,
            Err(trials) => all.places.extend(std::iter::repeat_n(None, *trials)),
        }
    }
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
    Ok(Labelled { values, texts })
}

/// For lists of columns that were left out.
pub(super) fn left_out(column: &str, why: impl Into<String>) -> LeftOutColumn {
    LeftOutColumn { column: column.to_owned(), why: why.into() }
}
