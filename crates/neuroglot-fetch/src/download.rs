//! One file by its address.

use crate::error::Refusal;
use crate::http::{Http, check_status, get, header_text};
use crate::record::{Files, Record};
use crate::retry::RetryPolicy;
use crate::transfer::{Answer, Transfer};
use crate::{Clock, FetchError, Result};
use std::path::Path;
use std::sync::Arc;
use ureq::http::{StatusCode, header};

/// Fetches files over HTTP; cheap to clone, as clones share their connections.
///
/// ```no_run
/// # fn main() -> neuroglot_fetch::Result<()> {
/// use neuroglot_fetch::{Downloader, Expected};
/// let url = "https://example.org/session.nwb";
/// Downloader::default().download(url, "session.nwb".as_ref(), &Expected::default(), &mut |done, total| {
///     eprintln!("{done} of {total:?} bytes");
/// })?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, Default)]
pub struct Downloader {
    pub(crate) http: Http,
}

/// What an index says of a file.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Expected {
    /// Length in bytes.
    pub size: Option<u64>,
    /// SHA-256 in lower-case hexadecimal digits.
    pub sha256: Option<String>,
}

impl Downloader {
    /// A downloader with another patience and another clock.
    pub fn with_patience(policy: RetryPolicy, clock: Arc<dyn Clock>) -> Downloader {
        Downloader { http: Http::new(policy, clock) }
    }

    /// Downloads the file at `url` to `target`; `progress` is told the bytes so far and the length, if known.
    ///
    /// Bytes land in `<target>.part`, and `.<name>.fetch.json` says which version they belong to; an interrupted
    /// download goes on from there. A file that is there already, as the record or its SHA-256 shows, is not fetched
    /// again. Two processes may download the same file: the second one waits.
    ///
    /// # Errors
    ///
    /// If the server refuses, gives up after [`RetryPolicy::attempts`], sends other bytes than announced, or if the
    /// disk cannot be written. `target` is then what it was before.
    pub fn download(
        &self,
        url: &str,
        target: &Path,
        expected: &Expected,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<()> {
        let access = "the file is not public, or the address is wrong";
        let source = HttpSource { http: &self.http, url, authorization: None, access };
        self.fetch(&source, target, expected, false, progress)
    }

    pub(crate) fn fetch(
        &self,
        source: &HttpSource,
        target: &Path,
        expected: &Expected,
        named_by_content: bool,
        progress: &mut dyn FnMut(u64, Option<u64>),
    ) -> Result<()> {
        let wanted = Record {
            url: source.url.to_string(),
            size: expected.size,
            sha256: expected.sha256.as_ref().map(|digits| digits.to_ascii_lowercase()),
            ..Record::default()
        };
        Transfer { source, files: Files::new(target)?, wanted, named_by_content }.run(progress)
    }
}

/// A file at an address.
pub(crate) struct HttpSource<'a> {
    pub http: &'a Http,
    pub url: &'a str,
    /// Value of the `Authorization` header; redirections to another scheme, host or port do not get it.
    pub authorization: Option<String>,
    /// How one gets access.
    pub access: &'a str,
}

impl HttpSource<'_> {
    /// Asks for the bytes from `from` on, of the version with the validator `etag` only.
    pub fn open(&self, from: u64, etag: Option<&str>) -> std::result::Result<Answer, Refusal> {
        let mut request = get(self.url, self.authorization.as_deref()).map_err(Refusal::Fatal)?;
        if from > 0 {
            let headers = request.headers_mut();
            headers.insert(header::RANGE, format!("bytes={from}-").parse().expect("digits make a header"));
            if let Some(etag) = etag.and_then(|etag| etag.parse().ok()) {
                headers.insert(header::IF_RANGE, etag);
            }
        }
        let response = self.http.once(request)?;
        let status = response.status();
        let wrong_range = |told: &str| {
            let problem = format!(
                "sends another part of the file than was asked for ({told}): a proxy may stand between; download the \
                 file by other means"
            );
            Refusal::Doubtful(FetchError::unusable(self.url, problem))
        };
        let total = match status {
            StatusCode::RANGE_NOT_SATISFIABLE if from > 0 => {
                let length = header_text(&response, header::CONTENT_RANGE)
                    .and_then(|range| range.strip_prefix("bytes */")?.parse().ok());
                return Err(Refusal::RangeNotSatisfiable(length));
            }
            StatusCode::PARTIAL_CONTENT if from > 0 => {
                let said = header_text(&response, header::CONTENT_RANGE).unwrap_or("no Content-Range");
                let Some((first, total)) = content_range(said).filter(|(first, _)| *first == from) else {
                    return Err(wrong_range(&format!("asked for bytes from {from} on, got {said}")));
                };
                debug_assert_eq!(first, from);
                total
            }
            StatusCode::PARTIAL_CONTENT => {
                return Err(wrong_range("asked for the whole file, got a part"));
            }
            StatusCode::OK => {
                header_text(&response, header::CONTENT_LENGTH).and_then(|length| length.parse().ok())
            }
            _ => {
                check_status(self.url, status, self.access).map_err(Refusal::Fatal)?;
                return Err(Refusal::Fatal(FetchError::status(self.url, status.as_u16())));
            }
        };
        let is_chunked = header_text(&response, header::TRANSFER_ENCODING).is_some();
        let etag = header_text(&response, header::ETAG).map(str::to_string);
        Ok(Answer {
            from: if status == StatusCode::PARTIAL_CONTENT { from } else { 0 },
            total,
            etag,
            has_end: total.is_some() || is_chunked,
            body: Box::new(response.into_body().into_reader()),
        })
    }
}

/// First byte and length of the file in a `Content-Range` such as `bytes 5-9/10` or `bytes 5-9/*`.
fn content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    let total = if total == "*" { None } else { Some(total.parse().ok()?) };
    (first <= last && total.is_none_or(|total| last < total)).then_some((first, total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_ranges_are_read_or_refused() {
        assert_eq!(content_range("bytes 5-9/10"), Some((5, Some(10))));
        assert_eq!(content_range("bytes 5-9/*"), Some((5, None)));
        for bad in ["bytes 5-9", "5-9/10", "bytes 9-5/10", "bytes 5-10/10", "bytes -9/10", "bytes */10", ""] {
            assert_eq!(content_range(bad), None, "{bad}");
        }
    }
}
