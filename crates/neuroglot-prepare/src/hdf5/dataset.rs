//! A data set: an array of numbers, texts or references.

use std::collections::BTreeMap;

use hdf5_reader::messages::HdfMessage;
use hdf5_reader::messages::layout::DataLayout;
use hdf5_reader::{Datatype, ReferenceType, StringSize, VarLenKind};

use super::node::Node;
use super::{decode, filters};
use crate::PrepareError;
use crate::files::number::FileNumber;
use crate::files::unread::unread;

/// Bytes of a contiguous data set that are read at a time.
const SLAB: u64 = 1 << 22;

/// Texts of a file may take this many bytes, or 20 times its length where that is more: each is a reference, and many may
/// name one large object.
const MOST_TEXT: u64 = 1 << 24;

const CORRUPT: &str = "the file is truncated or corrupt, copy or download it again";

/// What the values of a data set are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Integers, floats or truth values.
    Number,
    /// Texts.
    Text,
    /// References to objects of the file.
    Reference,
    /// Records and other things that are not read.
    Other,
}

/// What a file claims of a data set, and can be true.
struct Claim {
    /// Bytes of a value.
    width: u64,
    /// Bytes of all values.
    bytes: u64,
    /// Where they are, if they lie in one piece.
    address: Option<u64>,
    /// How many values there must be room for: all of them where the file is as long as it would have to be.
    room: usize,
}

/// A data set of an open file.
pub(crate) type Dataset<'f> = Node<'f, hdf5_reader::Dataset>;

