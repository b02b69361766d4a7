//! Files: the content of a new record's binary field, streamed, and proven after.

mod multipart;
mod send;

pub use send::{Open, Upload, Uploaded};
