//! Rows by Bulk API 2.0: cut into parts below the limits, each a job whose id is journaled before its upload is
//! complete, results joined to the rows that were sent, locks tried again apart.
//!
//! Memory: one part (by default 24 MB of CSV and 200,000 rows) with what became of its rows; however many rows there
//! are. Nothing is put on disk.

mod drive;
mod job;
mod join;
mod part;
mod read;
mod run;

pub use job::{IngestInfo, IngestState};
pub use part::{PartLimits, UPLOAD_LIMIT};
pub use run::{IngestOptions, IngestReport};

pub(crate) use job::{org_time, same_id};
