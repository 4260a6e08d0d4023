//! What the pages of a Parquet file claim, before a decoder believes it.
//!
//! The decoder reserves memory for a page, and for its values, by the numbers in the page's header. Headers are structs of
//! Thrift's compact protocol (<https://github.com/apache/parquet-format>, `parquet.thrift`).

use std::io::{BufReader, Read, Seek, SeekFrom};

use parquet::basic::Compression;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};

use super::batches::Refusal;
use super::checksums::check_page;
use super::parquet_format::PAGE_HEADER;
use super::thrift::Compact;

/// Bytes that a page may unpack to, however well it was packed.
const FREE_BYTES: u64 = 32 << 20;
/// Rows, and values, that a file may have, however well they were packed.
const FREE_VALUES: u64 = 1 << 20;
/// Bytes and values that each stored byte stands for at most, beyond those.
const USUALLY_PACKED: u64 = 1024;

/// Encodings of which the decoder reserves memory by a number that it does not check: DELTA_LENGTH_BYTE_ARRAY and
/// DELTA_BYTE_ARRAY. No writer chooses them by itself.
const UNCHECKED_ENCODINGS: [i64; 2] = [6, 7];

/// Refuses pages that claim what their bytes cannot hold, in the chosen columns of a file of `size` bytes; with
/// `checksums`, also those whose checksum, where they have one, is another one.
pub(super) fn check_pages(
    file: impl Read + Seek,
    size: u64,
    metadata: &ParquetMetaData,
    checksums: bool,
    is_wanted: impl Fn(&ColumnChunkMetaData) -> bool,
) -> Result<(), Refusal> {
    let most = FREE_VALUES.saturating_add(size.saturating_mul(USUALLY_PACKED));
    let mut rows = 0u64;
    for group in metadata.row_groups() {
        let own = u64::try_from(group.num_rows()).map_err(|_| "a row group has a negative number of rows")?;
        rows = rows.saturating_add(own);
        if rows > most {
            return Err(format!("{rows} rows in a file of {size} bytes are more than it can hold").into());
        }
    }
    let mut reader = BufReader::with_capacity(1 << 12, file);
    let mut values = 0u64;
    for column in metadata.row_groups().iter().flat_map(|group| group.columns()) {
        if !is_wanted(column) {
            continue;
        }
        let wrong = |problem: &str| Refusal::Corrupt(format!("{}: {problem}", column.column_path()));
        if matches!(column.compression(), Compression::LZO) {
            return Err(Refusal::Unread(format!("compression by LZO in {}", column.column_path())));
        }
        let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset()) as u64;
        let end = start + column.compressed_size() as u64;
        let mut place = start;
        while place < end {
            reader.seek(SeekFrom::Start(place))?;
            let mut header = Compact::new(&mut reader);
            let page = page(&mut header).ok_or_else(|| wrong("a page's header is no such"))?;
            let (unpacked, stored) = match (u64::try_from(page.unpacked), u64::try_from(page.stored)) {
                (Ok(unpacked), Ok(stored)) => (unpacked, stored),
                _ => return Err(wrong("a page has a negative length")),
            };
            place = place.saturating_add(header.read).saturating_add(stored);
            if place > end {
                return Err(wrong("a page is longer than its column"));
            }
            if let Some(said) = page.checksum.filter(|_| checksums) {
                check_page(&mut reader, stored, said).map_err(|problem| wrong(&problem))?;
            }
            if UNCHECKED_ENCODINGS.contains(&page.encoding) {
                // The decoder does not check their lengths.
                let feature =
                    format!("texts stored as differences (DELTA_BYTE_ARRAY) in {}", column.column_path());
                return Err(Refusal::Unread(feature));
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
pub(super) struct Page {
    unpacked: i64,
    /// Bytes behind the header.
    pub stored: i64,
    values: i64,
    encoding: i64,
    /// CRC-32 of the bytes behind the header.
    pub checksum: Option<u32>,
}

/// A `PageHeader`; `None` if it is none.
pub(super) fn page<R: Read>(structs: &mut Compact<R>) -> Option<Page> {
    let mut page = Page::default();
    structs.walk(PAGE_HEADER, &mut |path, number| match path {
        [2] => page.unpacked = number,
        [3] => page.stored = number,
        // The format has no numbers without a sign.
        [4] => page.checksum = Some(number as i32 as u32),
        // The headers of data pages and dictionaries all begin with the number of values.
        [5 | 7 | 8, 1] => page.values = page.values.max(number),
        // The second version of data pages has more counts before it.
        [5 | 7, 2] | [8, 4] => page.encoding = number,
        _ => {}
    })?;
    Some(page)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::file::metadata::{FileMetaData, RowGroupMetaData};
    use parquet::schema::types::{SchemaDescriptor, Type};

    use super::*;

    #[test]
    fn more_rows_than_a_file_can_hold_are_refused() {
        let schema = Arc::new(Type::group_type_builder("schema").build().unwrap());
        let schema = Arc::new(SchemaDescriptor::new(schema));
        let check = |rows: [i64; 2]| {
            let groups = rows.map(|rows| {
                let group = RowGroupMetaData::builder(schema.clone()).set_num_rows(rows);
                group.build().unwrap()
            });
            let file = FileMetaData::new(2, 0, None, None, schema.clone(), None);
            let metadata = ParquetMetaData::new(file, groups.to_vec());
            check_pages(tempfile::tempfile().unwrap(), 1000, &metadata, true, |_| true)
        };
        let most = (1 << 20) + 1000 * 1024;
        assert_eq!(check([most / 2, most / 2]), Ok(()));
        let problem = |rows: [i64; 2]| match check(rows) {
            Err(Refusal::Corrupt(problem)) => problem,
            other => panic!("{rows:?}: {other:?}"),
        };
        assert!(problem([most / 2, most / 2 + 1]).contains("rows in a file of 1000 bytes"));
        assert!(problem([i64::MAX, i64::MAX]).contains("rows in a file of 1000 bytes"));
        assert!(problem([0, -1]).contains("negative"));
    }

    fn page_of(bytes: &[u8]) -> Option<Page> {
        page(&mut Compact::new(bytes))
    }

    #[test]
    fn a_header_says_what_memory_depends_on() {
        // By hand: type 0; unpacked 300; stored 20; crc -1; data page {values 7, encoding 0, statistics {binary "ab"}}.
        let bytes = [
            0x15, 0, 0x15, 0xd8, 0x04, 0x15, 40, 0x15, 1, 0x1c, 0x15, 14, 0x15, 0, 0x3c, 0x18, 2, b'a', b'b',
            0, 0, 0,
        ];
        let mut header = Compact::new(&bytes[..]);
        assert_eq!(
            page(&mut header),
            Some(Page { unpacked: 300, stored: 20, values: 7, encoding: 0, checksum: Some(u32::MAX) })
        );
        assert_eq!(header.read, bytes.len() as u64);
        for end in 0..bytes.len() {
            assert_eq!(page_of(&bytes[..end]), None, "of {end} bytes");
        }
    }

    #[test]
    fn both_versions_of_data_pages_say_their_encoding() {
        let first = [0x15, 6, 0x15, 40, 0x15, 40, 0x2c, 0x15, 14, 0x15, 14, 0, 0];
        assert_eq!(
            page_of(&first),
            Some(Page { unpacked: 20, stored: 20, values: 7, encoding: 7, checksum: None })
        );
        let second = [0x15, 6, 0x15, 40, 0x15, 40, 0x5c, 0x15, 14, 0x15, 2, 0x15, 14, 0x15, 12, 0, 0];
        assert_eq!(
            page_of(&second),
            Some(Page { unpacked: 20, stored: 20, values: 7, encoding: 6, checksum: None })
        );
    }

    #[test]
    fn hostile_headers_end() {
        // Structs in structs, a text of 2⁶³ bytes, a number without an end, a type that there is not.
        assert_eq!(page_of(&[0x1c; 100]), None);
        assert_eq!(page_of(&[0x18, 255, 255, 255, 255, 255, 255, 255, 255, 127, 0]), None);
        assert_eq!(page_of(&[[0x15].as_slice(), &[255; 20]].concat()), None);
        assert_eq!(page_of(&[0x1f, 0]), None);
        assert_eq!(page_of(&[0x19, 0xf5, 255, 255, 255, 255, 15, 1, 1]), None);
    }
}
