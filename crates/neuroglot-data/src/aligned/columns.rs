//! Values of Arrow columns, whatever width their types have.

use std::borrow::Cow;
use std::ops::Range;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::RowProblem;

/// A column of lists: rows are ranges of one array of values.
pub(super) struct Lists<'a> {
    column: &'a ArrayRef,
    /// All rows' values, one after the other.
    pub values: &'a ArrayRef,
}

impl<'a> Lists<'a> {
    /// `None` if the column holds no lists.
    pub fn new(column: &'a ArrayRef) -> Option<Lists<'a>> {
        let values = match column.data_type() {
            DataType::List(_) => column.as_list::<i32>().values(),
            DataType::LargeList(_) => column.as_list::<i64>().values(),
            DataType::FixedSizeList(..) => column.as_fixed_size_list().values(),
            _ => return None,
        };
        Some(Lists { column, values })
    }

    /// Where a row's values lie in `values`; `None` if the row is null.
    pub fn range(&self, row: usize) -> Option<Range<usize>> {
        if self.column.is_null(row) {
            return None;
        }
        Some(match self.column.data_type() {
            DataType::List(_) => {
                let offsets = self.column.as_list::<i32>().value_offsets();
                offsets[row] as usize..offsets[row + 1] as usize
            }
            DataType::LargeList(_) => {
                let offsets = self.column.as_list::<i64>().value_offsets();
                offsets[row] as usize..offsets[row + 1] as usize
            }
            _ => {
                let length = self.column.as_fixed_size_list().value_length().max(0) as usize;
                row * length..(row + 1) * length
            }
        })
    }
}

/// Whole numbers of an array, and the first place where it holds something else.
pub(super) struct Integers<'a> {
    values: Cow<'a, [i64]>,
    bad: Option<(usize, RowProblem)>,
}

impl<'a> Integers<'a> {
    /// `None` if the array holds no numbers.
    pub fn new(array: &'a ArrayRef) -> Option<Integers<'a>> {
        // Lists of the type null, as they are written where all are empty. Its length takes no memory in a file, so none
        // is reserved by it.
        if let DataType::Null = array.data_type() {
            let bad = (!array.is_empty()).then_some((0, RowProblem::Null));
            return Some(Integers { values: Cow::Borrowed(&[]), bad });
        }
        let null = array.logical_nulls().filter(|nulls| nulls.null_count() > 0);
        let null = null.and_then(|nulls| (0..array.len()).find(|&at| nulls.is_null(at)));
        let null = null.map(|at| (at, RowProblem::Null));
        if let DataType::Int64 = array.data_type() {
            let values = Cow::Borrowed(array.as_primitive::<Int64Type>().values().as_ref());
            return Some(Integers { values, bad: null });
        }
        let exact: Vec<Option<i64>> = match array.data_type() {
            // A double is exact up to 2^53; no count or index is larger.
            kind if kind.is_floating() => floats(array)?
                .iter()
                .map(|&v| (v.fract() == 0.0 && v.abs() <= 2f64.powi(53)).then_some(v as i64))
                .collect(),
            kind if kind.is_integer() => {
                arrow_cast::cast(array, &DataType::Int64).ok()?.as_primitive::<Int64Type>().iter().collect()
            }
            _ => return None,
        };
        let bad = exact.iter().position(Option::is_none);
        let bad = bad.map(|at| (at, RowProblem::NotWhole(display(array, at))));
        let values = exact.into_iter().map(Option::unwrap_or_default).collect();
        Some(Integers { values: Cow::Owned(values), bad: null.or(bad) })
    }

    /// A range of the numbers, or what is wrong with it.
    pub fn get(&self, range: Range<usize>) -> Result<&[i64], RowProblem> {
        match &self.bad {
            Some((at, problem)) if range.contains(at) => Err(problem.clone()),
            // The places after the first bad one are not checked; nobody reads on after an error.
            Some((at, _)) if range.start > *at && !range.is_empty() => Err(RowProblem::Null),
            _ if range.is_empty() => Ok(&[]),
            _ => Ok(&self.values[range]),
        }
    }
}

/// Numbers or truth values (0 and 1) of an array, NaN where null; `None` if the array holds neither.
pub(super) fn floats(array: &ArrayRef) -> Option<Cow<'_, [f64]>> {
    let kind = array.data_type();
    if *kind == DataType::Float64 && array.null_count() == 0 {
        return Some(Cow::Borrowed(array.as_primitive::<Float64Type>().values().as_ref()));
    }
    if !(kind.is_integer() || kind.is_floating() || *kind == DataType::Boolean) {
        return None;
    }
    let numbers = arrow_cast::cast(array, &DataType::Float64).ok()?;
    let numbers = numbers.as_primitive::<Float64Type>().iter();
    Some(Cow::Owned(numbers.map(|number| number.unwrap_or(f64::NAN)).collect()))
}

