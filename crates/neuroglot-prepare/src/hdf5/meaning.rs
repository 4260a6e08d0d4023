//! What the numbers of a column stand for, where the file says it elsewhere: names of an enumeration, a list of labels, rows of
//! another table, references to objects.

use std::collections::{BTreeMap, BTreeSet};

use neuroglot_data::text::listed;

use super::group::Object;
use super::table::{Column, Table};
use super::units::{QUALITIES, REGIONS};
use super::{Dataset, Group, Kind};
use crate::PrepareError;

/// What a column is read for, which decides what a row of another table stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Where a unit is.
    Region,
    /// How good a unit is.
    Quality,
    /// Something else.
    Other,
}

/// Tables that refer to tables are followed this far.
const MOST_TABLES: usize = 4;

/// What lists of labels are called: the name of the column with one of these behind it.
const LISTS: [&str; 6] = ["_elements", "_names", "_labels", "_categories", "_levels", "s"];

/// What attributes with a list of labels are called.
const LIST_ATTRIBUTES: [&str; 6] = ["elements", "names", "labels", "categories", "levels", "enum"];

/// What is behind the name of a column of codes: `region_id` has its labels in `region_names`.
const CODES: [&str; 6] = ["_id", "_ids", "_index", "_idx", "_code", "_codes"];

/// Names that the labels of the codes of column `name` may be listed under.
pub(super) fn lists_of(name: &str) -> impl Iterator<Item = String> {
    let stems = CODES.iter().filter_map(move |code| name.strip_suffix(code));
    let stems = std::iter::once(name).chain(stems).filter(|stem| !stem.is_empty());
    stems.flat_map(|stem| LISTS.iter().map(move |list| format!("{stem}{list}")))
}

impl<'f> Table<'f> {
    /// The values of a data set of this table as what they stand for.
    pub(super) fn meaning(
        &self,
        name: &str,
        dataset: &Dataset<'f>,
        purpose: Purpose,
    ) -> Result<Column, PrepareError> {
        self.meaning_within(name, dataset, purpose, MOST_TABLES)
    }

    fn meaning_within(
        &self,
        name: &str,
        dataset: &Dataset<'f>,
        purpose: Purpose,
        tables: usize,
    ) -> Result<Column, PrepareError> {
        match dataset.kind() {
            Kind::Text => return Ok(Column::Texts(dataset.texts()?)),
            Kind::Reference => return labels_of_references(dataset, purpose).map(Column::Texts),
            Kind::Number | Kind::Other => {}
        }
        if let Some(names) = dataset.enumeration() {
            let label = |code: i64| names.get(&code).cloned();
            return labelled(dataset, label, &format!("its type names {}", names.len())).map(Column::Texts);
        }
        if dataset.is_truth() {
            return Ok(Column::Truths(dataset.numbers()?));
        }
        if let Some(other) = other_table(dataset)? {
            if tables == 0 {
                return Err(unknown(dataset, "refers to tables that refer to each other"));
            }
            return self.rows_of(name, dataset, other, purpose, tables - 1);
        }
        if let Some((labels, list)) = self.labels(name, dataset)? {
            let label = |code: i64| labels.get(usize::try_from(code).ok()?).cloned();
            return labelled(dataset, label, &format!("{list} has {}", labels.len())).map(Column::Texts);
        }
        Ok(Column::Numbers(dataset.numbers()?))
    }

    /// What rows of another table stand for.
    fn rows_of(
        &self,
        name: &str,
        dataset: &Dataset<'f>,
        other: Group<'f>,
        purpose: Purpose,
        tables: usize,
    ) -> Result<Column, PrepareError> {
        let other = Table::open_any(other)?;
        let plain = other.plain_names()?;
        let usual: &[&str] = match purpose {
            Purpose::Region => &REGIONS,
            Purpose::Quality => &QUALITIES,
            Purpose::Other => &[],
        };
        let preferred = usual.iter().copied().chain([name, "label", "name", "value"]);
        let chosen = preferred.map(str::to_owned).find(|name| plain.contains(name));
        let columns: Vec<&String> = plain.iter().filter(|name| *name != "id").collect();
        let chosen = match (chosen, &columns[..]) {
            (Some(chosen), _) => chosen,
            (None, [only]) => (*only).clone(),
            _ => {
                let problem = format!(
                    "is rows of {}, which has no column that says what they are: it has {}",
                    other.path(),
                    listed(&columns, "nothing")
                );
                return Err(unknown(dataset, &problem));
            }
        };
        let Some(values) = other.dataset(&chosen)? else {
            return Err(unknown(dataset, &format!("is rows of {}, which has no {chosen}", other.path())));
        };
        let values = other.meaning_within(&chosen, &values, purpose, tables)?;
        dataset.note(format!("{} is rows of {}: read as its column {chosen}", dataset.path(), other.path()));
        rows(dataset, &values, other.path())
    }

