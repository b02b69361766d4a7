//! Deletion into the recycle bin with all that goes along, and removal from it.

use std::collections::{HashMap, HashSet};

use super::{Refusal, Transaction};
use crate::schema::{OnDelete, Relation};
use crate::store::{Bounds, Cleared, Gone};
use crate::value::{Cell, Id, Value};

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

    /// Deletes records, each for itself: the answers are in the order of the ids. Tables of children are read
    /// once for all of them.
    pub fn delete_all(&mut self, ids: &[Id]) -> Vec<Result<(), Refusal>> {
        let mut answers: HashMap<Id, Refusal> = HashMap::new();
        let mut wanted: Vec<Id> = Vec::new();
        for id in ids {
            match self.deletable(*id) {
                Ok(()) => wanted.push(*id),
                Err(refusal) => drop(answers.insert(*id, refusal)),
            }
        }
        loop {
            let extent = self.extent(&wanted);
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

    fn deletable(&self, id: Id) -> Result<(), Refusal> {
        let (object, _) = self.alive(id)?;
        self.allow(object, "deletable", "delete")
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
                        match relation.on_delete {
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
        let table = self.world.database.table(relation.child);
        let mut scratch = String::new();
        let mut holders = Vec::new();
        for row in table.scan(Bounds::ALL, false) {
            let cell = self.world.database.cell(
                &self.world.schema,
                relation.child,
                row,
                relation.field,
                &mut scratch,
            );
            if let Cell::Id(target) = cell
                && targets.contains(&target)
            {
                holders.push((table.id_of(row), target));
            }
        }
        holders
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
            return Err(Refusal::new("ENTITY_IS_NOT_DELETED", "entity is not in the recycle bin"));
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
            let gone = self.world.database.table(object).all_gone();
            members.extend(
                gone.filter(|(other, gone)| gone.with == id && *other != id && gone.purged.is_none())
                    .map(|(other, _)| other),
            );
        }
        members
    }

    fn purge_one(&mut self, id: Id) {
        let Some(object) = self.object_of(id) else { return };
        let at = self.at;
        let table = self.world.database.table_mut(object);
        let gone = table.gone(id).cloned().map(|gone| Gone { purged: Some(at), cleared: Vec::new(), ..gone });
        table.set_gone(id, gone);
        table.purge(id);
        self.forget_unique(object, id);
    }
}
