//! The way to the org: one attempt over HTTP, when to try again, how many at once, and the count of it all.

mod answer;
mod body;
mod counters;
mod flaw;
mod http;
mod org_clock;
mod retry;
mod send;
mod soap;
mod tls;
mod window;

pub use counters::{CallCounts, CallStats, LATENCY_BOUNDS_MS, Resource};

pub(crate) use body::Body;
pub(crate) use flaw::{Flaw, is_html, json};
pub(crate) use http::{Call, Reply, Transport, path_of};
pub(crate) use send::{Outgoing, Pieces};
pub(crate) use soap::{Envelope, Piece};
