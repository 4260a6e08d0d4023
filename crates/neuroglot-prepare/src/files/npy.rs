//! NumPy's `.npy` files.

use neuroglot_files::FromIo;
use std::io::{BufReader, Read};
use std::path::Path;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar, TypeStr};

use super::number::{FileNumber, Kind, Stored};
use super::unread::unread;
use crate::PrepareError;

/// Longest header that is read, bytes; NumPy refuses longer ones too.
const MAX_HEADER: u32 = 10_000;

/// Deepest nesting of brackets in a header: shapes and record types need three.
const MAX_NESTING: usize = 8;

/// More texts than any list of trials or units has.
const MAX_TEXTS: usize = 1 << 20;

/// A numeric array, flattened in C order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NpyArray<T> {
    /// Length in each dimension.
    pub shape: Vec<usize>,
    /// The elements.
    pub values: Vec<T>,
}

/// Bytes of an `.npy` file, and what messages call them.
pub(crate) struct NpySource<'a> {
    /// The bytes; need not be buffered.
    pub reader: &'a mut dyn Read,
    /// How many there should be.
    pub size: u64,
    /// Most memory that the elements may take, bytes; none where the bytes lie on the disk as they are.
    pub memory: Option<u64>,
    /// The file.
    pub file: &'a Path,
    /// The array.
    pub field: &'a str,
}

/// An array whose header is checked and whose elements are not yet read.
pub(crate) struct OpenNpy<'a> {
    header: NpyHeader,
    kind: TypeStr,
    shape: Vec<usize>,
    elements: usize,
    source: NpySource<'a>,
}

/// Reads an array of any numeric type (bool, integers and floats of any width and byte order).
///
/// # Errors
/// [`PrepareError::Io`] and [`PrepareError::Corrupt`]; [`PrepareError::Field`] if its elements are not what `T` holds.
pub(crate) fn read_npy<T: FileNumber>(file: &Path) -> Result<NpyArray<T>, PrepareError> {
    with_npy_file(file, "the array", |source| source.open()?.numbers())
}

/// Calls `read` with the content of a file; `field` is what messages call it.
pub(crate) fn with_npy_file<T>(
    file: &Path,
    field: &str,
    read: impl FnOnce(NpySource<'_>) -> Result<T, PrepareError>,
) -> Result<T, PrepareError> {
    let mut handle = neuroglot_files::open(file).map_err(PrepareError::io("open", file))?;
    let size = handle.metadata().map_err(PrepareError::io("open", file))?.len();
    read(NpySource { reader: &mut handle, size, memory: None, file, field })
}

impl<'a> NpySource<'a> {
    /// Reads the header and checks it against the number of bytes.
    ///
    /// # Errors
    /// [`PrepareError::Corrupt`]; [`PrepareError::Field`] for arrays of records.
    pub(crate) fn open(self) -> Result<OpenNpy<'a>, PrepareError> {
        let (file, size) = (self.file, self.size);
        let corrupt = |problem: String| PrepareError::corrupt(file, problem);
        let start = read_header(self.reader).map_err(PrepareError::damaged(file))?;
        let header = NpyHeader::from_reader(&start[..]).map_err(|error| corrupt(error.to_string()))?;
        let DType::Plain(kind) = header.dtype() else {
            return Err(self.wrong("holds records".to_owned(), "save an array of one number type"));
        };
        if kind.type_char() == TypeChar::Object {
            let name = self.file.display();
            return Err(unread(
                self.file,
                format!("pickled Python objects (dtype object) for {}", self.field),
                format!(
                    "save plain numbers or texts, if you trust where it is from: python -c \"import numpy as np; a = \
                     np.load('{name}', allow_pickle=True); np.save('{name}', a.astype(float))\", with str for texts"
                ),
            ));
        }
        // The header is not believed before its elements are seen to be in the file.
        let width = kind.num_bytes().unwrap_or(usize::MAX) as u64;
        let elements = header.shape().iter().try_fold(1u64, |product, &length| product.checked_mul(length));
        let end = elements
            .and_then(|elements| elements.checked_mul(width))
            .and_then(|bytes| bytes.checked_add(start.len() as u64));
        let (Some(elements), true) = (elements.filter(|_| width > 0), end == Some(size)) else {
            let shape = header.shape();
            return Err(corrupt(format!(
                "the header promises {shape:?} elements of {kind}, the file has {size} bytes"
            )));
        };
        let shape = header.shape().iter().map(|&length| length as usize).collect();
        Ok(OpenNpy { header, kind, shape, elements: elements as usize, source: self })
    }

    fn wrong(&self, problem: String, cure: &'static str) -> PrepareError {
        PrepareError::field(self.file, self.field, problem, cure)
    }
}

