//! Erasing: given record ids, the files that hold them are written anew without them, through all snapshots of a line.
//!
//! First it is found what holds them ([`look`]): parts by their sealed ranges of Ids, then by the columns `Id` and
//! `_op` alone, and trees of files by the paths of their entries. Then these parts, the states that name them and those
//! trees are written anew under paths of their own. One put of a signed [`Redaction`] makes all of that count at once;
//! until then nothing changed for anybody. Last, whatever no manifest rests on any more is deleted. Killed anywhere, the
//! same command goes on or begins again.
//!
//! It works under the line's lease, so no run commits meanwhile over files that are about to go.

mod children;
mod find;
mod ids;
mod overlay;
mod redaction;
mod rewrite;
mod sweep;
mod work;

use std::time::Duration;

use serde::Serialize;

pub use children::{Children, children};
pub use ids::{Ids, ListError};
pub use overlay::Overlay;
pub(crate) use overlay::{Cache, missing};
pub use redaction::{ObjectErased, Redaction, Replaced, ReplacedState, ReplacedTree};
pub use work::erase;

/// Names of the runs that erase begin with this.
pub(crate) const ERASES: &str = "erase-";
/// Ids that nothing is known of are told by name up to so many.
const TOLD: usize = 1000;

/// How to erase.
#[derive(Debug, Clone)]
pub struct Options {
    /// Why; it stands in the redaction, in the clear.
    pub reason: String,
    /// Who; it stands there, too.
    pub by: String,
    /// Only say what would be done.
    pub dry_run: bool,
    /// How long to wait for a run that holds the line.
    pub wait: Duration,
    /// How long the line is held without renewal.
    pub lease: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            reason: String::new(),
            by: String::new(),
            dry_run: false,
            wait: Duration::ZERO,
            lease: Duration::from_secs(120),
        }
    }
}

/// What was erased from a line, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// The line.
    pub line: String,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Number of the redaction; none where nothing was found.
    pub redaction: Option<u64>,
    /// Different ids of the list.
    pub ids: u64,
    /// Of these, in this line.
    pub found: u64,
    /// Of these, in no file of this line; the first thousand.
    pub not_found: Vec<String>,
    /// Beginnings of ids that no object of this line has.
    pub unknown_prefixes: Vec<String>,
    /// What went, by object.
    pub objects: Vec<ObjectErased>,
    /// Snapshots that were touched.
    pub snapshots: Vec<u64>,
    /// Parts written anew, or left out since nothing remained of them.
    pub parts: u64,
    /// Parts that were looked into, and not only at their sealed ranges.
    pub parts_read: u64,
    /// Parts of the line.
    pub parts_of_line: u64,
    /// Bytes of those parts before.
    pub bytes_before: u64,
    /// And now.
    pub bytes_after: u64,
    /// Parts that an earlier, interrupted run of the same list had written.
    pub parts_resumed: u64,
    /// States written anew.
    pub states: u64,
    /// Files of erased records (bodies of attachments and versions) that left the trees.
    pub tree_entries: u64,
    /// Files deleted at the end: the old ones, and what earlier work had left.
    pub deleted_files: u64,
    /// Their bytes.
    pub deleted_bytes: u64,
    /// Entries of journals deleted: they held sealed ranges of Ids.
    pub deleted_journal_entries: u64,
    /// Unfinished runs that begin anew, since what they had written was deleted.
    pub unfinished_runs: Vec<String>,
    /// Files that are still there, and why.
    pub remaining: Vec<String>,
}
