//! Every request in a form that tests can count: in memory, and as JSON lines in a file.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use serde_json::{Value as Json, json};

use crate::limits::InFlight;
use crate::value::calendar::{now_ms, rest_datetime};
use crate::web::Body;

/// Entries kept in memory; the oldest go first.
const MOST: usize = 200_000;

/// One request. It holds no header and no body, so no secret.
#[derive(Debug)]
pub struct Entry {
    /// When it came, in milliseconds since 1970.
    pub at: i64,
    /// HTTP method.
    pub method: String,
    /// Path.
    pub path: String,
    /// Query string.
    pub query: Option<String>,
    /// Org, once it is known.
    pub org: Option<String>,
    /// What was asked for: `Token`, `Query`, `BulkResults`, …
    pub resource: &'static str,
    /// HTTP status.
    pub status: u16,
    /// Bytes of the request's body.
    pub received: u64,
    /// The fault of the plan that fired, and what it did.
    pub fault: Option<String>,
    sent: AtomicU64,
}

impl Entry {
    /// Bytes of the answer's body that were sent so far, as they went over the wire.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    fn to_json(&self) -> Json {
        json!({
            "at": rest_datetime(self.at),
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "org": self.org,
            "resource": self.resource,
            "status": self.status,
            "received": self.received,
            "sent": self.sent(),
            "fault": self.fault,
        })
    }
}

/// The log.
#[derive(Debug)]
pub struct RequestLog {
    entries: Mutex<VecDeque<Arc<Entry>>>,
    file: Option<Mutex<File>>,
}

impl RequestLog {
    pub(crate) fn open(file: Option<&Path>) -> io::Result<Self> {
        let file = file.map(|path| File::options().create(true).append(true).open(path)).transpose()?;
        Ok(Self { entries: Mutex::default(), file: file.map(Mutex::new) })
    }

    /// What was asked so far, the oldest first.
    pub fn entries(&self) -> Vec<Arc<Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// How many requests for a resource were answered.
    pub fn count(&self, resource: &str) -> usize {
        self.entries().iter().filter(|entry| entry.resource == resource).count()
    }

    pub(crate) fn to_json(&self) -> Json {
        json!({"requests": self.entries().iter().map(|entry| entry.to_json()).collect::<Vec<_>>()})
    }

    pub(crate) fn add(&self, entry: Entry) -> Arc<Entry> {
        let entry = Arc::new(entry);
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == MOST {
            entries.pop_front();
        }
        entries.push_back(entry.clone());
        entry
    }

    /// Writes the line of a request whose answer was sent.
    fn ended(&self, entry: &Entry) {
        if let Some(file) = &self.file {
            let line = format!("{}\n", entry.to_json());
            let written = file.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
            if let Err(error) = written {
                tracing::warn!(%error, "the request log cannot be written");
            }
        }
    }
}

/// Counts what is sent of one answer, and ends its entry when the answer is gone.
#[derive(Debug)]
pub(crate) struct Sending {
    log: Arc<RequestLog>,
    entry: Arc<Entry>,
}

impl Sending {
    pub(crate) fn new(log: &Arc<RequestLog>, entry: NewEntry) -> Self {
        let entry = Entry {
            at: now_ms(),
            method: entry.method,
            path: entry.path,
            query: entry.query,
            org: entry.org,
            resource: entry.resource,
            status: entry.status,
            received: entry.received,
            fault: entry.fault,
            sent: AtomicU64::new(0),
        };
        Self { log: log.clone(), entry: log.add(entry) }
    }

    pub(crate) fn sent(&self, bytes: usize) {
        self.entry.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        self.log.ended(&self.entry);
    }
}

/// A body whose bytes are counted as they go; its length stays known.
pub(crate) struct Counted {
    body: Body,
    sending: Sending,
    /// Ends with the answer.
    _in_flight: Option<InFlight>,
}

impl Counted {
    pub(crate) fn new(body: Body, sending: Sending, in_flight: Option<InFlight>) -> Self {
        Self { body, sending, _in_flight: in_flight }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &polled {
            self.sending.sent(frame.data_ref().map_or(0, Bytes::len));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What is known of a request when its answer begins.
pub(crate) struct NewEntry {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) org: Option<String>,
    pub(crate) resource: &'static str,
    pub(crate) status: u16,
    pub(crate) received: u64,
    pub(crate) fault: Option<String>,
}
