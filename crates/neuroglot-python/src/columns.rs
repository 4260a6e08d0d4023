//! Tables as dictionaries of columns, of which the package makes pandas frames.

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt32Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;
use neuroglot::eval::TableColumns;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

/// A dictionary of the columns of a table, each a list with `None` for what is missing.
pub fn as_dictionary(py: Python<'_>, table: TableColumns) -> PyResult<Bound<'_, PyDict>> {
    let table = table.finish();
    let columns = PyDict::new(py);
    for (field, column) in table.schema().fields().iter().zip(table.columns()) {
        columns.set_item(field.name(), list(py, column)?)?;
    }
    Ok(columns)
}

fn list<'py>(py: Python<'py>, column: &ArrayRef) -> PyResult<Bound<'py, PyList>> {
    match column.data_type() {
        DataType::Utf8 => PyList::new(py, column.as_string::<i32>().iter().collect::<Vec<_>>()),
        DataType::Boolean => PyList::new(py, column.as_boolean().iter().collect::<Vec<_>>()),
        DataType::UInt32 => PyList::new(py, column.as_primitive::<UInt32Type>().iter().collect::<Vec<_>>()),
        DataType::Float64 => PyList::new(py, column.as_primitive::<Float64Type>().iter().collect::<Vec<_>>()),
        other => unreachable!("no table of the package has a column of {other}"),
    }
}
