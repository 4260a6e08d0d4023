//! Arrays on their way to NumPy, and bytes of NumPy's arrays.

use pyo3::prelude::*;
use pyo3::types::PyDict;

/// Numbers that NumPy takes over without a copy: `numpy.asarray(floats)` is a view of them that keeps them alive.
///
/// Nothing in Rust looks at the numbers again, so the view may be written to.
#[pyclass(frozen, module = "neuroglot._neuroglot")]
pub struct Floats {
    /// Keeps the memory until the last view is gone.
    _memory: Memory,
    address: usize,
    kind: &'static str,
    shape: Vec<usize>,
}

/// Only owned, never looked at.
enum Memory {
    Single { _values: Vec<f32> },
    Double { _values: Vec<f64> },
}

impl Floats {
    /// Row-major values of a shape, as `float32`.
    pub fn new(mut values: Vec<f32>, shape: &[usize]) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "as many values as the shape says");
        let address = aligned(&mut values);
        let memory = Memory::Single { _values: values };
        Self { _memory: memory, address, kind: "f4", shape: shape.to_vec() }
    }

    /// Row-major values of a shape, as `float64`.
    pub fn double(mut values: Vec<f64>, shape: &[usize]) -> Self {
        assert_eq!(values.len(), shape.iter().product::<usize>(), "as many values as the shape says");
        let address = aligned(&mut values);
        let memory = Memory::Double { _values: values };
        Self { _memory: memory, address, kind: "f8", shape: shape.to_vec() }
    }
}

/// Moves values, within their memory, to a multiple of 64 bytes, where JAX takes arrays over without a copy; returns the address.
fn aligned<T: Copy + Default>(values: &mut Vec<T>) -> usize {
    const ALIGNMENT: usize = 64;
    let len = values.len();
    values.reserve_exact(ALIGNMENT / size_of::<T>());
    let offset = values.as_ptr().align_offset(ALIGNMENT);
    values.resize(len + offset, T::default());
    values.copy_within(..len, offset);
    values[offset..].as_mut_ptr().expose_provenance()
}

#[pymethods]
impl Floats {
    /// NumPy's array interface, version 3.
    #[getter]
    fn __array_interface__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let interface = PyDict::new(py);
        interface.set_item("version", 3)?;
        interface.set_item("shape", pyo3::types::PyTuple::new(py, &self.shape)?)?;
        let order = if cfg!(target_endian = "big") { '>' } else { '<' };
        interface.set_item("typestr", format!("{order}{}", self.kind))?;
        interface.set_item("data", (self.address, false))?;
        Ok(interface)
    }
}

/// The little-endian doubles of bytes, as `numpy.asarray(values, "<f8").tobytes()` gives them.
pub fn doubles(bytes: &[u8]) -> Vec<f64> {
    bytes.as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
}

/// The little-endian whole numbers of bytes, as `numpy.asarray(values, "<u4").tobytes()` gives them.
pub fn whole_numbers(bytes: &[u8]) -> Vec<u32> {
    bytes.as_chunks().0.iter().map(|bytes| u32::from_le_bytes(*bytes)).collect()
}
