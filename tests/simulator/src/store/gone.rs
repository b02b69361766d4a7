//! What is remembered of a deletion: enough to undo it, and to tell of it after the row is gone for good.

use std::sync::Arc;

use crate::value::Id;

/// One deletion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gone {
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// The record whose deletion took this one along; its own id if it was deleted itself. Undeleting that
    /// record brings all of them back.
    pub with: Id,
    /// When it was removed from the recycle bin; `None` while it can be brought back.
    pub purged: Option<i64>,
    /// References to it that the deletion emptied.
    pub cleared: Vec<Cleared>,
}

/// A reference that was emptied because its target was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cleared {
    /// The record that held it.
    pub record: Id,
    /// Name of the field: names outlive a change of the schema, numbers do not.
    pub field: Arc<str>,
}
