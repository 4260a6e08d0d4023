//! Trials of plain arrays.

use std::collections::BTreeMap;
use std::path::Path;

use super::value::{ArrayValue, Column};
use crate::{PrepareError, TrialColumn, TrialTable};

/// The trials table, as long as its column `align`. `file` is the TOML file.
///
/// # Errors
/// [`PrepareError`], if there is no such column, or another is not as long.
pub(super) fn read_table(
    columns: &[ArrayValue],
    align: &str,
    file: &Path,
) -> Result<TrialTable, PrepareError> {
    let Some(times) = columns.iter().find(|column| column.name() == align) else {
        let names: Vec<&str> = columns.iter().map(ArrayValue::name).collect();
        let cure = match &names[..] {
            [] => "give the times of an event in each trial".to_owned(),
            names => format!("it has {}", names.join(", ")),
        };
        let what = format!("column {align} in [trials], which align names");
        return Err(PrepareError::missing(file, what, cure));
    };
    let times_field = times.field();
    let mut table = TrialTable::new(times.list()?.len());
    for column in columns {
        let values = column.list()?;
        if values.len() != table.rows() {
            return Err(column.wrong(
                format!("has {} values for {} {times_field}", values.len(), table.rows()),
                "give one value for each trial",
            ));
        }
        table.insert(column.name(), values, column.file())?;
    }
    Ok(table)
}

/// Columns beside counts: `[trial]` in a table, `[trial, bin]` flattened by name.
pub(super) type TrialsAndBins = (TrialTable, BTreeMap<String, Vec<f64>>);

/// What is given for each trial, and for each bin of each trial.
///
/// # Errors
/// [`PrepareError`], if an array has neither shape.
pub(super) fn read_beside_counts(
    columns: &[ArrayValue],
    trials: usize,
    bins: usize,
) -> Result<TrialsAndBins, PrepareError> {
    let (mut table, mut per_bin) = (TrialTable::new(trials), BTreeMap::new());
    for column in columns {
        let Column { shape, values } = column.column()?;
        match values {
            values if shape == [trials] || shape == [trials, 1] => {
                table.insert(column.name(), values, column.file())?;
            }
            TrialColumn::Numbers(values) if shape == [trials, bins] => {
                per_bin.insert(column.name().to_owned(), values);
            }
            TrialColumn::Text(_) if shape == [trials, bins] => {
                return Err(column.wrong("holds a text for each bin", "give numbers"));
            }
            _ => {
                return Err(column.wrong(
                    format!("has shape {shape:?}, expected [trial] = [{trials}] or [trial, bin] = [{trials}, {bins}]"),
                    "give one value for each trial of the counts, or one for each of their bins",
                ));
            }
        }
    }
    Ok((table, per_bin))
}