impl OpenNpy<'_> {
    /// Length in each dimension.
    pub(crate) fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Whether the elements are texts.
    pub(crate) fn is_text(&self) -> bool {
        matches!(self.kind.type_char(), TypeChar::ByteStr | TypeChar::UnicodeStr)
    }

    /// Whether the elements lie in C order.
    pub(crate) fn is_in_c_order(&self) -> bool {
        self.header.order() == Order::C || self.shape.iter().filter(|length| **length != 1).count() < 2
    }

    /// The array, of numbers.
    ///
    /// # Errors
    /// [`PrepareError::Corrupt`]; [`PrepareError::Field`] if its elements are not what `T` holds.
    pub(crate) fn numbers<T: FileNumber>(self) -> Result<NpyArray<T>, PrepareError> {
        self.check_memory(size_of::<T>())?;
        let mut values = Vec::with_capacity(self.capacity());
        let (shape, in_order) = (self.shape.clone(), self.is_in_c_order());
        self.visit(|value| {
            values.push(value);
            Ok(())
        })?;
        let values = if in_order { values } else { in_c_order(&values, &shape) };
        Ok(NpyArray { shape, values })
    }

    /// Calls `each` with the elements, as they lie in the file. This is not left to `npyz`, which takes them one by one:
    /// spike times are tens of millions.
    ///
    /// # Errors
    /// [`PrepareError::Corrupt`]; [`PrepareError::Field`] if an element is not what `T` holds, or `each` has a problem with
    /// it.
    pub(crate) fn visit<T: FileNumber>(
        self,
        mut each: impl FnMut(T) -> Result<(), String>,
    ) -> Result<(), PrepareError> {
        let OpenNpy { kind, elements: mut left, source, .. } = self;
        let Some(stored) = stored(&kind) else {
            return Err(source.wrong(format!("is of type {kind}"), "save numbers, with numpy.save"));
        };
        let mut piece = vec![0; PIECE];
        while left > 0 {
            let length = left.min(PIECE / stored.width());
            let bytes = &mut piece[..length * stored.width()];
            source.reader.read_exact(bytes).map_err(PrepareError::damaged(source.file))?;
            let read = stored.each(bytes, &mut each);
            read.map_err(|problem| source.wrong(problem, "copy the file again, or correct it"))?;
            left -= length;
        }
        Ok(())
    }

    /// The array, of texts in UTF-8 (`|S…`) or UTF-32 (`<U…`); the zeros that fill them up are left out.
    ///
    /// # Errors
    /// [`PrepareError::Corrupt`]; [`PrepareError::Field`] if its elements are no text, or too many.
    pub(crate) fn texts(self) -> Result<NpyArray<String>, PrepareError> {
        let cure = "save it again, with numpy.save";
        if !self.is_text() {
            return Err(self.source.wrong(format!("is of type {}, not text", self.kind), cure));
        }
        let width = self.kind.num_bytes().unwrap_or(usize::MAX);
        self.check_memory(width.saturating_add(size_of::<String>()))?;
        if self.elements > MAX_TEXTS {
            let problem = format!("has {} texts, more than {MAX_TEXTS}", self.elements);
            return Err(self.source.wrong(problem, cure));
        }
        let (capacity, in_order) = (self.capacity(), self.is_in_c_order());
        let OpenNpy { kind, shape, elements, source: NpySource { reader, file, field, .. }, .. } = self;
        let mut reader = BufReader::new(reader.take((elements * width) as u64));
        let mut bytes = vec![0; if elements == 0 { 0 } else { width }];
        let mut values = Vec::with_capacity(capacity);
        for place in 0..elements {
            reader.read_exact(&mut bytes).map_err(PrepareError::damaged(file))?;
            let text = match kind.type_char() {
                TypeChar::ByteStr => utf8(&bytes),
                _ => utf32(&bytes, kind.endianness()),
            };
            let problem = || format!("holds bytes that are no text at {place}");
            values.push(text.ok_or_else(|| PrepareError::field(file, field, problem(), cure))?);
        }
        let values = if in_order { values } else { in_c_order(&values, &shape) };
        Ok(NpyArray { shape, values })
    }

    /// Refuses arrays that unpack to more than they may. `width` is the size of an element in memory, bytes.
    fn check_memory(&self, width: usize) -> Result<(), PrepareError> {
        match (self.source.memory, self.elements.checked_mul(width)) {
            (Some(most), Some(bytes)) if bytes as u64 <= most => Ok(()),
            (Some(_), _) => Err(self.source.wrong(
                format!("unpacks to {} elements, many times what is stored", self.elements),
                "save it with numpy.save, unpacked, if it is right",
            )),
            (None, _) => Ok(()),
        }
    }

    /// Values of so many bytes that may be kept of the array.
    pub(crate) fn most_values(&self, width: usize) -> usize {
        self.source.memory.map_or(usize::MAX, |memory| memory as usize / width)
    }

    /// Elements to make room for at once: all of those that lie in a file, few of those that may yet fail to unpack.
    fn capacity(&self) -> usize {
        match self.source.memory {
            None => self.elements,
            Some(_) => self.elements.min(1 << 12),
        }
    }
}

