//! Files: the content of binary fields, streamed and proven.

mod range;
mod read;
mod source;

pub use read::{BlobReader, BlobSummary};
pub use source::{BLOB_KINDS, BlobKind, BlobSource};
