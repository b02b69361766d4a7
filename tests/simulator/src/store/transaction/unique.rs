//! Unique fields, and records found by an external id.

use std::collections::HashMap;

use super::{Refusal, Transaction};
use crate::schema::Field;
use crate::store::{Bounds, Row};
use crate::value::{Cell, Id};

/// The values of one field, in the form in which they are compared, and whose they are; and the other way round.
#[derive(Debug, Default)]
pub(super) struct Known {
    by_value: HashMap<String, Vec<Id>>,
    by_id: HashMap<Id, String>,
}

impl Known {
    fn add(&mut self, id: Id, value: String) {
        self.by_value.entry(value.clone()).or_default().push(id);
        self.by_id.insert(id, value);
    }

    fn remove(&mut self, id: Id) {
        let Some(value) = self.by_id.remove(&id) else { return };
        if let Some(ids) = self.by_value.get_mut(&value) {
            ids.retain(|known| *known != id);
        }
    }
}

impl Transaction<'_> {
    /// The records that have a value in a field, those of the recycle bin left out: what upsert and lookups by
    /// an external id go by.
    pub fn find_by(&mut self, object: usize, field: usize, value: Cell<'_>) -> Vec<Id> {
        let Some(key) = key(&self.world.schema.object(object).fields[field], value) else {
            return Vec::new();
        };
        self.known(object, field).by_value.get(&key).cloned().unwrap_or_default()
    }

    /// Refuses a value that another record has in a unique field.
    pub(super) fn check_unique(&mut self, object: usize, row: &Row, field: usize) -> Result<(), Refusal> {
        let described = &self.world.schema.object(object).fields[field];
        if !described.enforced_unique || row.get(field) == Cell::Null {
            return Ok(());
        }
        let name = described.name.clone();
        let others = self.find_by(object, field, row.get(field));
        match others.into_iter().find(|id| *id != row.id) {
            None => Ok(()),
            Some(other) => {
                let message =
                    format!("duplicate value found: {name} duplicates value on record with id: {other}");
                Err(Refusal::field("DUPLICATE_VALUE", &name, message))
            }
        }
    }

    fn known(&mut self, object: usize, field: usize) -> &Known {
        let world = &*self.world;
        self.unique.entry((object, field)).or_insert_with(|| {
            let described = &world.schema.object(object).fields[field];
            let table = world.database.table(object);
            let mut known = Known::default();
            let mut scratch = String::new();
            for row in table.scan(Bounds::ALL, false) {
                let cell = world.database.cell(&world.schema, object, row, field, &mut scratch);
                if let Some(key) = key(described, cell) {
                    known.add(table.id_of(row), key);
                }
            }
            known
        })
    }

    pub(super) fn forget_unique(&mut self, object: usize, id: Id) {
        for (_, known) in self.unique.iter_mut().filter(|((known, _), _)| *known == object) {
            known.remove(id);
        }
    }

    pub(super) fn learn_unique(&mut self, object: usize, row: &Row) {
        if row.deleted {
            return;
        }
        let described = self.world.schema.object(object);
        for ((_, field), known) in self.unique.iter_mut().filter(|((known, _), _)| *known == object) {
            if let Some(key) = key(&described.fields[*field], row.get(*field)) {
                known.add(row.id, key);
            }
        }
    }
}

/// A value as it is compared; null is like nothing.
fn key(field: &Field, cell: Cell<'_>) -> Option<String> {
    Some(match cell {
        Cell::Null => return None,
        Cell::Text(text) if field.case_sensitive => text.to_owned(),
        Cell::Text(text) => text.to_lowercase(),
        Cell::Number(number) => {
            let mut plain = Vec::new();
            number.write(&mut plain);
            String::from_utf8_lossy(&plain).into_owned()
        }
        Cell::Int(number) => format!("{number}.0"),
        other => format!("{other:?}"),
    })
}
