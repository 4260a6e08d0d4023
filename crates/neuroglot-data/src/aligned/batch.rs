//! Columns of a record batch by name, with errors that say where they are.

use std::path::Path;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::DataType;

use super::columns::{Integers, Lists, string};
use crate::{DataError, RowProblem};

const LISTS_OF_INTEGERS: &str = "a list of integers";
pub(super) const LISTS_OF_NUMBERS: &str = "a list of numbers";
pub(super) const LISTS_OF_STRINGS: &str = "a list of strings";

/// Some rows of a file.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub file: &'a Path,
    pub batch: &'a RecordBatch,
    /// Number, within the file, of the batch's first row.
    pub first_row: usize,
}

/// A column with a list of whole numbers per row.
pub(super) struct IntegerLists<'a> {
    batch: Batch<'a>,
    column: &'static str,
    lists: Lists<'a>,
    values: Integers<'a>,
}

impl IntegerLists<'_> {
    /// The numbers of a row of the batch.
    pub fn row(&self, row: usize) -> Result<&[i64], DataError> {
        let numbers = self.lists.range(row).ok_or(RowProblem::Null).and_then(|range| self.values.get(range));
        numbers.map_err(|problem| self.batch.row_error(row, self.column, problem))
    }
}

impl<'a> Batch<'a> {
    /// A column, if the file has it. One of the type null, as it is written where every value is missing, says nothing.
    pub fn column(self, name: &str) -> Option<&'a ArrayRef> {
        self.batch.column_by_name(name).filter(|column| column.data_type() != &DataType::Null)
    }

    /// A column that every file must have.
    pub fn required(self, name: &str) -> Result<&'a ArrayRef, DataError> {
        self.column(name)
            .ok_or_else(|| DataError::MissingColumn { file: self.file.to_owned(), column: name.to_owned() })
    }

    /// A required column of lists of whole numbers.
    pub fn integer_lists(self, column: &'static str) -> Result<IntegerLists<'a>, DataError> {
        let array = self.required(column)?;
        let lists = Lists::new(array).ok_or_else(|| self.wrong_type(column, array, LISTS_OF_INTEGERS))?;
        let values =
            Integers::new(lists.values).ok_or_else(|| self.wrong_type(column, array, LISTS_OF_INTEGERS))?;
        Ok(IntegerLists { batch: self, column, lists, values })
    }

    /// The first row's text; `unknown` where it or the column is missing.
    pub fn text_of_first_row(self, name: &str) -> Result<String, DataError> {
        let Some(column) = self.column(name) else { return Ok("unknown".to_owned()) };
        let text = string(column, 0).ok_or_else(|| self.wrong_type(name, column, "a string"))?;
        Ok(text.unwrap_or("unknown").to_owned())
    }

    /// An error of a row of this batch.
    pub fn row_error(self, row: usize, column: &str, problem: RowProblem) -> DataError {
        DataError::Row {
            file: self.file.to_owned(),
            row: self.first_row + row,
            column: column.to_owned(),
            problem,
        }
    }

    /// An error of a column's type.
    pub fn wrong_type(self, column: &str, found: &ArrayRef, expected: &'static str) -> DataError {
        DataError::WrongType {
            file: self.file.to_owned(),
            column: column.to_owned(),
            found: found.data_type().to_string(),
            expected,
        }
    }
}
