//! What the footer of a Parquet file claims, before a decoder believes it.

use std::io::{BufReader, Read, Seek, SeekFrom};

use parquet::file::metadata::ParquetMetaData;

use super::batches::Refusal;
use super::parquet_format::{ENCRYPTION, FOOTER};
use super::thrift::Compact;

/// Bytes at the end of a file: the length of the footer, and the mark `PAR1`.
const TAIL: u64 = 8;

/// The mark of a file whose footer is encrypted.
const ENCRYPTED: [u8; 4] = *b"PARE";

/// More values in a column than any session has; a file that claims more is corrupt.
const MAX_VALUES: i64 = 1 << 32;

/// Refuses a footer, of a file of `size` bytes, that is not as the format has it.
pub(super) fn check_footer(mut file: impl Read + Seek, size: u64) -> Result<(), Refusal> {
    let mut tail = [0; TAIL as usize];
    let Some(end) = size.checked_sub(TAIL) else { return Err("too short for a Parquet file".into()) };
    file.seek(SeekFrom::Start(end))?;
    file.read_exact(&mut tail)?;
    let [a, b, c, d, mark @ ..] = tail;
    if mark == ENCRYPTED {
        return Err(Refusal::Encrypted);
    }
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    let Some(start) = end.checked_sub(length) else {
        return Err(format!("a footer of {length} bytes is longer than the file").into());
    };
    file.seek(SeekFrom::Start(start))?;
    let mut footer = Compact::new(BufReader::new(file.take(length)));
    // A footer that is not encrypted itself says how columns are.
    let mut is_encrypted = false;
    footer
        .walk(FOOTER, &mut |path, _| is_encrypted |= path.first() == Some(&ENCRYPTION))
        .ok_or("its footer is damaged")?;
    if is_encrypted { Err(Refusal::Encrypted) } else { Ok(()) }
}

/// Refuses sizes in the footer that the file cannot have, before memory is reserved by them.
pub(super) fn check_claims(metadata: &ParquetMetaData, size: u64) -> Result<(), String> {
    for group in metadata.row_groups() {
        for column in group.columns() {
            if !(0..=MAX_VALUES).contains(&column.num_values()) {
                return Err(format!("{} claims {} values", column.column_path(), column.num_values()));
            }
            let start = column.dictionary_page_offset().unwrap_or(column.data_page_offset());
            let end = start.checked_add(column.compressed_size());
            if start < 0 || column.compressed_size() < 0 || end.is_none_or(|end| end as u64 > size) {
                return Err(format!("{} lies outside the file", column.column_path()));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int32Array, RecordBatch};
    use parquet::arrow::ArrowWriter;
    use tempfile::TempDir;

    use super::*;
    use crate::visit_parquet;

    /// A file with a column of three numbers, and with `field` as a last field of its footer.
    fn file_with(field: &[u8]) -> (TempDir, PathBuf) {
        let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2, 3]));
        let batch = RecordBatch::try_from_iter([("x", column)]).unwrap();
        let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        let mut bytes = writer.into_inner().unwrap();
        let tail = bytes.len() - TAIL as usize;
        let length = u32::from_le_bytes(bytes[tail..tail + 4].try_into().unwrap()) + field.len() as u32;
        bytes[tail..tail + 4].copy_from_slice(&length.to_le_bytes());
        // Before the byte that ends the footer.
        bytes.splice(tail - 1..tail - 1, field.iter().copied());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("table.pqt");
        std::fs::write(&file, bytes).unwrap();
        (folder, file)
    }

    fn rows_of(file: &PathBuf) -> Result<usize, String> {
        let mut rows = 0;
        let mut count = |batch: RecordBatch| {
            rows += batch.num_rows();
            Ok(())
        };
        visit_parquet(file, &|_| true, &mut count).map_err(|error| error.to_string())?;
        Ok(rows)
    }

    #[test]
    fn fields_that_are_not_known_are_passed_over() {
        assert_eq!(rows_of(&file_with(&[]).1), Ok(3));
        // Field 100: a list of two bytes.
        assert_eq!(rows_of(&file_with(&[0x09, 0xc8, 0x01, 0x23, 7, 8]).1), Ok(3));
    }

    #[test]
    fn lists_that_the_footer_does_not_hold_are_refused() {
        // Field 100: a list of 2³¹ − 1 truth values, which the decoder would count up; of as many bytes.
        for kind in [0xf1, 0xf3] {
            let field = [0x09, 0xc8, 0x01, kind, 0xff, 0xff, 0xff, 0xff, 0x07];
            let (_folder, file) = file_with(&field);
            let message = rows_of(&file).unwrap_err();
            assert!(message.contains("footer") && message.contains("table.pqt"), "{message}");
        }
    }

    #[test]
    fn a_field_of_another_type_is_refused() {
        // Field 6, who made the file, as a number instead of a text; the decoder would take it for one.
        let (_folder, file) = file_with(&[0x05, 12, 2]);
        assert!(rows_of(&file).unwrap_err().contains("footer"));
    }

    #[test]
    fn an_encrypted_file_is_not_called_damaged() {
        // Field 8: AES_GCM_V1 with the file's own part of what is authenticated, as Parquet's encryption writes it.
        let (_folder, file) = file_with(&[0x1c, 0x1c, 0x28, 4, 1, 2, 3, 4, 0, 0]);
        let unread =
            "table.pqt uses encryption, which is not read: write it again without, where its keys are known";
        assert!(rows_of(&file).unwrap_err().ends_with(unread));
        let mut bytes = std::fs::read(&file).unwrap();
        bytes.truncate(bytes.len() - 4);
        std::fs::write(&file, [&bytes, b"PARE".as_slice()].concat()).unwrap();
        assert!(rows_of(&file).unwrap_err().ends_with(unread));
    }

    #[test]
    fn a_footer_lies_in_the_file() {
        let (_folder, file) = file_with(&[]);
        let bytes = std::fs::read(&file).unwrap();
        let tail = bytes.len() - TAIL as usize;
        for length in [bytes.len() as u32 - 7, u32::MAX] {
            let damaged = [&bytes[..tail], &length.to_le_bytes(), b"PAR1"].concat();
            std::fs::write(&file, damaged).unwrap();
            let message = rows_of(&file).unwrap_err();
            assert!(message.contains("longer than the file"), "{message}");
        }
        std::fs::write(&file, b"PAR1").unwrap();
        assert!(rows_of(&file).unwrap_err().contains("too short"));
    }
}