fn utf8(bytes: &[u8]) -> Option<String> {
    let length = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    Some(std::str::from_utf8(&bytes[..length]).ok()?.to_owned())
}

fn utf32(bytes: &[u8], endianness: Endianness) -> Option<String> {
    let codes = bytes.chunks_exact(4).map(|code| {
        let code = [code[0], code[1], code[2], code[3]];
        match endianness {
            Endianness::Big => u32::from_be_bytes(code),
            _ => u32::from_le_bytes(code),
        }
    });
    let mut text = codes.map(char::from_u32).collect::<Option<String>>()?;
    text.truncate(text.trim_end_matches('\0').len());
    Some(text)
}

/// Reads the header, with all that comes before it. Refuses one that is too long or too deeply nested for the parser.
fn read_header(reader: &mut dyn Read) -> std::io::Result<Vec<u8>> {
    fn more(reader: &mut dyn Read, start: &mut Vec<u8>, length: usize) -> std::io::Result<()> {
        let from = start.len();
        start.resize(from + length, 0);
        reader.read_exact(&mut start[from..]).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => std::io::Error::other("the header is cut off"),
            _ => error,
        })
    }
    let mut start = Vec::new();
    more(reader, &mut start, 8)?;
    if &start[..6] != b"\x93NUMPY" {
        return Err(std::io::Error::other("it does not begin as an .npy file does"));
    }
    let length = if start[6] == 1 {
        more(reader, &mut start, 2)?;
        u32::from(u16::from_le_bytes([start[8], start[9]]))
    } else {
        more(reader, &mut start, 4)?;
        u32::from_le_bytes([start[8], start[9], start[10], start[11]])
    };
    if length > MAX_HEADER {
        return Err(std::io::Error::other(format!("the header claims {length} bytes")));
    }
    let begin = start.len();
    more(reader, &mut start, length as usize)?;
    let mut depth = 0usize;
    for byte in &start[begin..] {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err(std::io::Error::other("the header is nested too deeply"));
        }
    }
    check_shape(&start[begin..]).map_err(std::io::Error::other)?;
    Ok(start)
}

