//! Tables as files for Python, R, MATLAB and spreadsheets: the ending of the name says which kind.

use crate::EvalError;
use arrow_array::builder::{ListBuilder, PrimitiveBuilder};
use arrow_array::cast::AsArray;
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, UInt32Type};
use arrow_array::{Array, ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray, UInt32Array};
use arrow_schema::DataType;
use neuroglot_data::with_checksums;
use neuroglot_files::replace_file;
use npyz::{DType, WriterBuilder};
use parquet::arrow::ArrowWriter;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// How a table is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TableFormat {
    /// Comma-separated text; a column that holds a list per row becomes a column per entry, `rates_0`, `rates_1`, ….
    Csv,
    /// Apache Parquet.
    Parquet,
    /// NumPy's archive: an array per column, `[row]`, or `[row, entry]` of a column that holds lists.
    Npz,
}

impl TableFormat {
    /// All formats.
    pub const ALL: [TableFormat; 3] = [TableFormat::Csv, TableFormat::Parquet, TableFormat::Npz];

    /// How names of such files end, without the point.
    pub fn ending(self) -> &'static str {
        match self {
            TableFormat::Csv => "csv",
            TableFormat::Parquet => "parquet",
            TableFormat::Npz => "npz",
        }
    }

    /// The format that a file's name asks for; `None` if none is.
    pub fn of(path: &Path) -> Option<TableFormat> {
        let ending = path.extension()?.to_str()?.to_ascii_lowercase();
        Self::ALL.into_iter().find(|format| format.ending() == ending)
    }

    fn bytes(self, table: &RecordBatch) -> Vec<u8> {
        match self {
            TableFormat::Csv => to_csv(table),
            TableFormat::Parquet => to_parquet(table),
            TableFormat::Npz => to_npz(table),
        }
    }
}

/// A table that is made column by column, all of one length.
#[derive(Debug, Default)]
pub struct TableColumns {
    columns: Vec<(String, ArrayRef)>,
}

impl TableColumns {
    /// Adds a column of texts; one that is missing is empty.
    pub fn texts<T: AsRef<str>>(mut self, name: &str, values: impl IntoIterator<Item = T>) -> Self {
        let column = StringArray::from_iter_values(values.into_iter().map(|text| text.as_ref().to_owned()));
        self.columns.push((name.to_owned(), Arc::new(column)));
        self
    }

    /// Adds a column of numbers, some of which may be missing.
    pub fn numbers(mut self, name: &str, values: impl IntoIterator<Item = Option<f64>>) -> Self {
        self.columns.push((name.to_owned(), Arc::new(Float64Array::from_iter(values))));
        self
    }

    /// Adds a column of whole numbers, some of which may be missing.
    pub fn counts(mut self, name: &str, values: impl IntoIterator<Item = Option<usize>>) -> Self {
        let values = values.into_iter().map(|value| value.map(|value| value as u32));
        self.columns.push((name.to_owned(), Arc::new(UInt32Array::from_iter(values))));
        self
    }

    /// Adds a column of truth values.
    pub fn truths(mut self, name: &str, values: impl IntoIterator<Item = bool>) -> Self {
        let column = BooleanArray::from_iter(values.into_iter().map(Some));
        self.columns.push((name.to_owned(), Arc::new(column)));
        self
    }

    /// Adds a column of lists of numbers, all of one length: `[row, width]`.
    ///
    /// # Panics
    /// If `width` is 0, or values are no whole rows.
    pub fn lists<T: ArrowPrimitiveType>(mut self, name: &str, values: &[T::Native], width: usize) -> Self {
        assert!(width > 0 && values.len().is_multiple_of(width), "whole rows");
        let mut lists = ListBuilder::new(PrimitiveBuilder::<T>::with_capacity(values.len()));
        for row in values.chunks(width) {
            lists.values().append_slice(row);
            lists.append(true);
        }
        self.columns.push((name.to_owned(), Arc::new(lists.finish())));
        self
    }

    /// The table.
    ///
    /// # Panics
    /// If its columns differ in length, or there is none.
    pub fn finish(self) -> RecordBatch {
        let columns = self.columns.into_iter().map(|(name, column)| (name, column, true));
        RecordBatch::try_from_iter_with_nullable(columns).expect("columns of one length")
    }

    /// Writes the table as the ending of the file's name says: `.csv`, `.parquet` or `.npz`.
    ///
    /// # Errors
    /// [`EvalError::Ending`] for any other ending; [`EvalError::Files`] where the file cannot be written.
    pub fn write(self, path: &Path) -> Result<(), EvalError> {
        let format = TableFormat::of(path).ok_or_else(|| EvalError::Ending { path: path.to_owned() })?;
        Ok(replace_file(path, &format.bytes(&self.finish()))?)
    }
}

