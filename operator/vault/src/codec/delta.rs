//! What a writer of deltas asks of the state below it.

use std::fmt;

use super::error::CodecError;

/// Both hashes of a row; zero where an object has no derived fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RowHash {
    /// `_hash`.
    pub hash: u128,
    /// `_hash_derived`.
    pub derived: u128,
}

/// A row that wants to go into a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its Id as a number; see `codec::key`.
    pub key: u128,
    /// Its hashes; of a deletion without meaning.
    pub hash: RowHash,
    /// Whether it deletes.
    pub deletes: bool,
}

/// Whether a row goes into the delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It says nothing new.
    Drop,
    /// It goes in; what the parent holds of it.
    Keep(Option<RowHash>),
}

/// The state below a delta.
pub trait Parent: Send + fmt::Debug {
    /// Settles rows, which are sorted by key and distinct; a verdict for each. Blocks.
    fn settle(&mut self, rows: &[Candidate]) -> Result<Vec<Verdict>, CodecError>;
}
