//! Thrift's compact protocol, as far as headers and footers of Parquet files need it
//! (<https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md>).

use std::io::Read;

/// Deepest nesting that is followed; a footer of Parquet needs eight.
const MAX_NESTING: usize = 12;

// Types of fields.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const I16: u8 = 4;
pub(super) const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
pub(super) const STRUCT: u8 = 12;

/// Structs that are being read. Every method gives `None` for what is none.
pub(super) struct Compact<R> {
    reader: R,
    /// Bytes so far.
    pub(super) read: u64,
}

impl<R: Read> Compact<R> {
    pub(super) fn new(reader: R) -> Compact<R> {
        Compact { reader, read: 0 }
    }

    /// Type of the next field; inner `None` at the end of the struct. `id` is the last field's, and becomes its own.
    pub(super) fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
        let byte = self.byte()?;
        if byte == 0 {
            return Some(None);
        }
        *id = match byte >> 4 {
            0 => self.whole()?,
            step => id.checked_add(i64::from(step))?,
        };
        Some(Some(byte & 15))
    }

    /// Passes over a field of type `kind`.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_nested(kind, MAX_NESTING)
    }

    fn skip_nested(&mut self, kind: u8, depth: usize) -> Option<()> {
        match kind {
            TRUE | FALSE => Some(()),
            BYTE => self.byte().map(drop),
            I16 | I32 | I64 => self.varint().map(drop),
            DOUBLE => self.pass(8),
            BINARY => {
                let length = self.varint()?;
                self.pass(length)
            }
            LIST | SET => {
                let byte = self.byte()?;
                let length = if byte >> 4 == 15 { self.varint()? } else { u64::from(byte >> 4) };
                // The decoder takes truth values in a list for nothing at all, and goes through as many as are claimed. No list
                // of Parquet has them.
                if matches!(byte & 15, TRUE | FALSE) && length > 0 {
                    return None;
                }
                for _ in 0..length {
                    self.skip_nested(byte & 15, depth.checked_sub(1)?)?;
                }
                Some(())
            }
            STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip_nested(kind, depth.checked_sub(1)?)?;
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
    pub(super) fn whole(&mut self) -> Option<i64> {
        let value = self.varint()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of the struct, or nothing if it is none.
    fn length(bytes: &[u8]) -> Option<u64> {
        let mut structs = Compact::new(bytes);
        structs.skip(STRUCT).map(|()| structs.read)
    }

    #[test]
    fn structs_are_passed_over_to_their_end() {
        // By hand: 1: i32 300; 2: "ab"; 3: true; 5: list of two bytes; 9: struct {1: double}; a byte after the end.
        let bytes = [
            0x15, 0xd8, 0x04, 0x18, 2, b'a', b'b', 0x11, 0x29, 0x23, 7, 8, 0x4c, 0x17, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0, 99,
        ];
        assert_eq!(length(&bytes), Some(24));
        for end in 0..24 {
            assert_eq!(length(&bytes[..end]), None, "of {end} bytes");
        }
    }

    #[test]
    fn hostile_structs_end() {
        // Structs in structs, a text of 2⁶³ bytes, a number without an end, a type that there is not.
        assert_eq!(length(&[0x1c; 100]), None);
        assert_eq!(length(&[0x18, 255, 255, 255, 255, 255, 255, 255, 255, 127, 0]), None);
        assert_eq!(length(&[[0x15].as_slice(), &[255; 20]].concat()), None);
        assert_eq!(length(&[0x1f, 0]), None);
        // 2³² numbers in 4 bytes; as many truth values; a map.
        assert_eq!(length(&[0x19, 0xf5, 255, 255, 255, 255, 15, 1, 1]), None);
        assert_eq!(length(&[0x19, 0xf1, 255, 255, 255, 255, 15, 0]), None);
        assert_eq!(length(&[0x1b, 255, 255, 255, 255, 15, 0x11, 0]), None);
        // No truth values are a list like another.
        assert_eq!(length(&[0x19, 0x01, 0]), Some(3));
    }
}
