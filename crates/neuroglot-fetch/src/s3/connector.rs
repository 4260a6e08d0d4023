//! `object_store`'s requests, sent by the same agent as all others.

use crate::FetchError;
use crate::http::{Http, LONGEST_INDEX};
use async_trait::async_trait;
use bytes::Bytes;
use http_body::Frame;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use ureq::BodyReader;
use ureq::http::{Request, Response, header};

/// Bytes that are read at once.
const BLOCK: usize = 128 << 10;

/// What the last request met, which the store's own errors tell only in words.
#[derive(Debug, Clone, Default)]
pub(crate) struct LastAnswer(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    status: Option<u16>,
    error: Option<FetchError>,
}

impl LastAnswer {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The status of the last answer; none if there was none.
    pub fn status(&self) -> Option<u16> {
        self.state().status
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
    /// The answer at the end of redirections.
    ///
    /// S3 sends one without an address to those who ask in the wrong region; the store knows how to say so.
    fn answer(&self, request: &Request<()>) -> crate::Result<Response<ureq::Body>> {
        let answer = self.http.patiently(&self.http.without_redirects(request.clone()))?;
        if answer.status().is_redirection() && answer.headers().contains_key(header::LOCATION) {
            return self.http.patiently(request);
        }
        Ok(answer)
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
        *self.last.state() = State::default();
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
