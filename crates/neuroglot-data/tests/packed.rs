//! Files as pyarrow packs them (`fixtures/make_packed.py`): read, or refused by what they use.

use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use neuroglot_data::{DataError, Session, visit_parquet};

fn packed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/packed").join(name)
}

#[test]
fn every_codec_of_parquet_is_read() {
    for name in ["none", "snappy", "gzip", "brotli", "zstd", "lz4", "pages_2"] {
        let mut row = 0;
        let read = visit_parquet(packed(&format!("{name}.parquet")), &|_| true, &mut |batch| {
            let numbers = batch.column_by_name("number").unwrap().as_primitive::<Int64Type>();
            let halves = batch.column_by_name("half").unwrap().as_primitive::<Float64Type>();
            let names = batch.column_by_name("name").unwrap().as_string::<i32>();
            for at in 0..batch.num_rows() {
                assert_eq!(numbers.value(at), row * row, "{name}");
                let half = halves.iter().nth(at).unwrap();
                assert_eq!(half, (row % 7 != 0).then_some(row as f64 / 2.0), "{name}");
                assert_eq!(names.value(at), ["CA1", "DG", "VISp", "LP", "PO"][row as usize % 5], "{name}");
                row += 1;
            }
            Ok(())
        });
        read.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(row, 50, "{name}");
    }
}

#[test]
fn what_is_right_and_not_read_is_named() {
    let refused = |error: DataError, what: &str, cure: &str| {
        assert!(matches!(error, DataError::Unread { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains(what) && message.contains(cure), "{message}");
        assert!(!message.contains("corrupt"), "{message}");
    };
    let error = visit_parquet(packed("differences.parquet"), &|_| true, &mut |_| Ok(())).unwrap_err();
    refused(
        error,
        "differences.parquet uses texts stored as differences (DELTA_BYTE_ARRAY) in \"name\"",
        "write_table",
    );
    for (name, what) in
        [("file.arrow", "Arrow's format of files"), ("compressed.arrow", "compressed record batches")]
    {
        let folder = tempfile::tempdir().unwrap();
        for split in ["train", "val", "test"] {
            std::fs::create_dir(folder.path().join(split)).unwrap();
            std::fs::copy(packed(name), folder.path().join(split).join("data-00000-of-00001.arrow")).unwrap();
        }
        refused(Session::read(folder.path()).unwrap_err(), what, "new_stream");
    }
}
