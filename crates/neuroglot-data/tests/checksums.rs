//! Bits that change after a file was written: no number changes unnoticed.

use neuroglot_data::{Session, SessionHeader, SimulatorConfig, visit_parquet};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A session of some thousand numbers, and one of its files.
fn written() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("session");
    let config =
        SimulatorConfig { sessions: 1, units: 8, trials: 30, bins: 12, ..SimulatorConfig::default() };
    config.simulate().unwrap()[0].write(&session, false).unwrap();
    let file = session.join("data/train-00000-of-00001.parquet");
    (folder, session, file)
}

/// Flips one bit after the other, some 2,000 evenly over `places`, and calls `check` each time.
fn flip_bits(file: &Path, places: std::ops::Range<usize>, mut check: impl FnMut(usize)) {
    let bytes = fs::read(file).unwrap();
    // An odd step, so that every place in a byte has its turn.
    let step = (places.len() * 8 / 2000) | 1;
    for bit in (places.start * 8..places.end * 8).step_by(step) {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(file, damaged).unwrap();
        check(bit);
    }
    fs::write(file, bytes).unwrap();
}

fn place_of(bytes: &[u8], text: &str) -> Option<usize> {
    bytes.windows(text.len()).rposition(|window| window == text.as_bytes())
}

#[test]
fn no_flipped_bit_changes_numbers_unnoticed() {
    let (_folder, session, file) = written();
    let original = Session::read(&session).unwrap();
    let length = fs::metadata(&file).unwrap().len() as usize;
    let (mut flips, mut unnoticed) = (0, Vec::new());
    flip_bits(&file, 0..length, |bit| {
        flips += 1;
        match Session::read(&session) {
            Ok(read) => {
                assert!(read == original, "bit {bit} changes the session unnoticed");
                unnoticed.push(bit / 8);
            }
            Err(error) => assert!(error.to_string().contains("train-00000"), "{error}"),
        }
    });
    assert!(flips >= 1900, "{flips}");
    // What passes are flips in the words that say that there is a checksum.
    assert!(unnoticed.len() < 40, "{unnoticed:?}");
    println!("{flips} bits flipped one at a time: {} left all as it was, no number changed", unnoticed.len());
}

#[test]
fn a_changed_byte_is_told_as_such() {
    let (_folder, session, file) = written();
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 4;
    fs::write(&file, bytes).unwrap();
    let message = Session::read(&session).unwrap_err().to_string();
    assert!(message.contains("checksum") && message.contains("copy or download it again"), "{message}");
}

/// Bytes of the first page of a column, after its header and before its end.
fn within_page(file: &Path, column: &str) -> std::ops::Range<usize> {
    let reader = SerializedFileReader::new(fs::File::open(file).unwrap()).unwrap();
    let group = &reader.metadata().row_groups()[0];
    let chunk = group.columns().iter().find(|chunk| chunk.column_path().parts()[0] == column).unwrap();
    let (start, length) = chunk.byte_range();
    (start + length / 4) as usize..(start + length / 2) as usize
}

#[test]
fn pages_have_checksums_of_their_own() {
    let (_folder, session, file) = written();
    let original = Session::read(&session).unwrap();
    // Without the checksum of the whole file, as if another writer had made it.
    let mut bytes = fs::read(&file).unwrap();
    let place = place_of(&bytes, "neuroglot version ").unwrap();
    bytes[place] = b'N';
    fs::write(&file, &bytes).unwrap();
    assert_eq!(Session::read(&session).unwrap(), original);
    flip_bits(&file, within_page(&file, "simulated_rates"), |bit| {
        let message = Session::read(&session).unwrap_err().to_string();
        assert!(message.contains("simulated_rates") && message.contains("checksum"), "bit {bit}: {message}");
    });
    // The header of a session is of a few rows, and checks the pages that it reads.
    let header = SessionHeader::read(&session).unwrap();
    flip_bits(&file, within_page(&file, "cluster_uuids"), |bit| match SessionHeader::read(&session) {
        Ok(read) => assert!(read == header, "bit {bit}"),
        Err(error) => assert!(error.to_string().contains("train-00000"), "{error}"),
    });
}

/// Reads with every page's checksum compared, writes the table again, and writes one with page checksums of its own.
const PYTHON: &str = r#"
import sys
try:
    import pyarrow.parquet as pq
except ImportError as error:
    print(f"no package: {error}")
    sys.exit(77)
ours, again, checked = sys.argv[1:]
table = pq.read_table(ours, page_checksum_verification=True)
print(table.num_rows, sum(len(row) for row in table["spikes_sparse_data"].to_pylist()))
pq.write_table(table.replace_schema_metadata(table.schema.metadata), again)
pq.write_table(table, checked, write_page_checksum=True)
damaged = bytearray(open(ours, "rb").read())
damaged[100] ^= 1
open(ours, "wb").write(damaged)
try:
    pq.read_table(ours, page_checksum_verification=True)
    print("taken")
except OSError as error:
    print("refused", "CRC" in str(error))
"#;

#[test]
fn python_checks_our_pages_and_we_check_pythons() {
    let (folder, session, file) = written();
    let python = std::env::var("NEUROGLOT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let [again, checked] = ["again.parquet", "checked.parquet"].map(|name| folder.path().join(name));
    let original = Session::read(&session).unwrap();
    let whole = fs::read(&file).unwrap();
    let run = Command::new(&python).arg("-c").arg(PYTHON).args([&file, &again, &checked]).output();
    let run = match run {
        Ok(run) => run,
        Err(error) => return eprintln!("skipped: {python} cannot be run ({error}); set NEUROGLOT_PYTHON"),
    };
    let printed = String::from_utf8_lossy(&run.stdout);
    if run.status.code() == Some(77) {
        return eprintln!("skipped: {python} has {printed}");
    }
    assert!(run.status.success(), "{printed}{}", String::from_utf8_lossy(&run.stderr));
    let trials = original.trials_in(neuroglot_data::Split::Train);
    let entries: usize = trials.iter().map(|trial| original.entries(*trial).count()).sum();
    assert_eq!(printed, format!("{} {entries}\nrefused True\n", trials.len()));
    // What Python writes of it has no checksum of ours, or its own for every page.
    for copy in [&again, &checked] {
        fs::copy(copy, &file).unwrap();
        assert_eq!(Session::read(&session).unwrap(), original);
    }
    let middle = fs::metadata(&checked).unwrap().len() as usize / 3;
    let (mut flips, mut refused) = (0, 0);
    flip_bits(&checked, middle..middle + 200, |_| {
        flips += 1;
        let read = visit_parquet(&checked, &|_| true, &mut |_| Ok(()));
        refused += usize::from(read.is_err_and(|error| error.to_string().contains("checksum")));
    });
    assert!(refused * 2 > flips, "{refused} of {flips}");
    fs::write(&file, whole).unwrap();
    assert_eq!(Session::read(&session).unwrap(), original);
}

#[cfg(target_os = "linux")]
#[test]
fn what_never_ends_is_no_session() {
    let (_folder, session, file) = written();
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    let message = Session::read(&session).unwrap_err().to_string();
    assert!(message.contains("it is a device, not a file"), "{message}");
}
