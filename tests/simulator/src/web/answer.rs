//! An answer before it is sent: its content may still be compressed, and streams begin only then.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};

use super::stream;

/// A body that is sent.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;
/// A response that is sent.
pub(crate) type Response = http::Response<Body>;

/// Writes a stream's content; it runs on a thread of its own and waits while the client is slow.
pub(crate) type Producer = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// Smaller bodies are not worth compressing.
const WORTH_GZIP: usize = 1_000;
/// Larger ones are compressed on a thread of their own.
const SMALL: usize = 32_000;

/// An answer before it is sent.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    content: Content,
}

enum Content {
    Bytes(Bytes),
    Stream(Producer),
}

impl Answer {
    /// No content.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), content: Content::Bytes(Bytes::new()) }
    }

    /// Bytes of some type.
    pub(crate) fn bytes(status: StatusCode, kind: &'static str, bytes: impl Into<Bytes>) -> Self {
        let mut answer = Self::empty(status);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        answer.content = Content::Bytes(bytes.into());
        answer
    }

    /// A JSON value.
    pub(crate) fn json(status: StatusCode, value: &serde_json::Value) -> Self {
        Self::bytes(status, "application/json;charset=UTF-8", value.to_string())
    }

    /// 200 with a JSON value.
    pub(crate) fn ok(value: &serde_json::Value) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// 200 with content that is written while it is sent.
    pub(crate) fn stream(kind: &'static str, producer: Producer) -> Self {
        let mut answer = Self::empty(StatusCode::OK);
        answer.headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        answer.content = Content::Stream(producer);
        answer
    }

    /// The same with a header more; a value that no header can hold is left out.
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    /// Its JSON, for an answer within another; nothing where it has other content.
    pub(crate) fn into_json(self) -> Option<Bytes> {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match self.content {
            Content::Bytes(bytes) if bytes.is_empty() => Some(Bytes::from_static(b"null")),
            Content::Bytes(bytes) if kind.starts_with("application/json") => Some(bytes),
            _ => None,
        }
    }

    /// Sets a header whose name is not known here; what no header can be is left out.
    pub(crate) fn set_header(&mut self, name: &str, value: &str) {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value))
        {
            self.headers.insert(name, value);
        }
    }

    /// The same with its whole content in memory; a stream that fails on the way ends there.
    pub(crate) async fn gathered(mut self) -> Self {
        if let Content::Stream(producer) = self.content {
            let gather = move || {
                let mut bytes = Vec::new();
                // writing to memory does not fail; what the producer could not read is not there
                let _ = producer(&mut bytes);
                bytes
            };
            let bytes = tokio::task::spawn_blocking(gather).await.unwrap_or_default();
            self.content = Content::Bytes(bytes.into());
        }
        self
    }

    /// The content, unless it is a stream.
    pub(crate) fn content(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Bytes(bytes) => Some(bytes),
            Content::Stream(_) => None,
        }
    }

    /// Puts other content in place.
    pub(crate) fn set_content(&mut self, content: Bytes) {
        self.content = Content::Bytes(content);
    }

    /// Turns it into a response, compressed if the client takes that.
    pub(crate) async fn finish(mut self, gzip: bool) -> Response {
        let gzip = gzip
            && match &self.content {
                Content::Bytes(bytes) => bytes.len() >= WORTH_GZIP,
                Content::Stream(_) => true,
            };
        if gzip {
            self.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        let body = match self.content {
            Content::Bytes(bytes) if !gzip => full(bytes),
            Content::Bytes(bytes) if bytes.len() <= SMALL => full(compress(&bytes)),
            Content::Bytes(bytes) => {
                full(tokio::task::spawn_blocking(move || compress(&bytes)).await.unwrap_or_default())
            }
            Content::Stream(producer) => stream::start(producer, gzip),
        };
        let mut response = http::Response::new(body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

fn full(bytes: Bytes) -> Body {
    Full::new(bytes).map_err(|never| match never {}).boxed_unsync()
}

fn compress(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::fast());
    // writing to memory does not fail
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}