impl Dataset<'_> {
    /// Number of rows: the first dimension, 1 for a single value.
    pub(crate) fn rows(&self) -> u64 {
        self.inner.shape().first().copied().unwrap_or(1)
    }

    /// Number of values in a row: 1 for an array of one dimension.
    pub(crate) fn columns(&self) -> u64 {
        self.inner.shape().iter().skip(1).fold(1, |product: u64, &dim| product.saturating_mul(dim))
    }

    /// Number of values, if they are a list: of one dimension, or of several that are all 1 but for one, as MATLAB writes lists.
    pub(crate) fn list_length(&self) -> Option<u64> {
        let mut longer = self.inner.shape().iter().copied().filter(|&length| length != 1);
        let length = longer.next().unwrap_or(1);
        longer.next().is_none().then_some(length)
    }

    /// What its values are.
    pub(crate) fn kind(&self) -> Kind {
        match self.inner.dtype() {
            Datatype::FixedPoint { .. } | Datatype::FloatingPoint { .. } | Datatype::Bitfield { .. } => {
                Kind::Number
            }
            Datatype::Enum { .. } => Kind::Number,
            Datatype::String { .. } | Datatype::VarLen { kind: VarLenKind::String, .. } => Kind::Text,
            Datatype::Reference { ref_type: ReferenceType::Object, .. } => Kind::Reference,
            _ => Kind::Other,
        }
    }

    /// What the names of an enumeration stand for, where it is more than a truth value.
    pub(super) fn enumeration(&self) -> Option<BTreeMap<i64, String>> {
        let Datatype::Enum { base, members } = self.inner.dtype() else { return None };
        let mut names = BTreeMap::new();
        for member in members {
            let mut value = Vec::new();
            decode::stored(base)?.append(&member.value, &mut value).ok()?;
            names.insert(*value.first()?, member.name.clone());
        }
        (!is_truth(&names)).then_some(names)
    }

    /// Whether its values are truth values, which HDF5 has as an enumeration of false and true.
    pub(super) fn is_truth(&self) -> bool {
        matches!(self.inner.dtype(), Datatype::Enum { .. }) && self.enumeration().is_none()
    }

    /// The address of the object that an attribute refers to; nothing if it is not there or no reference.
    pub(super) fn reference_attribute(&self, name: &str) -> Result<Option<u64>, PrepareError> {
        let Some(attribute) = self.attribute(name)? else { return Ok(None) };
        let Datatype::Reference { ref_type: ReferenceType::Object, size } = attribute.datatype else {
            return Ok(None);
        };
        let addresses = hdf5_reader::reference::read_object_references(&attribute.raw_data, size)
            .map_err(|error| self.error(error))?;
        Ok(addresses.first().copied())
    }

    /// All values as floats, row by row: integers, truth values (0 or 1) and floats of any width.
    ///
    /// # Errors
    /// [`PrepareError::Field`] if they are not numbers, or more than the file can hold; [`PrepareError::Corrupt`].
    pub(crate) fn numbers(&self) -> Result<Vec<f64>, PrepareError> {
        self.values("choose a data set of numbers")
    }

    /// All values as integers, row by row.
    ///
    /// # Errors
    /// As [`Dataset::numbers`], and for values that are not whole or need more than 63 bits.
    pub(crate) fn integers(&self) -> Result<Vec<i64>, PrepareError> {
        self.values("choose a data set of whole numbers")
    }

    fn values<T: FileNumber>(&self, cure: &'static str) -> Result<Vec<T>, PrepareError> {
        let stored = decode::stored(self.inner.dtype())
            .filter(|_| self.kind() == Kind::Number)
            .ok_or_else(|| self.field("has no numbers", cure))?;
        let claim = self.claim(stored.width() as u64)?;
        let mut values = Vec::with_capacity(claim.room);
        let mut read = Ok(());
        self.blocks(&claim, &mut |block| {
            if read.is_ok() {
                read = stored.append(block, &mut values);
            }
        })?;
        read.map_err(|_| self.field("has values that are not whole numbers", cure))?;
        Ok(values)
    }

    /// All values as texts, row by row: of a fixed length or of any.
    pub(crate) fn texts(&self) -> Result<Vec<String>, PrepareError> {
        let mut texts = Vec::new();
        match self.inner.dtype() {
            Datatype::String { size: StringSize::Fixed(width), .. } => {
                let width = *width as usize;
                self.blocks(&self.claim(width as u64)?, &mut |block| {
                    texts.extend(block.chunks_exact(width).map(decode::text));
                })?;
            }
            Datatype::String { size: StringSize::Variable, .. }
            | Datatype::VarLen { kind: VarLenKind::String, .. } => {
                let width = self.inner.vlen_reference_size();
                let mut references = Vec::new();
                self.blocks(&self.claim(width as u64)?, &mut |block| references.extend_from_slice(block))?;
                let mut room = MOST_TEXT.max(20 * self.file.length());
                for reference in references.chunks_exact(width) {
                    let bytes = self
                        .inner
                        .resolve_vlen_reference_bytes(reference, 1)
                        .map_err(|error| self.error(error))?;
                    room = room
                        .checked_sub(bytes.len() as u64)
                        .ok_or_else(|| self.field("claims more text than the file can hold", CORRUPT))?;
                    texts.push(decode::text(&bytes));
                }
            }
            _ => return Err(self.field("has no texts", "choose a data set of texts")),
        }
        Ok(texts)
    }

    /// All values as addresses of objects, which [`super::Group::address`] gives too.
    pub(crate) fn references(&self) -> Result<Vec<u64>, PrepareError> {
        let Datatype::Reference { ref_type: ReferenceType::Object, size } = self.inner.dtype() else {
            return Err(self.field("has no references", "choose a data set of references"));
        };
        let mut raw = Vec::new();
        self.blocks(&self.claim(u64::from(*size))?, &mut |block| raw.extend_from_slice(block))?;
        hdf5_reader::reference::read_object_references(&raw, *size).map_err(|error| self.error(error))
    }

    fn field(&self, problem: impl Into<String>, cure: &'static str) -> PrepareError {
        self.file.field(&self.path, problem, cure)
    }

    fn error(&self, error: hdf5_reader::error::Error) -> PrepareError {
        match self.unread_filter() {
            Some(filter) if is_of_filter(&error) => unread(
                self.file.path(),
                format!("{} (HDF5 filter {filter}) in {}", filters::name(filter), self.path),
                "make a copy that is not packed: pip install hdf5plugin; HDF5_PLUGIN_PATH=$(python -c \"import hdf5plugin; \
                 print(hdf5plugin.PLUGIN_PATH)\") h5repack -f NONE IN OUT",
            ),
            _ => self.file.error(&self.path, error),
        }
    }

    /// The first of the filters that it is packed with and that are not read.
    fn unread_filter(&self) -> Option<u16> {
        let header = self.file.inner().get_or_parse_header(self.inner.address()).ok()?;
        header.messages.iter().find_map(|message| match message {
            HdfMessage::FilterPipeline(pipeline) => {
                pipeline.filters.iter().map(|filter| filter.id).find(|id| !filters::is_read(*id))
            }
            _ => None,
        })
    }

    /// What the file claims of the values, of `width` bytes each, if it can be true.
    fn claim(&self, width: u64) -> Result<Claim, PrepareError> {
        let header =
            self.file.inner().get_or_parse_header(self.inner.address()).map_err(|error| self.error(error))?;
        let filtered = header.messages.iter().any(
            |message| matches!(message, HdfMessage::FilterPipeline(pipeline) if !pipeline.filters.is_empty()),
        );
        let elements = self.inner.num_elements().map_err(|error| self.error(error))?;
        let bytes = elements.saturating_mul(width);
        if bytes > self.file.most_bytes(filtered) {
            let problem = format!(
                "claims {elements} values, more than a file of {} bytes can hold",
                self.file.length()
            );
            return Err(self.field(problem, CORRUPT));
        }
        if header.messages.iter().any(|message| matches!(message, HdfMessage::ExternalFiles(_))) {
            return Err(unread(
                self.file.path(),
                format!("raw values in another file, of {}", self.path),
                format!("make a copy that has the values: h5repack -l {}:CONTI IN OUT", self.path),
            ));
        }
        let address = header.messages.iter().find_map(|message| match message {
            HdfMessage::DataLayout(layout) => match &layout.layout {
                DataLayout::Contiguous { address, size } if *address != u64::MAX && *size >= bytes => {
                    Some(*address)
                }
                _ => None,
            },
            _ => None,
        });
        Ok(Claim { width, bytes, address, room: if filtered { 0 } else { elements as usize } })
    }

    /// Gives the bytes of all values in order, in blocks of whole values.
    ///
    /// What is compressed is decompressed chunk by chunk, so that a chunk that is claimed and not there ends the reading.
    fn blocks(&self, claim: &Claim, take: &mut dyn FnMut(&[u8])) -> Result<(), PrepareError> {
        let Claim { width, bytes, .. } = *claim;
        match (claim.address, self.inner.chunks()) {
            _ if bytes == 0 => Ok(()),
            (Some(address), _) => self.contiguous_blocks(address, bytes, width, take),
            (None, Some(chunk)) => self.chunked_blocks(&chunk, bytes, width, take),
            (None, None) => self.filled(take),
        }
    }

    /// The values as the decoder gives them, where the file has values that were never written.
    fn filled(&self, take: &mut dyn FnMut(&[u8])) -> Result<(), PrepareError> {
        take(&self.inner.read_raw_bytes().map_err(|error| self.error(error))?);
        Ok(())
    }

    fn contiguous_blocks(
        &self,
        address: u64,
        bytes: u64,
        width: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), PrepareError> {
        let slab = (SLAB / width).max(1) * width;
        let mut offset = 0;
        while offset < bytes {
            let length = slab.min(bytes - offset);
            let block = self
                .file
                .inner()
                .storage()
                .read_range(address.saturating_add(offset), length as usize)
                .map_err(|error| self.error(error))?;
            take(&block);
            offset += length;
        }
        Ok(())
    }

    fn chunked_blocks(
        &self,
        chunk: &[u32],
        bytes: u64,
        width: u64,
        take: &mut dyn FnMut(&[u8]),
    ) -> Result<(), PrepareError> {
        let shape = self.inner.shape();
        let chunks = self.inner.iter_chunks().map_err(|error| self.error(error))?;
        if chunk.len() < shape.len() || chunk.contains(&0) || shape.is_empty() {
            return Err(self.field("has chunks of another number of dimensions", CORRUPT));
        }
        let whole_rows =
            shape[1..].iter().zip(&chunk[1..]).all(|(&extent, &chunk)| u64::from(chunk) == extent);
        if whole_rows {
            let mut given = 0;
            for chunk in chunks {
                let chunk = chunk.map_err(|error| self.error(error))?;
                let row_bytes = bytes / shape[0];
                if chunk.offsets()[0].saturating_mul(row_bytes) != given || given == bytes {
                    break;
                }
                let length = (bytes - given).min(chunk.bytes().len() as u64);
                take(&chunk.bytes()[..length as usize]);
                given += length;
            }
            return match given {
                _ if given == bytes => Ok(()),
                // Never written: the fill value stands for all.
                0 if bytes <= self.file.length() => self.filled(take),
                _ => Err(self.field(format!("ends after {given} of {bytes} bytes"), CORRUPT)),
            };
        }
        // The chunks are counted before the array that they belong in is made.
        let mut pieces = Vec::new();
        for piece in chunks {
            pieces.push(piece.map_err(|error| self.error(error))?);
        }
        let expected = shape.iter().zip(chunk).fold(1u64, |product, (&extent, &chunk)| {
            product.saturating_mul(extent.div_ceil(u64::from(chunk)))
        });
        if pieces.len() as u64 != expected {
            if bytes <= self.file.length() {
                return self.filled(take);
            }
            let problem = format!("has {} of its {expected} chunks", pieces.len());
            return Err(self.field(problem, CORRUPT));
        }
        let mut values = vec![0; bytes as usize];
        for piece in &pieces {
            place(&mut values, shape, piece.bytes(), piece.offsets(), chunk, width as usize)
                .ok_or_else(|| self.field("has a chunk that lies outside", CORRUPT))?;
        }
        take(&values);
        Ok(())
    }
}

