//! Columns of the units: lists that repeat in every row.

use std::collections::BTreeMap;

use arrow_array::{Array, ArrayRef};

use super::batch::{Batch, LISTS_OF_NUMBERS, LISTS_OF_STRINGS};
use super::columns::{Lists, floats, is_numeric, is_text, string};
use super::schema::{CHANNELS, DEPTHS, GOOD, MAX_UNITS, OF_UNITS, REGIONS, UUIDS};
use crate::{DataError, RowProblem, Unit};

/// What rows say of the units: of each column the first list that is not null.
#[derive(Default)]
pub(super) struct UnitLists {
    lists: BTreeMap<&'static str, ArrayRef>,
}

impl UnitLists {
    /// Takes what the first `rows` rows of a batch say, and checks that it is what rows before them said.
    ///
    /// # Errors
    /// [`DataError`]: no regions, another type, or a list that differs from the first one.
    pub fn add(&mut self, batch: Batch, rows: usize) -> Result<(), DataError> {
        batch.required(REGIONS)?;
        for name in OF_UNITS {
            let Some(column) = batch.column(name) else { continue };
            let (expected, fits) = match name {
                REGIONS | UUIDS => (LISTS_OF_STRINGS, is_text as fn(&ArrayRef) -> bool),
                _ => (LISTS_OF_NUMBERS, is_numeric as fn(&ArrayRef) -> bool),
            };
            let lists = Lists::new(column)
                .filter(|lists| fits(lists.values))
                .ok_or_else(|| batch.wrong_type(name, column, expected))?;
            for row in 0..rows {
                let Some(range) = lists.range(row) else {
                    // Of the others a row may say nothing.
                    if name == REGIONS {
                        return Err(batch.row_error(row, name, RowProblem::Null));
                    }
                    continue;
                };
                let list = lists.values.slice(range.start, range.len());
                self.compare(name, list).map_err(|problem| batch.row_error(row, name, problem))?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, name: &'static str, list: ArrayRef) -> Result<(), RowProblem> {
        let found = list.len();
        if found > MAX_UNITS {
            return Err(RowProblem::Length { found, expected: format!("at most {MAX_UNITS}, one per unit") });
        }
        if let Some(first) = self.lists.get(name) {
            return match first.len() == found {
                false => Err(RowProblem::UnitList { found, expected: first.len() as u64 }),
                true if first.as_ref() == list.as_ref() => Ok(()),
                true => Err(RowProblem::OtherUnits),
            };
        }
        // Regions come first, and every row has them.
        match self.lists.get(REGIONS).map(|regions| regions.len()).filter(|units| *units != found) {
            Some(units) => Err(RowProblem::UnitList { found, expected: units as u64 }),
            None => {
                self.lists.insert(name, list);
                Ok(())
            }
        }
    }

    /// The units, `[unit]`; where a row says nothing, uuids become `<eid>-<number>` and regions `void`.
    pub fn units(&self, eid: &str) -> Vec<Unit> {
        let text = |name: &str, unit: usize| -> Option<&str> {
            self.lists.get(name).and_then(|list| string(list, unit)).flatten().filter(|text| !text.is_empty())
        };
        let numbers = |name: &str| -> Vec<f64> {
            self.lists.get(name).and_then(floats).map(|numbers| numbers.to_vec()).unwrap_or_default()
        };
        let (depths, channels, good) = (numbers(DEPTHS), numbers(CHANNELS), numbers(GOOD));
        let number =
            |numbers: &[f64], unit: usize| numbers.get(unit).copied().filter(|value| value.is_finite());
        let units = self.lists.get(REGIONS).map_or(0, |regions| regions.len());
        (0..units)
            .map(|unit| Unit {
                uuid: text(UUIDS, unit).map_or_else(|| format!("{eid}-{unit:04}"), str::to_owned),
                // `void` is the atlas's name for "no region".
                region: text(REGIONS, unit).unwrap_or("void").to_owned(),
                depth: number(&depths, unit),
                channel: number(&channels, unit).map(|channel| channel as i64),
                good: number(&good, unit).map(|good| good >= 1.0),
            })
            .collect()
    }
}
