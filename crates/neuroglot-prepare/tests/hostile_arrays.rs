//! Damaged arrays are refused by name, without a panic and without memory that they only claim.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use neuroglot_prepare::{Asked, Content, SourceOptions, fuzzing, open_source};
use peak_alloc::PeakAlloc;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tempfile::TempDir;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Bytes that reading a fixture may take, damaged or not. All of them together are 80 kB.
const MOST: usize = 16 << 20;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/arrays")
}

/// Calls `read` and checks how much memory it takes on its way.
fn frugally<T>(what: &str, read: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let result = read();
    let taken = MEMORY.peak_usage().saturating_sub(before);
    assert!(taken <= MOST, "{what} took {taken} bytes");
    result
}

/// All that is read of a source, as text: equal for equal content, missing values included.
fn read(toml: &Path) -> Result<String, String> {
    let content = open_source(toml, &SourceOptions::default()).and_then(|source| source.read(Asked::ALL));
    match content.map_err(|error| error.to_string())? {
        Content::Recording(recording) => Ok(format!("{recording:?}")),
        Content::Binned(binned) => Ok(format!("{binned:?}")),
        Content::Session(session) => Ok(format!("{session:?}")),
    }
}

/// What a damage of a file may lead to.
#[derive(Clone, Copy, PartialEq)]
enum Damage {
    /// It is always noticed.
    Noticed,
    /// It is noticed, or does no harm.
    Harmless,
    /// There is no checksum: other values are read.
    Unnoticed,
}

/// Fixtures in a folder of their own, one of which is damaged in turn.
struct Victim {
    folder: TempDir,
    toml: PathBuf,
    file: PathBuf,
    name: &'static str,
    whole: Vec<u8>,
    content: String,
}

impl Victim {
    fn new(toml: &str, name: &'static str) -> Victim {
        let folder = TempDir::new().unwrap();
        for entry in fixtures().read_dir().unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
        }
        let (toml, file) = (folder.path().join(toml), folder.path().join(name));
        let (whole, content) = (std::fs::read(&file).unwrap(), read(&toml).unwrap());
        Victim { folder, toml, file, name, whole, content }
    }

    fn check(&self, bytes: &[u8], damage: Damage, what: &str) {
        let what = format!("{} {what}", self.name);
        std::fs::write(&self.file, bytes).unwrap();
        match frugally(&what, || read(&self.toml)) {
            Ok(_) if damage == Damage::Noticed => panic!("{what} is read"),
            Ok(content) => {
                assert!(damage == Damage::Unnoticed || content == self.content, "{what} reads otherwise");
            }
            Err(message) => {
                // A damaged description may lead to what is not there.
                let folder = self.folder.path().to_string_lossy();
                let named = if self.name.ends_with(".toml") { &folder } else { self.name };
                assert!(message.contains(named), "{what}: {message}");
            }
        }
    }

    /// Cuts the file off at every length, or `steps` of them.
    fn truncate(&self, damage: Damage) {
        let step = (self.whole.len() / 1500).max(1);
        for length in (0..self.whole.len()).rev().step_by(step) {
            self.check(&self.whole[..length], damage, &format!("of {length} bytes"));
        }
    }

    fn flip(&self, damage: Damage, times: usize, within: usize) {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for time in 0..times {
            let mut bytes = self.whole.clone();
            for _ in 0..1 + time % 3 {
                let bit = random.random_range(0..within.min(bytes.len()) * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            self.check(&bytes, damage, &format!("with flips of draw {time}"));
        }
    }
}

/// One test, since memory is counted for the whole process.
#[test]
fn damaged_files_are_refused_by_name() {
    for (toml, name) in
        [("spikes.toml", "spike_times.npy"), ("spikes.toml", "uuids.npy"), ("counts.toml", "choice.npy")]
    {
        let victim = Victim::new(toml, name);
        victim.truncate(Damage::Noticed);
        victim.flip(Damage::Unnoticed, 2000, usize::MAX);
        victim.flip(Damage::Unnoticed, 1000, 128);
    }
    for (toml, name) in [
        ("spikes.toml", "trials.npz"),
        ("spikes.toml", "clusters.npz"),
        ("counts.toml", "counts.npz"),
        ("columns_first.toml", "counts.npz"),
    ] {
        let victim = Victim::new(toml, name);
        victim.truncate(Damage::Noticed);
        victim.flip(Damage::Harmless, 2000, usize::MAX);
    }
    for name in ["spikes.toml", "counts.toml"] {
        let victim = Victim::new(name, name);
        victim.truncate(Damage::Unnoticed);
        victim.flip(Damage::Unnoticed, 2000, usize::MAX);
    }
    bombs_are_not_unpacked();
    nesting_is_bounded();
}

/// An `.npy` file of zeros, or of any byte.
fn npy(descr: &str, shape: &str, bytes: usize, value: u8) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({shape}), }}\n");
    let mut file = b"\x93NUMPY\x01\x00".to_vec();
    file.extend((header.len() as u16).to_le_bytes());
    file.append(&mut std::mem::take(&mut header).into_bytes());
    file.resize(file.len() + bytes, value);
    file
}

