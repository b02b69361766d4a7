//! What goes over the wire: slow, cut, or of another length than was told.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HeaderValue, TRANSFER_ENCODING};
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Body as _, Frame};

use super::plan::{Action, Cut, Framing};
use crate::web::{Body, Response};

/// How long before a connection breaks: what was written before must have gone out.
const LINGER: Duration = Duration::from_millis(20);
/// Pieces in a second of a slow body.
const PIECES: u64 = 20;

/// Damages a response as the action says; what it does not touch stays as it is.
pub(crate) async fn damage(response: Response, action: &Action) -> Response {
    let touched = action.cut_after_bytes.is_some()
        || action.bytes_per_second.is_some()
        || action.content_length.is_some()
        || action.framing.is_some();
    if !touched {
        return response;
    }
    let (mut parts, mut body) = response.into_parts();
    let needs_length = action.content_length.is_some() || action.framing == Some(Framing::ContentLength);
    if needs_length && body.size_hint().exact().is_none() {
        // a body that breaks while it is gathered has nothing that could be damaged any more
        let gathered = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        body = Full::new(gathered).map_err(|never| match never {}).boxed_unsync();
    }
    let is_clean = action.cut == Some(Cut::Clean);
    let whole = body.size_hint().exact().filter(|_| action.framing != Some(Framing::Chunked));
    if let Some(whole) = whole {
        let sent = action.cut_after_bytes.filter(|_| is_clean).map_or(whole, |cut| whole.min(cut));
        let told = sent.saturating_add_signed(action.content_length.unwrap_or(0));
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(told));
        parts.headers.remove(TRANSFER_ENCODING);
    }
    let body = Damaged {
        body,
        pending: Bytes::new(),
        left: action.cut_after_bytes,
        is_clean,
        is_short: action.content_length.is_some_and(|more| more > 0),
        piece: action
            .bytes_per_second
            .map(|rate| usize::try_from(rate.div_ceil(PIECES)).unwrap_or(usize::MAX)),
        pause: action.bytes_per_second.map(pause),
    };
    let stream = futures::stream::unfold(Some(body), async |body| body?.next().await);
    http::Response::from_parts(parts, StreamBody::new(Box::pin(stream)).boxed_unsync())
}

/// The time between two pieces.
fn pause(rate: u64) -> Duration {
    let piece = rate.div_ceil(PIECES);
    Duration::from_secs_f64(piece as f64 / rate as f64)
}

struct Damaged {
    body: Body,
    pending: Bytes,
    /// Bytes until the cut.
    left: Option<u64>,
    is_clean: bool,
    /// It ends before the length that was told.
    is_short: bool,
    /// Bytes of a piece of a slow body, and the time before each.
    piece: Option<usize>,
    pause: Option<Duration>,
}

type Item = std::io::Result<Frame<Bytes>>;

impl Damaged {
    async fn next(mut self) -> Option<(Item, Option<Self>)> {
        if self.left == Some(0) {
            if self.is_clean {
                return None;
            }
            tokio::time::sleep(LINGER).await;
            let error = std::io::Error::new(std::io::ErrorKind::ConnectionAborted, "a fault of the plan");
            return Some((Err(error), None));
        }
        while self.pending.is_empty() {
            match self.body.frame().await {
                None => {
                    if self.is_short {
                        tokio::time::sleep(LINGER).await;
                    }
                    return None;
                }
                Some(Ok(frame)) => self.pending = frame.into_data().unwrap_or_default(),
                Some(Err(error)) => return Some((Err(error), None)),
            }
        }
        if let Some(pause) = self.pause {
            tokio::time::sleep(pause).await;
        }
        let most = self.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(usize::MAX));
        let length = self.pending.len().min(most).min(self.piece.unwrap_or(usize::MAX));
        let piece = self.pending.split_to(length);
        self.left = self.left.map(|left| left - length as u64);
        Some((Ok(Frame::data(piece)), Some(self)))
    }
}
