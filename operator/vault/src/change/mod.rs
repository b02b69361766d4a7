//! What changed: deltas over a parent state, their counts, the comparison of two states, and compaction.
//!
//! A delta row holds the hashes of what the parent had (`_before`), so that a stretch of deltas tells by itself what
//! was added, updated, recalculated or deleted in it, without a look at the base.

mod below;
pub(crate) use below::broken;
pub mod compact;
mod compare;
mod delta;
mod history;
pub mod rule;
mod seen;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use below::Below;
pub use compare::{Comparison, Difference};
pub(crate) use delta::inherit;
pub use rule::Rule;

/// What happened to a record between two states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// A field that users and automation change is another.
    Updated,
    /// Only formulas or roll-ups are others.
    Recalculated,
    /// It is gone.
    Deleted,
}

/// How many records changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChangeCounts {
    /// New.
    pub added: u64,
    /// Changed.
    pub updated: u64,
    /// Only formulas or roll-ups moved.
    pub recalculated: u64,
    /// Gone.
    pub deleted: u64,
}

impl ChangeCounts {
    /// One more.
    pub fn count(&mut self, kind: ChangeKind) {
        match kind {
            ChangeKind::Added => self.added += 1,
            ChangeKind::Updated => self.updated += 1,
            ChangeKind::Recalculated => self.recalculated += 1,
            ChangeKind::Deleted => self.deleted += 1,
        }
    }

    /// Those of another.
    pub(crate) fn add(&mut self, other: &Self) {
        self.added += other.added;
        self.updated += other.updated;
        self.recalculated += other.recalculated;
        self.deleted += other.deleted;
    }
}

/// What a manifest says of an object's changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// In all; `None` where nothing was compared.
    pub counts: Option<ChangeCounts>,
    /// By user, sealed.
    pub(crate) sealed_users: Option<String>,
    /// By user, in a vault without encryption.
    pub(crate) users: Option<BTreeMap<String, ChangeCounts>>,
}
