//! One agent for every request, and requests of which only the answer's head or a small body matters.

use crate::error::Refusal;
use crate::retry::{RetryPolicy, retry_after};
use crate::{Clock, FetchError, Result, SystemClock};
use serde::de::DeserializeOwned;
use std::collections::HashSet;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::http::{Request, Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, AsSendBody, Body};
use url::Url;

/// Longest list of files in bytes that is read: the largest dandisets need a few MB a page.
const LONGEST_INDEX: u64 = 64 << 20;

/// Most pages of one list that are asked for, so that a list without an end is one that ends with an error.
const MOST_PAGES: usize = 2_000;

/// Most entries of one list that are kept: more files than any archive has in one place.
const MOST_ENTRIES: usize = 1_000_000;

/// Redirections that one request follows.
const MOST_REDIRECTS: usize = 10;

/// What is wrong with an address below which nothing can be.
pub(crate) const NO_SERVICE: &str = "it is no address of a service";

/// Connections, patience and time.
#[derive(Debug, Clone)]
pub(crate) struct Http {
    agent: Agent,
    pub policy: RetryPolicy,
    pub clock: Arc<dyn Clock>,
}

impl Http {
    pub fn new(policy: RetryPolicy, clock: Arc<dyn Clock>) -> Http {
        let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
        let agent = Agent::config_builder()
            .tls_config(tls)
            .user_agent(concat!("neuroglot/", env!("CARGO_PKG_VERSION")))
            // Compressed bodies would have neither the length nor the ranges of the file.
            .accept_encoding("identity")
            .http_status_as_error(false)
            // Redirections are followed here, by a stricter rule: see `redirect`.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_resolve(Some(policy.silence))
            .timeout_connect(Some(policy.silence))
            .timeout_recv_response(Some(policy.silence))
            .timeout_per_read(Some(policy.silence))
            .build()
            .new_agent();
        Http { agent, policy, clock }
    }

    /// One attempt, with the redirections that it meets. Statuses that may pass with time are refusals, all others are
    /// answers.
    pub fn once(&self, request: Request<()>) -> std::result::Result<Response<Body>, Refusal> {
        let mut request = request;
        for _ in 0..=MOST_REDIRECTS {
            let answer = self.direct(request.clone())?;
            if redirect(&mut request, &answer).map_err(Refusal::Fatal)? {
                drain(answer)
            } else {
                return Ok(answer);
            }
        }
        let problem = format!("it was sent on more than {MOST_REDIRECTS} times");
        Err(Refusal::Fatal(FetchError::unreachable(request.uri(), problem)))
    }

    /// The same without following redirections, which are answers like others.
    pub fn direct(&self, request: Request<impl AsSendBody>) -> std::result::Result<Response<Body>, Refusal> {
        let url = request.uri().to_string();
        let response = self.agent.run(request).map_err(|error| refusal(&url, error))?;
        let status = response.status();
        if matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504) {
            let asked = header_text(&response, header::RETRY_AFTER);
            return Err(Refusal::Transient {
                problem: format!("the server answers {status}"),
                retry_after: asked.and_then(|value| retry_after(value, self.clock.now())),
            });
        }
        Ok(response)
    }

    /// Attempts until there is an answer.
    pub fn patiently(&self, request: &Request<()>) -> Result<Response<Body>> {
        self.repeat(&request.uri().to_string(), || self.once(request.clone()))
    }

    /// The same, where a redirection is an answer like others.
    pub fn patiently_without_redirects(&self, request: &Request<()>) -> Result<Response<Body>> {
        self.repeat(&request.uri().to_string(), || self.direct(request.clone()))
    }

    /// The JSON at an address, with attempts until it is whole.
    pub fn json<T: DeserializeOwned>(
        &self,
        url: &str,
        authorization: Option<&str>,
        access: &str,
    ) -> Result<T> {
        let text = self.whole(&get(url, authorization)?, |status| check_status(url, status, access))?;
        serde_json::from_slice(&text).map_err(|error| FetchError::index(url, error))
    }

    /// The body of an answer whose status passes `check`, with attempts until it is whole.
    pub fn whole(&self, request: &Request<()>, check: impl Fn(StatusCode) -> Result<()>) -> Result<Vec<u8>> {
        self.repeat(&request.uri().to_string(), || {
            let response = self.once(request.clone())?;
            check(response.status()).map_err(Refusal::Fatal)?;
            let mut text = Vec::new();
            let mut body = response.into_body().into_with_config().limit(LONGEST_INDEX).reader();
            body.read_to_end(&mut text)
                .map_err(|error| Refusal::transient(format!("the answer was cut: {error}")))?;
            Ok(text)
        })
    }

    /// Attempts until one succeeds, or until it is known that none will.
    pub fn repeat<T>(
        &self,
        url: &str,
        mut attempt: impl FnMut() -> std::result::Result<T, Refusal>,
    ) -> Result<T> {
        let mut failures = 0;
        loop {
            let (problem, asked) = match attempt() {
                Ok(answer) => return Ok(answer),
                Err(Refusal::Fatal(error) | Refusal::Doubtful(error)) => return Err(error),
                Err(Refusal::NoHost(problem)) => {
                    return Err(FetchError::unreachable(url, problem));
                }
                Err(Refusal::Transient { problem, retry_after }) => (problem, retry_after),
                Err(Refusal::RangeNotSatisfiable(_)) => ("the server answers 416".to_string(), None),
            };
            failures += 1;
            self.wait_or_give_up(url, failures, problem, asked)?;
        }
    }

    /// Waits before the next attempt, or gives up after `failures` in a row without progress.
    pub fn wait_or_give_up(
        &self,
        url: &str,
        failures: u32,
        problem: String,
        asked: Option<Duration>,
    ) -> Result<()> {
        if failures >= self.policy.attempts {
            return Err(FetchError::GaveUp { url: url.to_string(), attempts: failures, problem });
        }
        self.clock.sleep(self.policy.wait(failures, asked));
        Ok(())
    }
}

