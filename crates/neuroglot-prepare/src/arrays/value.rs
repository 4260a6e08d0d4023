//! Values of a TOML file that says what is what: lists in it, or arrays beside it.

use std::path::{Path, PathBuf};

use toml::Value as Toml;

use crate::files::npy::{NpyArray, OpenNpy, with_npy_file};
use crate::files::npz::with_npz_array;
use crate::files::number::FileNumber;
use crate::{PrepareError, TrialColumn};

/// A value that is a list or an array, and what it is called.
#[derive(Debug, Clone)]
pub(super) struct ArrayValue {
    /// The key, such as `trials.choice`.
    key: String,
    /// The TOML file, or that of the array.
    file: PathBuf,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    /// Numbers and truth values of the TOML file.
    Numbers(NpyArray<f64>),
    /// Texts of the TOML file.
    Texts(NpyArray<String>),
    /// A file `.npy`.
    File,
    /// An array of a file `.npz`.
    Member(String),
}

/// Numbers or texts, in any shape.
#[derive(Debug)]
pub(super) struct Column {
    /// Length in each dimension.
    pub shape: Vec<usize>,
    /// The values, flattened in C order.
    pub values: TrialColumn,
}

impl ArrayValue {
    /// The value of a key. `toml` is the file that has it.
    ///
    /// # Errors
    /// [`PrepareError::Field`], if it is neither a list nor the name of an array.
    pub(super) fn parse(value: &Toml, key: String, toml: &Path) -> Result<ArrayValue, PrepareError> {
        let wrong = |problem: String, cure| PrepareError::field(toml, &key, problem, cure);
        let folder = toml.parent().unwrap_or(Path::new(""));
        let (file, content) = match value {
            Toml::String(name) => {
                let (path, member) = split_reference(name).map_err(|(problem, cure)| wrong(problem, cure))?;
                (folder.join(path), member.map_or(Content::File, |member| Content::Member(member.to_owned())))
            }
            Toml::Array(_) => {
                let content = list(value).map_err(|problem| {
                    wrong(problem.to_owned(), "write numbers, or texts, in lists of one length")
                })?;
                (toml.to_owned(), content)
            }
            other => {
                let problem = format!("is of type {}, not a list or the name of an array", other.type_str());
                return Err(wrong(problem, "write [1, 2, …], \"file.npy\" or \"file.npz:array\""));
            }
        };
        Ok(ArrayValue { key, file, content })
    }

    /// The file that holds the array, if it is not the TOML file itself.
    pub(super) fn array_file(&self) -> Option<&Path> {
        match self.content {
            Content::File | Content::Member(_) => Some(&self.file),
            Content::Numbers(_) | Content::Texts(_) => None,
        }
    }

    /// The file that holds the values.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// What messages call it: the key, and the array where the file has several.
    pub(super) fn field(&self) -> String {
        match &self.content {
            Content::Member(name) => format!("{} (array {name})", self.key),
            _ => self.key.clone(),
        }
    }

    /// The name behind the table's.
    pub(super) fn name(&self) -> &str {
        self.key.split_once('.').map_or(&self.key, |(_, name)| name)
    }

    /// An error about it.
    pub(super) fn wrong(&self, problem: impl Into<String>, cure: &'static str) -> PrepareError {
        PrepareError::field(&self.file, self.field(), problem, cure)
    }

    /// Numbers, in any shape.
    pub(super) fn numbers<T: FileNumber>(&self) -> Result<NpyArray<T>, PrepareError> {
        match &self.content {
            Content::Numbers(NpyArray { shape, values }) => {
                let number = |&value: &f64| {
                    T::from_float(value).ok_or_else(|| {
                        self.wrong(format!("holds {value} where {} are needed", T::NAME), "correct the list")
                    })
                };
                let values = values.iter().map(number).collect::<Result<_, _>>()?;
                Ok(NpyArray { shape: shape.clone(), values })
            }
            Content::Texts(_) => {
                Err(self.wrong(format!("holds texts where {} are needed", T::NAME), "correct the list"))
            }
            Content::File | Content::Member(_) => self.with_array(|array| array.numbers()),
        }
    }

    /// A list of numbers. Shapes such as `[n, 1]` are lists too.
    pub(super) fn list_of_numbers<T: FileNumber>(&self) -> Result<Vec<T>, PrepareError> {
        let NpyArray { shape, values } = self.numbers()?;
        self.check_list(&shape)?;
        Ok(values)
    }

    /// Numbers or texts, in any shape.
    pub(super) fn column(&self) -> Result<Column, PrepareError> {
        let numbers = |NpyArray { shape, values }| Column { shape, values: TrialColumn::Numbers(values) };
        let texts = |NpyArray { shape, values }| Column { shape, values: TrialColumn::Text(values) };
        match &self.content {
            Content::Numbers(array) => Ok(numbers(array.clone())),
            Content::Texts(array) => Ok(texts(array.clone())),
            Content::File | Content::Member(_) => self.with_array(|array| {
                if array.is_text() { array.texts().map(texts) } else { array.numbers().map(numbers) }
            }),
        }
    }

    /// A list of numbers or texts.
    pub(super) fn list(&self) -> Result<TrialColumn, PrepareError> {
        let Column { shape, values } = self.column()?;
        self.check_list(&shape)?;
        Ok(values)
    }

