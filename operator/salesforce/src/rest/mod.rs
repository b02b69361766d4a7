//! Reading rows by REST query.

mod cells;
mod cursor;
mod query;
mod split;

pub use query::{RestPage, RestQuery};

pub(crate) use cursor::query_path;
pub(crate) use query::{parts, read_all};
