//! The form in which values are kept, which is not always the one in which they are given.

use std::collections::HashSet;

use super::Transaction;
use crate::schema::{Field, FieldType};
use crate::store::Row;
use crate::value::{Cell, Value};

impl Transaction<'_> {
    /// Gives values the form in which they are kept: times in whole seconds, several values of a picklist in the order
    /// of the picklist; texts cut to what their fields hold, if the call wants that.
    pub(super) fn shape(&self, object: usize, row: &mut Row, fields: &[usize]) {
        for &number in fields {
            let field = &self.described(object).fields[number];
            let shaped = match row.get(number) {
                Cell::DateTime(at) if at.rem_euclid(1_000) != 0 => {
                    Some(Value::DateTime(at.div_euclid(1_000) * 1_000))
                }
                Cell::Text(text) if field.kind == FieldType::MultiPicklist => {
                    row.set(number, in_order(field, text));
                    continue;
                }
                Cell::Text(text) if self.options.truncate => cut(field, text),
                _ => continue,
            };
            if shaped.is_some() {
                row.set(number, shaped);
            }
        }
    }
}

/// Values of a picklist each once, in the order of the picklist; those that it does not know follow as they were given.
fn in_order(field: &Field, text: &str) -> Option<Value> {
    let mut values: Vec<&str> = text.split(';').map(str::trim).filter(|value| !value.is_empty()).collect();
    let place = |value: &str| field.listed.iter().position(|known| known == value).unwrap_or(usize::MAX);
    values.sort_by_key(|value| place(value));
    let mut seen = HashSet::new();
    values.retain(|value| seen.insert(*value));
    (!values.is_empty()).then(|| Value::Text(values.join(";").into()))
}

/// A text that is too long, cut (SOAP API guide, AllowFieldTruncationHeader).
fn cut(field: &Field, text: &str) -> Option<Value> {
    if field.length == 0 || field.kind == FieldType::Base64 || text.chars().count() <= field.length {
        return None;
    }
    let cut: String = text.chars().take(field.length).collect();
    Some(Value::Text(cut.into()))
}
