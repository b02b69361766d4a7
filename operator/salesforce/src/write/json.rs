//! Rows as JSON: values typed as their field is, references by external id as objects.

use std::collections::BTreeSet;

use serde_json::{Map, Value, value::RawValue};

use super::row::{Cell, Kind, Target};

/// A row's members, without those of `leave_out`. `Parent.Ext__c` becomes `{"Parent": {"Ext__c": …}}`, and
/// `User:Owner.Username` the same with the type that a polymorphic reference needs (D: CSV of Bulk 2.0, type first).
pub(crate) fn members(target: &Target, cells: &[Cell], leave_out: &[&str]) -> Map<String, Value> {
    let mut members = Map::new();
    for (column, cell) in target.columns.iter().zip(cells) {
        if leave_out.iter().any(|name| name.eq_ignore_ascii_case(&column.name)) {
            continue;
        }
        let value = match cell {
            Cell::Absent => continue,
            Cell::Null => Value::Null,
            Cell::Text(text) => value(column.kind, text),
        };
        let (name, value) = match column.name.split_once('.') {
            None => (column.name.clone(), value),
            Some((parent, field)) => (parent_name(parent), reference(parent, field, value)),
        };
        members.insert(name, value);
    }
    members
}

fn parent_name(parent: &str) -> String {
    parent.rsplit(':').next().unwrap_or(parent).to_owned()
}

fn reference(parent: &str, field: &str, value: Value) -> Value {
    if value.is_null() {
        return Value::Null;
    }
    let mut object = Map::new();
    if let Some((kind, _)) = parent.split_once(':') {
        object.insert("attributes".to_owned(), serde_json::json!({ "type": kind }));
    }
    object.insert(field.to_owned(), value);
    Value::Object(object)
}

/// A value; text that is no number or boolean stays text, and the org says what it thinks of it.
fn value(kind: Kind, text: &str) -> Value {
    match (kind, text) {
        (_, "") => Value::Null,
        (Kind::Boolean, "true") => Value::Bool(true),
        (Kind::Boolean, "false") => Value::Bool(false),
        (Kind::Number, text) => number(text).unwrap_or_else(|| Value::String(text.to_owned())),
        (_, text) => Value::String(text.to_owned()),
    }
}

/// A number that a double can carry as it stands; one of more digits goes as text, which Salesforce reads as well (K).
fn number(text: &str) -> Option<Value> {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if digits > 15 || serde_json::from_str::<&RawValue>(text).is_err() {
        return None;
    }
    serde_json::from_str::<serde_json::Number>(text).ok().map(Value::Number)
}

/// The fields that a row tells.
pub(crate) fn told(target: &Target, cells: &[Cell]) -> BTreeSet<String> {
    let told = target.columns.iter().zip(cells).filter(|(_, cell)| **cell != Cell::Absent);
    told.map(|(column, _)| column.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::row::{Column, Operation};

    #[test]
    fn values_are_typed_and_parents_are_objects() {
        let column = |name: &str, kind| Column { name: name.to_owned(), kind };
        let target = Target::new(
            "Contact",
            Operation::Insert,
            vec![
                column("LastName", Kind::Text),
                column("Amount__c", Kind::Number),
                column("Done__c", Kind::Boolean),
                column("Account.Ext__c", Kind::Text),
                column("User:Owner.Username", Kind::Text),
                column("Phone", Kind::Text),
                column("Fax", Kind::Text),
            ],
        );
        let text = |text: &str| Cell::Text(text.to_owned());
        let cells =
            [text("O\"Neil"), text("10.50"), text("true"), text("7"), text("a@b"), Cell::Null, Cell::Absent];
        assert_eq!(
            Value::Object(members(&target, &cells, &[])).to_string(),
            r#"{"LastName":"O\"Neil","Amount__c":10.5,"Done__c":true,"Account":{"Ext__c":"7"},"Owner":{"attributes":{"type":"User"},"Username":"a@b"},"Phone":null}"#
        );
        assert_eq!(told(&target, &cells).len(), 6);
        assert_eq!(value(Kind::Number, "12345678901234567.12"), Value::from("12345678901234567.12"));
        assert_eq!(value(Kind::Number, "many"), Value::from("many"));
        assert_eq!(value(Kind::Text, ""), Value::Null);
    }
}
