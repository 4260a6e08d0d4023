//! What every source has to stand. `battery!(setup)` makes one test of each.

use super::server::{Fault, Server};
use super::{TestClock, bytes, files};
use neuroglot_fetch::FetchError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// Length of the file that is downloaded, in bytes.
pub const LENGTH: usize = 700_000;

pub type Fetch = dyn Fn(&mut dyn FnMut(u64, Option<u64>)) -> Result<PathBuf, FetchError> + Send + Sync;

/// A source on loopback.
pub struct Bench {
    pub server: Server,
    pub folder: tempfile::TempDir,
    /// The path on the server that sends the file's bytes.
    pub path: &'static str,
    pub content: Vec<u8>,
    /// Other files that the source brings.
    pub others: Vec<Vec<u8>>,
    /// Downloads the file and says where it lies.
    pub fetch: Box<Fetch>,
    pub clock: Arc<TestClock>,
    /// Whether an index says what the file is, so that another version is an error.
    pub is_indexed: bool,
}

impl Bench {
    fn fetch(&self) -> Result<PathBuf, FetchError> {
        (self.fetch)(&mut |_, _| ())
    }

    fn starts(&self) -> Vec<usize> {
        self.server.starts(self.path)
    }

    /// Downloads under `faults`; the file must be right, and the requests must have asked for these first bytes.
    fn expect(&self, faults: impl IntoIterator<Item = Fault>, starts: &[usize]) {
        self.server.faults(self.path, faults);
        let file = self.fetch().unwrap();
        assert!(std::fs::read(&file).unwrap() == self.content, "{} is not what was sent", file.display());
        assert_eq!(self.starts(), starts);
        self.assert_tidy();
        assert!(self.parts().is_empty(), "{:?}", self.parts());
    }

    fn parts(&self) -> Vec<PathBuf> {
        files(self.folder.path())
            .into_iter()
            .filter(|path| path.extension().is_some_and(|e| e == "part"))
            .collect()
    }

    /// Every file that is neither a part, hidden, nor a reference of the hub's cache is whole. Returns how many are
    /// the file of this bench.
    fn assert_tidy(&self) -> usize {
        let mut count = 0;
        for path in files(self.folder.path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if name.starts_with('.') || name.ends_with(".part") || path.parent().unwrap().ends_with("refs") {
                continue;
            }
            let content = std::fs::read(&path).unwrap();
            assert!(
                content == self.content || self.others.contains(&content),
                "{} is half-written: {} bytes",
                path.display(),
                content.len()
            );
            count += usize::from(content == self.content);
        }
        count
    }
}

pub fn cut_connections_resume_where_they_stopped(bench: Bench) {
    let faults = [Fault::Cut(100_000), Fault::Cut(1), Fault::Cut(250_000)];
    bench.expect(faults, &[0, 100_000, 100_001, 350_001]);
}

pub fn progress_resets_the_count_of_attempts(bench: Bench) {
    // Five attempts without progress are allowed; here are ten, each with a little.
    let starts: Vec<usize> = (0..=10).map(|attempt| attempt * 1000).collect();
    bench.expect(vec![Fault::Cut(1000); 10], &starts);
    assert_eq!(bench.clock.waits(), [1; 10]);
}

pub fn a_busy_server_is_given_the_time_that_it_asks_for(bench: Bench) {
    let faults = [
        Fault::Cut(100_000),
        Fault::Status(429, Some("7")),
        Fault::Status(503, None),
        Fault::Status(502, Some("100000")),
    ];
    bench.expect(faults, &[0, 100_000, 100_000, 100_000, 100_000]);
    // Of our own accord 1, 2, 4, … s; 7 s asked for; at most 300 s.
    let waits = bench.clock.waits();
    assert!(waits == [1, 7, 4, 300] || waits == [1, 7, 2, 300], "{waits:?}");
}

pub fn a_length_that_says_too_much_is_not_believed(bench: Bench) {
    bench.expect([Fault::TooLong(10)], &[0, 0]);
}

pub fn a_length_that_says_too_little_is_not_believed(bench: Bench) {
    bench.expect([Fault::TooShort(10)], &[0, 0]);
}

pub fn wrong_lengths_of_a_part_resume(bench: Bench) {
    let faults = [Fault::Cut(100_000), Fault::TooShort(1000), Fault::TooLong(10)];
    bench.expect(faults, &[0, 100_000, LENGTH - 1000]);
}

pub fn a_server_that_ignores_ranges_starts_again(bench: Bench) {
    bench.server.faults(bench.path, [Fault::Cut(100_000), Fault::IgnoreRange]);
    let file = bench.fetch().unwrap();
    assert!(std::fs::read(file).unwrap() == bench.content);
    assert_eq!(bench.starts()[..2], [0, 100_000]);
    bench.assert_tidy();
}

pub fn another_range_than_asked_for_is_not_taken(bench: Bench) {
    bench.expect([Fault::Cut(100_000), Fault::WrongRange], &[0, 100_000, 100_000]);
}

pub fn another_range_again_and_again_is_an_error(bench: Bench) {
    bench.server.faults(bench.path, [vec![Fault::Cut(100_000)], vec![Fault::WrongRange; 9]].concat());
    let error = bench.fetch().unwrap_err();
    assert!(error.to_string().contains("sends another part of the file than was asked for"), "{error}");
    assert_eq!(bench.assert_tidy(), 0);
}