/// Refuses a header whose shape is written otherwise than NumPy does, or that the parser cannot multiply.
fn check_shape(header: &[u8]) -> Result<(), String> {
    let wrong = || "the header promises no shape, or more than one, or one too large".to_owned();
    let mut parts = std::str::from_utf8(header).map_err(|_| wrong())?.split("shape");
    let (Some(before), Some(shape), None) = (parts.next(), parts.next(), parts.next()) else {
        return Err(wrong());
    };
    let (_, shape) = shape.split_once('(').ok_or_else(wrong)?;
    let (shape, _) = shape.split_once(')').ok_or_else(wrong)?;
    if before.contains('\\') {
        return Err(wrong());
    }
    // Zeros do not help: the strides of (0, 2⁶³, 2⁶³) are as large.
    let lengths = shape.split(',').map(str::trim).filter(|length| !length.is_empty());
    let product = lengths
        .map(|length| length.parse::<u64>().ok())
        .try_fold(1u64, |product, length| product.checked_mul(length?.max(1)));
    product.map(|_| ()).ok_or_else(wrong)
}

/// Elements are converted in pieces of this many bytes, which stay in cache; a multiple of every element's width.
const PIECE: usize = 1 << 16;

/// How elements of a type are stored, where they are numbers.
fn stored(kind: &TypeStr) -> Option<Stored> {
    let number = match kind.type_char() {
        TypeChar::Bool => Kind::Truth,
        TypeChar::Int => Kind::Signed,
        TypeChar::Uint => Kind::Unsigned,
        TypeChar::Float => Kind::Float,
        _ => return None,
    };
    Stored::new(number, kind.size_field() as usize, kind.endianness() == Endianness::Big)
}

