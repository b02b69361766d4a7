//! Search: words and phrases over the records, metadata and names of snapshots.
//!
//! Beside each part lies an index of its words: by row group a small set of hashes ([`filter`]), sealed with the part's
//! data key, written, verified, copied, rewritten and removed with the part. It says where a word may be; the rows
//! there are read and looked at, so that a hit never rests on the index alone. A part without one is read whole.

mod build;
mod file;
mod filter;
mod hits;
mod keys;
mod parts;
mod plan;
mod query;
mod rows;
mod run;
mod trees;
mod words;

pub(crate) use build::Builder;
pub use build::Index;
pub(crate) use file::{path_of, seal};
pub use query::Query;
pub use run::{Hit, Outcome};

/// Why a search cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// What is stored is none of what it should be.
    #[error("{0}")]
    Format(&'static str),
    /// There is nothing in the text that could be found.
    #[error("there is no word in what to search for: give letters or digits")]
    NoWords,
    /// A place that is none, or of another search.
    #[error("there is no such place to go on at: it is of another search, or of other snapshots")]
    Place,
}
