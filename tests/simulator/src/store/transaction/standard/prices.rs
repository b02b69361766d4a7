//! Prices: the standard one first; items of opportunities and orders come from the price book of theirs.

use super::super::{Refusal, Transaction};
use crate::store::Row;
use crate::value::{Cell, Decimal, Id, Value};

impl Transaction<'_> {
    /// Refuses a price of a custom price book for a product that has no standard price (in that currency).
    pub(super) fn check_price(&self, object: usize, row: &Row) -> Result<(), Refusal> {
        let (Some(book), Some(product)) =
            (self.parent(object, row, "Pricebook2Id"), self.parent(object, row, "Product2Id"))
        else {
            return Ok(());
        };
        if self.is_standard(book) {
            return Ok(());
        }
        let currency = self.named(object, row, "CurrencyIsoCode").to_value();
        let standard = self.children_of("PricebookEntry", "Product2Id", product).into_iter().any(|entry| {
            let book = self.reference(entry, "Pricebook2Id");
            book.is_some_and(|book| self.is_standard(book))
                && self.field_of(entry, "CurrencyIsoCode") == currency
        });
        if standard {
            return Ok(());
        }
        let message = "Before creating a custom price, create a standard price.";
        Err(Refusal::new("STANDARD_PRICE_NOT_DEFINED", message))
    }

    fn is_standard(&self, book: Id) -> bool {
        self.field_of(book, "IsStandard") == Some(Value::Bool(true))
    }

    fn reference(&self, id: Id, field: &str) -> Option<Id> {
        match self.field_of(id, field) {
            Some(Value::Id(id)) => Some(id),
            _ => None,
        }
    }

    /// Items need a price book on what they belong to, and an entry of that one; of total and unit price one is given.
    pub(super) fn check_item(
        &self,
        object: usize,
        row: &mut Row,
        before: Option<&Row>,
    ) -> Result<(), Refusal> {
        let of_order = self.described(object).name == "OrderItem";
        let owner = if of_order { "OrderId" } else { "OpportunityId" };
        if of_order {
            self.check_items_open(object, row)?;
        }
        let entry = self.parent(object, row, "PricebookEntryId");
        let moved = before.is_none_or(|before| self.parent(object, before, "PricebookEntryId") != entry);
        if let (Some(entry), Some(parent), true) = (entry, self.parent(object, row, owner), moved) {
            let of_entry = self.reference(entry, "Pricebook2Id");
            let of_parent = self.reference(parent, "Pricebook2Id");
            if of_parent.is_none() {
                let message = format!("field integrity exception: {owner} (no price book is assigned to it)");
                return Err(Refusal::field("FIELD_INTEGRITY_EXCEPTION", owner, message));
            }
            if of_entry != of_parent {
                let what = if of_order { "order" } else { "opportunity" };
                let message = format!(
                    "field integrity exception: PricebookEntryId (pricebook entry is in a different pricebook than the \
                     one assigned to the {what})"
                );
                return Err(Refusal::field("FIELD_INTEGRITY_EXCEPTION", "PricebookEntryId", message));
            }
            let product = self.field_of(entry, "Product2Id");
            self.set(object, row, "Product2Id", product);
        }
        if of_order { Ok(()) } else { self.fill_prices(object, row, before) }
    }

    /// Total and unit price of an opportunity's product follow from each other (object reference,
    /// OpportunityLineItem: "specify one of them").
    fn fill_prices(&self, object: usize, row: &mut Row, before: Option<&Row>) -> Result<(), Refusal> {
        let number = |row: &Row, field: &str| match self.named(object, row, field) {
            Cell::Number(number) => Some(number),
            Cell::Int(number) => Some(Decimal::new(number, 0)),
            _ => None,
        };
        let given = |field: &str, row: &Row| {
            let now = number(row, field);
            now.is_some() && before.is_none_or(|before| number(before, field) != now)
        };
        let (total, unit) = (given("TotalPrice", row), given("UnitPrice", row));
        if before.is_none() && total && unit {
            let message = "specify either TotalPrice or UnitPrice, not both";
            return Err(Refusal::field("INVALID_FIELD_FOR_INSERT_UPDATE", "TotalPrice", message));
        }
        let Some(quantity) = number(row, "Quantity") else { return Ok(()) };
        if let (true, Some(sum)) = (total, number(row, "TotalPrice")) {
            self.set(object, row, "UnitPrice", divided(sum, quantity).map(Value::Number));
        } else if let Some(price) = number(row, "UnitPrice") {
            self.set(object, row, "TotalPrice", multiplied(price, quantity).map(Value::Number));
        }
        Ok(())
    }

    /// An opportunity tells whether it has products.
    pub(super) fn count_items(&mut self, object: usize, id: Id) {
        let Some((_, item)) = self.find(id) else { return };
        let Some(opportunity) = self.parent(object, &item, "OpportunityId") else { return };
        let Some((opportunities, mut row)) = self.find(opportunity) else { return };
        if self.described(opportunities).find("HasOpportunityLineItem").is_none()
            || self.named(opportunities, &row, "HasOpportunityLineItem") == Cell::Bool(true)
        {
            return;
        }
        self.set(opportunities, &mut row, "HasOpportunityLineItem", Some(Value::Bool(true)));
        self.stamp(opportunities, &mut row, false);
        self.write(opportunities, row);
    }
}

/// The product in cents; `None` if it has more digits than a currency field.
fn multiplied(price: Decimal, quantity: Decimal) -> Option<Decimal> {
    let ((a, a_scale), (b, b_scale)) = (price.parts(), quantity.parts());
    cents(i128::from(a) * i128::from(b), 10i128.checked_pow(u32::from(a_scale) + u32::from(b_scale))?)
}

fn divided(sum: Decimal, quantity: Decimal) -> Option<Decimal> {
    let ((a, a_scale), (b, b_scale)) = (sum.parts(), quantity.parts());
    let (upper, lower) = (10i128.pow(u32::from(b_scale)), 10i128.pow(u32::from(a_scale)));
    cents(i128::from(a).checked_mul(upper)?, i128::from(b) * lower)
}

/// A fraction as cents, halves rounded up.
fn cents(units: i128, divisor: i128) -> Option<Decimal> {
    let (units, divisor) = if divisor < 0 { (-units, -divisor) } else { (units, divisor) };
    let doubled = units.checked_mul(200)?.checked_add(divisor)?;
    let rounded = doubled.checked_div_euclid(divisor.checked_mul(2)?)?;
    Some(Decimal::new(i64::try_from(rounded).ok()?, 2))
}