    /// Calls `read` with the array, which must not lie in the TOML file.
    pub(super) fn with_array<T>(
        &self,
        read: impl FnOnce(OpenNpy) -> Result<T, PrepareError>,
    ) -> Result<T, PrepareError> {
        let field = self.field();
        match &self.content {
            Content::Member(name) => {
                with_npz_array(&self.file, name, &field, |source| source.open().and_then(read))
            }
            _ => with_npy_file(&self.file, &field, |source| source.open().and_then(read)),
        }
    }

    fn check_list(&self, shape: &[usize]) -> Result<(), PrepareError> {
        match shape.iter().filter(|&&length| length != 1).count() {
            0 | 1 => Ok(()),
            _ => Err(self.wrong(format!("has shape {shape:?}, expected one dimension"), "save a plain list")),
        }
    }
}

/// `file.npy`, or `file.npz:array`.
fn split_reference(name: &str) -> Result<(&str, Option<&str>), (String, &'static str)> {
    let ends_with = |name: &str, end: &str| name.to_ascii_lowercase().ends_with(end);
    if let Some((path, member)) = name.rsplit_once(':')
        && ends_with(path, ".npz")
        && !member.is_empty()
    {
        return Ok((path, Some(member)));
    }
    if ends_with(name, ".npy") {
        return Ok((name, None));
    }
    if ends_with(name.trim_end_matches(':'), ".npz") {
        Err((format!("is {name:?}, which may hold several arrays"), "name one, such as \"file.npz:array\""))
    } else {
        Err((
            format!("is {name:?}, neither .npy nor .npz"),
            "write \"file.npy\", \"file.npz:array\" or a list; keys of the top stand above the first [table]",
        ))
    }
}

/// A list, of lists perhaps, of numbers or texts.
fn list(value: &Toml) -> Result<Content, &'static str> {
    let mut shape = Vec::new();
    let mut inner = value;
    while let Toml::Array(values) = inner {
        shape.push(values.len());
        match values.first() {
            Some(first) => inner = first,
            None => break,
        }
    }
    let mut leaves = Vec::new();
    flatten(value, &shape, &mut leaves)?;
    if let Toml::String(_) = inner {
        let text = |leaf: &Toml| leaf.as_str().map(str::to_owned).ok_or("holds texts and other things");
        let values = leaves.into_iter().map(text).collect::<Result<_, _>>()?;
        return Ok(Content::Texts(NpyArray { shape, values }));
    }
    let number = |leaf: &Toml| match leaf {
        Toml::Integer(number) => Ok(*number as f64),
        Toml::Float(number) => Ok(*number),
        Toml::Boolean(truth) => Ok(f64::from(u8::from(*truth))),
        _ => Err("holds what is neither number nor truth value"),
    };
    let values = leaves.into_iter().map(number).collect::<Result<_, _>>()?;
    Ok(Content::Numbers(NpyArray { shape, values }))
}

/// The innermost values of lists, which must all have the shape of the first of them.
fn flatten<'a>(value: &'a Toml, shape: &[usize], leaves: &mut Vec<&'a Toml>) -> Result<(), &'static str> {
    match (value, shape) {
        (Toml::Array(values), [length, inner @ ..]) if values.len() == *length => {
            values.iter().try_for_each(|value| flatten(value, inner, leaves))
        }
        (Toml::Array(_), _) | (_, [_, ..]) => Err("holds lists of different lengths"),
        (value, []) => {
            leaves.push(value);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ArrayValue, String> {
        let table: toml::Table = format!("x = {text}").parse().unwrap();
        ArrayValue::parse(&table["x"], "trials.x".to_owned(), Path::new("data/a.toml"))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn lists_have_shapes() {
        let array = parse("[[1, 2.5], [true, nan]]").unwrap().numbers::<f64>().unwrap();
        assert_eq!((array.shape, &array.values[..3]), (vec![2, 2], &[1.0, 2.5, 1.0][..]));
        assert!(array.values[3].is_nan());
        assert_eq!(
            parse("['a', '']").unwrap().list().unwrap(),
            TrialColumn::Text(vec!["a".into(), "".into()])
        );
        assert_eq!(parse("[[3], [4]]").unwrap().list_of_numbers::<i64>().unwrap(), [3, 4]);
        assert!(parse("[]").unwrap().list_of_numbers::<f64>().unwrap().is_empty());
    }

    #[test]
    fn arrays_are_named_relative_to_the_file() {
        let value = parse("'../b.npz:spikes/times'").unwrap();
        assert_eq!(value.array_file(), Some(Path::new("data/../b.npz")));
        assert_eq!(value.field(), "trials.x (array spikes/times)");
        assert_eq!(parse("'c.npy'").unwrap().array_file(), Some(Path::new("data/c.npy")));
    }

    #[test]
    fn what_is_no_array_is_refused() {
        let refused = |text: &str, word: &str| {
            let message = parse(text).unwrap_err();
            assert!(message.starts_with("trials.x of data/a.toml ") && message.contains(word), "{message}");
        };
        refused("[[1, 2], [3]]", "different lengths");
        refused("[1, [2]]", "different lengths");
        refused("[1, 'a']", "neither number");
        refused("['a', 1]", "texts and other");
        refused("3", "of type integer");
        refused("'a.npz'", "name one");
        refused("'a.npz:'", "name one");
        refused("'stim_on'", "above the first [table]");
        let uneven = parse("[1.5]").unwrap().numbers::<i64>().unwrap_err().to_string();
        assert!(uneven.contains("holds 1.5 where whole numbers are needed"), "{uneven}");
        assert!(parse("[[1, 2], [3, 4]]").unwrap().list().unwrap_err().to_string().contains("[2, 2]"));
    }
}
