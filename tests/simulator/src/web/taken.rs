//! A body as it is taken in: into memory, or, where it has contents of any size, part by part to where there is room.

use std::io::Read as _;
use std::sync::Arc;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use http::StatusCode;
use http::header::CONTENT_ENCODING;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use super::ApiError;
use super::parts::{self, Part, PartsError};
use super::spool::{self, Spooled};

/// Bytes of a body in memory at most: a deployment's zip in base64, and what is around it.
const LARGEST: usize = 64 * 1024 * 1024;

/// A body that was read to its end.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) body: Bytes,
    pub(crate) parts: Option<Arc<Vec<Part>>>,
    /// The body where it may be of any size.
    pub(crate) spooled: Option<Arc<Spooled>>,
    /// Bytes that went over the wire.
    pub(crate) received: u64,
}

/// Reads a body.
pub(crate) async fn take(body: Incoming, head: &http::request::Parts) -> Result<Taken, ApiError> {
    let path = head.uri.path();
    if let Some(boundary) = parts::boundary(path, &head.headers) {
        let (read, received) = parts::read(body, boundary, path).await.map_err(refused)?;
        return Ok(Taken { parts: Some(Arc::new(read)), received, ..Taken::default() });
    }
    if spool::is_large(&head.method, path) {
        let read =
            Spooled::read(body, &head.headers).await.map_err(|_| too_large("the body cannot be read"))?;
        let received = read.received();
        return Ok(Taken { spooled: Some(Arc::new(read)), received, ..Taken::default() });
    }
    let read =
        Limited::new(body, LARGEST).collect().await.map_err(|_| too_large("the body cannot be read"))?;
    let body = read.to_bytes();
    let received = body.len() as u64;
    let coding = head.headers.get(CONTENT_ENCODING).and_then(|coding| coding.to_str().ok());
    let packed = coding.is_some_and(|coding| coding.eq_ignore_ascii_case("gzip"));
    let body = if packed { unpacked(&body)? } else { body };
    Ok(Taken { body, received, ..Taken::default() })
}

/// Requests may be compressed as answers are (REST API guide, Compression).
fn unpacked(body: &[u8]) -> Result<Bytes, ApiError> {
    let mut plain = Vec::new();
    let read = MultiGzDecoder::new(body).take(LARGEST as u64 + 1).read_to_end(&mut plain);
    if read.is_err() {
        return Err(ApiError::bad(
            "UNKNOWN_EXCEPTION",
            "The request's content is not gzip, as its headers say",
        ));
    }
    if plain.len() > LARGEST { Err(too_large("the body cannot be read")) } else { Ok(plain.into()) }
}

fn too_large(message: impl Into<String>) -> ApiError {
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "REQUEST_TOO_LARGE", message)
}

fn refused(error: PartsError) -> ApiError {
    match &error {
        // the words that users report; the status is [K]
        PartsError::TooLarge(_) => too_large(error.to_string()),
        PartsError::Malformed(_) => ApiError::bad("INVALID_MULTIPART_REQUEST", error.to_string()),
        PartsError::Io(_) => {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", error.to_string())
        }
    }
}