fn npz(member: &[u8]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    writer.start_file("x.npy", options).unwrap();
    writer.write_all(member).unwrap();
    writer.finish().unwrap().into_inner()
}

fn bombs_are_not_unpacked() {
    let length = 1 << 27;
    let zeros = npz(&npy("|u1", "134217728,", length, 0));
    assert!(zeros.len() < 1 << 18);
    let message = frugally("zeros", || fuzzing::npz(&zeros, "x")).unwrap_err().to_string();
    assert!(message.contains("arrays.npz") && message.contains("many times what is stored"), "{message}");
    let texts = npz(&npy("|S1", "134217728,", length, b'a'));
    assert!(frugally("texts", || fuzzing::npz(&texts, "x")).unwrap_err().to_string().contains("many times"));

    // The header claims what is not there.
    let short = npz(&npy("<f8", "1000000000,", 100, 0));
    assert!(frugally("short", || fuzzing::npz(&short, "x")).unwrap_err().to_string().contains("promises"));
    for shape in ["18446744073709551615,", "4294967296, 4294967296, 4294967296", "0, 9223372036854775807, 9"]
    {
        let message = fuzzing::npy(&npy("<f8", shape, 0, 0)).unwrap_err().to_string();
        assert!(message.contains("array.npy") && message.contains("the header promises"), "{message}");
    }

    // Counts are read as they are unpacked, and what is kept of them is bounded too.
    let folder = TempDir::new().unwrap();
    let toml = folder.path().join("bomb.toml");
    std::fs::write(&toml, "eid = 'a'\n[counts]\nfile = 'bomb.npz:x'\nbin_seconds = 0.01\n").unwrap();
    for (shape, value, word) in [
        ("134217728, 1, 1", 0, "many times what is stored"),
        ("1, 134217728, 1", 0, "more than any recording has"),
        ("1, 1, 134217728", 0, "more than any recording has"),
        ("8, 256, 65536", 1, "many times what is stored"),
    ] {
        std::fs::write(folder.path().join("bomb.npz"), npz(&npy("|u1", shape, length, value))).unwrap();
        let before = MEMORY.current_usage();
        MEMORY.reset_peak_usage();
        let message = read(&toml).unwrap_err();
        assert!(message.contains("bomb.npz") && message.contains(word), "{shape}: {message}");
        let taken = MEMORY.peak_usage() - before;
        assert!(taken < 128 << 20, "{shape} took {taken} bytes");
    }
}

fn nesting_is_bounded() {
    let folder = TempDir::new().unwrap();
    let toml = folder.path().join("deep.toml");
    for text in [
        format!("x = {}", "[".repeat(30_000)),
        format!("x = {}{}", "[".repeat(30_000), "]".repeat(30_000)),
        format!("x{}", ".x".repeat(30_000)),
        format!("[{}x]", "x.".repeat(30_000)),
        format!("{}x = {{", "x = {".repeat(15_000)),
    ] {
        std::fs::write(&toml, &text).unwrap();
        let message = frugally("nested TOML", || read(&toml)).unwrap_err();
        assert!(message.contains("deep.toml"), "{message}");
    }
}
