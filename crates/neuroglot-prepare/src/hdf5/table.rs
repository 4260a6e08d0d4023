//! A group whose data sets are the columns of a table: trials, units, electrodes.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ops::Range;

use neuroglot_data::text::listed;

use super::meaning::{self, Purpose};
use super::{Dataset, File, Group, Kind, Members};
use crate::recording::rows;
use crate::{PrepareError, TrialColumn, TrialTable};

/// Most columns that one data set of a table, or one series, is taken apart into: a position has 2 or 3, a video frame
/// thousands.
pub(super) const MOST_COLUMNS: u64 = 16;

/// Most different values in a row that are counted; a unit has at most as many electrodes as a probe.
const MOST_IN_ROW: usize = 1 << 13;

/// A column of a table, `[row]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Column {
    /// Numbers.
    Numbers(Vec<f64>),
    /// Truth values as 0 and 1.
    Truths(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

/// A table of a file.
pub(crate) struct Table<'f> {
    group: Group<'f>,
    /// Of its data sets, and of links that cannot be followed, which may lead to some.
    names: Vec<String>,
    rows: u64,
    /// Names of the data sets beside it.
    beside: OnceCell<Vec<String>>,
}

impl<'f> Table<'f> {
    /// The table in a group, whose number of rows is that of the first of its `keys`.
    ///
    /// # Errors
    /// [`PrepareError::Missing`] if it has none of them, or why the first could not be read.
    pub(crate) fn open(group: Group<'f>, keys: &[&str]) -> Result<Table<'f>, PrepareError> {
        let Members { datasets: mut names, unreadable, .. } = group.members()?;
        names.extend(unreadable.into_iter().map(|(name, _)| name));
        names.sort();
        let mut unread = None;
        for key in keys {
            match group.dataset(key) {
                Ok(Some(dataset)) => {
                    let rows = dataset.list_length().unwrap_or(dataset.rows());
                    return Ok(Table { names, rows, group, beside: OnceCell::new() });
                }
                Ok(None) => {}
                Err(error) => unread = unread.or(Some(error)),
            }
        }
        if let Some(error) = unread {
            return Err(error);
        }
        let what = format!("column {} in {}", keys.join(" or "), group.path());
        Err(group.file().missing(what, format!("it has: {}", listed(&names, "nothing"))))
    }

    /// The table in a group, as long as its `id`, or as any of its data sets if it has none.
    pub(crate) fn open_any(group: Group<'f>) -> Result<Table<'f>, PrepareError> {
        let names = group.members()?.datasets;
        let keys: Vec<&str> = std::iter::once("id").chain(names.iter().map(String::as_str)).collect();
        Table::open(group, &keys)
    }

    /// The file it is in.
    pub(crate) fn file(&self) -> &'f File {
        self.group.file()
    }

    /// Its absolute path.
    pub(crate) fn path(&self) -> &str {
        self.group.path()
    }

    /// Number of rows.
    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    /// The group that it is.
    pub(super) fn group(&self) -> &Group<'f> {
        &self.group
    }

