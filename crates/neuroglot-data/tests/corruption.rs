//! Files that are damaged, or made to do damage: an error that says where and what, never a panic.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Int64Builder, ListBuilder, NullBuilder, StringBuilder};
use arrow_array::{ArrayRef, Float64Array, NullArray, RecordBatch, StringArray};
use neuroglot_data::{DataError, RowProblem, Session, SimulatorConfig};
use parquet::arrow::ArrowWriter;
use tempfile::TempDir;

/// The columns of a file of two trials, 2 bins × 3 units.
fn columns() -> Vec<(&'static str, ArrayRef)> {
    vec![
        ("spikes_sparse_data", integers(&[&[1, 2], &[3]])),
        ("spikes_sparse_indices", integers(&[&[0, 2], &[1]])),
        ("spikes_sparse_indptr", integers(&[&[0, 1, 2], &[0, 0, 1]])),
        ("spikes_sparse_shape", integers(&[&[2, 3], &[2, 3]])),
        ("choice", integers(&[&[1], &[-1]])),
        ("wheel-speed", integers(&[&[4, 5], &[6, 7]])),
        ("eid", Arc::new(StringArray::from(vec!["example", "example"]))),
        ("binsize", Arc::new(Float64Array::from(vec![0.02, 0.02]))),
        ("cluster_regions", texts(&[&["PO", "PO", "CA1"], &["PO", "PO", "CA1"]])),
    ]
}

