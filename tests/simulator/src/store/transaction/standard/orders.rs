//! Orders and contracts: drafts first, then activated; what is activated keeps its products.

use super::super::{Refusal, Transaction};
use crate::store::Row;
use crate::value::{Cell, Id, Value};

const DRAFT: &str = "Draft";
const ACTIVATED: &str = "Activated";

impl Transaction<'_> {
    /// A status that begins with what activates counts as activated: orgs add own ones to each category, which no
    /// describe tells.
    fn status_code(&self, object: usize, row: &Row) -> &'static str {
        match self.named(object, row, "Status") {
            Cell::Text(text) if text.starts_with(ACTIVATED) => ACTIVATED,
            _ => DRAFT,
        }
    }

    /// Refuses to insert what is activated already, and to activate an order without products.
    pub(super) fn check_status(
        &self,
        object: usize,
        row: &mut Row,
        before: Option<&Row>,
    ) -> Result<(), Refusal> {
        let code = self.status_code(object, row);
        let order = self.described(object).name == "Order";
        let what = if order { "order" } else { "contract" };
        let was = before.map(|before| self.status_code(object, before));
        match (was, code) {
            (None, ACTIVATED) => {
                let message = format!(
                    "Choose a valid {what} status and save your changes. Ask your admin for details."
                );
                return Err(Refusal::field("FAILED_ACTIVATION", "Status", message));
            }
            (Some(DRAFT), ACTIVATED) if order => {
                let items = self.world.schema.find("OrderItem").is_some();
                if items && self.children_of("OrderItem", "OrderId", row.id).is_empty() {
                    let message = "An order must have at least one product.";
                    return Err(Refusal::field("FAILED_ACTIVATION", "Status", message));
                }
            }
            // a contract that was activated stays so until it ends; an order may become a draft again
            (Some(ACTIVATED), DRAFT) if !order => {
                let message = "an activated contract cannot become a draft";
                return Err(Refusal::field("FIELD_INTEGRITY_EXCEPTION", "Status", message));
            }
            _ => {}
        }
        self.set(object, row, "StatusCode", Some(Value::Text(code.into())));
        if was != Some(code) && code == ACTIVATED {
            self.set(object, row, "ActivatedDate", Some(Value::DateTime(self.at)));
            self.set(object, row, "ActivatedById", Some(Value::Id(self.actor.user)));
        }
        Ok(())
    }

    pub(super) fn check_activated_deletion(&self, object: usize, row: &Row) -> Result<(), Refusal> {
        if self.status_code(object, row) == DRAFT {
            return Ok(());
        }
        let name = self.described(object).name.to_lowercase();
        Err(Refusal::new("DELETE_FAILED", format!("an activated {name} cannot be deleted")))
    }

    /// Whether an order or a contract is activated.
    pub(in super::super) fn is_activated(&self, id: Id) -> bool {
        matches!(self.field_of(id, "Status"), Some(Value::Text(status)) if status.starts_with(ACTIVATED))
    }

    /// Refuses to change the products of an activated order.
    pub(super) fn check_items_open(&self, object: usize, row: &Row) -> Result<(), Refusal> {
        let order: Option<Id> = self.parent(object, row, "OrderId");
        if !order.is_some_and(|order| self.is_activated(order)) {
            return Ok(());
        }
        let message = "products of an activated order cannot be added, changed or removed";
        Err(Refusal::field("FIELD_INTEGRITY_EXCEPTION", "OrderId", message))
    }
}
