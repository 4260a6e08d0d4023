//! A group whose data sets are the columns of a table: trials, units, electrodes.

use std::collections::BTreeMap;

use super::{Dataset, File, Group, Kind};
use crate::{PrepareError, TrialColumn, TrialTable};

/// Most columns that one data set of a table, or one series, is taken apart into: a position has 2 or 3, a video frame
/// thousands.
pub(super) const MOST_COLUMNS: u64 = 16;

/// A column of a table, `[row]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Column {
    /// Numbers, or truth values as 0 and 1.
    Numbers(Vec<f64>),
    /// Texts.
    Texts(Vec<String>),
}

/// A table of a file.
pub(crate) struct Table<'f> {
    group: Group<'f>,
    names: Vec<String>,
    rows: u64,
}

impl<'f> Table<'f> {
    /// The table in a group, whose number of rows is that of the first of its `keys`.
    ///
    /// # Errors
    /// [`PrepareError::Missing`] if it has none of them.
    pub(crate) fn open(group: Group<'f>, keys: &[&str]) -> Result<Table<'f>, PrepareError> {
        let (_, names) = group.names()?;
        for key in keys {
            if let Some(dataset) = group.dataset(key)? {
                return Ok(Table { names, rows: dataset.rows(), group });
            }
        }
        let what = format!("column {} in {}", keys.join(" or "), group.path());
        Err(group.file().missing(what, format!("it has: {}", listed(&names))))
    }

    /// The file it is in.
    pub(crate) fn file(&self) -> &'f File {
        self.group.file()
    }

    /// Its absolute path.
    pub(crate) fn path(&self) -> &str {
        self.group.path()
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

    /// Names of the columns with one number or text in each row.
    pub(crate) fn plain_names(&self) -> Result<Vec<String>, PrepareError> {
        let mut plain = Vec::new();
        for name in &self.names {
            if let Some(dataset) = self.dataset(name)?
                && self.is_plain(name, &dataset)
            {
                plain.push(name.clone());
            }
        }
        Ok(plain)
    }

    fn is_plain(&self, name: &str, dataset: &Dataset<'_>) -> bool {
        !self.is_ragged(name)
            && dataset.rows() == self.rows
            && dataset.columns() == 1
            && matches!(dataset.kind(), Kind::Number | Kind::Text)
    }

    /// The column that the user chose, else the first of the usual names that is one.
    ///
    /// # Errors
    /// [`PrepareError::Missing`] if the chosen one is not there, naming those that are.
    pub(crate) fn pick(&self, chosen: Option<&str>, usual: &[&str]) -> Result<Option<Column>, PrepareError> {
        if let Some(name) = chosen {
            return match self.dataset(name)? {
                Some(dataset) if self.is_plain(name, &dataset) => self.column(name),
                _ => {
                    let what = format!("column {name} in {} with one value in each row", self.path());
                    Err(self.file().missing(what, format!("it has: {}", listed(&self.plain_names()?))))
                }
            };
        }
        for name in usual {
            if let Some(dataset) = self.dataset(name)?
                && self.is_plain(name, &dataset)
            {
                return self.column(name);
            }
        }
        Ok(None)
    }

    /// A column with one number or text in each row, if there is one of that name.
    ///
    /// # Errors
    /// [`PrepareError::Field`] if it has another number of rows than the table.
    pub(crate) fn column(&self, name: &str) -> Result<Option<Column>, PrepareError> {
        let Some(dataset) = self.dataset(name)? else { return Ok(None) };
        let (column, length) = match dataset.kind() {
            Kind::Text => {
                let texts = dataset.texts()?;
                let length = texts.len();
                (Column::Texts(texts), length)
            }
            _ => {
                let numbers = dataset.numbers()?;
                let length = numbers.len();
                (Column::Numbers(numbers), length)
            }
        };
        if length as u64 != self.rows {
            return Err(self.rows_differ(dataset.path(), length));
        }
        Ok(Some(column))
    }

    fn rows_differ(&self, path: &str, length: usize) -> PrepareError {
        let problem = format!("has {length} values for {} rows", self.rows);
        self.file().field(path, problem, "copy the file again, or choose another column")
    }

    /// The ends of each row's values in a ragged column, cumulative: `[row]`.
    ///
    /// # Errors
    /// [`PrepareError::Field`] if they descend or pass `values`, the number of values that there are.
    pub(crate) fn ends(&self, name: &str, values: usize) -> Result<Vec<usize>, PrepareError> {
        let index = format!("{name}_index");
        let dataset = self.dataset(&index)?.ok_or_else(|| {
            let what = format!("column {index} in {}", self.path());
            self.file().missing(what, format!("it has: {}", listed(&self.names)))
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
                        "the file is inconsistent, export it again",
                    ));
                }
            }
            ends.push(last);
        }
        Ok(ends)
    }

    /// The table as one of trials: every column of numbers or texts, one of a few numbers in each row as `name_0`, ….
    ///
    /// What else there is is said in `notes`.
    pub(crate) fn trials(&self, notes: &mut Vec<String>) -> Result<TrialTable, PrepareError> {
        // A table of n rows has at least n values somewhere, so the file's length bounds them.
        let rows = usize::try_from(self.rows).unwrap_or(usize::MAX);
        let mut table = TrialTable::new(rows);
        let mut skipped: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for name in &self.names {
            let is_index = name.strip_suffix("_index").is_some_and(|values| self.has(values));
            let Some(dataset) = self.dataset(name)? else { continue };
            if is_index || name == "id" {
                continue;
            }
            let path = self.file().path();
            if self.is_ragged(name) {
                skipped.entry("any number of values in each row").or_default().push(name);
            } else if dataset.rows() != self.rows {
                skipped.entry("another number of rows").or_default().push(name);
            } else if dataset.columns() == 1 && dataset.kind() == Kind::Text {
                table.insert(name, TrialColumn::Text(dataset.texts()?), path)?;
            } else if dataset.kind() != Kind::Number {
                skipped.entry("neither numbers nor texts").or_default().push(name);
            } else if dataset.columns() == 1 {
                table.insert(name, TrialColumn::Numbers(dataset.numbers()?), path)?;
            } else if dataset.columns() == 0 || dataset.columns() > MOST_COLUMNS {
                skipped.entry("too many values in each row").or_default().push(name);
            } else {
                let columns = dataset.columns() as usize;
                let values = dataset.numbers()?;
                for column in 0..columns {
                    let one = values.iter().skip(column).step_by(columns).copied().collect();
                    table.insert(format!("{name}_{column}"), TrialColumn::Numbers(one), path)?;
                }
            }
        }
        for (why, names) in skipped {
            notes.push(format!(
                "columns of {} passed over, they have {why}: {}",
                self.path(),
                names.join(", ")
            ));
        }
        Ok(table)
    }
}

/// Names for a message.
pub(crate) fn listed<S: AsRef<str>>(names: &[S]) -> String {
    if names.is_empty() {
        "nothing".to_owned()
    } else {
        names.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", ")
    }
}
