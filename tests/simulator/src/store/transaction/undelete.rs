//! Records brought back from the recycle bin.

use std::collections::HashSet;

use super::{Refusal, Transaction};
use crate::schema::OnDelete;
use crate::store::{Gone, Row};
use crate::value::{Cell, Id, Value};

impl Transaction<'_> {
    /// Brings a record back with what went along with its deletion. References to it that were emptied are
    /// filled again where they are still empty.
    pub fn undelete(&mut self, id: Id) -> Result<(), Refusal> {
        let object = self.object_of(id).ok_or_else(Refusal::unknown)?;
        self.guarded(object, |transaction| transaction.undelete_one(object, id))
    }

    fn undelete_one(&mut self, object: usize, id: Id) -> Result<(), Refusal> {
        self.allow(object, "undeletable", "undelete")?;
        let gone = self.world.database.table(object).gone(id);
        gone.filter(|gone| gone.purged.is_none()).ok_or_else(Refusal::not_in_bin)?;
        let (_, row) = self.find(id).ok_or_else(Refusal::not_in_bin)?;
        self.check_mix(object, &row, None)?;
        self.mixed(object, &row, None);
        let members = self.members(id);
        let back: HashSet<Id> = members.iter().copied().collect();
        let mut rows = Vec::with_capacity(members.len());
        for member in &members {
            let Some((object, mut row)) = self.find(*member) else { continue };
            row.deleted = self.is_archived(object, &row);
            self.drop_lost(object, &mut row, &back)?;
            self.lock(object, &row, None)?;
            let fields: Vec<usize> = row.cells().map(|(field, _)| field).collect();
            for field in fields {
                self.check_unique(object, &row, field)?;
            }
            rows.push((object, row));
        }
        let mut emptied = Vec::new();
        for (object, mut row) in rows {
            let id = row.id;
            self.set(object, &mut row, "IsDeleted", Some(Value::Bool(false)));
            self.set(object, &mut row, "MasterRecordId", None);
            self.stamp(object, &mut row, true);
            self.write(object, row);
            let table = self.world.database.table_mut(object);
            let gone: Option<Gone> = table.gone(id).cloned();
            table.set_gone(id, None);
            emptied.extend(gone.into_iter().flat_map(|gone| gone.cleared).map(|cleared| (id, cleared)));
        }
        if self.doubts.undelete_refills {
            for (target, cleared) in emptied {
                self.refill(target, cleared.record, &cleared.field);
            }
        }
        self.after_undelete(object, id)
    }

    /// References to what is not there any more are emptied; where that cannot be, the record cannot come back.
    fn drop_lost(&self, object: usize, row: &mut Row, back: &HashSet<Id>) -> Result<(), Refusal> {
        let described = self.described(object);
        for (number, field) in described.fields.iter().enumerate() {
            let Cell::Id(target) = row.get(number) else { continue };
            if field.reference_to.is_empty() || back.contains(&target) {
                continue;
            }
            let Some(target_object) = self.object_of(target) else { continue };
            let relations = self.world.schema.relations_to(target_object);
            let relation = relations.iter().find(|r| (r.child, r.field) == (object, number));
            let keeps = relation.is_none_or(|relation| relation.on_delete == OnDelete::Keep);
            if keeps || self.alive(target).is_ok() {
                continue;
            }
            if relation.is_some_and(|relation| relation.on_delete == OnDelete::Cascade) || !field.nillable {
                let message = format!("Undelete failed: {} {target} is deleted", field.name);
                return Err(Refusal::field("UNDELETE_FAILED", &field.name, message));
            }
            row.set(number, None);
        }
        Ok(())
    }

    fn refill(&mut self, target: Id, record: Id, field: &str) {
        let Ok((object, mut row)) = self.alive(record) else { return };
        let Some(field) = self.described(object).find(field) else { return };
        if row.get(field) != Cell::Null {
            return;
        }
        row.set(field, Some(Value::Id(target)));
        if self.doubts.clearing_stamps {
            self.stamp(object, &mut row, false);
        }
        self.write(object, row);
    }
}
