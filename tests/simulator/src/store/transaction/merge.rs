//! Merge: one record stays, the others are deleted and what belonged to them is its own.

use super::{Cells, Refusal, Transaction};
use crate::schema::OnDelete;
use crate::value::{Id, Value};

/// Objects that can be merged (SOAP API guide, `merge()`).
const MERGEABLE: [&str; 4] = ["Account", "Case", "Contact", "Lead"];

impl Transaction<'_> {
    /// Merges one or two records into another one: `cells` are written to the winner, references to the losers
    /// point to it afterwards, and the losers are deleted with `MasterRecordId` set. The answer is what now
    /// points to the winner instead.
    pub fn merge(&mut self, winner: Id, losers: &[Id], cells: Cells) -> Result<Vec<Id>, Refusal> {
        let (object, _) = self.alive(winner)?;
        if !MERGEABLE.contains(&self.described(object).name.as_str()) {
            return Err(Refusal::operation(&self.described(object).name, "merge"));
        }
        if losers.is_empty() || losers.len() > 2 || losers.contains(&winner) {
            let message = "merge takes one or two records that are not the master record";
            return Err(Refusal::new("INVALID_FIELD", message));
        }
        for loser in losers {
            if self.alive(*loser)?.0 != object {
                return Err(Refusal::new(
                    "INVALID_ID_FIELD",
                    "all records must be of the master record's type",
                ));
            }
        }
        let before = self.world.clone();
        let merged = self.merge_checked(object, winner, losers, cells);
        if merged.is_err() {
            *self.world = before;
        }
        merged
    }

    fn merge_checked(
        &mut self,
        object: usize,
        winner: Id,
        losers: &[Id],
        cells: Cells,
    ) -> Result<Vec<Id>, Refusal> {
        let moved = self.reparent(object, winner, losers);
        for loser in losers {
            let Some((_, mut row)) = self.find(*loser) else { continue };
            self.before_delete(object, &row)?;
            self.set(object, &mut row, "MasterRecordId", Some(Value::Id(winner)));
            self.write(object, row);
            self.bin_one(*loser, *loser, Vec::new());
            self.after_delete(object, *loser)?;
        }
        self.update(winner, cells)?;
        Ok(moved)
    }

    fn reparent(&mut self, object: usize, winner: Id, losers: &[Id]) -> Vec<Id> {
        let mut moved = Vec::new();
        for relation in self.world.schema.clone().relations_to(object) {
            if relation.on_delete == OnDelete::Keep {
                continue;
            }
            let of_loser = |loser: &Id| self.records_with(relation.child, relation.field, *loser);
            let children: Vec<Id> = losers.iter().flat_map(of_loser).collect();
            for child in children {
                let Some((_, mut row)) = self.find(child) else { continue };
                // a record cannot be its own parent
                let target = (row.id != winner).then_some(Value::Id(winner));
                row.set(relation.field, target);
                self.stamp(relation.child, &mut row, true);
                moved.push(row.id);
                self.write(relation.child, row);
            }
        }
        moved
    }
}
