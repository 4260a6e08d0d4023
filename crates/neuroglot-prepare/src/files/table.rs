//! Flat tables in Parquet files, as pandas writes them.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float16Type, Float32Type, Float64Type};
use arrow_array::types::{
    Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::{PrepareError, TrialColumn};

/// Reads the columns of numbers, truth values and text that `wanted` names; others are left out. Nulls are NaN or empty.
///
/// # Errors
/// [`PrepareError::Data`] if the file cannot be read.
pub(crate) fn read_table(
    file: &Path,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, TrialColumn>, PrepareError> {
    let mut columns: BTreeMap<String, TrialColumn> = BTreeMap::new();
    neuroglot_data::visit_parquet(file, wanted, &mut |batch| {
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let Some(more) = column_of(column) else { continue };
            match (columns.get_mut(field.name()), more) {
                (Some(TrialColumn::Numbers(values)), TrialColumn::Numbers(more)) => values.extend(more),
                (Some(TrialColumn::Text(values)), TrialColumn::Text(more)) => values.extend(more),
                (_, more) => {
                    columns.insert(field.name().clone(), more);
                }
            }
        }
        Ok(())
    })?;
    Ok(columns)
}

fn column_of(column: &ArrayRef) -> Option<TrialColumn> {
    fn numbers<T: ArrowPrimitiveType>(
        column: &ArrayRef,
        convert: impl Fn(T::Native) -> f64,
    ) -> Option<TrialColumn> {
        let values = column.as_primitive_opt::<T>()?.iter();
        Some(TrialColumn::Numbers(values.map(|value| value.map_or(f64::NAN, &convert)).collect()))
    }
    let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
    match column.data_type() {
        DataType::Boolean => {
            let values = column.as_boolean().iter();
            let number = |value: Option<bool>| value.map_or(f64::NAN, |value| f64::from(u8::from(value)));
            Some(TrialColumn::Numbers(values.map(number).collect()))
        }
        DataType::Int8 => numbers::<Int8Type>(column, f64::from),
        DataType::Int16 => numbers::<Int16Type>(column, f64::from),
        DataType::Int32 => numbers::<Int32Type>(column, f64::from),
        DataType::Int64 => numbers::<Int64Type>(column, |value| value as f64),
        DataType::UInt8 => numbers::<UInt8Type>(column, f64::from),
        DataType::UInt16 => numbers::<UInt16Type>(column, f64::from),
        DataType::UInt32 => numbers::<UInt32Type>(column, f64::from),
        DataType::UInt64 => numbers::<UInt64Type>(column, |value| value as f64),
        DataType::Float16 => numbers::<Float16Type>(column, f64::from),
        DataType::Float32 => numbers::<Float32Type>(column, f64::from),
        DataType::Float64 => numbers::<Float64Type>(column, |value| value),
        DataType::Utf8 => Some(TrialColumn::Text(column.as_string::<i32>().iter().map(text).collect())),
        DataType::LargeUtf8 => Some(TrialColumn::Text(column.as_string::<i64>().iter().map(text).collect())),
        DataType::Utf8View => Some(TrialColumn::Text(column.as_string_view().iter().map(text).collect())),
        _ => None,
    }
}
