//! Unique fields, and records found by a key.

use super::{Refusal, Transaction};
use crate::store::Row;
use crate::value::{Cell, Id};

impl Transaction<'_> {
    /// The records that have a value in a field, those of the recycle bin left out: what upsert and lookups by
    /// an external id go by.
    pub fn find_by(&self, object: usize, field: usize, value: Cell<'_>) -> Vec<Id> {
        self.world.database.with_value(&self.world.schema, object, field, value)
    }

    /// Records that are not deleted and hold this id in a field.
    pub fn records_with(&self, object: usize, field: usize, id: Id) -> Vec<Id> {
        self.find_by(object, field, Cell::Id(id))
    }

    /// Refuses a value that another record has in a unique field.
    pub(super) fn check_unique(&self, object: usize, row: &Row, field: usize) -> Result<(), Refusal> {
        let described = &self.world.schema.object(object).fields[field];
        if !described.enforced_unique || row.get(field) == Cell::Null {
            return Ok(());
        }
        let name = &described.name;
        let others = self.find_by(object, field, row.get(field));
        match others.into_iter().find(|id| *id != row.id) {
            None => Ok(()),
            Some(other) => {
                let message =
                    format!("duplicate value found: {name} duplicates value on record with id: {other}");
                Err(Refusal::field("DUPLICATE_VALUE", name, message))
            }
        }
    }
}
