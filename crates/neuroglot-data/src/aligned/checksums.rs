//! Checksums of Parquet files: without them, of 200 single flipped bits eight changed numbers and nothing else.
//!
//! The header of each page holds the CRC-32 of the page, as the format has it. The headers themselves and the footer have
//! none, so the name of the writer in the footer ends in the CRC-32 of the whole file, computed with its own eight digits
//! as zeros: `neuroglot version 0.1.0 (crc32 0a1b2c3d)`. Who writes the table again writes another name, so that the
//! checksum of one file is never taken for another's.

use std::io::{Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use crc32fast::Hasher;
use parquet::column::writer::ColumnCloseResult;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaDataReader};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;

use super::pages::page;
use super::thrift::Compact;

/// Stands where the digits of the file's checksum come.
const NO_DIGITS: &str = "00000000";
const BEFORE_DIGITS: &str = "(crc32 ";
const AFTER_DIGITS: &str = ")";

/// Bytes read at a time.
const BLOCK: usize = 1 << 18;

/// Gives the content of a Parquet file checksums: of every page, as any reader can check them, and of the whole file,
/// which readers of this crate check. Page indices and bloom filters are left out.
///
/// # Errors
/// If `file` is no Parquet file, or has pages in a form that this library does not write.
pub fn with_checksums(file: Vec<u8>) -> Result<Vec<u8>> {
    let file = Bytes::from(file);
    let metadata = ParquetMetaDataReader::new().parse_and_finish(&file)?;
    let of_file = metadata.file_metadata();
    let name =
        format!("neuroglot version {} {BEFORE_DIGITS}{NO_DIGITS}{AFTER_DIGITS}", env!("CARGO_PKG_VERSION"));
    let properties = WriterProperties::builder()
        .set_created_by(name.clone())
        .set_key_value_metadata(of_file.key_value_metadata().cloned())
        .build();
    let schema = of_file.schema_descr().root_schema_ptr();
    let mut writer = SerializedFileWriter::new(Vec::with_capacity(file.len()), schema, Arc::new(properties))?;
    for group in metadata.row_groups() {
        let mut copy = writer.next_row_group()?;
        for column in group.columns() {
            let (bytes, metadata) = with_page_checksums(&file, column)?;
            let close = ColumnCloseResult {
                bytes_written: bytes.len() as u64,
                rows_written: group.num_rows() as u64,
                metadata,
                bloom_filter: None,
                column_index: None,
                offset_index: None,
            };
            copy.append_column(&Bytes::from(bytes), close)?;
        }
        copy.close()?;
    }
    let mut copy = writer.into_inner()?;
    let digits = place_of_digits(&copy, &name).expect("the writer's name is in the footer");
    let sum = format!("{:08x}", crc32fast::hash(&copy));
    copy[digits..digits + sum.len()].copy_from_slice(sum.as_bytes());
    Ok(copy)
}

/// A column's pages with checksums in their headers, and the metadata of the column that begins with them.
fn with_page_checksums(file: &Bytes, column: &ColumnChunkMetaData) -> Result<(Vec<u8>, ColumnChunkMetaData)> {
    let wrong = || ParquetError::General(format!("{} has pages of another form", column.column_path()));
    let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset()) as usize;
    let end = start + column.compressed_size() as usize;
    let mut bytes = Vec::with_capacity(end - start + 256);
    let (mut place, mut data_page) = (start, 0);
    while place < end {
        if place as i64 == column.data_page_offset() {
            data_page = bytes.len();
        }
        let mut header = Compact::new(&file[place..end]);
        let page = page(&mut header).ok_or_else(wrong)?;
        let body = place + header.read as usize;
        place = body + usize::try_from(page.stored).map_err(|_| wrong())?;
        let content = file.get(body..place).ok_or_else(wrong)?;
        let header = &file[body - header.read as usize..body];
        let header = with_checksum(header, crc32fast::hash(content)).ok_or_else(wrong)?;
        bytes.extend_from_slice(&header);
        bytes.extend_from_slice(content);
    }
    let added = bytes.len() as i64 - column.compressed_size();
    let metadata = column
        .clone()
        .into_builder()
        .set_total_compressed_size(bytes.len() as i64)
        .set_total_uncompressed_size(column.uncompressed_size() + added)
        .set_dictionary_page_offset(column.dictionary_page_offset().map(|_| 0))
        .set_data_page_offset(data_page as i64)
        .build()?;
    Ok((bytes, metadata))
}

