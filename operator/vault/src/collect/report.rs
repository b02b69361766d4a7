//! What a collection did, or would do.

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::Serialize;

/// Files, and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Amount {
    /// Files.
    pub files: u64,
    /// Bytes.
    pub bytes: u64,
}

impl Amount {
    pub(super) fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// A retired snapshot that still has its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// Its number.
    pub snapshot: u64,
    /// When they may be deleted.
    pub until: Timestamp,
}

/// What became of a line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LineCollection {
    /// The line.
    pub line: String,
    /// Snapshots that stay.
    pub kept: u64,
    /// Snapshots retired now.
    pub retired: Vec<u64>,
    /// Snapshots that were retired before and came back.
    pub restored: Vec<u64>,
    /// Snapshots that wait for their files to be deleted, those retired now included.
    pub waiting: Vec<Waiting>,
    /// Snapshots that are gone for good now.
    pub swept: Vec<u64>,
    /// Snapshots that only a legal hold keeps.
    pub held: Vec<u64>,
    /// What was deleted.
    pub freed: Amount,
    /// Of that, what no snapshot ever rested on: leftovers of attempts that failed.
    pub leftovers: Amount,
    /// What the deleted snapshots shared with others, and stays.
    pub shared: Amount,
    /// What only held snapshots rest on.
    pub held_bytes: u64,
    /// What the storage does not let go yet (Object Lock).
    pub locked: Amount,
    /// When the first of that may be deleted.
    pub locked_until: Option<Timestamp>,
    /// When the last of it may be.
    pub all_locked_until: Option<Timestamp>,
    /// What a run may still name that did not end.
    pub held_back: Amount,
    /// These runs.
    pub open_runs: BTreeSet<String>,
    /// Runs that were closed: nobody went on with them for long.
    pub closed_runs: BTreeSet<String>,
    /// Why nothing was done; nothing was deleted then.
    pub blocked: Option<String>,
}

/// What a collection did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Collection {
    /// Nothing was changed.
    pub dry_run: bool,
    /// By line.
    pub lines: Vec<LineCollection>,
}

impl Collection {
    /// Whether nothing stood in the way.
    pub fn is_done(&self) -> bool {
        self.lines.iter().all(|line| line.blocked.is_none())
    }
}
