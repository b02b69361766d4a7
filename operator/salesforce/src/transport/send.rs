//! Bodies that are sent piece by piece: CSV of an ingest job, a file's content. They are opened anew for each try.

use std::fmt;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};

/// The pieces of a body.
pub(crate) type Pieces = BoxStream<'static, io::Result<Bytes>>;

/// A body to be streamed.
#[derive(Clone)]
pub(crate) struct Outgoing {
    /// Its type.
    pub(crate) content_type: String,
    /// Its length, bytes: told before it is sent, so that the org knows a body that broke off.
    pub(crate) length: u64,
    open: Arc<dyn Fn() -> Pieces + Send + Sync>,
}

impl Outgoing {
    /// A body that `open` gives from its beginning each time.
    pub(crate) fn new(
        content_type: impl Into<String>,
        length: u64,
        open: impl Fn() -> Pieces + Send + Sync + 'static,
    ) -> Self {
        Self { content_type: content_type.into(), length, open: Arc::new(open) }
    }

    /// Puts it into a request.
    pub(super) fn put(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        request
            .header(CONTENT_TYPE, &self.content_type)
            .header(CONTENT_LENGTH, self.length)
            .body(reqwest::Body::wrap_stream((self.open)()))
    }
}

impl fmt::Debug for Outgoing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("length", &self.length).finish_non_exhaustive()
    }
}
