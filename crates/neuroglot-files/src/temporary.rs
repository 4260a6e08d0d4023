//! Temporary names: what they stand for, and who made them.
//!
//! `.<name>.<machine>-<pid>-<born>-<count>.<kind>`, all numbers hexadecimal. Earlier versions left `.<name>.new`,
//! `.<name>.old`, `.<name>.<random>.part` and `.writing-<random>`, which say nothing of their maker.

use crate::process::{Process, runs};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

/// What lies under a temporary name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A file that is being written.
    Part,
    /// A folder that is being written; or, where another lies in its place, the one that was replaced.
    New,
    /// A folder that was moved away for a new one.
    Old,
}

impl Kind {
    fn ending(self) -> &'static str {
        match self {
            Kind::Part => "part",
            Kind::New => "new",
            Kind::Old => "old",
        }
    }
}

/// Who made a temporary name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Maker {
    machine: u64,
    pid: u32,
    born: u64,
    count: u64,
}

/// What is known of a maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It runs on this machine.
    Runs,
    /// It ran on this machine, and does no more.
    Gone,
    /// It ran, or runs, elsewhere.
    Unknown,
}

impl Maker {
    fn this() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let me = Process::this();
        Self {
            machine: machine(),
            pid: me.pid,
            born: me.born.unwrap_or(0),
            count: COUNT.fetch_add(1, Ordering::Relaxed),
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split('-').map(|part| u64::from_str_radix(part, 16).ok());
        let mut next = || numbers.next().flatten();
        let (machine, pid, born, count) = (next()?, next()?, next()?, next()?);
        let pid = u32::try_from(pid).ok()?;
        numbers.next().is_none().then_some(Self { machine, pid, born, count })
    }

    pub fn state(&self) -> State {
        match self.machine == machine() {
            false => State::Unknown,
            true if runs(self.pid, (self.born > 0).then_some(self.born)) => State::Runs,
            true => State::Gone,
        }
    }
}

/// A number for the machine, its present run, and the processes that can be seen.
fn machine() -> u64 {
    static MACHINE: OnceLock<u64> = OnceLock::new();
    *MACHINE.get_or_init(|| {
        let me = Process::this();
        let name = if me.boot.is_empty() { &me.host } else { &me.boot };
        // FNV-1a: one that is the same in every build.
        let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        u64::from(name.bytes().chain(me.namespace.bytes()).fold(0x811c_9dc5, fold))
    })
}

/// What a temporary name says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Temporary {
    /// The name in whose place it is written; empty where it does not say.
    pub name: String,
    /// Who made it, if it says so.
    pub maker: Option<Maker>,
    pub kind: Kind,
}

impl Temporary {
    pub fn parse(file_name: &str) -> Option<Self> {
        if file_name.starts_with(".writing-") {
            return Some(Self { name: String::new(), maker: None, kind: Kind::New });
        }
        let (rest, ending) = file_name.strip_prefix('.')?.rsplit_once('.')?;
        let kind = [Kind::Part, Kind::New, Kind::Old].into_iter().find(|kind| kind.ending() == ending)?;
        let said = rest.rsplit_once('.').map(|(name, maker)| (name, maker, Maker::parse(maker)));
        match (said, kind) {
            (Some((name, _, Some(maker))), _) => {
                Some(Self { name: name.to_owned(), maker: Some(maker), kind })
            }
            (Some((name, random, None)), Kind::Part) if random.len() == 6 => {
                Some(Self { name: name.to_owned(), maker: None, kind })
            }
            (_, Kind::Part) => None,
            (_, Kind::New | Kind::Old) => Some(Self { name: rest.to_owned(), maker: None, kind }),
        }
    }

    pub fn state(&self) -> State {
        self.maker.map_or(State::Unknown, |maker| maker.state())
    }
}

/// Longest part of a file's name that its temporary one repeats, for the eyes of a person.
const SHOWN: usize = 64;

/// A name that nobody else has, beside `path`.
pub(crate) fn temporary(path: &Path, kind: Kind) -> PathBuf {
    let Maker { machine, pid, born, count } = Maker::this();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // The name of a folder is needed to put it back.
    let end = match kind {
        Kind::Part => name.char_indices().nth(SHOWN).map_or(name.len(), |(end, _)| end),
        Kind::New | Kind::Old => name.len(),
    };
    let (name, ending) = (&name[..end], kind.ending());
    path.with_file_name(format!(".{name}.{machine:x}-{pid:x}-{born:x}-{count:x}.{ending}"))
}

/// A name beside `path` that nobody else has, for a file that is then renamed to it. Should this process be killed before,
/// [`remove_leftovers`](crate::remove_leftovers) finds it.
pub fn temporary_beside(path: &Path) -> PathBuf {
    temporary(path, Kind::Part)
}

/// The name under which the old folder is kept while `new`, a temporary one, takes its place.
pub(crate) fn old_of(new: &Path) -> PathBuf {
    new.with_extension(Kind::Old.ending())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The temporary name that a process which has ended, or one elsewhere, would have given.
    pub(crate) fn left_by(process: &Process, name: &str, kind: Kind) -> String {
        let machine = if process.is_visible_to(Process::this()) { machine() } else { 1 };
        format!(".{name}.{machine:x}-{:x}-{:x}-0.{}", process.pid, process.born.unwrap_or(0), kind.ending())
    }

    #[test]
    fn a_temporary_name_says_what_it_stands_for_and_who_made_it() {
        for kind in [Kind::Part, Kind::New, Kind::Old] {
            let path = temporary(Path::new("out/a.b-c_aligned"), kind);
            let found = Temporary::parse(path.file_name().unwrap().to_str().unwrap()).unwrap();
            assert_eq!((found.name.as_str(), found.kind), ("a.b-c_aligned", kind));
            assert_eq!(found.state(), State::Runs);
            assert_ne!(path, temporary(Path::new("out/a.b-c_aligned"), kind));
        }
        let (gone, elsewhere) = crate::process::tests::gone_and_elsewhere();
        let state = |process| Temporary::parse(&left_by(process, "x", Kind::New)).unwrap().state();
        assert_eq!((state(&gone), state(&elsewhere)), (State::Gone, State::Unknown));
    }

    #[test]
    fn names_of_others_are_not_ours() {
        for name in
            [".hidden", "notes.part", ".notes.part", "run.json", ".x.y.part", "a.1-2-3-4.new", ".lock"]
        {
            assert_eq!(Temporary::parse(name), None, "{name}");
        }
        for name in [".last.new", ".last.old", ".writing-x1y2z3", ".run.json.a1b2c3.part"] {
            assert_eq!(Temporary::parse(name).unwrap().state(), State::Unknown, "{name}");
        }
    }

    #[test]
    fn long_names_have_temporary_ones_too() {
        let path = PathBuf::from("é".repeat(120));
        assert!(temporary(&path, Kind::Part).as_os_str().len() < 255);
        let session = PathBuf::from(format!("{}_aligned", "a".repeat(200)));
        assert!(temporary(&session, Kind::New).as_os_str().len() < 255);
    }
}
