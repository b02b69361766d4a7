//! A body as it comes: decoded pieces, with a limit on the time between two of them.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::window::Slot;

/// The most that a body read whole may hold; describes of the widest objects stay below a tenth of it.
pub(super) const WHOLE_LIMIT: usize = 64 << 20;

/// Why a body could not be read whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WholeError {
    /// It broke off or stalled.
    #[error("{0}")]
    Broken(String),
    /// It is out of all proportion.
    #[error("the body is larger than {} MiB", WHOLE_LIMIT >> 20)]
    TooLarge,
}

/// A body being read. Its place in the window of calls in flight is free again when it is dropped.
#[derive(Debug)]
pub(crate) struct Body {
    response: reqwest::Response,
    idle: Duration,
    _slot: Option<Slot>,
}

impl Body {
    pub(super) fn new(response: reqwest::Response, idle: Duration, slot: Option<Slot>) -> Self {
        Self { response, idle, _slot: slot }
    }

    /// The next piece; `None` at the end, an error's text if the body broke off or stalled.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        match tokio::time::timeout(self.idle, self.response.chunk()).await {
            Ok(Ok(chunk)) => Ok(chunk),
            Ok(Err(error)) => Err(describe(error)),
            Err(_) => Err(format!("nothing came for {} s", self.idle.as_secs_f32())),
        }
    }

    /// The rest of the body, if it is not out of all proportion.
    pub(super) async fn whole(mut self) -> Result<Bytes, WholeError> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await.map_err(WholeError::Broken)? {
            if whole.len() + chunk.len() > WHOLE_LIMIT {
                return Err(WholeError::TooLarge);
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }
}

/// An error with its causes, without the URL, which may hold a query's data.
pub(super) fn describe(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
