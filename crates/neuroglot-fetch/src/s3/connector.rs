//! `object_store`'s requests, sent by the same agent as all others.

use crate::FetchError;
use crate::http::{Http, LONGEST_INDEX, MOST_PAGES};
use async_trait::async_trait;
use bytes::Bytes;
use http_body::Frame;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use std::collections::HashSet;
use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use ureq::BodyReader;
use ureq::http::{Request, Response};

/// Bytes that are read at once.
const BLOCK: usize = 128 << 10;

/// What the last request met, which the store's own errors tell only in words.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastAnswer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    status: Option<u16>,
    error: Option<FetchError>,
    /// Addresses of the pages of lists that were asked for.
    pages: HashSet<String>,
}

impl LastAnswer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status of the last answer; none if there was none.
    pub fn status(&self) -> Option<u16> {
        self.state().status
    }

    /// Forgets what the last request met.
    fn begin(&self) {
        let mut state = self.state();
        (state.status, state.error) = (None, None);
    }

    /// Refuses a page of a list that was asked for already, and one too many.
    fn check_page(&self, request: &Request<()>) -> crate::Result<()> {
        let url = request.uri().to_string();
        if !request.uri().query().is_some_and(|query| query.contains("list-type")) {
            return Ok(());
        }
        let mut state = self.state();
        let problem = if state.pages.len() >= MOST_PAGES {
            format!("the list has more than {MOST_PAGES} pages: give a longer prefix")
        } else if state.pages.insert(url.clone()) {
            return Ok(());
        } else {
            "its next page is one that was read already".to_string()
        };
        Err(FetchError::Index { url, problem })
    }

    /// Why there was no answer.
    pub fn take_error(&self) -> Option<FetchError> {
        self.state().error.take()
    }
}

/// Connects `object_store` to [`Http`].
///
/// It blocks where a future should not, which is right in a runtime that serves one call of one thread.
#[derive(Debug, Clone)]
pub(crate) struct Connector {
    pub http: Http,
    pub last: LastAnswer,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

impl Connector {
    /// The answer at the end of redirections, unless it is one of a list of pages that does not end.
    ///
    /// S3 sends a redirection without an address to those who ask in the wrong region; the store knows how to say so.
    fn answer(&self, request: &Request<()>) -> crate::Result<Response<ureq::Body>> {
        self.last.check_page(request)?;
        self.http.patiently(request)
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, _) = request.into_parts();
        let mut request = Request::new(());
        *request.method_mut() = parts.method;
        *request.uri_mut() = parts.uri;
        *request.headers_mut() = parts.headers;
        self.last.begin();
        match self.answer(&request) {
            Ok(response) => {
                self.last.state().status = Some(response.status().as_u16());
                let (parts, body) = response.into_parts();
                let is_object = parts.status.is_success() && request.uri().query().is_none_or(str::is_empty);
                let remaining = if is_object { u64::MAX } else { LONGEST_INDEX };
                let reader = Mutex::new(body.into_reader());
                Ok(Response::from_parts(parts, HttpResponseBody::new(Body { reader, remaining })))
            }
            Err(error) => {
                let message = std::io::Error::other(error.to_string());
                self.last.state().error = Some(error);
                Err(HttpError::new(HttpErrorKind::Unknown, message))
            }
        }
    }
}

/// The body of an answer.
struct Body {
    /// The lock is for the type alone: a reader that is not `Sync` becomes part of something that must be.
    reader: Mutex<BodyReader<'static>>,
    /// Bytes that may come: lists and messages are held in memory, objects are not.
    remaining: u64,
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let Body { reader, remaining } = &mut *self;
        let reader = reader.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut block = vec![0; BLOCK];
        Poll::Ready(match reader.read(&mut block) {
            Ok(0) => None,
            Ok(count) if count as u64 > *remaining => {
                let problem = std::io::Error::other("the answer is too long");
                Some(Err(HttpError::new(HttpErrorKind::Decode, problem)))
            }
            Ok(count) => {
                *remaining -= count as u64;
                block.truncate(count);
                Some(Ok(Frame::data(block.into())))
            }
            Err(error) => Some(Err(HttpError::new(HttpErrorKind::Interrupted, error))),
        })
    }
}
