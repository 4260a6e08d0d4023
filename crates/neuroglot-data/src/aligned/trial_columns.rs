//! Columns that say something of each trial: numbers, lists of numbers, or texts.

use std::path::Path;

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::batches::Decoder;
use super::columns::{Lists, floats, string};
use crate::texts::Texts;
use crate::{DataError, LeftOutColumn};

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

/// For lists of columns that were left out.
pub(super) fn left_out(column: &str, why: impl Into<String>) -> LeftOutColumn {
    LeftOutColumn { column: column.to_owned(), why: why.into() }
}
