//! What a stretch of deltas comes to, record by record.

use arrow_array::Array;
use arrow_array::cast::AsArray;

use super::ChangeKind;
use super::below::wanted;
use crate::codec::{CodecError, RowHash};
use crate::read::adapt::number;
use crate::read::cursor::Block;
use crate::read::keys::Keys;
use crate::read::merge::Merge;
use crate::read::{Opened, PartRef, ReadError};

/// Columns of a history: hashes, hashes before, and who.
const COLUMNS: [&str; 6] =
    ["_hash", "_hash_derived", "_before", "_before_derived", "CreatedById", "LastModifiedById"];

/// Net changes of deltas, by Id. Reads blocks, and only these deltas.
pub(super) struct History<F> {
    merge: Merge<F>,
    /// Who made the record, and who changed it last; empty where that is not known.
    created_by: String,
    changed_by: String,
}

/// A record that deltas are about.
pub(super) struct Net {
    pub(super) key: u128,
    /// `None`: it is again what it was.
    pub(super) kind: Option<ChangeKind>,
}

impl<F: FnMut(&PartRef) -> Opened> History<F> {
    /// Of these deltas, oldest first.
    pub(super) fn new(deltas: Vec<PartRef>, opener: F) -> Self {
        let merge = Merge::new(wanted(&COLUMNS, None), Keys::All, true, deltas, opener);
        Self { merge, created_by: String::new(), changed_by: String::new() }
    }

    /// The next record that they are about.
    pub(super) fn next(&mut self) -> Result<Option<Net>, ReadError> {
        let (mut now, mut before) = (None, None);
        let Self { merge, created_by, changed_by } = self;
        let key = merge.next_history(|age, block, row| {
            if age == 0 {
                let deleted = block.deletes.as_ref().is_some_and(|deletes| deletes[row]);
                now = if deleted { None } else { hash_of(block, 0, row) };
                if now.is_none() && !deleted {
                    return Err(CodecError::Format("a row without its hash".into()));
                }
                take_text(block, 4, row, created_by);
                take_text(block, 5, row, changed_by);
            }
            before = hash_of(block, 2, row);
            Ok(())
        })?;
        Ok(key.map(|key| Net { key, kind: kind(before, now) }))
    }

    /// Who is to be counted for a change of the record that was given last.
    pub(super) fn user(&self, kind: ChangeKind) -> &str {
        if kind == ChangeKind::Added && !self.created_by.is_empty() {
            &self.created_by
        } else {
            &self.changed_by
        }
    }
}

/// What happened to a record, by its hashes then and now.
pub(super) fn kind(before: Option<RowHash>, now: Option<RowHash>) -> Option<ChangeKind> {
    match (before, now) {
        (None, None) => None,
        (None, Some(_)) => Some(ChangeKind::Added),
        (Some(_), None) => Some(ChangeKind::Deleted),
        (Some(before), Some(now)) if before.hash != now.hash => Some(ChangeKind::Updated),
        (Some(before), Some(now)) => (before.derived != now.derived).then_some(ChangeKind::Recalculated),
    }
}

/// The pair of hashes in two columns of a block from `at`; `None` where the first is null.
pub(super) fn hash_of(block: &Block, at: usize, row: usize) -> Option<RowHash> {
    let value = |column: usize| {
        let column = block.columns.get(column)?.as_ref()?.as_fixed_size_binary_opt()?;
        column.is_valid(row).then(|| number(column.value(row)))
    };
    Some(RowHash { hash: value(at)?, derived: value(at + 1).unwrap_or_default() })
}

fn take_text(block: &Block, column: usize, row: usize, into: &mut String) {
    into.clear();
    if let Some(Some(column)) = block.columns.get(column)
        && let Some(texts) = column.as_string_opt::<i32>()
        && texts.is_valid(row)
    {
        into.push_str(texts.value(row));
    }
}
