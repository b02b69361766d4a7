//! ORDER BY.

use std::cmp::Ordering;

use super::Cursor;
use super::plan::SortBy;
use super::take::Expr;
use crate::schema::FieldType;
use crate::value::{Id, Value};

type Keyed = (Vec<Option<Value>>, Id);

/// The ids in the order that was asked for; equal rows in the order of their ids. Where only the first `most`
/// are wanted, no more than a multiple of that is held.
pub(super) fn sorted(
    cursor: &Cursor,
    order: &[SortBy],
    ids: impl Iterator<Item = Id>,
    most: Option<u64>,
) -> Vec<Id> {
    let most = most.and_then(|most| usize::try_from(most).ok());
    let held = most.map_or(usize::MAX, |most| most.saturating_mul(2).max(4_096));
    let mut keyed: Vec<Keyed> = Vec::new();
    let mut scratch = String::new();
    for id in ids {
        let Some(row) = cursor.table().find(id) else { continue };
        let key = order
            .iter()
            .map(|by| match cursor.expr_value(&by.expr, row, &mut scratch) {
                Some(Value::Text(text)) => Some(text_key(cursor, &by.expr, &text)),
                other => other,
            })
            .collect();
        keyed.push((key, id));
        if keyed.len() >= held {
            keyed.sort_unstable_by(|a, b| compare(order, a, b));
            keyed.truncate(most.unwrap_or(usize::MAX));
        }
    }
    keyed.sort_unstable_by(|a, b| compare(order, a, b));
    keyed.truncate(most.unwrap_or(usize::MAX));
    keyed.into_iter().map(|(_, id)| id).collect()
}

/// Text sorts in any case, and values of a picklist in the order of the picklist.
fn text_key(cursor: &Cursor, by: &Expr, text: &str) -> Value {
    let leaf = by.path.leaf();
    let field = &cursor.plan().schema().object(leaf.object).fields[leaf.field];
    if field.kind != FieldType::Picklist || by.take.is_some() {
        return Value::Text(text.to_lowercase().into());
    }
    let place = field.picklist.iter().position(|value| value == text);
    Value::Int(place.and_then(|place| i64::try_from(place).ok()).unwrap_or(i64::MAX))
}

fn compare(order: &[SortBy], a: &Keyed, b: &Keyed) -> Ordering {
    for (by, (x, y)) in order.iter().zip(a.0.iter().zip(&b.0)) {
        let ordering = match (x, y) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) if by.nulls_last => Ordering::Greater,
            (None, Some(_)) => Ordering::Less,
            (Some(_), None) if by.nulls_last => Ordering::Less,
            (Some(_), None) => Ordering::Greater,
            (Some(x), Some(y)) if by.descending => compare_values(y, x),
            (Some(x), Some(y)) => compare_values(x, y),
        };
        if ordering != Ordering::Equal {
            return ordering;
        }
    }
    a.1.cmp(&b.1)
}

/// Compares values of one field.
pub(super) fn compare_values(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::Text(a), Value::Text(b)) => a.cmp(b),
        (Value::Int(a), Value::Int(b)) | (Value::DateTime(a), Value::DateTime(b)) => a.cmp(b),
        (Value::Number(a), Value::Number(b)) => a.cmp(b),
        (Value::Date(a), Value::Date(b)) | (Value::Time(a), Value::Time(b)) => a.cmp(b),
        (Value::Id(a), Value::Id(b)) => a.cmp(b),
        _ => Ordering::Equal,
    }
}
