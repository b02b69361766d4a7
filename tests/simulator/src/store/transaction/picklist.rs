//! Values of picklists: only those of the list where it is restricted, only those that the record type leaves, only
//! those that go with the controlling field.

use super::{Refusal, Transaction};
use crate::schema::{Field, FieldType, Object};
use crate::store::Row;
use crate::value::{Cell, Id};

impl Transaction<'_> {
    /// Holds a picklist's value against what may be chosen. Lists that are not restricted take any value.
    pub(super) fn check_picklist(
        &self,
        object: usize,
        row: &Row,
        number: usize,
        text: &str,
    ) -> Result<(), Refusal> {
        let described = self.described(object);
        let field = &described.fields[number];
        if !field.restricted_picklist {
            return Ok(());
        }
        let of_type = record_type(described, row).and_then(|id| described.type_picklists.get(&(id, number)));
        let controlled = field.controller.as_deref().filter(|_| self.doubts.dependent_picklists);
        let controlled = controlled.and_then(|name| described.find(name));
        let open = |value: &str| {
            let listed = field.picklist.iter().find(|known| known.eq_ignore_ascii_case(value));
            let Some(listed) = listed else { return false };
            of_type
                .is_none_or(|of_type| of_type.values.iter().any(|known| known.eq_ignore_ascii_case(listed)))
                && controlled.is_none_or(|by| goes_with(field, listed, &described.fields[by], row.get(by)))
        };
        let wrong = match field.kind {
            FieldType::MultiPicklist => text.split(';').map(str::trim).find(|value| !open(value)),
            _ => (!open(text)).then_some(text),
        };
        let Some(wrong) = wrong else { return Ok(()) };
        let message = format!("{}: bad value for restricted picklist field: {wrong}", field.label);
        Err(Refusal::field("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", &field.name, message))
    }

    /// Gives a new record the record type and the defaults that it does not name itself, and refuses a record type
    /// that is none of the object's.
    pub(super) fn choose_record_type(&self, object: usize, row: &mut Row) -> Result<(), Refusal> {
        let described = self.described(object);
        let Some(field) = described.stamps.record_type else { return Ok(()) };
        match row.get(field) {
            Cell::Null => row.set(field, described.default_type.map(crate::value::Value::Id)),
            Cell::Id(id) => self.check_record_type(object, id)?,
            _ => {}
        }
        let Some(id) = record_type(described, row) else { return Ok(()) };
        for ((_, number), told) in described.type_picklists.iter().filter(|((known, _), _)| *known == id) {
            if let (Cell::Null, Some(default)) = (row.get(*number), &told.default) {
                row.set(*number, Some(crate::value::Value::Text(default.as_str().into())));
            }
        }
        Ok(())
    }

    /// Whether the object tells which record types it has.
    pub(super) fn has_record_types(&self, object: usize) -> bool {
        !self.described(object).record_types.is_empty()
    }

    /// Refuses a record type of another object. The Master record type is everybody's.
    pub(super) fn check_record_type(&self, object: usize, id: Id) -> Result<(), Refusal> {
        let known = &self.described(object).record_types;
        // an object without a list of record types tells nothing of them
        if id == master_record_type() || known.is_empty() || known.contains(&id) {
            return Ok(());
        }
        let message = format!("Record Type ID: this ID value isn't valid for the user: {id}");
        Err(Refusal::field("INVALID_CROSS_REFERENCE_KEY", "RecordTypeId", message))
    }
}

/// The record type of records that have none of their own.
pub(super) fn master_record_type() -> Id {
    Id::parse("012000000000000AAA").unwrap_or(Id::LOWEST)
}

fn record_type(described: &Object, row: &Row) -> Option<Id> {
    match row.get(described.stamps.record_type?) {
        Cell::Id(id) => Some(id),
        _ => None,
    }
}

/// Whether a dependent picklist's value goes with the controlling one. A checkbox controls as the list false, true.
fn goes_with(field: &Field, value: &str, controller: &Field, chosen: Cell<'_>) -> bool {
    let place = match chosen {
        Cell::Bool(checked) => Some(usize::from(checked)),
        Cell::Text(text) => controller.listed.iter().position(|known| known.eq_ignore_ascii_case(text)),
        _ => None,
    };
    let bits = field.valid_for.iter().find(|(known, _)| known == value);
    match (bits, place) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some((_, bits)), Some(place)) => {
            bits.get(place / 8).is_some_and(|byte| byte & (0x80 >> (place % 8)) != 0)
        }
    }
}
