//! Each reader on any bytes: it gives a value or an error that names the file, and never panics.
//!
//! The fuzz targets and the test of the corpus (`crates/neuroglot-prepare/tests/corpus.rs`) call the same functions.

use std::cell::OnceCell;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use neuroglot_data::{Session, SessionHeader};
use neuroglot_prepare::{
    Asked, NwbOptions, NwbSource, PROVENANCE_FILE, Preparation, Provenance, TemporaldataOptions,
    TemporaldataSource, TrialRule, fuzzing,
};
use neuroglot_regions::Annotation;
use tempfile::TempDir;

/// A reader that takes any bytes.
pub type Reader = fn(&[u8]);

/// The readers, by the names of their targets and of their folders in the corpus.
pub const READERS: [(&str, Reader); 11] = [
    ("aligned", aligned),
    ("alf", alf),
    ("annotation", annotation),
    ("arrays", arrays),
    ("npy", npy),
    ("npz", npz),
    ("nwb", nwb),
    ("provenance", provenance),
    ("rule", rule),
    ("table", table),
    ("temporaldata", temporaldata),
];

/// A session's folder with the bytes as the file of each split: an Arrow stream, or Parquet where they begin so.
pub fn aligned(bytes: &[u8]) {
    let extension = if bytes.starts_with(b"PAR1") { "parquet" } else { "arrow" };
    in_folder(|folder| {
        for split in ["train", "val", "test"] {
            let file = match extension {
                "parquet" => folder.join(format!("{split}.parquet")),
                _ => folder.join(split).join("data-00000-of-00001.arrow"),
            };
            write(&file, bytes);
        }
        names(Session::read(folder), folder);
        names(SessionHeader::read(folder), folder);
        for split in ["train", "val", "test"] {
            let _ = std::fs::remove_file(folder.join(format!("{split}.parquet")));
            let _ = std::fs::remove_dir_all(folder.join(split));
        }
    });
}

/// Files that [`alf`] lays over the fixture, by the number that stands before them.
const ALF_FILES: [&str; 16] = [
    "alf/probe00/iblsorter/spikes.times.npy",
    "alf/probe00/iblsorter/spikes.clusters.npy",
    "alf/probe00/iblsorter/clusters.channels.npy",
    "alf/probe00/iblsorter/clusters.uuids.csv",
    "alf/probe00/iblsorter/clusters.metrics.pqt",
    "alf/probe00/iblsorter/clusters.depths.npy",
    "alf/probe00/iblsorter/channels.brainLocationIds_ccf_2017.npy",
    "alf/probe00/iblsorter/channels.mlapdv.npy",
    "alf/_ibl_trials.table.pqt",
    "alf/_ibl_wheel.timestamps.npy",
    "alf/_ibl_wheel.position.npy",
    "alf/_ibl_leftCamera.times.npy",
    "alf/leftCamera.ROIMotionEnergy.npy",
    "alf/_ibl_leftCamera.features.pqt",
    "alf/_ibl_leftCamera.dlc.pqt",
    "alf/licks.times.npy",
];

/// An IBL session folder, some files of which are replaced: a byte with the number of a file, two with its length, and
/// the file, again and again. A length of 65535 deletes the file.
pub fn alf(bytes: &[u8]) {
    thread_local!(static FOLDER: OnceCell<TempDir> = const { OnceCell::new() });
    FOLDER.with(|folder| {
        let fixture =
            root().join("crates/neuroglot-prepare/tests/fixtures/alf/lab/Subjects/NG_001/2024-03-01/001");
        let folder = folder.get_or_init(|| {
            let folder = temporary();
            copy_folder(&fixture, folder.path());
            // The wheel at 1 kHz takes longer than all the rest.
            for file in ["alf/_ibl_wheel.timestamps.npy", "alf/_ibl_wheel.position.npy"] {
                let _ = std::fs::remove_file(folder.path().join(file));
            }
            folder
        });
        let mut changed = Vec::new();
        let mut rest = bytes;
        while let Some(([number, low, high], after)) = rest.split_first_chunk::<3>() {
            let file = ALF_FILES[usize::from(*number) % ALF_FILES.len()];
            let length = u16::from_le_bytes([*low, *high]);
            let (content, after) = after.split_at(usize::from(length).min(after.len()));
            match length {
                u16::MAX => drop(std::fs::remove_file(folder.path().join(file))),
                _ => write(&folder.path().join(file), content),
            }
            changed.push(file);
            rest = after;
        }
        names(Preparation::default().assemble(folder.path()), folder.path());
        for file in changed {
            let (own, whole) = (folder.path().join(file), fixture.join(file));
            match whole.is_file() && !file.contains("wheel") {
                true => drop(std::fs::copy(whole, own).unwrap()),
                false => drop(std::fs::remove_file(own)),
            }
        }
    });
}