impl Default for Http {
    fn default() -> Self {
        Http::new(RetryPolicy::default(), Arc::new(SystemClock))
    }
}

/// The pages of a list that were asked for.
#[derive(Debug, Default)]
pub(crate) struct Pages(HashSet<Url>);

impl Pages {
    /// Refuses a page that was asked for already, and one too many of a list with so many entries so far; `cure` says how
    /// the list becomes shorter.
    pub fn check(&mut self, page: &Url, entries: usize, cure: &str) -> Result<()> {
        let problem = if !self.0.insert(page.clone()) {
            "its next page is one that was read already".to_string()
        } else if self.0.len() > MOST_PAGES || entries > MOST_ENTRIES {
            format!("the list has more than {MOST_PAGES} pages or {MOST_ENTRIES} files: {cure}")
        } else {
            return Ok(());
        };
        Err(FetchError::index(page, problem))
    }
}

/// A header that is text.
pub(crate) fn header_text<B>(response: &Response<B>, name: header::HeaderName) -> Option<&str> {
    response.headers().get(name)?.to_str().ok()
}

/// A GET request for `url`, with the value of its `Authorization` header if there is one.
pub(crate) fn get(url: &str, authorization: Option<&str>) -> Result<Request<()>> {
    let mut request = Request::get(url);
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    request.body(()).map_err(|error| FetchError::unreachable(url, error))
}

