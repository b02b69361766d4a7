//! Masters whose roll-ups a change of a detail may move.

use crate::formula::computed;
use crate::store::Row;
use crate::store::transaction::Transaction;
use crate::value::{Cell, Id, Value};

/// A master, and what its roll-ups came to.
pub(crate) struct Summed {
    object: usize,
    id: Id,
    values: Vec<Option<Value>>,
}

impl Transaction<'_> {
    /// The masters that a row of an object has by now and will have, with what their roll-ups come to by now; none where
    /// a roll-up stamps nothing.
    pub(crate) fn summing(&self, object: usize, row: &Row) -> Vec<Summed> {
        let schema = &self.world.schema;
        let references = schema.summed(object);
        if references.is_empty() || !self.doubts().roll_ups_stamp {
            return Vec::new();
        }
        let now = self.find(row.id).map(|(_, now)| now);
        let mut masters: Vec<Id> = Vec::new();
        for reference in references {
            for known in [Some(row), now.as_ref()].into_iter().flatten() {
                if let Cell::Id(id) = known.get(*reference) {
                    masters.push(id);
                }
            }
        }
        masters.sort_unstable();
        masters.dedup();
        let summed = |id: Id| {
            let master = self.object_of(id)?;
            Some(Summed { object: master, id, values: self.sums(master, id) })
        };
        masters.into_iter().filter_map(summed).collect()
    }

    /// Moves the SystemModstamp of masters whose roll-ups come to something else now. A master that is deleted itself
    /// stays as it is.
    pub(crate) fn stamp_masters(&mut self, masters: Vec<Summed>) {
        for master in masters {
            let Ok((object, mut row)) = self.alive(master.id) else { continue };
            if self.sums(master.object, master.id) != master.values {
                self.stamp(object, &mut row, false);
                self.write(object, row);
            }
        }
    }

    fn sums(&self, object: usize, id: Id) -> Vec<Option<Value>> {
        let (schema, database) = (&*self.world.schema, &self.world.database);
        let Some(row) = database.find(object, id) else { return Vec::new() };
        let fields = schema.object(object).fields.iter().filter(|field| field.roll_up.is_some());
        fields.map(|field| computed(database, schema, object, row, field).flatten()).collect()
    }
}
