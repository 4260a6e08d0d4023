//! One agent for every request, and requests of which only the answer's head or a small body matters.

use crate::error::Refusal;
use crate::retry::{RetryPolicy, retry_after};
use crate::{Clock, FetchError, Result, SystemClock};
use serde::de::DeserializeOwned;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;
use ureq::config::RedirectAuthHeaders;
use ureq::http::{Request, Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body};

/// Longest list of files in bytes that is read: the largest dandisets need a few MB a page.
pub(crate) const LONGEST_INDEX: u64 = 64 << 20;

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
            // A token is for the host that it was given for.
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .timeout_resolve(Some(policy.silence))
            .timeout_connect(Some(policy.silence))
            .timeout_recv_response(Some(policy.silence))
            .timeout_per_read(Some(policy.silence))
            .build()
            .new_agent();
        Http { agent, policy, clock }
    }

    /// One attempt. Statuses that may pass with time are refusals, all others are answers.
    pub fn once(&self, request: Request<()>) -> std::result::Result<Response<Body>, Refusal> {
        let url = request.uri().to_string();
        let response = self.agent.run(request).map_err(|error| refusal(&url, error))?;
        let status = response.status();
        if matches!(status.as_u16(), 408 | 425 | 429 | 500 | 502 | 503 | 504) {
            let asked = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
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

    /// The same request, to which a redirection is an answer like others.
    pub fn without_redirects(&self, request: Request<()>) -> Request<()> {
        self.agent.configure_request(request).max_redirects(0).max_redirects_will_error(false).build()
    }

    /// The JSON at an address, with attempts until it is whole.
    pub fn json<T: DeserializeOwned>(
        &self,
        url: &str,
        authorization: Option<&str>,
        access: &str,
    ) -> Result<T> {
        let request = get(url, authorization)?;
        let text = self.repeat(url, || {
            let response = self.once(request.clone())?;
            check_status(url, response.status(), access).map_err(Refusal::Fatal)?;
            let mut text = Vec::new();
            let mut body = response.into_body().into_with_config().limit(LONGEST_INDEX).reader();
            body.read_to_end(&mut text).map_err(|error| Refusal::Transient {
                problem: format!("the answer was cut: {error}"),
                retry_after: None,
            })?;
            Ok(text)
        })?;
        serde_json::from_slice(&text)
            .map_err(|error| FetchError::Index { url: url.to_string(), problem: error.to_string() })
    }

    fn repeat<T>(
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
                    return Err(FetchError::Unreachable { url: url.to_string(), problem });
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

/// A GET request for `url`, with the value of its `Authorization` header if there is one.
pub(crate) fn get(url: &str, authorization: Option<&str>) -> Result<Request<()>> {
    let mut request = Request::get(url);
    if let Some(value) = authorization {
        request = request.header(header::AUTHORIZATION, value);
    }
    request
        .body(())
        .map_err(|error| FetchError::Unreachable { url: url.to_string(), problem: error.to_string() })
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
        _ => Err(FetchError::Status { url, status: code }),
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
    if hopeless {
        Refusal::Fatal(FetchError::Unreachable { url: url.to_string(), problem })
    } else {
        Refusal::Transient { problem, retry_after: None }
    }
}

/// Whether a name has no address. The standard library has no kind of error for it, but one text on Unix and the
/// system's codes on Windows (`WSAHOST_NOT_FOUND`, `WSATRY_AGAIN`, `WSANO_DATA`).
fn is_lookup(error: &std::io::Error) -> bool {
    matches!(error.raw_os_error(), Some(11001 | 11002 | 11004)) && cfg!(windows)
        || error.to_string().starts_with("failed to lookup address information")
}
