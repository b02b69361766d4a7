//! Deletion into the recycle bin with all that goes along, and removal from it.

use std::collections::{HashMap, HashSet};

use super::{Refusal, Transaction};
use crate::schema::{OnDelete, Relation};
use crate::store::{Cleared, Gone};
use crate::value::{Id, Value};

/// What a deletion comes to.
#[derive(Debug, Default)]
struct Extent {
    /// Records to delete, and the one that takes each along.
    with: HashMap<Id, Id>,
    /// The same in the order in which they were found.
    order: Vec<Id>,
    /// References to empty: the record that holds it, its object and field, and what it points to.
    cleared: Vec<(Id, usize, usize, Id)>,
    /// Records that cannot be deleted, and why.
    refused: HashMap<Id, Refusal>,
}

impl Transaction<'_> {
    /// Deletes a record, with its details and whatever else goes along, into the recycle bin.
    pub fn delete(&mut self, id: Id) -> Result<(), Refusal> {
        self.delete_all(&[id]).pop().unwrap_or(Ok(()))
    }

    /// Deletes records, each for itself: the answers are in the order of the ids.
    pub fn delete_all(&mut self, ids: &[Id]) -> Vec<Result<(), Refusal>> {
        if self.fires_on_deletion(ids) {
            return self.delete_firing(ids);
        }
        self.delete_together(ids)
    }

    /// The same where automations look on: one after the other, so that what fires for one is taken back with it.
    fn delete_firing(&mut self, ids: &[Id]) -> Vec<Result<(), Refusal>> {
        let mut alive: HashSet<Id> = ids.iter().copied().filter(|id| self.alive(*id).is_ok()).collect();
        let mut one = |id: &Id| {
            let was_alive = alive.remove(id);
            let (object, row) = match self.alive(*id) {
                Ok(found) => found,
                // it went along with one before it, as it was to be
                Err(_) if was_alive => return Ok(()),
                Err(refusal) => return Err(refusal),
            };
            self.guarded(object, |transaction| {
                transaction.before_delete(object, &row)?;
                transaction.delete_together(&[*id]).pop().unwrap_or(Ok(()))?;
                transaction.after_delete(object, *id)
            })
        };
        ids.iter().map(&mut one).collect()
    }

    fn delete_together(&mut self, ids: &[Id]) -> Vec<Result<(), Refusal>> {
        let mut answers: HashMap<Id, Refusal> = HashMap::new();
        let mut wanted: Vec<Id> = Vec::new();
        for id in ids {
            match self.deletable(*id) {
                Ok(()) => wanted.push(*id),
                Err(refusal) => drop(answers.insert(*id, refusal)),
            }
        }
        loop {
            let mut extent = self.extent(&wanted);
            self.lock_extent(&mut extent);
            if extent.refused.is_empty() {
                self.bin(&extent);
                break;
            }
            wanted.retain(|id| !extent.refused.contains_key(id));
            answers.extend(extent.refused);
        }
        let mut seen = HashSet::new();
        let answer = |id: &Id| match answers.get(id) {
            Some(refusal) => Err(refusal.clone()),
            None if seen.insert(*id) => Ok(()),
            None => Err(Refusal::deleted()),
        };
        ids.iter().map(answer).collect()
    }

    /// Deletes records past the recycle bin, each for itself, as Bulk's `hardDelete` does; those that lie in it already
    /// are removed from it.
    pub fn hard_delete_all(&mut self, ids: &[Id]) -> Vec<Result<(), Refusal>> {
        if !self.actor.hard_deletes {
            let refusal =
                Refusal::new("INSUFFICIENT_ACCESS_OR_READONLY", "hardDelete permission is required");
            return ids.iter().map(|_| Err(refusal.clone())).collect();
        }
        let alive: Vec<Id> = ids.iter().copied().filter(|id| self.alive(*id).is_ok()).collect();
        let mut answers: HashMap<Id, Result<(), Refusal>> = HashMap::new();
        for (id, deleted) in alive.iter().zip(self.delete_all(&alive)) {
            answers.entry(*id).or_insert(deleted);
        }
        let mut seen = HashSet::new();
        let mut purge = |id: &Id| {
            if !seen.insert(*id) {
                return Err(Refusal::deleted());
            }
            if let Some(Err(refusal)) = answers.get(id) {
                return Err(refusal.clone());
            }
            // a record that went along with one before it is gone for good by now, as it was to be
            match self.object_of(*id).and_then(|object| self.world.database.table(object).gone(*id)) {
                Some(gone) if gone.purged.is_some() && answers.contains_key(id) => Ok(()),
                Some(gone) if gone.purged.is_none() => self.purge(*id),
                _ => Err(Refusal::unknown()),
            }
        };
        ids.iter().map(&mut purge).collect()
    }

    /// Deletes a record past the recycle bin.
    pub fn hard_delete(&mut self, id: Id) -> Result<(), Refusal> {
        self.hard_delete_all(&[id]).pop().unwrap_or(Ok(()))
    }

    /// Removes these records from the recycle bin, each for itself, with what went along (SOAP's `emptyRecycleBin`).
    pub fn empty_recycle_bin(&mut self, ids: &[Id]) -> Vec<Result<(), Refusal>> {
        ids.iter().map(|id| self.purge(*id)).collect()
    }

    fn deletable(&mut self, id: Id) -> Result<(), Refusal> {
        let (object, row) = self.alive(id)?;
        self.allow(object, "deletable", "delete")?;
        self.check_deletion(object, &row)?;
        self.check_mix(object, &row, None)?;
        self.lock(object, &row, None)?;
        self.mixed(object, &row, None);
        Ok(())
    }

    /// Follows the references to these records, and to what goes along with them.
    fn extent(&self, roots: &[Id]) -> Extent {
        let mut extent = Extent::default();
        let mut restricting = Vec::new();
        let mut level: Vec<Id> = Vec::new();
        for root in roots {
            if extent.with.insert(*root, *root).is_none() {
                extent.order.push(*root);
                level.push(*root);
            }
        }
        while !level.is_empty() {
            let mut by_object: HashMap<usize, HashSet<Id>> = HashMap::new();
            for id in level.drain(..) {
                if let Some(object) = self.object_of(id) {
                    by_object.entry(object).or_default().insert(id);
                }
            }
            for (object, targets) in by_object {
                for relation in self.world.schema.relations_to(object) {
                    for (child, target) in self.holders(*relation, &targets) {
                        let Some(&root) = extent.with.get(&target) else { continue };
                        match self.on_delete(*relation, child) {
                            OnDelete::Cascade => {
                                if let std::collections::hash_map::Entry::Vacant(free) =
                                    extent.with.entry(child)
                                {
                                    free.insert(root);
                                    extent.order.push(child);
                                    level.push(child);
                                }
                            }
                            OnDelete::Clear => {
                                extent.cleared.push((child, relation.child, relation.field, target));
                            }
                            OnDelete::Restrict => restricting.push((child, relation.child, target, root)),
                            OnDelete::Keep => {}
                        }
                    }
                }
            }
        }
        // what goes along holds nothing up, and loses no reference
        restricting.retain(|(child, ..)| !extent.with.contains_key(child));
        for (child, object, target, root) in restricting {
            let refusal = || self.restricted(root, target, child, object);
            extent.refused.entry(root).or_insert_with(refusal);
        }
        let with = &extent.with;
        extent.cleared.retain(|(child, ..)| !with.contains_key(child));
        extent
    }

    /// What becomes of a child. Contracts and orders say of their account both that they go along and that they hold it:
    /// drafts do the one, what is activated the other. The contact of a person account is part of it.
    fn on_delete(&self, relation: Relation, child: Id) -> OnDelete {
        let described = self.described(relation.child);
        let of_account = described.fields[relation.field].name == "AccountId";
        match described.name.as_str() {
            "Contract" | "Order" if of_account && relation.on_delete == OnDelete::Cascade => {
                if self.is_activated(child) { OnDelete::Restrict } else { OnDelete::Cascade }
            }
            "Contact" if of_account && self.field_of(child, "IsPersonAccount") == Some(Value::Bool(true)) => {
                OnDelete::Cascade
            }
            _ => relation.on_delete,
        }
    }

    /// Locks what goes along and what loses a reference.
    fn lock_extent(&mut self, extent: &mut Extent) {
        if !self.locking.is_needed() {
            return;
        }
        let along = extent.order.iter().filter_map(|id| Some((*id, *extent.with.get(id)?)));
        let cleared =
            extent.cleared.iter().filter_map(|(id, _, _, target)| Some((*id, *extent.with.get(target)?)));
        let rows: Vec<(Id, Id)> = along.chain(cleared).collect();
        for (id, root) in rows {
            let Some((object, row)) = self.find(id) else { continue };
            if let Err(refusal) = self.lock(object, &row, None) {
                extent.refused.entry(root).or_insert(refusal);
            }
        }
    }

    fn restricted(&self, root: Id, target: Id, child: Id, object: usize) -> Refusal {
        let of = |id: Id| self.object_of(id).map_or("record", |object| self.described(object).name.as_str());
        let mut message = format!(
            "Your attempt to delete {root} could not be completed because it is associated with the following {}: \
             {child}",
            self.described(object).name
        );
        if target != root {
            message.push_str(&format!(" (through the {} {target})", of(target)));
        }
        Refusal::new("DELETE_FAILED", message)
    }

    /// Records that are not deleted and hold a reference to one of the targets.
    fn holders(&self, relation: Relation, targets: &HashSet<Id>) -> Vec<(Id, Id)> {
        if relation.on_delete == OnDelete::Keep {
            return Vec::new();
        }
        let mut targets: Vec<Id> = targets.iter().copied().collect();
        targets.sort_unstable();
        let of_target = |target: Id| {
            let holders = self.records_with(relation.child, relation.field, target);
            holders.into_iter().map(move |holder| (holder, target))
        };
        targets.into_iter().flat_map(of_target).collect()
    }

    /// Moves records into the bin.
    fn bin(&mut self, extent: &Extent) {
        let mut cleared: HashMap<Id, Vec<Cleared>> = HashMap::new();
        for (child, object, field, target) in &extent.cleared {
            let Some((_, mut row)) = self.find(*child) else { continue };
            row.set(*field, None);
            if self.doubts.clearing_stamps {
                self.stamp(*object, &mut row, false);
            }
            let name = self.described(*object).fields[*field].name.as_str().into();
            self.write(*object, row);
            cleared.entry(*target).or_default().push(Cleared { record: *child, field: name });
        }
        for id in &extent.order {
            let with = extent.with.get(id).copied().unwrap_or(*id);
            self.bin_one(*id, with, cleared.remove(id).unwrap_or_default());
        }
    }

    /// Moves one record into the bin.
    pub(super) fn bin_one(&mut self, id: Id, with: Id, cleared: Vec<Cleared>) {
        let Some((object, mut row)) = self.find(id) else { return };
        row.deleted = true;
        self.set(object, &mut row, "IsDeleted", Some(Value::Bool(true)));
        self.stamp(object, &mut row, true);
        self.write(object, row);
        let gone = Gone { at: self.at, with, purged: None, cleared };
        self.world.database.table_mut(object).set_gone(id, Some(gone));
    }

    /// Removes records of the recycle bin, and what went along with them, for good.
    pub fn purge(&mut self, id: Id) -> Result<(), Refusal> {
        let object = self.object_of(id).ok_or_else(Refusal::unknown)?;
        let in_bin = |gone: &Gone| gone.purged.is_none();
        if !self.world.database.table(object).gone(id).is_some_and(in_bin) {
            return Err(Refusal::new("DELETE_FAILED", "entity is not in the recycle bin"));
        }
        for member in self.members(id) {
            self.purge_one(member);
        }
        Ok(())
    }

    /// Empties the recycle bin of what was deleted within some time (milliseconds since 1970); how many records.
    pub fn empty_bin(&mut self, deleted: std::ops::Range<i64>) -> usize {
        let mut old = Vec::new();
        for object in 0..self.world.schema.objects().len() {
            let gone = self.world.database.table(object).all_gone();
            old.extend(gone.filter(|(_, g)| g.purged.is_none() && deleted.contains(&g.at)).map(|(id, _)| id));
        }
        for id in &old {
            self.purge_one(*id);
        }
        old.len()
    }

    /// A record of the bin and those that went along with it.
    pub(super) fn members(&self, id: Id) -> Vec<Id> {
        let mut members = vec![id];
        for object in 0..self.world.schema.objects().len() {
            members.extend(self.world.database.table(object).gone_along(id));
        }
        members
    }

    pub(super) fn purge_one(&mut self, id: Id) {
        let Some(object) = self.object_of(id) else { return };
        let at = self.at;
        let table = self.world.database.table_mut(object);
        let gone = table.gone(id).cloned().map(|gone| Gone { purged: Some(at), cleared: Vec::new(), ..gone });
        table.set_gone(id, gone);
        table.purge(id);
    }
}
