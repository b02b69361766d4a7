//! The way to the org: one attempt over HTTP, when to try again, how many at once, and the count of it all.

mod answer;
mod body;
mod counters;
mod http;
mod retry;
mod tls;
mod window;

pub use counters::{CallCounts, CallStats, Resource};

pub(crate) use body::Body;
pub(crate) use http::{Call, Transport, path_of};
