//! What the pages of a Parquet file claim, before a decoder believes it.
//!
//! The decoder reserves memory for a page, and for its values, by the numbers in the page's header. Headers are structs of
//! Thrift's compact protocol (<https://github.com/apache/parquet-format>, `parquet.thrift`).

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

/// Bytes that a page may unpack to, however well it was packed.
const FREE_BYTES: u64 = 32 << 20;
/// Rows, and values, that a file may have, however well they were packed.
const FREE_VALUES: u64 = 1 << 20;
/// Bytes and values that each stored byte stands for at most, beyond those.
const USUALLY_PACKED: u64 = 1024;

/// Encodings of which the decoder reserves memory by a number that it does not check: DELTA_LENGTH_BYTE_ARRAY and
/// DELTA_BYTE_ARRAY. No writer chooses them by itself.
const UNCHECKED_ENCODINGS: [i64; 2] = [6, 7];

/// Deepest nesting of a header's structs; those of Parquet need three.
const MAX_NESTING: usize = 8;

/// Refuses pages that claim what their bytes cannot hold, in the chosen columns of a file of `size` bytes.
pub(super) fn check_pages(
    file: &File,
    size: u64,
    metadata: &ParquetMetaData,
    is_wanted: impl Fn(&ColumnChunkMetaData) -> bool,
) -> Result<(), String> {
    let most = FREE_VALUES.saturating_add(size.saturating_mul(USUALLY_PACKED));
    let mut rows = 0u64;
    for group in metadata.row_groups() {
        let own = u64::try_from(group.num_rows()).map_err(|_| "a row group has a negative number of rows")?;
        rows = rows.saturating_add(own);
        if rows > most {
            return Err(format!("{rows} rows in a file of {size} bytes are more than it can hold"));
        }
    }
    let mut reader = BufReader::with_capacity(1 << 12, file);
    let mut values = 0u64;
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        if !is_wanted(column) {
            continue;
        }
        let wrong = |problem: &str| format!("{}: {problem}", column.column_path());
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset()) as u64;
        let end = start + column.compressed_size() as u64;
        let mut place = start;
        while place < end {
            reader.seek(SeekFrom::Start(place)).map_err(|error| error.to_string())?;
            let mut header = Header { reader: &mut reader, read: 0 };
            let page = header.page().ok_or_else(|| wrong("a page's header is no such"))?;
            let (unpacked, stored) = match (u64::try_from(page.unpacked), u64::try_from(page.stored)) {
                (Ok(unpacked), Ok(stored)) => (unpacked, stored),
                _ => return Err(wrong("a page has a negative length")),
            };
            place = place.saturating_add(header.read).saturating_add(stored);
            if place > end {
                return Err(wrong("a page is longer than its column"));
            }
            if UNCHECKED_ENCODINGS.contains(&page.encoding) {
                return Err(wrong(
                    "its texts are stored as differences (DELTA_BYTE_ARRAY), whose lengths the decoder does not check; write \
                     the file again with the writer's usual encodings",
                ));
            }
            if column.compression() != Compression::UNCOMPRESSED
                && unpacked > FREE_BYTES.saturating_add(stored.saturating_mul(USUALLY_PACKED))
            {
                return Err(wrong(&format!("a page of {stored} bytes claims to unpack to {unpacked}")));
            }
            let own =
                u64::try_from(page.values).map_err(|_| wrong("a page has a negative number of values"))?;
            values = values.saturating_add(own);
            if values > most {
                return Err(wrong(&format!(
                    "{values} values in a file of {size} bytes are more than it can hold"
                )));
            }
        }
    }
    Ok(())
}

/// What a header says that memory depends on.
#[derive(Debug, Default, PartialEq)]
struct Page {
    unpacked: i64,
    stored: i64,
    values: i64,
    encoding: i64,
}

/// A header that is being read.
struct Header<R> {
    reader: R,
    /// Bytes so far.
    read: u64,
}

// Types of the compact protocol.
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