fn integers(rows: &[&[i64]]) -> ArrayRef {
    let mut lists = ListBuilder::new(Int64Builder::new());
    for row in rows {
        lists.values().append_slice(row);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn texts(rows: &[&[&str]]) -> ArrayRef {
    let mut lists = ListBuilder::new(StringBuilder::new());
    for row in rows {
        row.iter().for_each(|text| lists.values().append_value(text));
        lists.append(true);
    }
    Arc::new(lists.finish())
}

fn write_file(file: &Path, columns: Vec<(&'static str, ArrayRef)>) {
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let mut writer = ArrowWriter::try_new(fs::File::create(file).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// A session whose validation file has one column changed (or dropped, or added).
fn with_changed(column: &'static str, replacement: Option<ArrayRef>) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "val", "test"] {
        let file = folder.path().join(format!("{split}.parquet"));
        let mut columns = columns();
        if split == "val" {
            columns.retain(|(name, _)| *name != column);
            columns.extend(replacement.clone().map(|replacement| (column, replacement)));
        }
        write_file(&file, columns);
    }
    let changed = folder.path().join("val.parquet");
    (folder, changed)
}

/// The error of a session in which one column of one file was changed; its message names file and column.
fn error_of(column: &'static str, replacement: Option<ArrayRef>) -> DataError {
    let (folder, file) = with_changed(column, replacement);
    let error = Session::read(folder.path()).unwrap_err();
    let message = error.to_string();
    assert!(message.contains(file.to_str().unwrap()), "{message}");
    error
}

#[track_caller]
fn assert_row(error: DataError, expected: (usize, &str, RowProblem)) {
    match error {
        DataError::Row { row, column, problem, .. } => assert_eq!((row, column.as_str(), problem), expected),
        other => panic!("{other}"),
    }
}

#[test]
fn the_base_of_these_tests_is_valid() {
    let (folder, _) = with_changed("notes", None);
    let session = Session::read(folder.path()).unwrap();
    assert_eq!((session.trials(), session.bins(), session.units().len()), (6, 2, 3));
    assert_eq!(session.entries(3).collect::<Vec<_>>(), [(1, 1, 3)]);
    assert_eq!(session.behaviours().len(), 2);
}

#[test]
fn a_missing_column_is_named() {
    for column in
        ["spikes_sparse_data", "spikes_sparse_indptr", "spikes_sparse_shape", "eid", "cluster_regions"]
    {
        match error_of(column, None) {
            DataError::MissingColumn { column: named, .. } => assert_eq!(named, column),
            other => panic!("{other}"),
        }
    }
    // Optional columns may be missing in one file alone; there the behaviour is.
    let (folder, _) = with_changed("choice", None);
    let choice = Session::read(folder.path()).unwrap().behaviour_per_trial("choice").unwrap().to_vec();
    assert!(
        choice[..2] == [1.0, -1.0] && choice[2..4].iter().all(|value| value.is_nan()) && choice[4] == 1.0
    );
}

#[test]
fn a_wrong_type_is_named() {
    let text: ArrayRef = Arc::new(StringArray::from(vec!["a", "b"]));
    for column in ["spikes_sparse_data", "cluster_regions", "cluster_depths", "binsize"] {
        match error_of(column, Some(text.clone())) {
            DataError::WrongType { column: named, found, .. } => {
                assert_eq!((named.as_str(), found.as_str()), (column, "Utf8"))
            }
            other => panic!("{other}"),
        }
    }
    assert!(matches!(error_of("eid", Some(integers(&[&[1], &[1]]))), DataError::WrongType { .. }));
}

#[test]
fn a_ragged_matrix_is_refused() {
    let error = error_of("spikes_sparse_indptr", Some(integers(&[&[0, 1, 2], &[0, 1]])));
    assert_row(error, (1, "spikes_sparse_indptr", RowProblem::IndptrLength { found: 2, expected: 3 }));
    let error = error_of("spikes_sparse_indptr", Some(integers(&[&[0, 3, 2], &[0, 0, 1]])));
    assert_row(error, (0, "spikes_sparse_indptr", RowProblem::IndptrOrder { at: 2, found: 2, entries: 2 }));
    let error = error_of("spikes_sparse_indptr", Some(integers(&[&[0, 1, 1], &[0, 0, 1]])));
    assert_row(error, (0, "spikes_sparse_indptr", RowProblem::IndptrOrder { at: 2, found: 1, entries: 2 }));
    let error = error_of("spikes_sparse_indices", Some(integers(&[&[0, 2], &[]])));
    assert_row(error, (1, "spikes_sparse_indices", RowProblem::IndicesLength { found: 0, expected: 1 }));
}

#[test]
fn an_entry_out_of_range_is_refused() {
    let error = error_of("spikes_sparse_indices", Some(integers(&[&[0, 2], &[3]])));
    assert_row(error, (1, "spikes_sparse_indices", RowProblem::UnitIndex { found: 3, units: 3 }));
    let error = error_of("spikes_sparse_data", Some(integers(&[&[1, -2], &[3]])));
    assert_row(error, (0, "spikes_sparse_data", RowProblem::Count(-2)));
    let error = error_of("spikes_sparse_data", Some(integers(&[&[1, i64::MAX], &[3]])));
    assert_row(error, (0, "spikes_sparse_data", RowProblem::Count(i64::MAX)));
}

#[test]
fn absurd_shapes_reserve_no_memory() {
    let error = error_of("spikes_sparse_shape", Some(integers(&[&[2, 1_000_000_000_000], &[2, 3]])));
    assert_row(error, (0, "cluster_regions", RowProblem::UnitList { found: 3, expected: 1_000_000_000_000 }));
    let error = error_of("spikes_sparse_shape", Some(integers(&[&[i64::MAX, 3], &[2, 3]])));
    let expected = i64::MAX as usize + 1;
    assert_row(error, (0, "spikes_sparse_indptr", RowProblem::IndptrLength { found: 3, expected }));
    let error = error_of("spikes_sparse_shape", Some(integers(&[&[-2, 3], &[2, 3]])));
    assert_row(error, (0, "spikes_sparse_shape", RowProblem::Shape(vec![-2, 3])));
    let error = error_of("spikes_sparse_shape", Some(integers(&[&[2, 3, 4], &[2, 3]])));
    assert_row(error, (0, "spikes_sparse_shape", RowProblem::Shape(vec![2, 3, 4])));
}

#[test]
fn rows_and_files_must_agree() {
    let error = error_of("spikes_sparse_shape", Some(integers(&[&[2, 3], &[2, 4]])));
    assert_row(
        error,
        (1, "spikes_sparse_shape", RowProblem::ShapeDiffers { found: [2, 4], expected: [2, 3] }),
    );
    let regions = texts(&[&["PO", "LP", "CA1"], &["PO", "LP", "CA1"]]);
    assert_row(error_of("cluster_regions", Some(regions)), (0, "cluster_regions", RowProblem::OtherUnits));
    let regions = texts(&[&["PO", "PO"], &["PO", "PO"]]);
    let problem = RowProblem::UnitList { found: 2, expected: 3 };
    assert_row(error_of("cluster_regions", Some(regions)), (0, "cluster_regions", problem));
    let eid: ArrayRef = Arc::new(StringArray::from(vec!["example", "other"]));
    let problem = RowProblem::OtherValue { found: "other".into(), expected: "example".into() };
    assert_row(error_of("eid", Some(eid)), (1, "eid", problem));
    let sizes: ArrayRef = Arc::new(Float64Array::from(vec![0.05, 0.05]));
    let problem = RowProblem::OtherValue { found: "0.05".into(), expected: "0.02".into() };
    assert_row(error_of("binsize", Some(sizes)), (0, "binsize", problem));
    let wheel = integers(&[&[4, 5], &[6]]);
    match error_of("wheel-speed", Some(wheel)) {
        DataError::Row { row: 1, column, problem: RowProblem::Length { found: 1, .. }, .. } => {
            assert_eq!(column, "wheel-speed");
        }
        other => panic!("{other}"),
    }
}

#[test]
fn names_that_would_speak_to_a_terminal_are_written_out() {
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "val", "test"] {
        let mut columns = columns();
        let eid = "a\u{1b}[2J\nb\u{202e}c";
        columns[6].1 = Arc::new(StringArray::from(vec![eid; 2]));
        let regions = ["PO\r", "PO", "CA1\u{9b}31m"];
        columns[8].1 = texts(&[&regions, &regions]);
        write_file(&folder.path().join(format!("{split}.parquet")), columns);
    }
    let session = Session::read(folder.path()).unwrap();
    assert_eq!(session.eid(), r"a\u{1b}[2J\nb\u{202e}c");
    assert_eq!(session.regions(), [r"CA1\u{9b}31m", "PO", r"PO\r"]);
    let header = neuroglot_data::SessionHeader::read(folder.path()).unwrap();
    assert_eq!(header.eid, session.eid());
    // Written and read again, it is the same session.
    session.write(folder.path().join("again"), false).unwrap();
    assert_eq!(Session::read(folder.path().join("again")).unwrap(), session);
}

#[test]
fn every_row_must_say_the_same_of_the_units() {
    let regions = texts(&[&["PO", "PO", "CA1"], &["PO", "CA1", "PO"]]);
    assert_row(error_of("cluster_regions", Some(regions)), (1, "cluster_regions", RowProblem::OtherUnits));
    let regions = texts(&[&["PO", "PO", "CA1"], &["PO", "PO"]]);
    let problem = RowProblem::UnitList { found: 2, expected: 3 };
    assert_row(error_of("cluster_regions", Some(regions)), (1, "cluster_regions", problem));
    for column in ["cluster_depths", "cluster_channels", "good_clusters"] {
        let differs = integers(&[&[1, 2, 3], &[1, 2, 4]]);
        assert_row(error_of(column, Some(differs)), (1, column, RowProblem::OtherUnits));
        let short = integers(&[&[1, 2, 3], &[1, 2]]);
        let problem = RowProblem::UnitList { found: 2, expected: 3 };
        assert_row(error_of(column, Some(short)), (1, column, problem));
    }
    let uuids = texts(&[&["a", "b", "c"], &["c", "b", "a"]]);
    assert_row(error_of("cluster_uuids", Some(uuids)), (1, "cluster_uuids", RowProblem::OtherUnits));
}

/// A list of nulls per row, as Arrow has it: the values have the type null.
fn nulls(lengths: &[usize]) -> ArrayRef {
    let mut lists = ListBuilder::new(NullBuilder::new());
    for &length in lengths {
        lists.values().append_nulls(length);
        lists.append(true);
    }
    Arc::new(lists.finish())
}

#[test]
fn columns_of_the_type_null_are_absent() {
    let null: ArrayRef = Arc::new(NullArray::new(2));
    for column in ["choice", "wheel-speed", "cluster_depths", "cluster_uuids", "subject", "notes"] {
        let (folder, _) = with_changed(column, Some(null.clone()));
        let session = Session::read(folder.path()).unwrap();
        assert_eq!((session.trials(), session.units()[0].depth), (6, None), "{column}");
        // The other files still have the behaviours.
        assert_eq!(session.behaviours().len(), 2, "{column}");
    }
    for column in ["eid", "spikes_sparse_data", "cluster_regions"] {
        assert!(matches!(error_of(column, Some(null.clone())), DataError::MissingColumn { .. }), "{column}");
    }
    for (column, lengths) in
        [("wheel-speed", [2, 2]), ("cluster_depths", [3, 3]), ("simulated_rates", [6, 6])]
    {
        let (folder, _) = with_changed(column, Some(nulls(&lengths)));
        let session = Session::read(folder.path()).unwrap();
        assert_eq!((session.units()[0].depth, session.has_true_rates()), (None, false), "{column}");
    }
    // A file in which no unit fires.
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "val", "test"] {
        let mut columns = columns();
        if split == "val" {
            columns[0].1 = nulls(&[0, 0]);
            columns[1].1 = nulls(&[0, 0]);
            columns[2].1 = integers(&[&[0, 0, 0], &[0, 0, 0]]);
        }
        write_file(&folder.path().join(format!("{split}.parquet")), columns);
    }
    let session = Session::read(folder.path()).unwrap();
    assert_eq!((session.entries(2).count(), session.entries(4).count()), (0, 2));
    // Regions that are null are void, in every file.
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "val", "test"] {
        let mut columns = columns();
        columns.retain(|(name, _)| *name != "cluster_regions");
        columns.push(("cluster_regions", nulls(&[3, 3])));
        write_file(&folder.path().join(format!("{split}.parquet")), columns);
    }
    assert_eq!(Session::read(folder.path()).unwrap().regions(), ["void"]);
    assert!(matches!(
        error_of("spikes_sparse_data", Some(nulls(&[2, 1]))),
        DataError::Row { row: 0, problem: RowProblem::Null, .. }
    ));
}

#[test]
fn a_session_without_spikes_or_files_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "val", "test"] {
        let mut columns = columns();
        columns[0].1 = integers(&[&[], &[]]);
        columns[1].1 = integers(&[&[], &[]]);
        columns[2].1 = integers(&[&[0, 0, 0], &[0, 0, 0]]);
        write_file(&folder.path().join(format!("{split}.parquet")), columns);
    }
    assert!(matches!(Session::read(folder.path()), Err(DataError::NoSpikes { trials: 6, .. })));
    fs::remove_file(folder.path().join("val.parquet")).unwrap();
    let missing = Session::read(folder.path()).unwrap_err().to_string();
    assert!(missing.contains("the validation split is missing"), "{missing}");
    let nowhere = Session::read(folder.path().join("nowhere")).unwrap_err().to_string();
    assert!(nowhere.contains("nowhere: expected data/train-*.parquet"), "{nowhere}");
    fs::write(folder.path().join("val.parquet"), "not Parquet").unwrap();
    assert!(matches!(Session::read(folder.path()), Err(DataError::Corrupt { .. })));
}

