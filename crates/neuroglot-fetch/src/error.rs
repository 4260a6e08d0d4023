//! What can go wrong between here and a server.

use std::path::PathBuf;
use std::time::Duration;

/// A file cannot be listed or downloaded.
///
/// Each message names the address or the file, and the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The operating system refused an operation on a file or folder.
    #[error(transparent)]
    Io(#[from] neuroglot_files::IoError),
    /// An identifier or an address that was given is not of the expected form.
    #[error("{text:?} is not {expected}")]
    Name {
        /// What was given.
        text: String,
        /// The form that is expected, with an example.
        expected: &'static str,
    },
    /// A pattern of paths cannot be read.
    #[error("the pattern {pattern:?} is not valid: {problem}; * stands for any text, ? for one character")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// What is wrong with it.
        problem: String,
    },
    /// The server asks who we are, or refuses us.
    #[error("{url} answers {status}: {cure}")]
    Denied {
        /// The address.
        url: String,
        /// The status, 401 or 403.
        status: u16,
        /// How one gets access to this source.
        cure: String,
    },
    /// There is nothing at the address.
    #[error(
        "{url} does not exist (the server answers {status}): check the identifier, the version and the path"
    )]
    NotFound {
        /// The address.
        url: String,
        /// The status, 404 or 410.
        status: u16,
    },
    /// Another status than those that are understood.
    #[error("{url} answers {status}: {cure}")]
    Status {
        /// The address.
        url: String,
        /// The status, such as 301 where a bucket lies in another region.
        status: u16,
        /// What to try.
        cure: &'static str,
    },
    /// The server could not be reached at all.
    #[error("cannot reach {url}: {problem}; check the address and the network (HTTPS_PROXY is respected)")]
    Unreachable {
        /// The address.
        url: String,
        /// What went wrong.
        problem: String,
    },
    /// The server failed again and again without a byte of progress.
    #[error(
        "gave up {url} after {attempts} attempts without progress: {problem}; the same command resumes it later"
    )]
    GaveUp {
        /// The address.
        url: String,
        /// Number of attempts since the last progress.
        attempts: u32,
        /// What the last attempt met.
        problem: String,
    },
    /// What is at the address is no file that can be brought here whole and unchanged.
    #[error("{url} {problem}")]
    Unusable {
        /// The address.
        url: String,
        /// What is wrong with it, and the cure.
        problem: String,
    },
    /// The file is longer or shorter than it was said to be.
    #[error(
        "{url} has {found} bytes, {said} were announced: list the files again, the one on the server may have changed"
    )]
    Length {
        /// The address.
        url: String,
        /// The length in bytes that the index or the server announced.
        said: u64,
        /// The length in bytes that the server sends, at least.
        found: u64,
    },
    /// The bytes are not those that the index announced.
    #[error(
        "{url} has SHA-256 {found}, the index says {said}: try again, and tell the archive if it stays so"
    )]
    Digest {
        /// The address.
        url: String,
        /// The digest in the index, in hexadecimal digits.
        said: String,
        /// The digest of what came.
        found: String,
    },
    /// A list of files cannot be understood.
    #[error("the answer of {url} cannot be read: {problem}; check the address of the service")]
    Index {
        /// The address.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// A file name in an index would lead out of the folder.
    #[error(
        "the index holds the path {path:?}, which {problem}: nothing was written for it; tell the archive"
    )]
    UnsafePath {
        /// The path as the index has it.
        path: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Nothing in the source is what was asked for.
    #[error("{place} holds no {wanted}: {cure}")]
    Nothing {
        /// The dandiset, repository or bucket.
        place: String,
        /// What was looked for.
        wanted: String,
        /// What to try.
        cure: String,
    },
    /// The hub cannot be reached, and the cache does not hold what is asked for.
    #[error(
        "{repository} is not complete in {cache}, and the hub cannot be asked ({problem}): connect once, or unset HF_HUB_OFFLINE"
    )]
    NotCached {
        /// The repository with its revision.
        repository: String,
        /// The cache's folder.
        cache: PathBuf,
        /// Why the hub was not asked.
        problem: String,
    },
}

impl FetchError {
    pub(crate) fn index(url: &(impl ToString + ?Sized), problem: impl ToString) -> FetchError {
        FetchError::Index { url: url.to_string(), problem: problem.to_string() }
    }

    pub(crate) fn unreachable(url: &(impl ToString + ?Sized), problem: impl ToString) -> FetchError {
        FetchError::Unreachable { url: url.to_string(), problem: problem.to_string() }
    }

    /// None of the things in a place, or none that matches `glob`, is what was asked for.
    pub(crate) fn nothing(place: String, thing: &str, glob: Option<&str>, cure: &str) -> FetchError {
        let wanted = glob.map_or(thing.to_string(), |glob| format!("{thing} that matches {glob:?}"));
        FetchError::Nothing { place, wanted, cure: cure.to_string() }
    }

    pub(crate) fn unusable(url: &str, problem: impl Into<String>) -> FetchError {
        FetchError::Unusable { url: url.to_owned(), problem: problem.into() }
    }

    pub(crate) fn status(url: &str, status: u16) -> FetchError {
        let cure = "open the address in a browser, or try again later";
        FetchError::Status { url: url.to_owned(), status, cure }
    }

    /// For an address that answers neither a length nor a digest, so that a cut could not be told from the end.
    pub(crate) fn no_length(url: &str) -> FetchError {
        FetchError::unusable(
            url,
            "tells no length, so that its end cannot be known: download the file by other means",
        )
    }

    /// Whether the server could not be asked at all, so that a cache may answer instead.
    pub(crate) fn is_offline(&self) -> bool {
        matches!(self, FetchError::Unreachable { .. } | FetchError::GaveUp { .. })
    }
}

/// Why one attempt failed.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Trying again may help.
    Transient {
        /// What happened, for the message of the last attempt.
        problem: String,
        /// How long the server asks to wait.
        retry_after: Option<Duration>,
    },
    /// The host has no address: only a transfer that has already been under way tries again.
    NoHost(String),
    /// The server says that the file has no such part; its length as the server knows it.
    RangeNotSatisfiable(Option<u64>),
    /// The answer is not what it should be; a few more attempts tell whether it stays so.
    Doubtful(FetchError),
    /// Trying again cannot help.
    Fatal(FetchError),
}

impl Refusal {
    pub fn transient(problem: String) -> Refusal {
        Refusal::Transient { problem, retry_after: None }
    }
}