fn in_c_order<T: Clone>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        let place = index.iter().zip(&strides).map(|(place, stride)| place * stride).sum::<usize>();
        out.push(values[place].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            if index[axis] < shape[axis] {
                break;
            }
            index[axis] = 0;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
        let order = if fortran { "True" } else { "False" };
        let mut header = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': ({shape}), }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let mut file = b"\x93NUMPY\x01\x00".to_vec();
        file.extend((header.len() as u16).to_le_bytes());
        file.extend(header.as_bytes());
        file.extend(data);
        file
    }

    fn read<T: FileNumber>(bytes: &[u8]) -> Result<NpyArray<T>, String> {
        open(bytes, |array| array.numbers())
    }

    fn read_texts(bytes: &[u8]) -> Result<NpyArray<String>, String> {
        open(bytes, |array| array.texts())
    }

    fn open<T>(bytes: &[u8], read: impl FnOnce(OpenNpy) -> Result<T, PrepareError>) -> Result<T, String> {
        let (size, file) = (bytes.len() as u64, Path::new("a.npy"));
        let source = NpySource { reader: &mut &*bytes, size, memory: None, file, field: "a" };
        source.open().and_then(read).map_err(|error| error.to_string())
    }

    #[test]
    fn every_number_type_is_read() {
        let cases: [(&str, &[u8]); 13] = [
            ("|b1", &[1, 0]),
            ("|i1", &[1, 0]),
            ("|u1", &[1, 0]),
            ("<i2", &[1, 0, 0, 0]),
            (">i2", &[0, 1, 0, 0]),
            ("<u2", &[1, 0, 0, 0]),
            ("<i4", &[1, 0, 0, 0, 0, 0, 0, 0]),
            ("<u4", &[1, 0, 0, 0, 0, 0, 0, 0]),
            ("<i8", &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("<u8", &[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
            ("<f2", &[0, 0x3c, 0, 0]),
            ("<f4", &[0, 0, 0x80, 0x3f, 0, 0, 0, 0]),
            (">f8", &[0x3f, 0xf0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (descr, data) in cases {
            let file = npy(descr, false, "2,", data);
            assert_eq!(read::<f64>(&file).unwrap().values, [1.0, 0.0], "{descr}");
            assert_eq!(read::<i64>(&file).unwrap().values, [1, 0], "{descr}");
            assert_eq!(read::<u32>(&file).unwrap().values, [1, 0], "{descr}");
        }
    }

    #[test]
    fn columns_first_is_put_in_rows() {
        let array = read::<i64>(&npy("|i1", true, "2, 3", &[1, 4, 2, 5, 3, 6])).unwrap();
        assert_eq!((array.shape, array.values), (vec![2, 3], vec![1, 2, 3, 4, 5, 6]));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        assert!(
            read::<u32>(&npy("|i1", false, "1,", &[0xff]))
                .unwrap_err()
                .contains("holds -1 where whole numbers")
        );
        let half = 0.5f64.to_le_bytes();
        assert!(read::<i64>(&npy("<f8", false, "1,", &half)).unwrap_err().contains("holds 0.5"));
        assert!(read::<f64>(&npy("|S2", false, "1,", b"ab")).unwrap_err().contains("is of type"));
    }

    #[test]
    fn texts_of_both_kinds_are_read() {
        let texts = |descr: &str, data: &[u8]| read_texts(&npy(descr, false, "2,", data)).unwrap().values;
        assert_eq!(texts("|S3", b"CA1PO\0"), ["CA1", "PO"]);
        assert_eq!(texts("|S2", "é\0\0".as_bytes()), ["é", ""]);
        let codes = |bytes: fn(u32) -> [u8; 4]| ['D', 'G', 'µ', '\0'].map(|c| bytes(c.into())).concat();
        assert_eq!(texts("<U2", &codes(u32::to_le_bytes)), ["DG", "µ"]);
        assert_eq!(texts(">U2", &codes(u32::to_be_bytes)), ["DG", "µ"]);
        let grid = read_texts(&npy("|S1", true, "2, 2", b"acbd")).unwrap();
        assert_eq!(grid.values, ["a", "b", "c", "d"]);
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let wide = 0x11_0000u32.to_le_bytes();
        assert!(read_texts(&npy("<U1", false, "1,", &wide)).unwrap_err().contains("no text at 0"));
        assert!(read_texts(&npy("|S1", false, "1,", &[0xff])).unwrap_err().contains("no text at 0"));
        assert!(read_texts(&npy("|u1", false, "1,", &[1])).unwrap_err().contains("not text"));
        // Texts of no length would be any number in no bytes.
        assert!(read_texts(&npy("|S0", false, "1152921504606846976,", &[])).is_err());
        let wide = npy("<U1152921504606846976", false, "1,", &[0; 8]);
        assert!(read_texts(&wide).unwrap_err().contains("promises"));
    }

    #[test]
    fn headers_are_not_believed() {
        let huge = npy("<f8", false, "1152921504606846976,", &[0; 8]);
        assert!(read::<f64>(&huge).unwrap_err().contains("promises"));
        let overflow = npy("<f8", false, "4294967296, 4294967296, 4294967296", &[0; 8]);
        assert!(read::<f64>(&overflow).unwrap_err().contains("promises"));
        let mut long = b"\x93NUMPY\x02\x00".to_vec();
        long.extend(u32::MAX.to_le_bytes());
        assert!(read::<f64>(&long).unwrap_err().contains("claims 4294967295 bytes"));
        let deep = npy("<f8", false, &"(".repeat(4000), &[]);
        assert!(read::<f64>(&deep).unwrap_err().contains("nested"));
        let whole = npy("<f8", false, "2,", &[0; 16]);
        for length in 0..whole.len() {
            assert!(read::<f64>(&whole[..length]).is_err(), "cut to {length} bytes");
        }
    }
}
