//! The loop behind every download.

use crate::download::HttpSource;
use crate::error::Refusal;
use crate::record::{Files, Record, stamp};
use crate::{FetchError, Result};
use neuroglot_files::{FromIo, remove_leftovers};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// Attempts at an answer that is not what it should be.
const DOUBTS: u32 = 3;

/// Bytes that are read at once, and after which progress is told.
const BLOCK: usize = 128 << 10;

/// A server's answer.
pub(crate) struct Answer {
    /// Place in the file of the first byte of the body: what was asked for, or 0.
    pub from: u64,
    /// Length of the whole file in bytes, if the server tells.
    pub total: Option<u64>,
    /// The validator of this version.
    pub etag: Option<String>,
    /// Whether the end of the body is told apart from a cut, by a length or by chunks.
    pub has_end: bool,
    pub body: Box<dyn Read>,
}

/// One file on its way.
pub(crate) struct Transfer<'a> {
    pub source: &'a HttpSource<'a>,
    pub files: Files,
    /// What the index says of the file; the record of what comes must agree with it.
    pub wanted: Record,
    /// Whether the final name says which content the file has, so that no record need stay.
    pub named_by_content: bool,
}

/// What has come so far of a file, under a lock.
struct Part {
    file: File,
    length: u64,
    /// The version that the bytes belong to; none as long as nothing is known of it.
    record: Option<Record>,
    /// Most bytes that any attempt has brought.
    furthest: u64,
    /// Attempts in a row that brought nothing new.
    failures: u32,
}

impl Part {
    fn clear(&mut self, files: &Files) -> Result<()> {
        self.file.set_len(0).map_err(FetchError::io("empty", &files.part))?;
        self.length = 0;
        self.record = None;
        Ok(())
    }
}

