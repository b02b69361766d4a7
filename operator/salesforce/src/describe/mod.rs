//! Describes: read one by one or several in one counted call, and only anew where they changed.

mod cache;
mod many;
mod shape;

pub use cache::DescribeCache;
pub(crate) use many::{describe_if_changed, describe_many};
pub(crate) use shape::Global;
