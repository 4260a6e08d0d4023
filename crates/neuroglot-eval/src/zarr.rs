//! Arrays with named dimensions as a Zarr folder, which xarray opens as a data set
//! (<https://zarr-specs.readthedocs.io/en/latest/v2/v2.0.html>).
//!
//! Chunks are not compressed, so that all there is to it is JSON beside bytes; the crate `zarrs` would bring 43 others.

use crate::EvalError;
use neuroglot_files::{FilesError, FromIo, replace_file, replace_folder};
use serde_json::{Map, Value, json};
use std::path::Path;

/// A chunk holds whole rows of the first dimension, as many as make about so many bytes.
const CHUNK: usize = 16 << 20;

/// A group of arrays, as it will lie in its folder.
pub(crate) struct ZarrGroup {
    metadata: Map<String, Value>,
    chunks: Vec<(String, Vec<u8>)>,
}

impl ZarrGroup {
    /// A group that says of itself what `attributes` hold.
    pub fn new(attributes: Value) -> Self {
        let group = json!({"zarr_format": 2});
        let metadata = Map::from_iter([(".zgroup".to_owned(), group), (".zattrs".to_owned(), attributes)]);
        Self { metadata, chunks: Vec::new() }
    }

    /// Adds an array of `f32`.
    pub fn floats(&mut self, name: &str, axes: &[(&str, usize)], units: &str, values: &[f32]) {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add(name, axes, "<f4", Some(units), &bytes);
    }

    /// Adds an array of `u32`.
    pub fn counts(&mut self, name: &str, axes: &[(&str, usize)], values: impl Iterator<Item = u32>) {
        let bytes: Vec<u8> = values.flat_map(u32::to_le_bytes).collect();
        self.add(name, axes, "<u4", None, &bytes);
    }

    /// Adds an array of truth values.
    pub fn truths(&mut self, name: &str, axes: &[(&str, usize)], values: impl Iterator<Item = bool>) {
        let bytes: Vec<u8> = values.map(u8::from).collect();
        self.add(name, axes, "|b1", None, &bytes);
    }

    /// Adds texts along one dimension, each as long as the longest.
    pub fn texts<T: AsRef<str>>(&mut self, name: &str, axis: &str, values: impl Iterator<Item = T>) {
        let texts: Vec<Vec<char>> = values.map(|text| text.as_ref().chars().collect()).collect();
        let length = texts.iter().map(Vec::len).max().unwrap_or(0).max(1);
        let padded = texts.iter().flat_map(|text| {
            (0..length).flat_map(|place| text.get(place).map_or(0, |letter| u32::from(*letter)).to_le_bytes())
        });
        let bytes: Vec<u8> = padded.collect();
        self.add(name, &[(axis, texts.len())], &format!("<U{length}"), None, &bytes);
    }

    fn add(&mut self, name: &str, axes: &[(&str, usize)], kind: &str, units: Option<&str>, bytes: &[u8]) {
        let shape: Vec<usize> = axes.iter().map(|(_, length)| *length).collect();
        let row = bytes.len().checked_div(shape[0]).unwrap_or(0);
        let rows = (CHUNK / row.max(1)).clamp(1, shape[0].max(1));
        let chunk_shape: Vec<usize> =
            [&[rows][..], &shape[1..]].concat().into_iter().map(|n| n.max(1)).collect();
        let dimensions: Vec<&str> = axes.iter().map(|(name, _)| *name).collect();
        let array = json!({
            "zarr_format": 2, "shape": shape, "chunks": chunk_shape, "dtype": kind, "order": "C",
            "compressor": null, "filters": null, "fill_value": null,
        });
        // How xarray knows the names of dimensions.
        let mut attributes = json!({"_ARRAY_DIMENSIONS": dimensions});
        if let Some(units) = units {
            attributes["units"] = json!(units);
        }
        self.metadata.insert(format!("{name}/.zarray"), array);
        self.metadata.insert(format!("{name}/.zattrs"), attributes);
        let inner = vec![".0"; shape.len() - 1].concat();
        for (place, chunk) in bytes.chunks((rows * row).max(1)).enumerate() {
            let mut chunk = chunk.to_vec();
            // The last chunk is as long as the others.
            chunk.resize(rows * row, 0);
            self.chunks.push((format!("{name}/{place}{inner}"), chunk));
        }
    }

    /// Writes the folder, in place of an earlier group.
    ///
    /// # Errors
    /// [`EvalError::File`] where something else lies there, [`EvalError::Files`] where it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), EvalError> {
        if path.symlink_metadata().is_ok() && !path.join(".zgroup").is_file() {
            let problem =
                "something lies there that is no Zarr group: choose another name, or remove it".to_owned();
            return Err(EvalError::File { path: path.to_owned(), problem });
        }
        let text = |value: &Value| serde_json::to_vec(value).expect("metadata are JSON");
        replace_folder(path, |folder| {
            for (name, value) in &self.metadata {
                put(folder, name, &text(value))?;
            }
            for (name, chunk) in &self.chunks {
                put(folder, name, chunk)?;
            }
            // All metadata in one file, so that opening the group is one read.
            let consolidated = json!({"zarr_consolidated_format": 1, "metadata": self.metadata});
            put(folder, ".zmetadata", &text(&consolidated))
        })
    }
}

fn put(folder: &Path, name: &str, content: &[u8]) -> Result<(), EvalError> {
    let path = folder.join(name);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(FilesError::io("make", parent))?;
    }
    Ok(replace_file(&path, content)?)
}
