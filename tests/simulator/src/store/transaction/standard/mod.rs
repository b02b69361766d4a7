//! Rules that standard objects have beside those of their describes. Each is refused or filled in before anything
//! is written; what the server makes by itself is made afterwards.

mod activities;
mod orders;
mod people;
mod prices;
mod twins;

use super::{Refusal, Transaction};
use crate::store::Row;
use crate::value::{Cell, Id, Value};

impl Transaction<'_> {
    /// Refuses and fills in what an object's own rules say. `before` is the content that an update changes.
    pub(super) fn apply_standard(
        &mut self,
        object: usize,
        row: &mut Row,
        before: Option<&Row>,
    ) -> Result<(), Refusal> {
        self.check_owner(object, row, before)?;
        let schema = self.world.schema.clone();
        let name = schema.object(object).name.as_str();
        match name {
            "Account" => self.become_person(object, row)?,
            "Case" | "Opportunity" | "Task" => self.close(object, row),
            "Contract" | "Order" => self.check_status(object, row, before)?,
            "EmailMessage" => self.check_draft(object, row, before)?,
            "OpportunityLineItem" | "OrderItem" => self.check_item(object, row, before)?,
            "PricebookEntry" => self.check_price(object, row)?,
            "User" => self.check_user(object, row, before)?,
            _ => {}
        }
        self.check_twins(object, row)
    }

    /// What the server makes or changes by itself after a record was written.
    pub(super) fn follow_standard(&mut self, object: usize, id: Id, before: Option<&Row>) {
        let schema = self.world.schema.clone();
        match schema.object(object).name.as_str() {
            "Account" => self.follow_person(id),
            "Campaign" if before.is_none() => self.make_member_statuses(id),
            "Contact" => self.relate_to_account(object, id, before),
            "OpportunityLineItem" => self.count_items(object, id),
            _ => {}
        }
    }

    /// Refuses deletions that an object's own rules forbid.
    pub(super) fn check_deletion(&self, object: usize, row: &Row) -> Result<(), Refusal> {
        match self.described(object).name.as_str() {
            "Order" | "Contract" => self.check_activated_deletion(object, row),
            "OrderItem" => self.check_items_open(object, row),
            "AccountContactRelation" if self.named(object, row, "IsDirect") == Cell::Bool(true) => {
                // help page "Considerations for Relating a Contact to Multiple Accounts"
                Err(Refusal::new(
                    "DELETE_FAILED",
                    "the relationship of a contact with its own account cannot be deleted",
                ))
            }
            _ => Ok(()),
        }
    }

    /// A cell by its field's name; null where the object has no such field.
    pub(super) fn named<'r>(&self, object: usize, row: &'r Row, field: &str) -> Cell<'r> {
        self.described(object).find(field).map_or(Cell::Null, |field| row.get(field))
    }

    /// A cell of a living record by its field's name.
    pub(super) fn field_of(&self, id: Id, field: &str) -> Option<Value> {
        let object = self.is_alive(id).ok()?;
        let found = self.world.database.find(object, id)?;
        let field = self.described(object).find(field)?;
        let mut scratch = String::new();
        self.world.database.cell(&self.world.schema, object, found, field, &mut scratch).to_value()
    }

    /// The record that a reference points to.
    pub(super) fn parent(&self, object: usize, row: &Row, field: &str) -> Option<Id> {
        match self.named(object, row, field) {
            Cell::Id(id) => Some(id),
            _ => None,
        }
    }

    /// Records of an object, by its name, that hold an id in a field.
    pub(super) fn children_of(&self, child: &str, field: &str, id: Id) -> Vec<Id> {
        let found = self.world.schema.find(child);
        let found = found.and_then(|object| Some((object, self.described(object).find(field)?)));
        found.map_or_else(Vec::new, |(object, field)| self.records_with(object, field, id))
    }
}
