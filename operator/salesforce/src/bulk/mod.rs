//! Bulk API 2.0 query: jobs and their result pages.

mod job;
mod results;

pub use job::{JobInfo, JobState, QueryJob};
pub use results::{BulkPage, ResultPages};
