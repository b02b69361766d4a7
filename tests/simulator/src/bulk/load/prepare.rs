//! Rows made cells, as far as that goes without looking at other records.

use std::borrow::Cow;

use super::columns::{Column, Columns};
use super::{Load, Operation};
use crate::schema::{Field, FieldType};
use crate::store::transaction::{Cells, Refusal, read_text};
use crate::value::{Id, Value};

/// What a row has in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given<'a> {
    /// Nothing: the field stays as it is.
    Nothing,
    /// The field is emptied.
    Null,
    /// A value.
    Text(Cow<'a, str>),
}

impl<'a> Given<'a> {
    /// What a value of CSV means: empty ones are ignored, `#N/A` empties the field (Bulk API guide, "Valid CSV
    /// Record Rows").
    pub(crate) fn of_csv(value: Cow<'a, str>) -> Self {
        match value.as_ref() {
            "" => Self::Nothing,
            "#N/A" => Self::Null,
            _ => Self::Text(value),
        }
    }
}

/// A record that a row names by a field of it.
#[derive(Debug)]
pub(crate) struct Parent {
    /// The reference.
    pub(super) field: usize,
    /// Object and field of the target.
    pub(super) by: (usize, usize),
    pub(super) value: Option<Value>,
    /// The value as it was given.
    pub(super) text: String,
}

/// A row that can be written.
#[derive(Debug)]
pub(crate) struct Prepared {
    /// The record, where the row names it.
    pub(super) id: Option<Id>,
    pub(super) cells: Cells,
    /// References by a field of their targets.
    pub(super) parents: Vec<Parent>,
    /// What upsert finds the record by.
    pub(super) key: Option<Value>,
}

impl Columns {
    /// Reads the values of a row, one for each column.
    pub(crate) fn prepare<'a>(
        &self,
        load: &Load,
        values: impl Iterator<Item = Given<'a>>,
    ) -> Result<Prepared, Refusal> {
        let described = self.described();
        let deletes = matches!(load.operation, Operation::Delete | Operation::HardDelete);
        let mut prepared = Prepared {
            id: None,
            cells: Cells::with_capacity(self.columns.len()),
            parents: Vec::new(),
            key: None,
        };
        for (column, given) in self.columns.iter().zip(values) {
            match (column, given) {
                (_, Given::Nothing) => {}
                (Column::Id, Given::Null) => {}
                (Column::Id, Given::Text(text)) => {
                    if load.operation == Operation::Insert {
                        let message = "cannot specify Id in an insert call";
                        return Err(Refusal::field("INVALID_FIELD_FOR_INSERT_UPDATE", "Id", message));
                    }
                    let id = Id::parse(&text).ok_or_else(|| {
                        Refusal::field(
                            "MALFORMED_ID",
                            "Id",
                            format!("{}: id value of incorrect type: {text}", described.name),
                        )
                    })?;
                    prepared.id = Some(id);
                }
                // rows that delete have no other use for their columns
                _ if deletes => {}
                (Column::Field(field), Given::Null) => prepared.cells.push((*field, None)),
                (Column::Field(field), Given::Text(text)) => {
                    let value = read(&described.fields[*field], &text)?;
                    if self.key == Some(*field) {
                        prepared.key.clone_from(&value);
                    }
                    prepared.cells.push((*field, value));
                }
                (Column::Parent { field, .. }, Given::Null) => prepared.cells.push((*field, None)),
                (Column::Parent { field, by }, Given::Text(text)) => {
                    let key = &self.schema.object(by.0).fields[by.1];
                    let value = read(key, &text)?;
                    prepared.parents.push(Parent { field: *field, by: *by, value, text: text.into_owned() });
                }
            }
        }
        let names = matches!(load.operation, Operation::Update | Operation::Delete | Operation::HardDelete);
        if names && prepared.id.is_none() {
            return Err(Refusal::field("MISSING_ARGUMENT", "Id", "Id not specified in an update call"));
        }
        if let Some(key) = self.key.filter(|_| load.operation == Operation::Upsert && prepared.key.is_none())
        {
            let name = &described.fields[key].name;
            return Err(Refusal::field("MISSING_ARGUMENT", name, format!("{name} not specified")));
        }
        Ok(prepared)
    }
}

/// The value of a field in text, which takes more forms than JSON does.
fn read(field: &Field, text: &str) -> Result<Option<Value>, Refusal> {
    match field.kind {
        // the guide, "Valid CSV Record Rows"
        FieldType::Boolean => match text.to_ascii_lowercase().as_str() {
            "yes" | "y" | "true" | "on" | "1" => Ok(Some(Value::Bool(true))),
            "no" | "n" | "false" | "off" | "0" => Ok(Some(Value::Bool(false))),
            _ => read_text(field, text),
        },
        // the guide's own example has `1940-06-07Z`
        FieldType::Date => read_text(field, text.strip_suffix('Z').unwrap_or(text)),
        _ => read_text(field, text),
    }
}