/// A Parquet file with one table.
pub(crate) fn to_parquet(table: &RecordBatch) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, table.schema(), None).expect("a plain schema");
    writer.write(table).expect("writing to memory");
    writer.close().expect("writing to memory");
    with_checksums(bytes).expect("a file that was just written")
}

/// The entries of a column of lists, and how many each row has.
fn entries(column: &ArrayRef) -> Option<(&ArrayRef, usize)> {
    let DataType::List(_) = column.data_type() else { return None };
    let lists = column.as_list::<i32>();
    let width = lists.values().len().checked_div(lists.len()).unwrap_or(0);
    assert!(
        lists.value_offsets().windows(2).all(|ends| (ends[1] - ends[0]) as usize == width),
        "lists of one length"
    );
    Some((lists.values(), width))
}

/// One value as text; a missing one is empty.
fn text(column: &ArrayRef, row: usize) -> String {
    if column.is_null(row) {
        return String::new();
    }
    match column.data_type() {
        DataType::Utf8 => column.as_string::<i32>().value(row).to_owned(),
        DataType::Boolean => column.as_boolean().value(row).to_string(),
        DataType::UInt32 => column.as_primitive::<UInt32Type>().value(row).to_string(),
        DataType::Float32 => column.as_primitive::<Float32Type>().value(row).to_string(),
        DataType::Float64 => column.as_primitive::<Float64Type>().value(row).to_string(),
        other => unreachable!("no table has a column of {other}"),
    }
}

fn to_csv(table: &RecordBatch) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let schema = table.schema();
    let mut heads = Vec::new();
    for (field, column) in schema.fields().iter().zip(table.columns()) {
        match entries(column) {
            Some((_, width)) => heads.extend((0..width).map(|entry| format!("{}_{entry}", field.name()))),
            None => heads.push(field.name().clone()),
        }
    }
    writer.write_record(&heads).expect("writing to memory");
    for row in 0..table.num_rows() {
        for column in table.columns() {
            match entries(column) {
                Some((values, width)) => {
                    for entry in 0..width {
                        writer.write_field(text(values, row * width + entry)).expect("writing to memory");
                    }
                }
                None => writer.write_field(text(column, row)).expect("writing to memory"),
            }
        }
        writer.write_record(None::<&[u8]>).expect("rows of one length");
    }
    writer.into_inner().expect("writing to memory")
}

fn to_npz(table: &RecordBatch) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Stored)
        .large_file(true);
    for (field, column) in table.schema().fields().iter().zip(table.columns()) {
        archive.start_file(format!("{}.npy", field.name()), stored).expect("writing to memory");
        let array = match entries(column) {
            Some((values, width)) => npy(values, &[table.num_rows() as u64, width as u64]),
            None => npy(column, &[table.num_rows() as u64]),
        };
        archive.write_all(&array).expect("writing to memory");
    }
    archive.finish().expect("writing to memory").into_inner()
}

/// One array. NumPy has no missing whole numbers: where some are, they become NaN among doubles.
fn npy(values: &ArrayRef, shape: &[u64]) -> Vec<u8> {
    fn plain<T: npyz::AutoSerialize>(values: impl Iterator<Item = T>, shape: &[u64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let options = npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes);
        let mut writer = options.begin_nd().expect("writing to memory");
        writer.extend(values).expect("writing to memory");
        writer.finish().expect("as many values as the shape says");
        bytes
    }
    match values.data_type() {
        DataType::Utf8 => texts(values, shape),
        DataType::Boolean => plain(values.as_boolean().iter().map(|value| value.unwrap_or(false)), shape),
        DataType::UInt32 if values.null_count() == 0 => {
            plain(values.as_primitive::<UInt32Type>().values().iter().copied(), shape)
        }
        DataType::UInt32 => {
            let values = values.as_primitive::<UInt32Type>().iter();
            plain(values.map(|value| value.map_or(f64::NAN, f64::from)), shape)
        }
        DataType::Float32 => {
            let values = values.as_primitive::<Float32Type>().iter();
            plain(values.map(|value| value.unwrap_or(f32::NAN)), shape)
        }
        DataType::Float64 => {
            let values = values.as_primitive::<Float64Type>().iter();
            plain(values.map(|value| value.unwrap_or(f64::NAN)), shape)
        }
        other => unreachable!("no table has a column of {other}"),
    }
}