    /// The table whose rows a data set of this one names, if it does.
    pub(crate) fn other_table(&self, dataset: &Dataset<'f>) -> Result<Option<Table<'f>>, PrepareError> {
        other_table(dataset)?.map(Table::open_any).transpose()
    }

    /// The list of labels of the codes of a column, and what it is called.
    fn labels(
        &self,
        name: &str,
        dataset: &Dataset<'f>,
    ) -> Result<Option<(Vec<String>, String)>, PrepareError> {
        if let Some(address) = dataset.reference_attribute("elements")? {
            return match Object::at(&dataset.root()?, address)? {
                Some(Object::Dataset(list)) if list.kind() == Kind::Text => {
                    Ok(Some((list.texts()?, list.path().to_owned())))
                }
                _ => Err(unknown(dataset, "has its labels (elements) where none are")),
            };
        }
        if dataset.text_attribute("neurodata_type")?.as_deref() == Some("EnumData") {
            return Err(unknown(dataset, "is codes of type EnumData without the labels (elements)"));
        }
        for attribute in LIST_ATTRIBUTES {
            if let Some(labels) = dataset.texts_attribute(attribute)? {
                return Ok(Some((labels, format!("its attribute {attribute}"))));
            }
        }
        for list in lists_of(name) {
            let Some((labels, path, is_column)) = self.list(&list)? else { continue };
            let codes = dataset.numbers()?;
            let places: BTreeSet<i64> =
                codes.iter().filter(|code| !code.is_nan()).map(|&code| code as i64).collect();
            let fits = codes.iter().all(|code| code.is_nan() || code.fract() == 0.0)
                && places.iter().all(|&code| code >= -1 && code < labels.len() as i64);
            if !fits {
                dataset.note(format!(
                    "{} is not read as places in {path}: its numbers are not 0 to {}",
                    dataset.path(),
                    labels.len().saturating_sub(1)
                ));
                continue;
            }
            // A column of texts says itself what each row is, unless it names each thing once and the codes repeat.
            let distinct: BTreeSet<&String> = labels.iter().collect();
            if is_column && (distinct.len() < labels.len() || places.len() == codes.len()) {
                continue;
            }
            dataset.note(format!("{} is read as places in {path}, from 0", dataset.path()));
            return Ok(Some((labels, path)));
        }
        Ok(None)
    }

    /// A list of texts in this table or in the group that holds it, its path, and whether it may be a column of the table.
    fn list(&self, name: &str) -> Result<Option<(Vec<String>, String, bool)>, PrepareError> {
        let is_list = |dataset: &Dataset<'_>| dataset.kind() == Kind::Text && dataset.columns() == 1;
        if let Some(dataset) = self.dataset(name).ok().flatten().filter(is_list) {
            let is_column = dataset.rows() == self.rows();
            return Ok(Some((dataset.texts()?, dataset.path().to_owned(), is_column)));
        }
        if let Some(labels) = self.group().texts_attribute(name)? {
            return Ok(Some((labels, format!("attribute {name} of {}", self.path()), false)));
        }
        if self.group_above_has(name)
            && let Some(above) = self.group_above()
            && let Some(dataset) = above.dataset(name).ok().flatten().filter(is_list)
        {
            return Ok(Some((dataset.texts()?, dataset.path().to_owned(), false)));
        }
        Ok(None)
    }
}

/// The table that an attribute of a data set says its values are rows of.
fn other_table<'f>(dataset: &Dataset<'f>) -> Result<Option<Group<'f>>, PrepareError> {
    let is_rows = dataset.text_attribute("neurodata_type")?.as_deref() == Some("DynamicTableRegion");
    let Some(address) = dataset.reference_attribute("table")? else {
        return if is_rows {
            Err(unknown(dataset, "is rows of another table and does not say of which"))
        } else {
            Ok(None)
        };
    };
    match Object::at(&dataset.root()?, address)? {
        Some(Object::Group(group)) => Ok(Some(group)),
        _ => Err(unknown(dataset, "is rows of a table that is not there")),
    }
}