/// Makes `request` the one that `answer` sends it on to, and says whether it does.
///
/// A token is for the origin (scheme, host and port) that it was given for: another server may listen at the next port.
/// What came by https is not sent on to plain http, where anyone on the way could change it.
fn redirect(request: &mut Request<()>, answer: &Response<Body>) -> Result<bool> {
    let is_redirect = matches!(answer.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let Some(location) = answer.headers().get(header::LOCATION).filter(|_| is_redirect) else {
        return Ok(false);
    };
    let from = request.uri().to_string();
    let wrong = |problem: String| FetchError::Unreachable { url: from.clone(), problem };
    let location = location.to_str().map_err(|_| wrong("it is sent on to no address".to_string()))?;
    let old = Url::parse(&from).map_err(|error| wrong(error.to_string()))?;
    let mut new = old
        .join(location)
        .map_err(|error| wrong(format!("it is sent on to {location:?}, which is no address: {error}")))?;
    new.set_fragment(None);
    if !matches!(new.scheme(), "http" | "https") || (old.scheme() == "https" && new.scheme() != "https") {
        return Err(wrong(format!("it is sent on to {new}, which is not secured as it is itself")));
    }
    if old.origin() != new.origin() {
        request.headers_mut().remove(header::AUTHORIZATION);
    }
    *request.uri_mut() = new.as_str().parse().map_err(|_| wrong(format!("it is sent on to {new}")))?;
    Ok(true)
}

/// Reads what little a redirection says, so that its connection serves again.
fn drain(answer: Response<Body>) {
    let mut body = answer.into_body().into_reader().take(16 << 10);
    // A connection that fails here is opened again.
    let _ = std::io::copy(&mut body, &mut std::io::sink());
}

/// The value of an `Authorization` header.
pub(crate) fn bearer(token: Option<&str>, scheme: &str) -> Option<String> {
    token.map(|token| format!("{scheme} {token}"))
}

/// Turns every status but success into an error; `access` says how one gets access to the source.
pub(crate) fn check_status(url: &str, status: StatusCode, access: &str) -> Result<()> {
    let (url, code) = (url.to_string(), status.as_u16());
    match code {
        200..=299 => Ok(()),
        401 | 403 => Err(FetchError::Denied { url, status: code, cure: access.to_string() }),
        404 | 410 => Err(FetchError::NotFound { url, status: code }),
        _ => Err(FetchError::status(&url, code)),
    }
}

/// What an error of the agent means for the next attempt.
fn refusal(url: &str, error: ureq::Error) -> Refusal {
    use ureq::Error;
    let hopeless = match &error {
        Error::HostNotFound => return Refusal::NoHost("the host has no address".to_string()),
        Error::Io(error) if is_lookup(error) => return Refusal::NoHost(error.to_string()),
        Error::BadUri(_)
        | Error::Http(_)
        | Error::RequireHttpsOnly(_)
        | Error::TooManyRedirects
        | Error::RedirectFailed
        | Error::InvalidProxyUrl
        | Error::Tls(_)
        | Error::Rustls(_)
        | Error::TlsRequired => true,
        // A certificate that is not trusted.
        Error::Io(error) => error.kind() == std::io::ErrorKind::InvalidData,
        _ => false,
    };
    let problem = error.to_string();
    if hopeless { Refusal::Fatal(FetchError::unreachable(url, problem)) } else { Refusal::transient(problem) }
}

/// Whether a name has no address. The standard library has no kind of error for it, but one text on Unix and the
/// system's codes on Windows (`WSAHOST_NOT_FOUND`, `WSATRY_AGAIN`, `WSANO_DATA`).
fn is_lookup(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(11001 | 11002 | 11004)) && cfg!(windows)
        || error.to_string().starts_with("failed to lookup address information")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a request with a token goes on to, and whether the token goes along; or the error.
    fn sent_on(
        from: &str,
        status: u16,
        location: &str,
    ) -> std::result::Result<Option<(String, bool)>, String> {
        let mut request = get(from, Some("Bearer secret")).unwrap();
        let answer = Response::builder().status(status).header(header::LOCATION, location);
        let answer = answer.body(Body::builder().data("")).unwrap();
        match redirect(&mut request, &answer) {
            Ok(false) => Ok(None),
            Ok(true) => {
                let has_token = request.headers().contains_key(header::AUTHORIZATION);
                Ok(Some((request.uri().to_string(), has_token)))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn a_token_stays_with_scheme_host_and_port() {
        let to = |from: &str, location: &str| sent_on(from, 302, location).unwrap().unwrap();
        let is = |url: &str, has_token: bool| (url.to_string(), has_token);
        assert_eq!(to("https://hub/a", "/b?c=1"), is("https://hub/b?c=1", true));
        assert_eq!(to("https://hub/a", "https://hub:443/b#c"), is("https://hub/b", true));
        assert_eq!(to("http://hub:8080/a", "http://hub:8080/b"), is("http://hub:8080/b", true));
        assert_eq!(to("https://hub/a", "https://hub:8443/b"), is("https://hub:8443/b", false));
        assert_eq!(to("http://127.0.0.1:1/a", "//127.0.0.1:2/b"), is("http://127.0.0.1:2/b", false));
        assert_eq!(to("https://hub/a", "https://hub.evil/b"), is("https://hub.evil/b", false));
        assert_eq!(to("http://hub/a", "https://hub/b"), is("https://hub/b", false));
    }

    #[test]
    fn redirections_to_less_secure_or_to_no_addresses_are_errors() {
        for location in ["http://hub/b", "ftp://hub/b", "file:///etc/passwd", "https://"] {
            let error = sent_on("https://hub/a", 307, location).unwrap_err();
            assert!(error.contains("https://hub/a") && error.contains("sent on to"), "{location}: {error}");
        }
        assert_eq!(sent_on("https://hub/a", 304, "/b"), Ok(None));
        assert_eq!(sent_on("https://hub/a", 200, "/b"), Ok(None));
    }
}