/// An array of texts, each as long as the longest.
fn texts(values: &ArrayRef, shape: &[u64]) -> Vec<u8> {
    let texts = values.as_string::<i32>();
    let length = texts.iter().flatten().map(|text| text.chars().count()).max().unwrap_or(0).max(1);
    let dtype = DType::Plain(format!("<U{length}").parse().expect("a type of NumPy"));
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::<str>::new().dtype(dtype).shape(shape).writer(&mut bytes);
    let mut writer = options.begin_nd().expect("writing to memory");
    for text in texts.iter() {
        writer.push(text.unwrap_or("")).expect("writing to memory");
    }
    writer.finish().expect("as many values as the shape says");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> TableColumns {
        TableColumns::default()
            .texts("uuid", ["a,\"b\"", "µ"])
            .counts("unit", [Some(7), None])
            .truths("hidden", [true, false])
            .numbers("bps", [None, Some(-0.25)])
            .lists::<Float32Type>("rates", &[0.5, 1.5, 2.0, 3.25], 2)
    }

    #[test]
    fn the_ending_decides_whatever_its_case_and_no_other_is_taken() {
        assert_eq!(TableFormat::of(Path::new("a/b.CSV")), Some(TableFormat::Csv));
        assert_eq!(TableFormat::of(Path::new("a.csv/b.npz")), Some(TableFormat::Npz));
        for other in ["b.xlsx", "parquet", ".csv", "a.csv/b", ""] {
            assert_eq!(TableFormat::of(Path::new(other)), None, "{other}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rates.pdf");
        let error = table().write(&path).unwrap_err().to_string();
        assert!(error.contains("rates.pdf") && error.contains(".csv, .parquet or .npz"), "{error}");
        assert!(!path.exists());
    }

    #[test]
    fn text_has_a_column_per_entry_and_nothing_for_what_is_missing() {
        let text = String::from_utf8(to_csv(&table().finish())).unwrap();
        assert_eq!(
            text,
            "uuid,unit,hidden,bps,rates_0,rates_1\n\"a,\"\"b\"\"\",7,true,,0.5,1.5\nµ,,false,-0.25,2,3.25\n"
        );
    }

    #[test]
    fn an_archive_has_an_array_per_column() {
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(to_npz(&table().finish()))).unwrap();
        let mut array = |name: &str| {
            let mut bytes = Vec::new();
            std::io::copy(&mut archive.by_name(name).unwrap(), &mut bytes).unwrap();
            bytes
        };
        let rates = array("rates.npy");
        let rates = npyz::NpyFile::new(&rates[..]).unwrap();
        assert_eq!(rates.shape(), [2, 2]);
        assert_eq!(rates.into_vec::<f32>().unwrap(), [0.5, 1.5, 2.0, 3.25]);
        let uuids = array("uuid.npy");
        assert_eq!(npyz::NpyFile::new(&uuids[..]).unwrap().into_vec::<String>().unwrap(), ["a,\"b\"", "µ"]);
        let units = array("unit.npy");
        let units = npyz::NpyFile::new(&units[..]).unwrap().into_vec::<f64>().unwrap();
        assert!(units[0] == 7.0 && units[1].is_nan());
    }

    /// What NumPy and pandas make of the files, where they are at hand.
    #[test]
    fn python_reads_what_is_written() {
        let folder = tempfile::tempdir().unwrap();
        for format in TableFormat::ALL {
            table().write(&folder.path().join(format!("table.{}", format.ending()))).unwrap();
        }
        let script = "
import sys, numpy, pandas
folder = sys.argv[1]
archive = numpy.load(folder + '/table.npz')
assert archive['rates'].shape == (2, 2) and archive['rates'].dtype == numpy.float32
assert list(archive['uuid']) == ['a,\"b\"', 'µ'] and list(archive['hidden']) == [True, False]
for table in [pandas.read_csv(folder + '/table.csv'), pandas.read_parquet(folder + '/table.parquet')]:
    assert list(table['uuid']) == ['a,\"b\"', 'µ'] and table['unit'][0] == 7 and table['bps'][1] == -0.25
print('read')
";
        let python = std::env::var("NEUROGLOT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let has = std::process::Command::new(&python).args(["-c", "import numpy, pandas, pyarrow"]).output();
        if !has.is_ok_and(|output| output.status.success()) {
            return eprintln!("skipped: {python} has no NumPy, pandas and PyArrow; set NEUROGLOT_PYTHON");
        }
        let output = std::process::Command::new(&python).arg("-c").arg(script).arg(folder.path()).output();
        let output = output.unwrap();
        assert_eq!(String::from_utf8_lossy(&output.stdout), "read\n", "{output:?}");
    }
}
