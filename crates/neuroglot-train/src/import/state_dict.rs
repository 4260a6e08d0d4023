//! Named arrays of a checkpoint: a safetensors file, or the zip archive that `torch.save` writes.

use super::pickle::{Element, Node, Pickle, PickleError, Tensor};
use crate::TrainError;
use neuroglot_files::FromIo;
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use zip::ZipArchive;

/// Keys under which checkpoints keep a state dict beside other things.
const INNER: [&str; 5] = ["state_dict", "model_state_dict", "model", "module", "net"];
/// What wrappers put in front of every name.
const PREFIXES: [&str; 3] = ["module.", "_orig_mod.", "model."];
/// Largest file of weights that is imported, bytes.
const MOST_BYTES: u64 = 64 << 30;
const STRIP: &str =
    "make a state dict of it with `python scripts/strip_checkpoint.py FILE.pt FILE.safetensors`";

/// Arrays by name.
#[derive(Debug)]
pub(super) struct StateDict {
    path: PathBuf,
    arrays: BTreeMap<String, Array>,
}

/// An array, whatever type its numbers had.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Array {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl StateDict {
    /// Reads a file; its content decides what it is.
    ///
    /// # Errors
    /// [`TrainError::Io`], or [`TrainError::Checkpoint`] for a file that is damaged or holds more than tensors.
    pub(super) fn read(path: &Path) -> Result<Self, TrainError> {
        let bytes = neuroglot_files::read(path, MOST_BYTES).map_err(TrainError::io("read", path))?;
        let fail = |problem: String| TrainError::Checkpoint { path: path.to_owned(), problem };
        let arrays = if bytes.starts_with(b"PK") {
            of_archive(&bytes).map_err(fail)?
        } else if bytes.first() == Some(&0x80) {
            return Err(fail(format!("it was saved in the format of PyTorch before 1.6; {STRIP}")));
        } else {
            of_safetensors(&bytes).map_err(fail)?
        };
        if arrays.is_empty() {
            return Err(fail(format!("it holds no tensors under names; {STRIP}")));
        }
        Ok(Self { path: path.to_owned(), arrays: without_prefixes(arrays) })
    }

    /// Names, sorted.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.arrays.keys().map(String::as_str)
    }

    /// Values of all arrays together.
    pub(super) fn values(&self) -> u128 {
        self.arrays.values().map(|array| array.values.len() as u128).sum()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.get(name)
    }

    /// The array of a name.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] where there is none.
    pub(super) fn expect(&self, name: &str) -> Result<&Array, TrainError> {
        self.get(name).ok_or_else(|| {
            self.wrong(format!(
                "there is no `{name}` in it: its names are not those of a published checkpoint"
            ))
        })
    }

    /// The sizes of an array that has so many of them.
    ///
    /// # Errors
    /// [`TrainError::Checkpoint`] where there is no such array or it has another number of dimensions.
    pub(super) fn sizes<const N: usize>(&self, name: &str) -> Result<[usize; N], TrainError> {
        let shape = &self.expect(name)?.shape;
        shape.as_slice().try_into().map_err(|_| {
            self.wrong(format!("`{name}` has {} dimensions {shape:?}, and should have {N}", shape.len()))
        })
    }

    pub(super) fn wrong(&self, problem: String) -> TrainError {
        TrainError::Checkpoint { path: self.path.clone(), problem }
    }
}

fn without_prefixes(mut arrays: BTreeMap<String, Array>) -> BTreeMap<String, Array> {
    let shared = |arrays: &BTreeMap<String, Array>| {
        PREFIXES.into_iter().find(|prefix| arrays.keys().all(|name| name.starts_with(prefix)))
    };
    while let Some(prefix) = shared(&arrays) {
        arrays = arrays.into_iter().map(|(name, array)| (name[prefix.len()..].to_owned(), array)).collect();
    }
    arrays
}

fn of_safetensors(bytes: &[u8]) -> Result<BTreeMap<String, Array>, String> {
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| {
        format!(
            "neither a whole safetensors file ({error}) nor a .pt file of PyTorch; copy or download it again"
        )
    })?;
    let mut arrays = BTreeMap::new();
    for (name, view) in tensors.tensors() {
        let element = match view.dtype() {
            Dtype::F64 => Element::F64,
            Dtype::F32 => Element::F32,
            Dtype::F16 => Element::F16,
            Dtype::BF16 => Element::BF16,
            Dtype::I64 => Element::I64,
            Dtype::I32 => Element::I32,
            Dtype::I16 => Element::I16,
            Dtype::I8 => Element::I8,
            Dtype::U8 | Dtype::BOOL => Element::U8,
            other => {
                return Err(format!("`{name}` holds numbers of type {other:?}: convert them to float32"));
            }
        };
        let places = 0..view.data().len() / element.size();
        let values = places.filter_map(|place| number(view.data(), place, element)).collect();
        arrays.insert(name, Array { shape: view.shape().to_vec(), values });
    }
    Ok(arrays)
}

