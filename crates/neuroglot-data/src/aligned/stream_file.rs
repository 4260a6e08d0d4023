//! Arrow IPC streams, as `DatasetDict.save_to_disk` leaves them.

use neuroglot_files::FromIo;
use std::io::Cursor;
use std::path::Path;

use arrow_ipc::reader::StreamReader;
use arrow_ipc::{MessageHeader, root_as_message};

use super::batches::{Decoder, Refusal, Visit};
use crate::DataError;

pub(super) fn visit_batches(
    file: &Path,
    wanted: &dyn Fn(&str) -> bool,
    limit: Option<usize>,
    visit: Visit,
) -> Result<(), DataError> {
    let bytes = neuroglot_files::read(file, u64::MAX).map_err(DataError::io("read", file))?;
    let decoder = Decoder { file, handle: None };
    let reader = decoder.step(|| {
        check_messages(&bytes)?;
        let reader = StreamReader::try_new(Cursor::new(&bytes), None)?;
        let schema = reader.schema();
        let columns =
            (0..schema.fields().len()).filter(|&column| wanted(schema.field(column).name())).collect();
        Ok::<_, Refusal>(StreamReader::try_new(Cursor::new(&bytes), Some(columns))?)
    });
    let mut reader = reader?;
    let mut left = limit.unwrap_or(usize::MAX);
    while left > 0
        && let Some(batch) = decoder.step(|| reader.next().transpose())?
    {
        let batch = batch.slice(0, batch.num_rows().min(left));
        left -= batch.num_rows();
        visit(batch)?;
    }
    Ok(())
}

/// Walks over the messages of a stream, so that the reader never reserves memory by a length that the file cannot
/// have, and a stream that was cut between two messages is noticed.
fn check_messages(bytes: &[u8]) -> Result<(), Refusal> {
    if bytes.starts_with(b"ARROW1") {
        return Err(Refusal::Unread(
            "Arrow's format of files (Feather) where save_to_disk writes a stream".into(),
        ));
    }
    let mut rest = bytes;
    loop {
        let (mut prefix, mut after) = rest.split_first_chunk::<4>().ok_or("the stream has no end")?;
        // Streams written before Arrow 0.15 have no continuation marker before the length.
        if *prefix == [0xff; 4] {
            (prefix, after) = after.split_first_chunk::<4>().ok_or("the stream has no end")?;
        }
        let length = u32::from_le_bytes(*prefix) as usize;
        if length == 0 {
            return Ok(());
        }
        let (header, body) = after.split_at_checked(length).ok_or("a message is longer than the file")?;
        let message = root_as_message(header).map_err(|error| error.to_string())?;
        let length = usize::try_from(message.bodyLength()).map_err(|_| "a message has a negative length")?;
        rest = body.split_at_checked(length).ok_or("a message is longer than the file")?.1;
        let batch = match message.header_type() {
            MessageHeader::RecordBatch => message.header_as_record_batch(),
            MessageHeader::DictionaryBatch => {
                message.header_as_dictionary_batch().and_then(|batch| batch.data())
            }
            _ => None,
        };
        if batch.is_some_and(|batch| batch.compression().is_some()) {
            // A compressed buffer is expanded to any length that it claims.
            return Err(Refusal::Unread("compressed record batches".into()));
        }
    }
}