/// The header of a page with the page's checksum, its field 4; `None` for a header that is not written as by this library:
/// type and both lengths first, then what kind of page it is.
fn with_checksum(header: &[u8], sum: u32) -> Option<Vec<u8>> {
    // A field of 32 bits, whose number is one more than that of the field before.
    const NEXT_I32: u8 = 0x15;
    let mut end = 0;
    for _ in 0..3 {
        if *header.get(end)? != NEXT_I32 {
            return None;
        }
        end += 2 + header.get(end + 1..)?.iter().position(|byte| byte & 0x80 == 0)?;
    }
    let next = *header.get(end)?;
    // The step from field 3 becomes one from field 4.
    if next >> 4 < 2 {
        return None;
    }
    let mut copy = header[..end].to_vec();
    copy.push(NEXT_I32);
    let sum = sum as i32;
    let mut zigzag = (sum.wrapping_shl(1) ^ (sum >> 31)) as u32;
    while zigzag >= 0x80 {
        copy.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    copy.push(zigzag as u8);
    copy.push(next - 0x10);
    copy.extend_from_slice(&header[end + 1..]);
    Some(copy)
}

/// Compares the checksum of the whole file, of `size` bytes, if the writer's name says one. Says whether it did.
pub(super) fn check_file(
    mut file: impl Read + Seek,
    size: u64,
    created_by: Option<&str>,
) -> std::result::Result<bool, String> {
    let Some((name, said)) = created_by.and_then(|name| Some((name, said_by(name)?))) else {
        return Ok(false);
    };
    // The name lies in the footer, the last thing of the file.
    let failed = |error: std::io::Error| error.to_string();
    let mut tail = [0; 8];
    file.seek(SeekFrom::Start(size.saturating_sub(8))).map_err(failed)?;
    file.read_exact(&mut tail).map_err(failed)?;
    let footer = u64::from(u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]])) + 8;
    let start = size.checked_sub(footer).ok_or("its footer is longer than the file")?;
    let mut end = Vec::new();
    file.seek(SeekFrom::Start(start)).map_err(failed)?;
    (&mut file).take(footer).read_to_end(&mut end).map_err(failed)?;
    let digits = place_of_digits(&end, name).ok_or("its footer has no writer's name")?;
    end[digits..digits + NO_DIGITS.len()].copy_from_slice(NO_DIGITS.as_bytes());

    let (mut hasher, mut block, mut left) = (Hasher::new(), vec![0; BLOCK], start);
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    while left > 0 {
        let count = left.min(BLOCK as u64) as usize;
        file.read_exact(&mut block[..count]).map_err(failed)?;
        hasher.update(&block[..count]);
        left -= count as u64;
    }
    hasher.update(&end);
    let found = hasher.finalize();
    if found == said {
        return Ok(true);
    }
    Err(format!(
        "it was written with checksum {said:08x} and has {found:08x}: bytes of it have changed since"
    ))
}

/// The checksum that a writer's name ends in.
fn said_by(name: &str) -> Option<u32> {
    let (writer, digits) = name.strip_suffix(AFTER_DIGITS)?.rsplit_once(BEFORE_DIGITS)?;
    let is_ours = writer.starts_with("neuroglot version ") && digits.len() == NO_DIGITS.len();
    if !is_ours || digits.starts_with('+') { None } else { u32::from_str_radix(digits, 16).ok() }
}

/// Where the digits of the checksum stand, in bytes that end with the footer.
fn place_of_digits(bytes: &[u8], name: &str) -> Option<usize> {
    let place = bytes.windows(name.len()).rposition(|window| window == name.as_bytes())?;
    Some(place + name.len() - AFTER_DIGITS.len() - NO_DIGITS.len())
}

/// Compares the checksum of a page with what follows in `reader`: `stored` bytes.
pub(super) fn check_page(mut reader: impl Read, stored: u64, said: u32) -> std::result::Result<(), String> {
    let (mut hasher, mut block, mut left) = (Hasher::new(), [0; 1 << 13], stored);
    while left > 0 {
        let count = left.min(block.len() as u64) as usize;
        reader.read_exact(&mut block[..count]).map_err(|error| error.to_string())?;
        hasher.update(&block[..count]);
        left -= count as u64;
    }
    match hasher.finalize() {
        found if found == said => Ok(()),
        found => Err(format!(
            "a page was written with checksum {said:08x} and has {found:08x}: bytes of it have changed since"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_takes_a_checksum_as_its_fourth_field() {
        // By hand: type 0, lengths 300 and 20, then a data page (field 5) or a dictionary (field 7).
        let start = [0x15, 0, 0x15, 0xd8, 0x04, 0x15, 40];
        let header = |next: u8| [&start[..], &[next, 0x15, 14, 0, 0]].concat();
        let expected = |next: u8| [&start[..], &[0x15, 1, next, 0x15, 14, 0, 0]].concat();
        // 2³² − 1 is −1 in 32 bits, which is written as 1.
        assert_eq!(with_checksum(&header(0x2c), u32::MAX), Some(expected(0x1c)));
        assert_eq!(with_checksum(&header(0x4c), u32::MAX), Some(expected(0x3c)));
        let page = page(&mut Compact::new(&with_checksum(&header(0x2c), 0x8765_4321).unwrap()[..])).unwrap();
        assert_eq!(page.checksum, Some(0x8765_4321));
        // One that has a checksum, and one that begins otherwise.
        assert_eq!(with_checksum(&expected(0x1c), 1), None);
        assert_eq!(with_checksum(&header(0x2c)[2..], 1), None);
        assert_eq!(with_checksum(&start[..4], 1), None);
    }

    #[test]
    fn a_writers_name_says_the_checksum_in_eight_digits() {
        assert_eq!(said_by("neuroglot version 0.1.0 (crc32 0a1b2c3d)"), Some(0x0a1b_2c3d));
        for other in [
            "neuroglot version 0.1.0 (crc32 0a1b2c3)",
            "neuroglot version 0.1.0 (crc32 +a1b2c3d)",
            "neuroglot version 0.1.0 (crc32 0a1b2c3x)",
            "neuroglot version 0.1.0",
            "other version 0.1.0 (crc32 0a1b2c3d)",
            "parquet-cpp-arrow version 21.0.0",
        ] {
            assert_eq!(said_by(other), None, "{other}");
        }
    }
}
