//! Which rows a change locks, and what becomes of it if others have one of them.

use std::collections::BTreeSet;

use super::{Refusal, Transaction};
use crate::schema::OnDelete;
use crate::store::Row;
use crate::value::{Cell, Id};

/// Children of an account whose changes lock it: access to the account comes with them ("Record locking cheat
/// sheet").
const OF_ACCOUNT: [&str; 6] = ["Asset", "Case", "Contact", "Contract", "Opportunity", "Order"];

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

    /// Masters always; accounts above the objects that give access to them always; other lookups if they hold or
    /// take along (those that are only emptied are not locked) and the reference is new.
    fn locked_parents(&self, object: usize, row: &Row, before: Option<&Row>) -> BTreeSet<Id> {
        let described = self.described(object);
        let mut parents = BTreeSet::new();
        for (number, field) in described.fields.iter().enumerate() {
            let Cell::Id(now) = row.get(number) else { continue };
            let Some(target) = self.object_of(now) else { continue };
            let relations = self.world.schema.relations_to(target);
            let Some(relation) = relations.iter().find(|r| (r.child, r.field) == (object, number)) else {
                continue;
            };
            let changed = before.is_none_or(|before| before.get(number) != Cell::Id(now));
            let of_account = field.name == "AccountId" && OF_ACCOUNT.contains(&described.name.as_str());
            let locked = match relation.on_delete {
                OnDelete::Keep => false,
                _ if field.name == "OwnerId" || field.name == "RecordTypeId" => false,
                _ if of_account || field.master => true,
                OnDelete::Cascade | OnDelete::Restrict => changed,
                OnDelete::Clear => false,
            };
            if locked {
                parents.insert(now);
                // a detail that gets another master changes the sums of both
                if let Some(Cell::Id(old)) = before.map(|before| before.get(number)) {
                    parents.insert(old);
                }
            }
        }
        parents
    }
}