/// Whether an array holds strings, or nothing but nulls.
pub(super) fn is_text(array: &ArrayRef) -> bool {
    matches!(array.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null)
}

/// Whether an array holds numbers or truth values, or nothing but nulls.
pub(super) fn is_numeric(array: &ArrayRef) -> bool {
    array.data_type() == &DataType::Null || floats(&array.slice(0, 0)).is_some()
}

/// A string of an array; `None` where null. The outer `None` says that the array holds no strings.
pub(super) fn string(array: &ArrayRef, at: usize) -> Option<Option<&str>> {
    let text = match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(at),
        DataType::LargeUtf8 => array.as_string::<i64>().value(at),
        DataType::Utf8View => array.as_string_view().value(at),
        DataType::Null => return Some(None),
        _ => return None,
    };
    Some(array.is_valid(at).then_some(text))
}

fn display(array: &ArrayRef, at: usize) -> String {
    match array.data_type() {
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(at).to_string(),
        _ => floats(array).map_or_else(String::new, |values| values[at].to_string()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{
        BooleanArray, Float32Array, Float64Array, Int8Array, Int64Array, LargeStringArray, NullArray,
        StringViewArray, UInt64Array,
    };

    use super::*;

    fn array(array: impl Array + 'static) -> ArrayRef {
        Arc::new(array)
    }

    #[test]
    fn whole_numbers_of_any_type() {
        for numbers in [
            array(Int8Array::from(vec![3, 0, 7])),
            array(UInt64Array::from(vec![3, 0, 7])),
            array(Float32Array::from(vec![3.0, 0.0, 7.0])),
        ] {
            assert_eq!(Integers::new(&numbers).unwrap().get(1..3).unwrap(), [0, 7]);
        }
        assert!(Integers::new(&array(BooleanArray::from(vec![true]))).is_none());
    }

    #[test]
    fn a_bad_number_is_an_error_of_its_row_alone() {
        let numbers = array(Float64Array::from(vec![1.0, 2.0, 2.5, 4.0]));
        let integers = Integers::new(&numbers).unwrap();
        assert_eq!(integers.get(0..2).unwrap(), [1, 2]);
        assert_eq!(integers.get(1..4), Err(RowProblem::NotWhole("2.5".into())));
        let huge = array(UInt64Array::from(vec![u64::MAX]));
        assert_eq!(
            Integers::new(&huge).unwrap().get(0..1),
            Err(RowProblem::NotWhole("18446744073709551615".into()))
        );
        let null = array(Int64Array::from(vec![Some(1), None]));
        assert_eq!(Integers::new(&null).unwrap().get(0..2), Err(RowProblem::Null));
    }

    #[test]
    fn nothing_but_nulls_reserves_no_memory() {
        let nulls = array(NullArray::new(1 << 60));
        let integers = Integers::new(&nulls).unwrap();
        assert!(integers.get(7..7).unwrap().is_empty());
        assert_eq!(integers.get(7..9), Err(RowProblem::Null));
        assert!(is_text(&nulls) && is_numeric(&nulls));
        assert_eq!(string(&nulls, 1 << 40), Some(None));
    }

    #[test]
    fn a_null_is_a_missing_value() {
        let numbers = array(Float64Array::from(vec![Some(1.5), None]));
        let values = floats(&numbers).unwrap();
        assert!(values[0] == 1.5 && values[1].is_nan());
        let truths = array(BooleanArray::from(vec![Some(true), Some(false), None]));
        let values = floats(&truths).unwrap();
        assert!(values[..2] == [1.0, 0.0] && values[2].is_nan());
    }

    #[test]
    fn strings_of_any_type() {
        assert_eq!(string(&array(LargeStringArray::from(vec!["CA1"])), 0), Some(Some("CA1")));
        assert_eq!(string(&array(StringViewArray::from(vec![None::<&str>])), 0), Some(None));
        assert_eq!(string(&array(Int8Array::from(vec![1])), 0), None);
    }
}