/// An annotation volume.
pub fn annotation(bytes: &[u8]) {
    in_folder(|folder| {
        let file = folder.join("annotation.nrrd");
        write(&file, bytes);
        let Some(volume) = names(Annotation::read(&file), &file) else { return };
        let extent = [0, 1, 2].map(|axis| volume.shape()[axis] as f64 * volume.spacing()[axis]);
        for part in [-0.1, 0.0, 0.3, 0.5, 0.99, 1.01, f64::NAN] {
            let id = volume.at(extent.map(|length| length * part));
            assert_eq!(id.is_some(), (0.0..1.0).contains(&part), "{part} of {extent:?}");
            let _ = volume.at_bregma([part * 1e-2, part * 1e-2, part * -1e-2]);
        }
    });
}

/// The description of plain arrays, beside the arrays of the fixture.
pub fn arrays(bytes: &[u8]) {
    thread_local!(static FOLDER: OnceCell<TempDir> = const { OnceCell::new() });
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| {
            let folder = temporary();
            copy_folder(&root().join("crates/neuroglot-prepare/tests/fixtures/arrays"), folder.path());
            folder
        });
        let file = folder.path().join("fuzzed.toml");
        write(&file, bytes);
        // The message may be about an array that the description names.
        if let Err(error) = Preparation::default().assemble(&file) {
            let message = error.to_string();
            let named = [".toml", ".npy", ".npz"].iter().any(|end| message.to_lowercase().contains(end));
            assert!(named, "{message}");
        }
    });
}

/// An `.npy` file.
pub fn npy(bytes: &[u8]) {
    names(fuzzing::npy(bytes), Path::new("array.npy"));
}

/// An `.npz` archive, of whose arrays `x` is read.
pub fn npz(bytes: &[u8]) {
    names(fuzzing::npz(bytes, "x"), Path::new("arrays.npz"));
}

/// An NWB file.
pub fn nwb(bytes: &[u8]) {
    let file = Path::new("fuzzed.nwb");
    // Also by coordinates of electrodes, in case the default ended early.
    for coordinates in [false, true] {
        let options = NwbOptions { coordinates, ..NwbOptions::default() };
        let source = NwbSource::from_bytes(file, bytes.to_vec(), &options);
        names(source.and_then(|source| source.recording(Asked::ALL)), file);
    }
}

/// `provenance.json`: what is read is written so that it reads the same.
pub fn provenance(bytes: &[u8]) {
    in_folder(|folder| {
        let file = folder.join(PROVENANCE_FILE);
        write(&file, bytes);
        let Some(Some(provenance)) = names(Provenance::read(folder), &file) else { return };
        write(&file, provenance.to_json().as_bytes());
        assert_eq!(Provenance::read(folder).unwrap(), Some(provenance));
    });
}

/// A rule of trials: what is understood is written so that it is understood the same.
pub fn rule(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match text.parse::<TrialRule>() {
        Ok(rule) => {
            let again: TrialRule = rule.to_string().parse().unwrap();
            // Not a number is not equal to itself.
            assert_eq!(format!("{again:?}"), format!("{rule:?}"), "{text:?}");
        }
        Err(message) => assert!(message.contains(text), "{message}"),
    }
}

/// A flat table in a Parquet file.
pub fn table(bytes: &[u8]) {
    in_folder(|folder| {
        let file = folder.join("table.pqt");
        write(&file, bytes);
        names(fuzzing::table(&file), &file);
    });
}

/// A temporaldata file.
pub fn temporaldata(bytes: &[u8]) {
    let file = Path::new("fuzzed.h5");
    let source = TemporaldataSource::from_bytes(file, bytes.to_vec(), &TemporaldataOptions::default());
    names(source.and_then(|source| source.recording(Asked::ALL)), file);
}

/// The value, or nothing and an error that names the file.
fn names<T>(result: Result<T, impl Display>, file: &Path) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            let message = error.to_string();
            assert!(message.contains(&*file.to_string_lossy()), "no {}: {message}", file.display());
            None
        }
    }
}

/// Calls `read` with a folder that is empty but for what it was left.
fn in_folder(read: impl FnOnce(&Path)) {
    thread_local!(static FOLDER: OnceCell<TempDir> = const { OnceCell::new() });
    FOLDER.with(|folder| read(folder.get_or_init(temporary).path()));
}

/// A new folder, in memory where there is such a place.
fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    match memory.is_dir() {
        true => tempfile::tempdir_in(memory).unwrap(),
        false => tempfile::tempdir().unwrap(),
    }
}

fn write(file: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, bytes).unwrap();
}

fn copy_folder(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in from.read_dir().unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

/// The repository.
pub fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().find(|folder| folder.join("fuzz/corpus").is_dir()).unwrap().to_owned()
}