pub fn versions_are_never_mixed(bench: Bench) {
    let other = bytes(LENGTH, 99);
    versions(bench, Fault::Replace(other.clone()), &other);
}

pub fn a_version_that_slips_in_is_noticed(bench: Bench) {
    let other = bytes(LENGTH, 99);
    versions(bench, Fault::SlipIn(other.clone()), &other);
}

fn versions(bench: Bench, replacement: Fault, other: &[u8]) {
    bench.server.faults(bench.path, [Fault::Cut(100_000), replacement]);
    match bench.fetch() {
        Ok(file) => {
            assert!(!bench.is_indexed);
            assert!(std::fs::read(file).unwrap() == other);
        }
        Err(error) => {
            assert!(bench.is_indexed, "{error}");
            let is_noticed = matches!(error, FetchError::Digest { .. })
                || error.to_string().contains("has changed since it was listed");
            assert!(is_noticed, "{error}");
            assert_eq!(bench.assert_tidy(), 0);
        }
    }
}

pub fn a_failed_download_leaves_a_part_that_the_next_one_takes_up(bench: Bench) {
    bench.server.faults(bench.path, [vec![Fault::Cut(300_000)], vec![Fault::Status(503, None); 9]].concat());
    let error = bench.fetch().unwrap_err();
    assert!(matches!(error, FetchError::GaveUp { .. }), "{error}");
    assert!(error.to_string().contains("503") && error.to_string().contains("resumes it later"), "{error}");
    assert_eq!(bench.assert_tidy(), 0);
    assert_eq!(bench.parts().len(), 1);
    bench.server.forget();
    bench.expect([], &[300_000]);
}

pub fn a_part_of_another_version_is_not_taken_up(bench: Bench) {
    bench.server.faults(bench.path, [vec![Fault::Cut(300_000)], vec![Fault::Status(503, None); 9]].concat());
    bench.fetch().unwrap_err();
    bench.server.forget();
    let part = &bench.parts()[0];
    let name = part.file_stem().unwrap().to_str().unwrap();
    let record = part.with_file_name(format!(".{name}.fetch.json"));
    std::fs::write(&record, "{\"url\": \"of something else").unwrap();
    bench.expect([], &[0]);
}

pub fn a_killed_download_resumes(bench: Bench) {
    let died = catch_unwind(AssertUnwindSafe(|| {
        (bench.fetch)(&mut |_, _| {
            let length = bench.parts().first().map_or(0, |part| std::fs::metadata(part).unwrap().len());
            assert!(length < 200_000, "enough");
        })
    }));
    assert!(died.is_err());
    assert_eq!(bench.assert_tidy(), 0);
    let length = std::fs::metadata(&bench.parts()[0]).unwrap().len() as usize;
    assert!((200_000..LENGTH).contains(&length), "{length}");
    bench.server.forget();
    bench.expect([], &[length]);
}

pub fn what_is_there_is_not_fetched_again(bench: Bench) {
    bench.expect([], &[0]);
    bench.server.forget();
    bench.fetch().unwrap();
    let asked = bench.starts().len();
    // Without an index one request shows that the version is the same.
    assert_eq!(asked, usize::from(!bench.is_indexed));
}

pub fn two_at_once_do_not_disturb_each_other(bench: Bench) {
    bench.server.faults(bench.path, [Fault::Cut(100_000), Fault::Cut(100_000)]);
    std::thread::scope(|scope| {
        let both: Vec<_> = (0..2).map(|_| scope.spawn(|| bench.fetch().unwrap())).collect();
        for one in both {
            assert!(std::fs::read(one.join().unwrap()).unwrap() == bench.content);
        }
    });
    bench.assert_tidy();
    assert!(bench.parts().is_empty());
    if bench.is_indexed {
        assert_eq!(bench.starts(), [0, 100_000, 200_000]);
    }
}

pub fn refusals_say_what_to_do(bench: Bench) {
    bench.server.faults(bench.path, [Fault::Status(403, None)]);
    let error = bench.fetch().unwrap_err();
    assert!(matches!(error, FetchError::Denied { status: 403, .. }), "{error}");
    bench.server.faults(bench.path, [Fault::Status(404, None)]);
    let error = bench.fetch().unwrap_err();
    assert!(matches!(error, FetchError::NotFound { .. }), "{error}");
    assert_eq!(bench.assert_tidy(), 0);
    assert!(bench.parts().is_empty(), "an empty part stayed");
}

/// One test of each kind, or of those that are named.
#[macro_export]
macro_rules! battery {
    ($setup:path: $($name:ident),* $(,)?) => {
        $(#[test] fn $name() { common::battery::$name($setup()); })*
    };
    ($setup:path) => {
        $crate::battery!($setup:
            cut_connections_resume_where_they_stopped,
            progress_resets_the_count_of_attempts,
            a_busy_server_is_given_the_time_that_it_asks_for,
            a_length_that_says_too_much_is_not_believed,
            a_length_that_says_too_little_is_not_believed,
            wrong_lengths_of_a_part_resume,
            a_server_that_ignores_ranges_starts_again,
            another_range_than_asked_for_is_not_taken,
            another_range_again_and_again_is_an_error,
            versions_are_never_mixed,
            a_version_that_slips_in_is_noticed,
            a_failed_download_leaves_a_part_that_the_next_one_takes_up,
            a_part_of_another_version_is_not_taken_up,
            a_killed_download_resumes,
            what_is_there_is_not_fetched_again,
            two_at_once_do_not_disturb_each_other,
            refusals_say_what_to_do,
        );
    };
}