impl<R: Read> Header<R> {
    /// A `PageHeader`; `None` if it is none.
    fn page(&mut self) -> Option<Page> {
        let mut page = Page::default();
        let mut id = 0;
        while let Some(kind) = self.field(&mut id)? {
            match (id, kind) {
                (2, I32) => page.unpacked = self.whole()?,
                (3, I32) => page.stored = self.whole()?,
                // The headers of data pages and dictionaries all begin with the number of values.
                (5 | 7 | 8, STRUCT) => {
                    let mut inner = 0;
                    while let Some(kind) = self.field(&mut inner)? {
                        match (inner, kind) {
                            (1, I32) => page.values = page.values.max(self.whole()?),
                            // The second version of data pages has more counts before it.
                            (2, I32) if id != 8 => page.encoding = self.whole()?,
                            (4, I32) if id == 8 => page.encoding = self.whole()?,
                            _ => self.skip(kind, MAX_NESTING)?,
                        }
                    }
                }
                _ => self.skip(kind, MAX_NESTING)?,
            }
        }
        Some(page)
    }

    /// Type of the next field; inner `None` at the end of the struct. `id` is the last field's, and becomes its own.
    fn field(&mut self, id: &mut i64) -> Option<Option<u8>> {
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

    fn skip(&mut self, kind: u8, depth: usize) -> Option<()> {
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
                for _ in 0..length {
                    // A truth value takes a byte in a list.
                    let kind = if matches!(byte & 15, TRUE | FALSE) { BYTE } else { byte & 15 };
                    self.skip(kind, depth.checked_sub(1)?)?;
                }
                Some(())
            }
            STRUCT => {
                let mut id = 0;
                while let Some(kind) = self.field(&mut id)? {
                    self.skip(kind, depth.checked_sub(1)?)?;
                }
                Some(())
            }
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

    fn page(bytes: &[u8]) -> Option<Page> {
        Header { reader: bytes, read: 0 }.page()
    }

    #[test]
    fn a_header_says_what_memory_depends_on() {
        // By hand: type 0; unpacked 300; stored 20; crc -1; data page {values 7, encoding 0, statistics {binary "ab"}}.
        let bytes = [
            0x15, 0, 0x15, 0xd8, 0x04, 0x15, 40, 0x15, 1, 0x1c, 0x15, 14, 0x15, 0, 0x3c, 0x18, 2, b'a', b'b',
            0, 0, 0,
        ];
        let mut header = Header { reader: &bytes[..], read: 0 };
        assert_eq!(header.page(), Some(Page { unpacked: 300, stored: 20, values: 7, encoding: 0 }));
        assert_eq!(header.read, bytes.len() as u64);
        for end in 0..bytes.len() {
            assert_eq!(page(&bytes[..end]), None, "of {end} bytes");
        }
    }

    #[test]
    fn both_versions_of_data_pages_say_their_encoding() {
        let first = [0x15, 6, 0x15, 40, 0x15, 40, 0x2c, 0x15, 14, 0x15, 14, 0, 0];
        assert_eq!(page(&first), Some(Page { unpacked: 20, stored: 20, values: 7, encoding: 7 }));
        let second = [0x15, 6, 0x15, 40, 0x15, 40, 0x5c, 0x15, 14, 0x15, 2, 0x15, 14, 0x15, 12, 0, 0];
        assert_eq!(page(&second), Some(Page { unpacked: 20, stored: 20, values: 7, encoding: 6 }));
    }

    #[test]
    fn hostile_headers_end() {
        // Structs in structs, a text of 2⁶³ bytes, a number without an end, a type that there is not.
        assert_eq!(page(&[0x1c; 100]), None);
        assert_eq!(page(&[0x18, 255, 255, 255, 255, 255, 255, 255, 255, 127, 0]), None);
        assert_eq!(page(&[[0x15].as_slice(), &[255; 20]].concat()), None);
        assert_eq!(page(&[0x1f, 0]), None);
        assert_eq!(page(&[0x19, 0xf5, 255, 255, 255, 255, 15, 1, 1]), None);
    }
}
