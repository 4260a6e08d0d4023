//! Thrift's compact protocol, as far as footers and headers of Parquet files need it
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).
//!
//! The decoder takes what stands in a field for what it should be, and goes through a list of truth values of any claimed
//! length without reading a byte. Structs are therefore walked first, and refused where a field is not of its type.

use std::io::Read;

/// Fields of a struct: their ids and what they hold.
pub(super) type Fields = &'static [(i16, Kind)];

/// What a field holds.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    Double,
    Binary,
    List(&'static Kind),
    Struct(Fields),
}

/// Deepest nesting that is followed in fields that are not known.
const MAX_NESTING: usize = 12;

// Types as they are written.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const STRUCT: u8 = 12;

impl Kind {
    /// Whether it may be written as this type. Whole numbers are written alike, and some writers take another width for them.
    fn is(&self, written: u8) -> bool {
        match self {
            Kind::Bool => matches!(written, TRUE | FALSE),
            Kind::I8 => written == BYTE,
            Kind::I16 | Kind::I32 | Kind::I64 => matches!(written, I16 | I32 | I64),
            Kind::Double => written == DOUBLE,
            Kind::Binary => written == BINARY,
            Kind::List(_) => written == LIST,
            Kind::Struct(_) => written == STRUCT,
        }
    }
}

/// A reader of structs in the compact protocol. Every method returns `None` where the bytes are not what it reads.
pub(super) struct Compact<R> {
    reader: R,
    /// Bytes so far.
    pub(super) read: u64,
}

impl<R: Read> Compact<R> {
    pub(super) fn new(reader: R) -> Compact<R> {
        Compact { reader, read: 0 }
    }

    /// Walks through a struct. `number` is given its whole numbers and the lengths of its texts, with the ids of the fields
    /// that lead to each.
    pub(super) fn walk(&mut self, fields: Fields, number: &mut dyn FnMut(&[i16], i64)) -> Option<()> {
        self.walk_struct(fields, &mut Vec::new(), number)
    }

    fn walk_struct(
        &mut self,
        fields: Fields,
        path: &mut Vec<i16>,
        number: &mut dyn FnMut(&[i16], i64),
    ) -> Option<()> {
        let mut id = 0;
        while let Some(written) = self.field(&mut id)? {
            match fields.iter().find(|(known, _)| *known == id) {
                Some((_, kind)) if kind.is(written) => {
                    path.push(id);
                    self.walk_value(kind, path, number)?;
                    path.pop();
                }
                Some(_) => return None,
                None => self.skip(written, MAX_NESTING)?,
            }
        }
        Some(())
    }

    fn walk_value(
        &mut self,
        kind: &Kind,
        path: &mut Vec<i16>,
        number: &mut dyn FnMut(&[i16], i64),
    ) -> Option<()> {
        match *kind {
            Kind::I16 => number(path, i16::try_from(self.whole()?).ok()?.into()),
            Kind::I32 => number(path, i32::try_from(self.whole()?).ok()?.into()),
            Kind::I64 => number(path, self.whole()?),
            Kind::Struct(fields) => self.walk_struct(fields, path, number)?,
            Kind::List(item) => {
                let (written, length) = self.list()?;
                if length > 0 && !item.is(written) {
                    return None;
                }
                for _ in 0..length {
                    self.walk_value(item, path, number)?;
                }
            }
            // Its type is its value.
            Kind::Bool => {}
            Kind::I8 => self.skip(BYTE, 0)?,
            Kind::Double => self.skip(DOUBLE, 0)?,
            Kind::Binary => {
                let length = self.varint()?;
                number(path, i64::try_from(length).ok()?);
                self.pass(length)?;
            }
        }
        Some(())
    }