/// Reads the session again and again with its file damaged in every way of `damages`; returns how often that failed.
fn read_damaged(folder: &Path, file: &Path, damages: impl Iterator<Item = Vec<u8>>) -> usize {
    let mut errors = 0;
    for damaged in damages {
        fs::write(file, damaged).unwrap();
        errors += usize::from(Session::read(folder).is_err());
    }
    errors
}

fn flipped(bytes: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len()).step_by(step).map(move |at| {
        let mut damaged = bytes.to_vec();
        damaged[at] ^= 1 << (at / step % 8);
        damaged
    })
}

fn truncated(bytes: &[u8], step: usize) -> impl Iterator<Item = Vec<u8>> + '_ {
    (0..bytes.len()).step_by(step).map(|length| bytes[..length].to_vec())
}

fn small_session(folder: &Path) -> PathBuf {
    let config = SimulatorConfig { sessions: 1, units: 6, trials: 12, bins: 5, ..SimulatorConfig::default() };
    config.simulate().unwrap()[0].write(folder, false).unwrap();
    folder.join("data/train-00000-of-00001.parquet")
}

#[test]
fn a_damaged_parquet_file_is_an_error_or_valid() {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session");
    let file = small_session(&session);
    let bytes = fs::read(&file).unwrap();
    assert_eq!(read_damaged(&session, &file, truncated(&bytes, 61)), bytes.len().div_ceil(61));
    assert!(read_damaged(&session, &file, flipped(&bytes, 7)) > 100);
}

#[test]
fn a_damaged_arrow_stream_is_an_error_or_valid() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/saved_to_disk");
    let folder = tempfile::tempdir().unwrap();
    for split in ["train", "val", "test"] {
        fs::create_dir(folder.path().join(split)).unwrap();
        let file = format!("{split}/data-00000-of-00001.arrow");
        fs::copy(fixture.join(&file), folder.path().join(&file)).unwrap();
    }
    let file = folder.path().join("train/data-00000-of-00001.arrow");
    let bytes = fs::read(&file).unwrap();
    // The end mark is 8 bytes; without its last 4 the stream still has an end in the old format's sense.
    assert_eq!(
        read_damaged(folder.path(), &file, truncated(&bytes[..bytes.len() - 4], 13)),
        (bytes.len() - 4).div_ceil(13)
    );
    assert!(read_damaged(folder.path(), &file, flipped(&bytes, 3)) > 100);
    // A stream cut between two messages, before its end mark, would lose trials silently.
    assert_eq!(read_damaged(folder.path(), &file, std::iter::once(bytes[..bytes.len() - 8].to_vec())), 1);
}
