//! NumPy's `.npy` files.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use npyz::{DType, Endianness, NpyHeader, Order, TypeChar};

use crate::PrepareError;

/// Longest header that is read, bytes; NumPy refuses longer ones too.
const MAX_HEADER: u64 = 10_000;

/// Deepest nesting of brackets in a header: shapes and record types need three.
const MAX_NESTING: usize = 8;

const BUFFER: usize = 1 << 18;

/// A numeric array, flattened in C order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NpyArray<T> {
    /// Length in each dimension.
    pub shape: Vec<usize>,
    /// The elements.
    pub values: Vec<T>,
}

/// Numbers that arrays of any numeric type are read as.
pub(crate) trait NpyNumber: Sized + Copy {
    /// From a whole number; `None` where it does not fit.
    fn from_whole(value: i128) -> Option<Self>;
    /// From a float; `None` where it does not fit.
    fn from_float(value: f64) -> Option<Self>;
    /// What is asked for, for messages.
    const NAME: &'static str;
}

impl NpyNumber for f64 {
    fn from_whole(value: i128) -> Option<f64> {
        Some(value as f64)
    }

    fn from_float(value: f64) -> Option<f64> {
        Some(value)
    }

    const NAME: &'static str = "numbers";
}

impl NpyNumber for i64 {
    fn from_whole(value: i128) -> Option<i64> {
        i64::try_from(value).ok()
    }

    fn from_float(value: f64) -> Option<i64> {
        // Beyond 2^53 floats no longer tell whole numbers apart.
        (value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0).then_some(value as i64)
    }

    const NAME: &'static str = "whole numbers";
}

impl NpyNumber for u32 {
    fn from_whole(value: i128) -> Option<u32> {
        u32::try_from(value).ok()
    }

    fn from_float(value: f64) -> Option<u32> {
        i64::from_float(value).and_then(|value| u32::try_from(value).ok())
    }

    const NAME: &'static str = "whole numbers from 0 to 4294967295";
}

/// Reads an array of any numeric type (bool, integers and floats of any width and byte order).
///
/// # Errors
/// [`PrepareError::Io`] and [`PrepareError::Corrupt`]; [`PrepareError::Field`] if its elements are not what `T` holds.
pub(crate) fn read_npy<T: NpyNumber>(file: &Path) -> Result<NpyArray<T>, PrepareError> {
    let handle = File::open(file).map_err(PrepareError::io("open", file))?;
    let size = handle.metadata().map_err(PrepareError::io("open", file))?.len();
    read_npy_from(BufReader::with_capacity(BUFFER, handle), size, file, "the array")
}

/// Reads an array from a reader of `size` bytes; `file` and `field` are for messages.
///
/// # Errors
/// As [`read_npy`].
pub(crate) fn read_npy_from<T: NpyNumber>(
    mut reader: impl Read + Seek,
    size: u64,
    file: &Path,
    field: &str,
) -> Result<NpyArray<T>, PrepareError> {
    let corrupt = |problem: String| PrepareError::Corrupt { file: file.to_owned(), problem };
    let start = check_header(&mut reader).map_err(corrupt)?;
    let header = NpyHeader::from_reader(&mut reader).map_err(|error| corrupt(error.to_string()))?;
    let wrong = |problem: String, cure| PrepareError::Field {
        file: file.to_owned(),
        field: field.to_owned(),
        problem,
        cure,
    };
    let DType::Plain(kind) = header.dtype() else {
        return Err(wrong("holds records".to_owned(), "save an array of one number type"));
    };
    // The header is not believed before its elements are seen to be in the file.
    let elements = header.shape().iter().try_fold(1u64, |product, &length| product.checked_mul(length));
    let bytes = elements.and_then(|elements| elements.checked_mul(kind.size_field()));
    let fits = bytes.and_then(|bytes| bytes.checked_add(start)).is_some_and(|end| end <= size);
    let Some(elements) = elements.filter(|_| fits) else {
        let promised = format!("the header promises {:?} elements of {kind}", header.shape());
        return Err(corrupt(format!("{promised}, the file has {size} bytes")));
    };
    let shape: Vec<usize> = header.shape().iter().map(|&length| length as usize).collect();
    let (order, width) = (header.order(), kind.size_field());
    let values = elements_of(&mut reader, elements as usize, kind.type_char(), width, kind.endianness())
        .map_err(|error| corrupt(error.to_string()))?
        .ok_or_else(|| wrong(format!("is of type {kind}"), "save numbers, with numpy.save"))?;
    let values = values.map_err(|found| {
        wrong(format!("holds {found} where {} are needed", T::NAME), "copy the file again, or correct it")
    })?;
    let values = match order {
        Order::C => values,
        Order::Fortran => in_c_order(&values, &shape),
    };
    Ok(NpyArray { shape, values })
}