/// The values of rows of another table; a row of −1 or without a number is missing.
pub(super) fn rows(dataset: &Dataset<'_>, values: &Column, other: &str) -> Result<Column, PrepareError> {
    fn pick<T: Clone>(
        values: &[T],
        missing: T,
        rows: &[f64],
        wrong: impl Fn(f64, usize) -> PrepareError,
    ) -> Result<Vec<T>, PrepareError> {
        let value = |&row: &f64| match row {
            row if row.is_nan() || row == -1.0 => Ok(missing.clone()),
            row if row.fract() == 0.0 && row >= 0.0 && row < values.len() as f64 => {
                Ok(values[row as usize].clone())
            }
            row => Err(wrong(row, values.len())),
        };
        rows.iter().map(value).collect()
    }
    let wrong =
        |row: f64, rows: usize| unknown(dataset, &format!("names row {row} of {other}, which has {rows}"));
    let numbers = dataset.numbers()?;
    Ok(match values {
        Column::Texts(texts) => Column::Texts(pick(texts, String::new(), &numbers, wrong)?),
        Column::Numbers(values) => Column::Numbers(pick(values, f64::NAN, &numbers, wrong)?),
        Column::Truths(values) => Column::Truths(pick(values, f64::NAN, &numbers, wrong)?),
    })
}

/// The labels of codes. A code of −1, as pandas writes it, or without a number is missing, unless it has a label.
fn labelled(
    dataset: &Dataset<'_>,
    label: impl Fn(i64) -> Option<String>,
    has: &str,
) -> Result<Vec<String>, PrepareError> {
    let mut labels: BTreeMap<i64, String> = BTreeMap::new();
    let codes = dataset.numbers()?;
    let mut texts = Vec::with_capacity(codes.len());
    for code in codes {
        if code.is_nan() {
            texts.push(String::new());
            continue;
        }
        let whole = code as i64;
        let known = match labels.get(&whole) {
            Some(label) => Some(label.clone()),
            None => label(whole),
        };
        match known {
            Some(text) if code.fract() == 0.0 => {
                labels.insert(whole, text.clone());
                texts.push(text);
            }
            None if code == -1.0 => texts.push(String::new()),
            _ => return Err(unknown(dataset, &format!("has the code {code}, and {has} labels"))),
        }
    }
    Ok(texts)
}

/// What references to objects stand for: for a region, where the object is.
fn labels_of_references(dataset: &Dataset<'_>, purpose: Purpose) -> Result<Vec<String>, PrepareError> {
    let root = dataset.root()?;
    let mut labels: BTreeMap<u64, String> = BTreeMap::new();
    let mut texts = Vec::new();
    for address in dataset.references()? {
        if address == 0 || address == u64::MAX {
            texts.push(String::new());
            continue;
        }
        if let std::collections::btree_map::Entry::Vacant(place) = labels.entry(address) {
            let Some(object) = Object::at(&root, address)? else {
                return Err(unknown(dataset, "refers to an object that is not there"));
            };
            let location = match purpose {
                Purpose::Region => object.location()?,
                Purpose::Quality | Purpose::Other => None,
            };
            place.insert(match location {
                Some(location) => location,
                None => object.label()?,
            });
        }
        texts.push(labels[&address].clone());
    }
    Ok(texts)
}

/// The meaning of a data set cannot be found.
fn unknown(dataset: &Dataset<'_>, problem: &str) -> PrepareError {
    dataset.file().field(dataset.path(), problem, "choose another column")
}
