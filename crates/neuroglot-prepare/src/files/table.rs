//! Flat tables in Parquet files, as pandas writes them.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use crate::{PrepareError, TrialColumn};

/// Reads the columns of numbers, truth values and text that `wanted` names; others are left out. Nulls are NaN or empty.
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
    let of = |to: DataType| arrow_cast::cast(column, &to).ok();
    Some(match column.data_type() {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => {
            let texts = of(DataType::LargeUtf8)?;
            let texts = texts.as_string::<i64>().iter().map(|text| text.unwrap_or_default().to_owned());
            TrialColumn::Text(texts.collect())
        }
        kind if kind.is_integer() || kind.is_floating() || *kind == DataType::Boolean => {
            let numbers = of(DataType::Float64)?;
            let numbers = numbers.as_primitive::<Float64Type>().iter();
            TrialColumn::Numbers(numbers.map(|number| number.unwrap_or(f64::NAN)).collect())
        }
        _ => return None,
    })
}