impl Transfer<'_> {
    /// Brings the file to its final name, unless it is there already.
    pub fn run(self, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<()> {
        if self.is_recorded() {
            return Ok(());
        }
        let folder = self.files.target.parent().unwrap_or(Path::new(""));
        fs::create_dir_all(folder).map_err(FetchError::io("create", folder))?;
        remove_leftovers(folder);
        let file = self.files.lock_part()?;
        if self.is_recorded() || self.is_a_copy()? {
            return self.drop_part();
        }
        let mut part = self.take_up(file)?;
        match self.bring(&mut part, progress) {
            Ok(true) => self.finish(part),
            Ok(false) => self.drop_part(),
            Err(error) => {
                // What contradicts itself is not worth resuming, and an empty part is not worth keeping.
                if part.length == 0 || matches!(error, FetchError::Length { .. } | FetchError::Digest { .. })
                {
                    self.drop_part()?;
                }
                Err(error)
            }
        }
    }

    /// Whether the final file is the wanted one, as its record or its name says.
    fn is_recorded(&self) -> bool {
        if self.named_by_content {
            return self.wanted.size.is_some()
                && stamp(&self.files.target).map(|(length, _)| length) == self.wanted.size;
        }
        let known = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        self.files.intact().is_some_and(|record| {
            record.agrees_with(&self.wanted)
                && (known(&record.sha256, &self.wanted.sha256) || known(&record.etag, &self.wanted.etag))
        })
    }

    /// Whether the final file has the wanted digest, wherever it came from; if so this is recorded.
    fn is_a_copy(&self) -> Result<bool> {
        let target = &self.files.target;
        let (Some(wanted), Some((length, modified))) = (&self.wanted.sha256, stamp(target)) else {
            return Ok(false);
        };
        if self.wanted.size.is_some_and(|size| size != length) || digest(target)? != *wanted {
            return Ok(false);
        }
        let record = Record { size: Some(length), complete: Some(modified), ..self.wanted.clone() };
        self.files.write_record(&record)?;
        Ok(true)
    }

    /// Removes the part while its lock is held.
    fn drop_part(&self) -> Result<()> {
        if self.files.read_record().is_some_and(|record| record.complete.is_none()) {
            self.files.remove_record();
        }
        fs::remove_file(&self.files.part).map_err(FetchError::io("remove", &self.files.part))
    }

    /// Takes up what an earlier run left, if it belongs to the wanted version.
    fn take_up(&self, file: File) -> Result<Part> {
        let length = file.metadata().map_err(FetchError::io("inspect", &self.files.part))?.len();
        let record = self.files.read_record().filter(|record| {
            record.complete.is_none()
                && record.is_pinned()
                && record.agrees_with(&self.wanted)
                && record.size.is_none_or(|size| length <= size)
        });
        let mut part = Part { file, length, record, furthest: 0, failures: 0 };
        if part.record.is_none() || part.length == 0 {
            part.clear(&self.files)?;
        }
        part.furthest = part.length;
        Ok(part)
    }

    /// Attempts until the part is whole (true) or turns out not to be needed (false).
    fn bring(&self, part: &mut Part, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<bool> {
        let mut was_resumed = part.length > 0;
        let mut was_answered = false;
        let mut doubts = 0;
        loop {
            let refusal = match self.attempt(part, &mut was_answered, progress) {
                Ok(false) => return Ok(false),
                Ok(true) => match self.check(part) {
                    Ok(()) => return Ok(true),
                    // Without a validator a part may have been continued with another version's bytes.
                    Err(error @ FetchError::Digest { .. }) if was_resumed => {
                        part.clear(&self.files)?;
                        was_resumed = false;
                        Refusal::Doubtful(error)
                    }
                    Err(error) => return Err(error),
                },
                Err(refusal) => refusal,
            };
            let url = self.source.url;
            let (problem, asked) = match refusal {
                Refusal::Fatal(error) => return Err(error),
                Refusal::Doubtful(error) => {
                    doubts += 1;
                    if doubts >= DOUBTS {
                        return Err(error);
                    }
                    (error.to_string(), None)
                }
                Refusal::NoHost(problem) if !was_answered => {
                    return Err(FetchError::unreachable(url, problem));
                }
                Refusal::NoHost(problem) => (problem, None),
                Refusal::RangeNotSatisfiable(_) => {
                    part.clear(&self.files)?;
                    ("the server knows a shorter file".to_string(), None)
                }
                Refusal::Transient { problem, retry_after } => (problem, retry_after),
            };
            was_resumed |= part.length > 0;
            part.failures += 1;
            self.source.http.wait_or_give_up(url, part.failures, problem, asked)?;
        }
    }

    /// One request and its body; true if the part is whole, false if the final file already is this version.
    fn attempt(
        &self,
        part: &mut Part,
        was_answered: &mut bool,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> std::result::Result<bool, Refusal> {
        let url = self.source.url.to_string();
        if part.length > 0 && part.record.as_ref().and_then(|record| record.size) == Some(part.length) {
            return Ok(true);
        }
        // Where nothing would show that the file has changed, it is fetched from its start.
        if !part.record.as_ref().is_some_and(Record::is_pinned) {
            part.clear(&self.files).map_err(Refusal::Fatal)?;
        }
        let etag = part.record.as_ref().and_then(Record::strong_etag).map(str::to_string);
        let answer = match self.source.open(part.length, etag.as_deref().filter(|_| part.length > 0)) {
            Err(Refusal::RangeNotSatisfiable(Some(length))) if length == part.length => {
                part.record.get_or_insert_default().size = Some(length);
                return Ok(true);
            }
            other => other?,
        };
        *was_answered = true;
        let seen = Record { url: url.clone(), etag: answer.etag, size: answer.total, ..Record::default() };
        self.compare(&seen)?;
        let fatal = Refusal::Fatal;
        if answer.from == 0 {
            if self.files.intact().is_some_and(|record| {
                record.agrees_with(&self.wanted)
                    && record.size == seen.size
                    && record.etag == seen.etag
                    && seen.strong_etag().is_some()
            }) {
                return Ok(false);
            }
            part.clear(&self.files).map_err(fatal)?;
            let record =
                Record { size: seen.size.or(self.wanted.size), sha256: self.wanted.sha256.clone(), ..seen };
            // First the record, then the bytes: a part is never older than what is said of it.
            self.files.write_record(&record).map_err(fatal)?;
            part.record = Some(record);
        } else if !part.record.as_ref().is_some_and(|record| record.agrees_with(&seen)) {
            part.clear(&self.files).map_err(fatal)?;
            return Err(Refusal::transient("the file changed on the server".to_string()));
        }
        let total = part.record.as_ref().and_then(|record| record.size);
        if total.is_none() && !answer.has_end {
            return Err(fatal(FetchError::no_length(self.source.url)));
        }
        self.copy(part, answer.body, total, progress)?;
        match total {
            Some(total) if part.length < total => {
                let length = part.length;
                Err(Refusal::transient(format!("the connection was cut after {length} of {total} bytes")))
            }
            _ => {
                part.record.get_or_insert_default().size = Some(part.length);
                Ok(true)
            }
        }
    }

    /// Compares what the server says with what the index said.
    fn compare(&self, seen: &Record) -> std::result::Result<(), Refusal> {
        match (self.wanted.size, seen.size) {
            (Some(said), Some(found)) if said != found => {
                let url = self.source.url.to_string();
                return Err(Refusal::Doubtful(FetchError::Length { url, said, found }));
            }
            _ => {}
        }
        match (&self.wanted.etag, &seen.etag) {
            (Some(said), Some(found)) if said != found => {
                let problem = "has changed since it was listed: run the command again";
                Err(Refusal::Fatal(FetchError::unusable(self.source.url, problem)))
            }
            _ => Ok(()),
        }
    }

    /// Appends the body to the part.
    fn copy(
        &self,
        part: &mut Part,
        mut body: Box<dyn Read>,
        total: Option<u64>,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> std::result::Result<(), Refusal> {
        let write_failed = |error| Refusal::Fatal(FetchError::io("write", &self.files.part)(error));
        part.file.seek(SeekFrom::Start(part.length)).map_err(write_failed)?;
        let mut block = vec![0; BLOCK];
        loop {
            let count = match body.read(&mut block) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    let length = part.length;
                    let problem = format!("the connection was cut after {length} bytes: {error}");
                    return Err(Refusal::transient(problem));
                }
            };
            let length = part.length + count as u64;
            if let Some(said) = total.filter(|total| length > *total) {
                part.clear(&self.files).map_err(Refusal::Fatal)?;
                let url = self.source.url.to_string();
                return Err(Refusal::Doubtful(FetchError::Length { url, said, found: length }));
            }
            part.file.write_all(&block[..count]).map_err(write_failed)?;
            part.length = length;
            if length > part.furthest {
                part.furthest = length;
                part.failures = 0;
            }
            progress(length, total);
        }
    }

    /// Compares the whole part with what the index says of it.
    fn check(&self, part: &Part) -> Result<()> {
        let url = || self.source.url.to_string();
        if let Some(said) = self.wanted.size.filter(|said| *said != part.length) {
            return Err(FetchError::Length { url: url(), said, found: part.length });
        }
        let Some(said) = &self.wanted.sha256 else { return Ok(()) };
        let found = digest(&self.files.part)?;
        if &found == said {
            return Ok(());
        }
        Err(FetchError::Digest { url: url(), said: said.clone(), found })
    }

    /// Gives the whole part its final name.
    fn finish(&self, part: Part) -> Result<()> {
        let target = &self.files.target;
        part.file.sync_all().map_err(FetchError::io("write", &self.files.part))?;
        // Elsewhere than on Unix an open file cannot be renamed.
        #[cfg(not(unix))]
        drop(part.file);
        fs::rename(&self.files.part, target).map_err(FetchError::io("write", target))?;
        // The file is there, whether its name would outlive a loss of power or not.
        let _ = neuroglot_files::sync_folder(target.parent().unwrap_or(Path::new("")));
        if self.named_by_content {
            self.files.remove_record();
        } else if let (Some(record), Some((_, modified))) = (part.record, stamp(target)) {
            self.files.write_record(&Record { complete: Some(modified), ..record })?;
        }
        Ok(())
    }
}

/// The SHA-256 of a file, in hexadecimal digits.
fn digest(path: &Path) -> Result<String> {
    neuroglot_files::sha256(path).map_err(FetchError::io("read", path))
}
