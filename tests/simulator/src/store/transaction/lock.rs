//! Which rows a change locks, and what becomes of it if others have one of them.

use std::collections::BTreeSet;

use super::{Refusal, Transaction};
use crate::store::Row;
use crate::value::{Cell, Id};

/// Locks of one transaction.
#[derive(Debug, Default)]
pub(super) struct Locking {
    others: BTreeSet<Id>,
    met: BTreeSet<Id>,
    taken: BTreeSet<Id>,
    keeps: bool,
}

impl Locking {
    /// Whether it matters to anybody what the transaction locks.
    pub(super) fn is_needed(&self) -> bool {
        self.keeps || !self.others.is_empty()
    }
}

impl Transaction<'_> {
    /// Tells what others have locked; with `keeps` the transaction's own locks will outlive it.
    pub(crate) fn beside(&mut self, others: BTreeSet<Id>, keeps: bool) {
        self.locking = Locking { others, keeps, ..Locking::default() };
    }

    /// The locked rows of others that it needed, and the rows that it has locked itself.
    pub(crate) fn locks(self) -> (BTreeSet<Id>, BTreeSet<Id>) {
        (self.locking.met, self.locking.taken)
    }

    /// Locks a row and its parents, as its change to this content does. `before` is the content that an update
    /// changes; without it the row is made, deleted or brought back.
    pub(super) fn lock(&mut self, object: usize, row: &Row, before: Option<&Row>) -> Result<(), Refusal> {
        if !self.locking.is_needed() {
            return Ok(());
        }
        let mut needed = self.locked_parents(object, row, before);
        needed.insert(row.id);
        let busy: Vec<Id> = needed.intersection(&self.locking.others).copied().collect();
        if busy.is_empty() {
            self.locking.taken.extend(needed);
            return Ok(());
        }
        self.locking.met.extend(&busy);
        let listed: Vec<String> = busy.iter().map(Id::to_string).collect();
        let message = format!(
            "unable to obtain exclusive access to this record or {} records: {}",
            busy.len(),
            listed.join(",")
        );
        Err(Refusal::new("UNABLE_TO_LOCK_ROW", message))
    }

    /// The targets of references that lock; a detail that gets another master changes the sums of both.
    fn locked_parents(&self, object: usize, row: &Row, before: Option<&Row>) -> BTreeSet<Id> {
        let mut parents = BTreeSet::new();
        for reference in self.world.schema.locking(object) {
            let now = row.get(reference.field);
            let old = before.map(|before| before.get(reference.field));
            if reference.always || old != Some(now) {
                parents.extend([Some(now), old].into_iter().flatten().filter_map(|cell| match cell {
                    Cell::Id(id) => Some(id),
                    _ => None,
                }));
            }
        }
        parents
    }
}
