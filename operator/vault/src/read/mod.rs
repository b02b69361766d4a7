//! Rows of an object at a snapshot, read back from its parts.
//!
//! [`merge`] merges parts by Id as a stream of [`cursor`]s, [`rows`] gives what counts row by row, [`batches`] as
//! Arrow batches in the schema of the snapshot ([`adapt`]), [`render`] writes rows as CSV or JSON.

pub(crate) mod adapt;
pub(crate) mod batches;
pub(crate) mod cell;
pub(crate) mod cursor;
pub(crate) mod keys;
pub(crate) mod merge;
pub mod render;
pub mod rows;

pub use batches::Batches;
pub use keys::Keys;
pub use render::{write_csv, write_json, write_json_lines};
pub use rows::{Opened, PartRef, ReadError, Row, Rows};