    /// The group that it lies in, if there is one.
    pub(super) fn group_above(&self) -> Option<Group<'f>> {
        let (above, _) = self.path().rsplit_once('/')?;
        self.group.root().ok()?.group(above).ok()?
    }

    /// Whether there is a data set of that name beside it.
    pub(super) fn group_above_has(&self, name: &str) -> bool {
        let names = || Some(self.group_above()?.members().ok()?.datasets);
        self.beside.get_or_init(|| names().unwrap_or_default()).iter().any(|other| other == name)
    }

    /// Names of all its data sets.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// A data set of it, if there is one of that name.
    pub(crate) fn dataset(&self, name: &str) -> Result<Option<Dataset<'f>>, PrepareError> {
        if self.has(name) { self.group.dataset(name) } else { Ok(None) }
    }

    /// Whether it has a data set of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|other| other == name)
    }

    /// Whether a column has any number of values in each row, the ends of which are in a second data set.
    pub(crate) fn is_ragged(&self, name: &str) -> bool {
        self.has(&format!("{name}_index"))
    }

    /// What the file says of a column in words, shortened, for a message.
    pub(super) fn description_of(&self, name: &str) -> Option<String> {
        const MOST: usize = 120;
        let text = self.dataset(name).ok()??.text_attribute("description").ok()??;
        let shown: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MOST).collect();
        Some(format!("\"{shown}{}\"", if shown.len() < text.len() { "…" } else { "" }))
    }

    /// Names of the columns with one value in each row.
    pub(crate) fn plain_names(&self) -> Result<Vec<String>, PrepareError> {
        let mut plain = Vec::new();
        for name in &self.names {
            if let Ok(Some(dataset)) = self.dataset(name)
                && self.is_plain(name, &dataset)
            {
                plain.push(name.clone());
            }
        }
        Ok(plain)
    }

    fn is_plain(&self, name: &str, dataset: &Dataset<'_>) -> bool {
        !self.is_ragged(name)
            && dataset.list_length() == Some(self.rows)
            && matches!(dataset.kind(), Kind::Number | Kind::Text | Kind::Reference)
    }

    /// The column that the user chose, else the first of the usual names that is one; its name, and its values as what they
    /// stand for. A usual one that cannot be read is noted.
    ///
    /// # Errors
    /// [`PrepareError::Missing`] if the chosen one is not there, naming those that are, or why it cannot be read.
    pub(crate) fn pick(
        &self,
        chosen: Option<&str>,
        usual: &[&str],
        purpose: Purpose,
    ) -> Result<Option<(String, Column)>, PrepareError> {
        if let Some(name) = chosen {
            return match self.one_in_each_row(name, purpose)? {
                Some(column) => Ok(Some((name.to_owned(), column))),
                None => {
                    let what = format!("column {name} in {} with one value in each row", self.path());
                    Err(self
                        .file()
                        .missing(what, format!("it has: {}", listed(&self.plain_names()?, "nothing"))))
                }
            };
        }
        for name in usual {
            match self.one_in_each_row(name, purpose) {
                Ok(Some(column)) => return Ok(Some(((*name).to_owned(), column))),
                Ok(None) => {}
                Err(error @ PrepareError::Io(_)) => return Err(error),
                Err(error) => {
                    self.group.note(format!("column {name} of {} passed over: {error}", self.path()));
                }
            }
        }
        Ok(None)
    }

    /// The values of a column as what they stand for, where it has one in each row: also one of any number of values that are
    /// one in each row, or, for a region, the one that most of a row's are.
    fn one_in_each_row(&self, name: &str, purpose: Purpose) -> Result<Option<Column>, PrepareError> {
        let Some(dataset) = self.dataset(name)? else { return Ok(None) };
        if self.is_plain(name, &dataset) {
            return self.meaning(name, &dataset, purpose).map(Some);
        }
        let is_list = matches!(dataset.kind(), Kind::Number | Kind::Text | Kind::Reference);
        if !self.is_ragged(name) || !is_list || dataset.columns() != 1 {
            return Ok(None);
        }
        let values = self.meaning(name, &dataset, purpose)?;
        let ends = self.ends(name, values.len())?;
        Ok(match values {
            Column::Texts(texts) => one_of_each(&texts, &ends, purpose, String::new()).map(Column::Texts),
            Column::Numbers(values) => one_of_each(&values, &ends, purpose, f64::NAN).map(Column::Numbers),
            Column::Truths(values) => one_of_each(&values, &ends, purpose, f64::NAN).map(Column::Truths),
        })
    }

    /// A column with one number or text in each row, as it is stored, if there is one of that name.
    ///
    /// # Errors
    /// [`PrepareError::Field`] if it has another number of rows than the table.
    pub(crate) fn column(&self, name: &str) -> Result<Option<Column>, PrepareError> {
        let Some(dataset) = self.dataset(name)? else { return Ok(None) };
        let column = match dataset.kind() {
            Kind::Text => Column::Texts(dataset.texts()?),
            _ => Column::Numbers(dataset.numbers()?),
        };
        if column.len() as u64 != self.rows {
            return Err(self.rows_differ(dataset.path(), column.len()));
        }
        Ok(Some(column))
    }

    fn rows_differ(&self, path: &str, length: usize) -> PrepareError {
        let problem = format!("has {length} values for {} rows", self.rows);
        self.file().field(path, problem, "choose another column")
    }

    /// The ends of each row's values in a ragged column, cumulative: `[row]`.
    ///
    /// # Errors
    /// [`PrepareError::Field`] if they descend or pass `values`, the number of values that there are.
    pub(crate) fn ends(&self, name: &str, values: usize) -> Result<Vec<usize>, PrepareError> {
        let index = format!("{name}_index");
        let dataset = self.dataset(&index)?.ok_or_else(|| {
            let what = format!("column {index} in {}", self.path());
            self.file().missing(what, format!("it has: {}", listed(&self.names, "nothing")))
        })?;
        let integers = dataset.integers()?;
        if integers.len() as u64 != self.rows {
            return Err(self.rows_differ(dataset.path(), integers.len()));
        }
        let mut ends = Vec::with_capacity(integers.len());
        let mut last = 0;
        for (row, end) in integers.into_iter().enumerate() {
            match usize::try_from(end) {
                Ok(end) if end >= last && end <= values => last = end,
                _ => {
                    let problem = format!(
                        "ends row {row} at {end}, where the one before ends at {last} and there are {values}"
                    );
                    return Err(self.file().field(
                        dataset.path(),
                        problem,
                        "the file contradicts itself: choose another column, or leave the file out",
                    ));
                }
            }
            ends.push(last);
        }
        Ok(ends)
    }

    /// The table as one of trials: every column of numbers or texts, as what they stand for; one of a few numbers in each row as
    /// `name_0`, …, one of rows of another table also as the columns of that, `name.column`.
    ///
    /// What else there is, and what cannot be read, is noted; what cannot be read of `needed` is an error.
    pub(crate) fn trials(&self, needed: &[&str]) -> Result<TrialTable, PrepareError> {
        // A table of n rows has at least n values somewhere, so the file's length bounds them.
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let mut table = TrialTable::new(rows);
        let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in &self.names {
            let is_index = name.strip_suffix("_index").is_some_and(|values| self.has(values));
            if is_index || name == "id" {
                continue;
            }
            match self.trial_column(name, &mut table) {
                Ok(None) => {}
                Ok(Some(why)) => {
                    table.leave_out(name, format!("it has {why}"));
                    skipped.entry(why).or_default().push(name);
                }
                Err(error @ PrepareError::Io(_)) => return Err(error),
                Err(error) if needed.contains(&name.as_str()) => return Err(error),
                Err(error) => {
                    self.group.note(format!("column {name} of {} passed over: {error}", self.path()));
                    table.leave_out(name, error.to_string());
                }
            }
        }
        for (why, names) in skipped {
            self.group.note(format!(
                "columns of {} passed over, they have {why}: {}",
                self.path(),
                names.join(", ")
            ));
        }
        Ok(table)
    }

    /// Adds a column to a table of trials, or says why it is none.
    fn trial_column(&self, name: &str, table: &mut TrialTable) -> Result<Option<&'static str>, PrepareError> {
        let path = self.file().path();
        let Some(dataset) = self.dataset(name)? else { return Ok(None) };
        let is_list = || self.names.iter().any(|other| meaning::lists_of(other).any(|list| list == name));
        if self.is_ragged(name) {
            // Numbers of which there are any are events, even where no trial happens to have two.
            let Some(Column::Texts(texts)) = self.one_in_each_row(name, Purpose::Other)? else {
                return Ok(Some("any number of values in each row"));
            };
            table.insert(name, TrialColumn::Text(texts), path)?;
        } else if dataset.list_length() != Some(self.rows) && dataset.rows() != self.rows {
            return Ok((dataset.kind() != Kind::Text || !is_list()).then_some("another number of rows"));
        } else if self.is_plain(name, &dataset) {
            if let Some(other) = self.other_table(&dataset)? {
                self.columns_of_other(name, &dataset, &other, table)?;
            }
            table.insert(name, self.meaning(name, &dataset, Purpose::Other)?.into_trials(), path)?;
        } else if dataset.kind() != Kind::Number {
            return Ok(Some("neither numbers nor texts"));
        } else if dataset.columns() == 0 || dataset.columns() > MOST_COLUMNS {
            return Ok(Some("too many values in each row"));
        } else {
            let columns = dataset.columns() as usize;
            let values = dataset.numbers()?;
            for column in 0..columns {
                let one = values.iter().skip(column).step_by(columns).copied().collect();
                table.insert(format!("{name}_{column}"), TrialColumn::Numbers(one), path)?;
            }
        }
        Ok(None)
    }

    /// Adds the columns of the table whose rows the column `name` has.
    fn columns_of_other(
        &self,
        name: &str,
        dataset: &Dataset<'f>,
        other: &Table<'f>,
        table: &mut TrialTable,
    ) -> Result<(), PrepareError> {
        for column in other.plain_names()?.iter().filter(|column| *column != "id") {
            let Some(values) = other.dataset(column)? else { continue };
            let values = other.meaning(column, &values, Purpose::Other)?;
            let values = meaning::rows(dataset, &values, other.path())?.into_trials();
            table.insert(format!("{name}.{column}"), values, self.file().path())?;
        }
        Ok(())
    }
}

