//! Values from their bytes.

use half::f16;
use hdf5_reader::{ByteOrder, Datatype};

/// A number as HDF5 stores it.
#[derive(Clone, Copy)]
enum Number {
    Signed(u8),
    Unsigned(u8),
    Float(u8),
}

/// What stands behind a type: a truth value is an enumeration of two integers.
fn number(datatype: &Datatype) -> Option<(Number, ByteOrder)> {
    match datatype {
        Datatype::FixedPoint { size, signed, byte_order } if matches!(size, 1 | 2 | 4 | 8) => {
            Some((if *signed { Number::Signed(*size) } else { Number::Unsigned(*size) }, *byte_order))
        }
        Datatype::Bitfield { size, byte_order } if matches!(size, 1 | 2 | 4 | 8) => {
            Some((Number::Unsigned(*size), *byte_order))
        }
        Datatype::FloatingPoint { size, byte_order } if matches!(size, 2 | 4 | 8) => {
            Some((Number::Float(*size), *byte_order))
        }
        Datatype::Enum { base, .. } => number(base),
        _ => None,
    }
}

/// Bytes of one number, if it is one of the types that are read.
pub(super) fn width(datatype: &Datatype) -> Option<usize> {
    number(datatype).map(|(number, _)| match number {
        Number::Signed(size) | Number::Unsigned(size) | Number::Float(size) => usize::from(size),
    })
}

/// Calls `take` with each number of a block, of the type that the file has.
macro_rules! each {
    ($block:expr, $type:ty, $order:expr, $take:expr) => {{
        const WIDTH: usize = size_of::<$type>();
        let (values, _) = $block.as_chunks::<WIDTH>();
        let mut take = $take;
        match $order {
            ByteOrder::LittleEndian => values.iter().for_each(|bytes| take(<$type>::from_le_bytes(*bytes))),
            ByteOrder::BigEndian => values.iter().for_each(|bytes| take(<$type>::from_be_bytes(*bytes))),
        }
    }};
}

/// Appends the numbers of a block as floats; nothing where the type is not one of numbers.
pub(super) fn floats(block: &[u8], datatype: &Datatype, out: &mut Vec<f64>) {
    let Some((number, order)) = number(datatype) else { return };
    match number {
        Number::Signed(1) => each!(block, i8, order, |value| out.push(f64::from(value))),
        Number::Signed(2) => each!(block, i16, order, |value| out.push(f64::from(value))),
        Number::Signed(4) => each!(block, i32, order, |value| out.push(f64::from(value))),
        Number::Signed(_) => each!(block, i64, order, |value| out.push(value as f64)),
        Number::Unsigned(1) => each!(block, u8, order, |value| out.push(f64::from(value))),
        Number::Unsigned(2) => each!(block, u16, order, |value| out.push(f64::from(value))),
        Number::Unsigned(4) => each!(block, u32, order, |value| out.push(f64::from(value))),
        Number::Unsigned(_) => each!(block, u64, order, |value| out.push(value as f64)),
        Number::Float(2) => each!(block, f16, order, |value| out.push(f64::from(value))),
        Number::Float(4) => each!(block, f32, order, |value| out.push(f64::from(value))),
        Number::Float(_) => each!(block, f64, order, |value| out.push(value)),
    }
}

/// Appends the numbers of a block as integers; whether all were whole and in range.
pub(super) fn integers(block: &[u8], datatype: &Datatype, out: &mut Vec<i64>) -> bool {
    let Some((number, order)) = number(datatype) else { return false };
    let mut whole = true;
    match number {
        Number::Signed(1) => each!(block, i8, order, |value| out.push(i64::from(value))),
        Number::Signed(2) => each!(block, i16, order, |value| out.push(i64::from(value))),
        Number::Signed(4) => each!(block, i32, order, |value| out.push(i64::from(value))),
        Number::Signed(_) => each!(block, i64, order, |value| out.push(value)),
        Number::Unsigned(1) => each!(block, u8, order, |value| out.push(i64::from(value))),
        Number::Unsigned(2) => each!(block, u16, order, |value| out.push(i64::from(value))),
        Number::Unsigned(4) => each!(block, u32, order, |value| out.push(i64::from(value))),
        Number::Unsigned(_) => each!(block, u64, order, |value| match i64::try_from(value) {
            Ok(value) => out.push(value),
            Err(_) => whole = false,
        }),
        Number::Float(_) => {
            let mut values = Vec::new();
            floats(block, datatype, &mut values);
            // 2⁵³: above it, floats skip integers.
            whole = values.iter().all(|value| value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0);
            out.extend(values.iter().map(|&value| value as i64));
        }
    }
    whole
}

/// A text of a fixed length, without its padding.
pub(super) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).trim_end_matches(' ').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed(size: u8, signed: bool, byte_order: ByteOrder) -> Datatype {
        Datatype::FixedPoint { size, signed, byte_order }
    }

    #[test]
    fn numbers_of_any_width_and_order() {
        let mut out = Vec::new();
        floats(&[0xff, 0xfe, 0x01, 0x00], &fixed(2, true, ByteOrder::BigEndian), &mut out);
        floats(&[0xff, 0xfe], &fixed(1, false, ByteOrder::LittleEndian), &mut out);
        let single = Datatype::FloatingPoint { size: 4, byte_order: ByteOrder::LittleEndian };
        floats(&1.5f32.to_le_bytes(), &single, &mut out);
        let half = Datatype::FloatingPoint { size: 2, byte_order: ByteOrder::LittleEndian };
        // 0x4200 is 3 in IEEE 754 binary16.
        floats(&[0x00, 0x42], &half, &mut out);
        assert_eq!(out, [-2.0, 256.0, 255.0, 254.0, 1.5, 3.0]);
    }

    #[test]
    fn integers_are_exact_or_refused() {
        let mut out = Vec::new();
        let wide = fixed(8, false, ByteOrder::LittleEndian);
        assert!(integers(&9_007_199_254_740_993u64.to_le_bytes(), &wide, &mut out));
        assert_eq!(out, [9_007_199_254_740_993]);
        assert!(!integers(&u64::MAX.to_le_bytes(), &wide, &mut out));
        let double = Datatype::FloatingPoint { size: 8, byte_order: ByteOrder::LittleEndian };
        assert!(!integers(&0.5f64.to_le_bytes(), &double, &mut out));
        assert!(!integers(&f64::NAN.to_le_bytes(), &double, &mut out));
    }

    #[test]
    fn texts_lose_their_padding() {
        assert_eq!(text(b"VISp\0\0"), "VISp");
        assert_eq!(text(b"CA1  "), "CA1");
        assert_eq!(text(&[0xc3, 0xa9, 0]), "é");
    }
}