/// Whether an enumeration has no names but those of false and true.
fn is_truth(names: &BTreeMap<i64, String>) -> bool {
    names.len() == 2
        && [(0, "false"), (1, "true")]
            .iter()
            .all(|(value, word)| names.get(value).is_some_and(|name| name.eq_ignore_ascii_case(word)))
}

/// Whether an error says that a filter is not read.
fn is_of_filter(error: &hdf5_reader::error::Error) -> bool {
    match error {
        hdf5_reader::error::Error::UnsupportedFilter(_) => true,
        hdf5_reader::error::Error::Context { source, .. } => is_of_filter(source),
        _ => false,
    }
}

/// Copies a chunk to its place in an array, both row by row; what lies over the edge is left out.
fn place(
    values: &mut [u8],
    shape: &[u64],
    piece: &[u8],
    offsets: &[u64],
    chunk: &[u32],
    width: usize,
) -> Option<()> {
    let last = shape.len() - 1;
    let inside = shape[last].checked_sub(*offsets.get(last)?)?.min(u64::from(chunk[last])) as usize * width;
    for (run, bytes) in piece.chunks_exact(chunk[last] as usize * width).enumerate() {
        // Where this run of the chunk's last dimension starts in the array.
        let mut rest = run as u64;
        let mut start = *offsets.get(last)?;
        let mut stride = shape[last];
        let mut over_the_edge = false;
        for dim in (0..last).rev() {
            let index = offsets.get(dim)?.checked_add(rest % u64::from(chunk[dim]))?;
            rest /= u64::from(chunk[dim]);
            over_the_edge |= index >= shape[dim];
            start = start.checked_add(index.checked_mul(stride)?)?;
            stride = stride.checked_mul(shape[dim])?;
        }
        if !over_the_edge {
            let start = start as usize * width;
            values.get_mut(start..start + inside)?.copy_from_slice(&bytes[..inside]);
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn chunks_find_their_places() {
        // An array of 3 × 5, in chunks of 2 × 3: those at the edges hang over.
        let shape = [3, 5];
        let mut values = vec![0; 15];
        for (offsets, chunk) in [
            ([0, 0], [0, 1, 2, 5, 6, 7]),
            ([0, 3], [3, 4, 99, 8, 9, 99]),
            ([2, 0], [10, 11, 12, 99, 99, 99]),
            ([2, 3], [13, 14, 99, 99, 99, 99]),
        ] {
            place(&mut values, &shape, &chunk, &offsets, &[2, 3], 1).unwrap();
        }
        assert_eq!(values, (0..15).collect::<Vec<u8>>());
        assert_eq!(place(&mut values, &shape, &[0; 6], &[0, 7], &[2, 3], 1), None);
    }
}
