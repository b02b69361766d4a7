//! Requests as handlers see them, and answers as they leave: bytes or a stream that is written while it is sent.

mod answer;
mod error;
pub(crate) mod parts;
mod request;
mod spool;
mod stream;
mod taken;

pub(crate) use answer::{Answer, Body, Response};
pub(crate) use error::ApiError;
pub(crate) use request::Request;
pub(crate) use spool::Spooled;
pub(crate) use taken::take;
