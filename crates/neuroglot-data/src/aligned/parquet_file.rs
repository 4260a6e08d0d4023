//! Parquet files, as the Hugging Face hub has them.

use neuroglot_files::FromIo;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder};

use super::batches::{Decoder, Refusal, Visit};
use super::checksums::check_file;
use super::footer::{check_claims, check_footer};
use super::handle::Handle;
use super::pages::check_pages;
use crate::DataError;

/// Rows decoded at a time: enough to spread the cost of a batch, few enough to keep memory small.
const BATCH_ROWS: usize = 256;

pub(super) fn visit_batches(
    file: &Path,
    wanted: &dyn Fn(&str) -> bool,
    limit: Option<usize>,
    visit: Visit,
) -> Result<(), DataError> {
    let handle = Handle::open(file).map_err(DataError::io("open", file))?;
    let size = handle.length();
    let decoder = Decoder { file, handle: Some(&handle) };
    let mut reader = decoder.step(|| {
        // The embedded Arrow schema is left aside: the Parquet types alone say what is needed, and strings that were
        // categories come as plain strings.
        let options = ArrowReaderOptions::new().with_skip_arrow_metadata(true);
        check_footer(handle.at(0), size)?;
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(handle.clone(), options)?;
        check_claims(builder.metadata(), size)?;
        // A few rows are not worth reading the whole file for; their pages are checked.
        let is_checked = limit.is_none()
            && check_file(handle.at(0), size, builder.metadata().file_metadata().created_by())?;
        check_pages(handle.at(0), size, builder.metadata(), !is_checked, |column| {
            column.column_path().parts().first().is_some_and(|root| wanted(root))
        })?;
        let roots = builder.parquet_schema().root_schema().get_fields();
        let roots: Vec<usize> = (0..roots.len()).filter(|&root| wanted(roots[root].name())).collect();
        let mask = ProjectionMask::roots(builder.parquet_schema(), roots);
        let builder = builder.with_projection(mask).with_batch_size(limit.unwrap_or(BATCH_ROWS));
        let builder = if let Some(limit) = limit { builder.with_limit(limit) } else { builder };
        Ok::<_, Refusal>(builder.build()?)
    })?;
    while let Some(batch) = decoder.step(|| reader.next().transpose())? {
        visit(batch)?;
    }
    Ok(())
}