    /// Type of the next field; inner `None` at the end of the struct. `id` is the last field's, and becomes its own.
    fn field(&mut self, id: &mut i16) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte & 15 == 0 {
            return Some(None);
        }
        *id = match byte >> 4 {
            0 => i16::try_from(self.whole()?).ok()?,
            step => id.checked_add(i16::from(step))?,
        };
        Some(Some(byte & 15))
    }

    /// Type of a list's items, and their number.
    fn list(&mut self) -> Option<(u8, u64)> {
        let byte = self.byte()?;
        let length = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
        Some((byte & 15, length))
    }

    /// Passes over a value that is not known.
    fn skip(&mut self, written: u8, depth: usize) -> Option<()> {
        match written {
            TRUE | FALSE => Some(()),
            BYTE => self.byte().map(drop),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | SET => {
                let (item, length) = self.list()?;
                if matches!(item, TRUE | FALSE) && length > 0 {
                    return None;
                }
                for _ in 0..length {
                    self.skip(item, depth.checked_sub(1)?)?;
                }
                Some(())
            }
            STRUCT => {
                let mut id = 0;
                while let Some(field) = self.field(&mut id)? {
                    self.skip(field, depth.checked_sub(1)?)?;
                }
                Some(())
            }
            // Parquet has no maps.
            _ => None,
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let mut byte = [0];
        self.reader.read_exact(&mut byte).ok()?;
        self.read += 1;
        Some(byte[0])
    }

    fn pass(&mut self, length: u64) -> Option<()> {
        let passed = std::io::copy(&mut (&mut self.reader).take(length), &mut std::io::sink()).ok()?;
        self.read += passed;
        (passed == length).then_some(())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    /// A signed number, by zigzag.
    fn whole(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INNER: Fields = &[(1, Kind::Double), (2, Kind::Bool)];
    const FIELDS: Fields = &[
        (1, Kind::I32),
        (2, Kind::Binary),
        (3, Kind::Bool),
        (5, Kind::List(&Kind::I16)),
        (9, Kind::List(&Kind::Struct(INNER))),
        (10, Kind::I8),
    ];

    /// A whole number, and the fields that lead to it.
    type Found = (Vec<i16>, i64);

    /// The whole numbers of a struct, and its length, bytes.
    fn numbers(bytes: &[u8]) -> Option<(Vec<Found>, u64)> {
        let (mut structs, mut numbers) = (Compact::new(bytes), Vec::new());
        structs.walk(FIELDS, &mut |path, number| numbers.push((path.to_vec(), number)))?;
        Some((numbers, structs.read))
    }

    fn length(bytes: &[u8]) -> Option<u64> {
        numbers(bytes).map(|(_, length)| length)
    }

    #[test]
    fn structs_are_walked_to_their_end() {
        // By hand: 1: 300; 2: "ab"; 3: true; 5: [3, -1]; 9: [{1: 0.0, 2: false}]; 10: 7; unknown 11: [{1: true}].
        let bytes = [
            0x15, 0xd8, 0x04, 0x18, 2, b'a', b'b', 0x11, 0x29, 0x24, 6, 1, 0x49, 0x1c, 0x17, 0, 0, 0, 0, 0,
            0, 0, 0, 0x12, 0, 0x13, 7, 0x19, 0x1c, 0x11, 0, 0, 99,
        ];
        let found = [(vec![1], 300), (vec![2], 2), (vec![5], 3), (vec![5], -1)].to_vec();
        assert_eq!(numbers(&bytes), Some((found, 32)));
        for end in 0..32 {
            assert_eq!(length(&bytes[..end]), None, "of {end} bytes");
        }
    }

    #[test]
    fn fields_of_another_type_are_refused() {
        assert_eq!(length(&[0x15, 2, 0]), Some(3));
        // Whole numbers of another width.
        assert_eq!(length(&[0x16, 2, 0]), Some(3));
        assert_eq!(length(&[0x59, 0x15, 2, 0]), Some(4));
        // A byte, a text, a truth value; a list of bytes.
        assert_eq!(length(&[0x13, 2, 0]), None);
        assert_eq!(length(&[0x18, 0, 0]), None);
        assert_eq!(length(&[0x11, 0]), None);
        assert_eq!(length(&[0x59, 0x13, 2, 0]), None);
        // 2³¹ is no 32-bit number, 2¹⁵ no id.
        assert_eq!(length(&[0x15, 0x80, 0x80, 0x80, 0x80, 0x10, 0]), None);
        assert_eq!(length(&[0x05, 0x80, 0x80, 0x04, 2, 0]), None);
    }

    #[test]
    fn hostile_structs_end() {
        // Structs in structs, a text of 2⁶³ bytes, a number without an end, a type that there is not.
        assert_eq!(length(&[0x4c; 100]), None);
        assert_eq!(length(&[0x28, 255, 255, 255, 255, 255, 255, 255, 255, 127, 0]), None);
        assert_eq!(length(&[[0x15].as_slice(), &[255; 20]].concat()), None);
        assert_eq!(length(&[0x4f, 0]), None);
        // 2³² numbers in 4 bytes; as many truth values; a map.
        assert_eq!(length(&[0x49, 0xf5, 255, 255, 255, 255, 15, 1, 1]), None);
        assert_eq!(length(&[0x49, 0xf1, 255, 255, 255, 255, 15, 0]), None);
        assert_eq!(length(&[0x4b, 255, 255, 255, 255, 15, 0x11, 0]), None);
        // No truth values are a list like another.
        assert_eq!(length(&[0x49, 0x01, 0]), Some(3));
    }
}
