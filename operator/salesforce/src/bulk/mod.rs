//! Bulk API 2.0 query: jobs and their result pages.

mod check;
pub(crate) mod csv;
mod job;
mod page_task;
mod reader;
mod results;
mod wide;

pub use job::{JobInfo, JobState, QueryJob};
pub use reader::{BulkEvent, BulkReader, Discovery, PageDone, ReadOptions, Totals};
pub use results::{BulkPage, ResultPages};
pub use wide::{BulkRows, WideJob};