/// Refuses a header that is too long or too deeply nested for the parser behind it, and gives where the elements begin.
fn check_header(reader: &mut (impl Read + Seek)) -> Result<u64, String> {
    let mut start = [0u8; 12];
    let mut read =
        |buffer: &mut [u8]| reader.read_exact(buffer).map_err(|_| "the header is cut off".to_owned());
    read(&mut start[..8])?;
    if &start[..6] != b"\x93NUMPY" {
        return Err("it does not begin as an .npy file does".to_owned());
    }
    let (length, begin) = if start[6] == 1 {
        read(&mut start[8..10])?;
        (u64::from(u16::from_le_bytes([start[8], start[9]])), 10)
    } else {
        read(&mut start[8..12])?;
        (u64::from(u32::from_le_bytes([start[8], start[9], start[10], start[11]])), 12)
    };
    if length > MAX_HEADER {
        return Err(format!("the header claims {length} bytes"));
    }
    let mut header = vec![0; length as usize];
    read(&mut header)?;
    let mut depth = 0usize;
    for byte in &header {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_NESTING {
            return Err("the header is nested too deeply".to_owned());
        }
    }
    // The parser multiplies the lengths of a shape before anyone can look at them.
    let text = String::from_utf8_lossy(&header);
    let lengths = text.split_once("shape").map_or("", |(_, shape)| shape);
    let mut lengths = lengths.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
    let product = lengths.try_fold(1u64, |product, digits| product.checked_mul(digits.parse().ok()?));
    if product.is_none() {
        return Err("the header promises more elements than can be counted".to_owned());
    }
    reader.seek(SeekFrom::Start(0)).map_err(|error| error.to_string())?;
    Ok(begin + length)
}

/// The elements, or the first that `T` does not hold; `None` for types that are no numbers.
type Elements<T> = Option<Result<Vec<T>, String>>;

/// Elements are converted in pieces of this many bytes, which stay in cache; a multiple of every element's width.
const PIECE: usize = 1 << 16;

/// Reads the elements behind the header. This is not left to `npyz`, which takes them one by one: spike times are tens of
/// millions.
fn elements_of<T: NpyNumber>(
    reader: impl Read,
    count: usize,
    kind: TypeChar,
    width: u64,
    endianness: Endianness,
) -> std::io::Result<Elements<T>> {
    let whole = |value: i128| T::from_whole(value).ok_or_else(|| value.to_string());
    let float = |value: f64| T::from_float(value).ok_or_else(|| value.to_string());
    macro_rules! all {
        ($type:ty, $convert:expr) => {
            match endianness {
                Endianness::Big => pieces(reader, count, <$type>::from_be_bytes, $convert),
                _ => pieces(reader, count, <$type>::from_le_bytes, $convert),
            }
        };
    }
    match (kind, width) {
        (TypeChar::Bool, 1) => all!(u8, |value| whole((value != 0).into())),
        (TypeChar::Int, 1) => all!(i8, |value| whole(value.into())),
        (TypeChar::Int, 2) => all!(i16, |value| whole(value.into())),
        (TypeChar::Int, 4) => all!(i32, |value| whole(value.into())),
        (TypeChar::Int, 8) => all!(i64, |value| whole(value.into())),
        (TypeChar::Uint, 1) => all!(u8, |value| whole(value.into())),
        (TypeChar::Uint, 2) => all!(u16, |value| whole(value.into())),
        (TypeChar::Uint, 4) => all!(u32, |value| whole(value.into())),
        (TypeChar::Uint, 8) => all!(u64, |value| whole(value.into())),
        (TypeChar::Float, 2) => all!(half::f16, |value| float(value.into())),
        (TypeChar::Float, 4) => all!(f32, |value| float(value.into())),
        (TypeChar::Float, 8) => all!(f64, float),
        _ => Ok(None),
    }
}

fn pieces<S, T, const WIDTH: usize>(
    mut reader: impl Read,
    count: usize,
    decode: impl Fn([u8; WIDTH]) -> S,
    convert: impl Fn(S) -> Result<T, String>,
) -> std::io::Result<Elements<T>> {
    let mut values = Vec::with_capacity(count);
    let mut piece = vec![0; PIECE];
    while values.len() < count {
        let bytes = ((count - values.len()) * WIDTH).min(PIECE);
        reader.read_exact(&mut piece[..bytes])?;
        for element in piece[..bytes].as_chunks::<WIDTH>().0 {
            match convert(decode(*element)) {
                Ok(value) => values.push(value),
                Err(found) => return Ok(Some(Err(found))),
            }
        }
    }
    Ok(Some(Ok(values)))
}

fn in_c_order<T: Copy>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut strides = vec![1; shape.len()];
    for axis in 1..shape.len() {
        strides[axis] = strides[axis - 1] * shape[axis - 1];
    }
    let mut index = vec![0; shape.len()];
    let mut out = Vec::with_capacity(values.len());
    for _ in 0..values.len() {
        out.push(values[index.iter().zip(&strides).map(|(place, stride)| place * stride).sum::<usize>()]);
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
    use std::io::Cursor;

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

    fn read<T: NpyNumber>(bytes: &[u8]) -> Result<NpyArray<T>, String> {
        read_npy_from(Cursor::new(bytes), bytes.len() as u64, Path::new("a.npy"), "a")
            .map_err(|e| e.to_string())
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