impl Column {
    /// Number of rows.
    pub(crate) fn len(&self) -> usize {
        match self {
            Column::Numbers(values) | Column::Truths(values) => values.len(),
            Column::Texts(texts) => texts.len(),
        }
    }

    fn into_trials(self) -> TrialColumn {
        match self {
            Column::Numbers(values) | Column::Truths(values) => TrialColumn::Numbers(values),
            Column::Texts(texts) => TrialColumn::Text(texts),
        }
    }
}

/// One value of each row of a ragged column: the only one there is, or the one that most are where it is a region. Nothing if
/// a row has different ones.
fn one_of_each<T: Clone + PartialEq>(
    values: &[T],
    ends: &[usize],
    purpose: Purpose,
    missing: T,
) -> Option<Vec<T>> {
    let one = |row: Range<usize>| {
        let row = &values[row];
        let Some(first) = row.first() else { return Some(missing.clone()) };
        if row.iter().all(|value| value == first) {
            return Some(first.clone());
        }
        if row.len() > MOST_IN_ROW {
            return None;
        }
        let count = |value: &T| row.iter().filter(|other| *other == value).count();
        // Of values that are as many, the first; what is missing is nowhere.
        let known = row.iter().rev().filter(|value| **value != missing);
        known.max_by_key(|value| count(value)).filter(|_| purpose == Purpose::Region).cloned()
    };
    rows(ends).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_many_values_have_one_where_they_agree() {
        let values = ["CA1", "CA1", "DG", "DG", "CA3", "", "CA1"];
        let ends = [2, 2, 7];
        let one = |purpose| one_of_each(&values, &ends, purpose, "");
        assert_eq!(one(Purpose::Region), Some(vec!["CA1", "", "DG"]));
        assert_eq!(one(Purpose::Other), None);
        assert_eq!(one_of_each(&values, &[2, 3], Purpose::Other, ""), Some(vec!["CA1", "DG"]));
    }
}
