//! Rows of an object at a snapshot, read back from its parts.
//!
//! [`rows`] merges parts by Id, [`render`] writes what it yields as CSV or JSON.

mod cell;
pub mod render;
pub mod rows;

pub use render::{write_csv, write_json, write_json_lines};
pub use rows::{PartRef, ReadError, Row, Rows};