/// `NAME/data.pkl` describes the tensors, `NAME/data/KEY` are their storages.
fn of_archive(bytes: &[u8]) -> Result<BTreeMap<String, Array>, String> {
    let damaged =
        |error: zip::result::ZipError| format!("the archive is damaged ({error}); copy or download it again");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let names = archive.file_names().filter_map(Result::ok).map(|name| name.into_owned());
    let pickle = names.into_iter().find(|name| name == "data.pkl" || name.ends_with("/data.pkl"));
    let pickle = pickle.ok_or("the archive holds no data.pkl: it was not written by torch.save")?;
    let folder = pickle.strip_suffix("data.pkl").unwrap_or_default().to_owned();
    let entry = |archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str| -> Result<Vec<u8>, String> {
        let file = archive.by_name(name).map_err(damaged)?;
        let mut content = Vec::new();
        // Entries are stored as they are: none is longer than the file, whatever it says of itself.
        let mut limited = file.take(bytes.len() as u64 + 1);
        limited.read_to_end(&mut content).map_err(|error| damaged(error.into()))?;
        Ok(content)
    };
    if archive.index_for_name(&format!("{folder}byteorder")).is_some()
        && entry(&mut archive, &format!("{folder}byteorder"))?.as_slice() != b"little"
    {
        return Err(format!("its numbers are big-endian; {STRIP} on the machine that wrote it"));
    }
    let pickle = Pickle::read(&entry(&mut archive, &pickle)?).map_err(|error| match error {
        PickleError::Foreign { .. } => format!("{error}; {STRIP}"),
        error => format!("{error}; copy or download it again, or {STRIP}"),
    })?;
    let tensors = tensors(&pickle);
    // Views may share a storage, so that few bytes could claim any number of values.
    let mut claimed = 0usize;
    let mut storages: HashMap<&str, Vec<u8>> = HashMap::new();
    let mut arrays = BTreeMap::new();
    for (name, tensor) in tensors {
        let len = tensor.shape.iter().try_fold(1usize, |product, size| product.checked_mul(*size));
        let total = len.and_then(|len| claimed.checked_add(len));
        claimed = total.filter(|total| *total <= bytes.len()).ok_or_else(|| {
            format!("`{name}` {:?} claims more values than the file can hold: it is damaged", tensor.shape)
        })?;
        let key = tensor.storage.key.as_str();
        if !storages.contains_key(key) {
            storages.insert(key, entry(&mut archive, &format!("{folder}data/{key}"))?);
        }
        let values = gather(tensor, &storages[key]).ok_or_else(|| {
            format!("`{name}` reaches past the end of what the archive holds of it: it is damaged")
        })?;
        arrays.insert(name.to_owned(), Array { shape: tensor.shape.clone(), values });
    }
    Ok(arrays)
}

/// The tensors of the dictionary at the top, or of the state dict in it.
fn tensors<'a>(pickle: &'a Pickle) -> Vec<(&'a str, &'a Tensor)> {
    let mut entries = pickle.entries(pickle.top()).unwrap_or_default();
    // A dictionary may hold itself: nobody has more around a state dict than there are names for it.
    for _ in INNER {
        if entries.iter().any(|(_, node)| matches!(node, Node::Tensor(_))) {
            break;
        }
        let inner = INNER.iter().find_map(|key| entries.iter().find(|(name, _)| name == key));
        entries = inner.and_then(|(_, node)| pickle.entries(node)).unwrap_or_default();
    }
    let tensor = |(name, node): (&'a str, &'a Node)| match node {
        Node::Tensor(tensor) => Some((name, tensor)),
        _ => None,
    };
    entries.into_iter().filter_map(tensor).collect()
}

/// The values of a view in row-major order; `None` where it reaches past the end of its storage.
fn gather(tensor: &Tensor, storage: &[u8]) -> Option<Vec<f32>> {
    let Tensor { storage: described, offset, shape, strides } = tensor;
    if described.len.checked_mul(described.element.size())? > storage.len() {
        return None;
    }
    let len: usize = shape.iter().product();
    let mut values = Vec::with_capacity(len);
    let mut index = vec![0usize; shape.len()];
    for _ in 0..len {
        let mut steps = index.iter().zip(strides);
        let place =
            steps.try_fold(*offset, |place, (i, stride)| place.checked_add(i.checked_mul(*stride)?))?;
        values.push(number(storage, place, described.element)?);
        for (index, size) in index.iter_mut().zip(shape).rev() {
            *index += 1;
            if *index < *size {
                break;
            }
            *index = 0;
        }
    }
    Some(values)
}

/// The number at a place of an array of little-endian numbers.
fn number(bytes: &[u8], place: usize, element: Element) -> Option<f32> {
    let start = place.checked_mul(element.size())?;
    let bytes = bytes.get(start..start.checked_add(element.size())?)?;
    macro_rules! read {
        ($type:ty) => {
            <$type>::from_le_bytes(bytes.try_into().ok()?)
        };
    }
    Some(match element {
        Element::F64 => read!(f64) as f32,
        Element::F32 => read!(f32),
        Element::F16 => read!(half::f16).to_f32(),
        Element::BF16 => read!(half::bf16).to_f32(),
        Element::I64 => read!(i64) as f32,
        Element::I32 => read!(i32) as f32,
        Element::I16 => read!(i16).into(),
        Element::I8 => read!(i8).into(),
        Element::U8 => read!(u8).into(),
    })
}
