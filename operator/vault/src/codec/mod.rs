//! From rows of Salesforce to encrypted Parquet: pure, synchronous, bounded in memory.
//!
//! [`csv`] splits Bulk pages into the [`arena`], [`columns`] types its cells, [`hash`] makes the row hashes and
//! [`writer`] sorts by Id and encodes. [`check`] decodes a part again and proves that its rows are what was hashed.

pub mod arena;
pub mod check;
pub mod columns;
pub mod csv;
pub mod delta;
pub mod error;
pub(crate) mod file;
pub mod hash;
pub(crate) mod key;
pub mod kind;
pub(crate) mod merged;
pub mod number;
pub mod part;
pub mod raw;
pub mod sealed;
pub mod source;
#[cfg(test)]
pub(crate) mod testing;
pub mod time;
pub mod writer;

pub use check::{PartCheck, check_part, part_rows};
pub use delta::{Candidate, Parent, RowHash, Verdict};
pub use error::{CodecError, CsvError, CsvFault};
pub use part::{INDEX_FROM, Part, PartFacts, PartKey, Settings};
pub(crate) use sealed::Pages;
pub use sealed::authenticate;
pub use source::{PartData, Ranges};
pub use writer::PartWriter;
