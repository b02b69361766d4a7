//! Rows as a transaction reads and writes them: found, filled in, stamped, numbered.

use super::{Refusal, Transaction};
use crate::schema::FieldType;
use crate::store::{Row, RowRef};
use crate::value::{Cell, Id, Value};

impl Transaction<'_> {
    /// A copy of a record, whether it is deleted or not, that may be changed and put back; generated rows
    /// become stored ones.
    pub(super) fn find(&self, id: Id) -> Option<(usize, Row)> {
        let object = self.object_of(id)?;
        let found = self.world.database.find(object, id)?;
        Some((object, self.owned(object, id, found)))
    }

    /// A copy of a row.
    pub(super) fn owned(&self, object: usize, id: Id, found: RowRef<'_>) -> Row {
        if let RowRef::Stored(row) = found {
            return row.clone();
        }
        let mut row = Row::new(id);
        let mut scratch = String::new();
        for (number, field) in self.described(object).fields.iter().enumerate() {
            if field.name_parts.is_empty() && !field.kind.is_compound() {
                let cell = self.world.database.cell(&self.world.schema, object, found, number, &mut scratch);
                row.set(number, cell.to_value());
            }
        }
        row
    }

    /// A copy of a record that is not deleted.
    pub(super) fn alive(&self, id: Id) -> Result<(usize, Row), Refusal> {
        let (object, row) = self.find(id).ok_or_else(Refusal::unknown)?;
        // an archived activity is shown by queryAll only, but it is not deleted
        let deleted = row.deleted && self.world.database.table(object).gone(id).is_some();
        if deleted { Err(Refusal::deleted()) } else { Ok((object, row)) }
    }

    /// An activity of long ago, which only queryAll shows.
    pub(super) fn is_archived(&self, object: usize, row: &Row) -> bool {
        let described = self.described(object);
        matches!(described.name.as_str(), "Task" | "Event")
            && described.find("IsArchived").is_some_and(|field| row.get(field) == Cell::Bool(true))
    }

    /// Puts a row.
    pub(super) fn write(&mut self, object: usize, row: Row) {
        self.world.database.table_mut(object).put(row);
    }

    /// Sets a field by its name, if the object has it.
    pub(super) fn set(&self, object: usize, row: &mut Row, field: &str, value: Option<Value>) {
        if let Some(field) = self.described(object).find(field) {
            row.set(field, value);
        }
    }

    /// Notes the change in the audit fields: automation moves SystemModstamp alone, users the others as well.
    pub(super) fn stamp(&self, object: usize, row: &mut Row, by_user: bool) {
        let now = Some(Value::DateTime(self.at));
        self.set(object, row, "SystemModstamp", now.clone());
        if by_user {
            self.set(object, row, "LastModifiedDate", now);
            self.set(object, row, "LastModifiedById", Some(Value::Id(self.actor.user)));
        }
    }

    /// What the server fills in when a record is made.
    pub(super) fn complete(&mut self, object: usize, row: &mut Row) {
        let id = row.id;
        self.set(object, row, "Id", Some(Value::Id(id)));
        let described = self.described(object);
        for (number, field) in described.fields.iter().enumerate() {
            let empty = row.get(number) == Cell::Null;
            match (&field.default, field.kind) {
                (Some(default), _) if empty => row.set(number, Some(default.clone())),
                (None, FieldType::Boolean) if empty => row.set(number, Some(Value::Bool(false))),
                _ => {}
            }
        }
        if described.is_custom() {
            // a custom object's Name says `defaultedOnCreate`: it is the id
            self.default(object, row, "Name", Value::Text(id.to_string().into()));
        }
        let defaults = [
            ("OwnerId", Value::Id(self.actor.user)),
            ("CreatedById", Value::Id(self.actor.user)),
            ("CreatedDate", Value::DateTime(self.at)),
        ];
        for (name, value) in defaults {
            self.default(object, row, name, value);
        }
        let made = described_cell(self, object, row, "CreatedDate").unwrap_or(Value::DateTime(self.at));
        // a record that was made long ago, with the permission to say so, was changed then at the earliest
        self.default(object, row, "LastModifiedDate", made);
        let by = described_cell(self, object, row, "CreatedById").unwrap_or(Value::Id(self.actor.user));
        self.default(object, row, "LastModifiedById", by);
        self.set(object, row, "SystemModstamp", Some(Value::DateTime(self.at)));
        self.measure(object, row);
    }

    fn default(&self, object: usize, row: &mut Row, name: &str, value: Value) {
        if let Some(field) = self.described(object).find(name)
            && row.get(field) == Cell::Null
        {
            row.set(field, Some(value));
        }
    }

    /// Gives the record its numbers: one more than the highest that there was.
    pub(super) fn number(&mut self, object: usize, row: &mut Row) {
        let fields = self.described(object).fields.iter().enumerate();
        let fields: Vec<(usize, usize, Option<String>)> = fields
            .filter(|(_, field)| field.auto_number)
            .map(|(number, field)| (number, field.length, field.number_format.clone()))
            .collect();
        for (field, length, format) in fields {
            let last = self.world.database.table(object).last_number(field);
            let next = last.unwrap_or_else(|| self.highest_number(object, field)) + 1;
            self.world.database.table_mut(object).set_last_number(field, next);
            let text = match format {
                Some(format) => numbered(&format, next),
                None => format!("{next:0width$}", width = length.clamp(1, 8)),
            };
            row.set(field, Some(Value::Text(text.into())));
        }
    }

    fn highest_number(&self, object: usize, field: usize) -> u64 {
        let table = self.world.database.table(object);
        let generated = table.generator().map_or(0, crate::store::Generator::count);
        let digits = |text: &str| {
            let head = text.trim_end_matches(|c: char| c.is_ascii_digit()).len();
            text[head..].parse::<u64>().unwrap_or_default()
        };
        let stored = table.stored_rows().map(|row| match row.get(field) {
            Cell::Text(text) => digits(text),
            _ => 0,
        });
        stored.max().unwrap_or_default().max(generated)
    }
}

fn described_cell(transaction: &Transaction<'_>, object: usize, row: &Row, name: &str) -> Option<Value> {
    row.get(transaction.described(object).find(name)?).to_value()
}

/// A number in its display format: `INV-{0000}` gives `INV-0007`.
fn numbered(format: &str, number: u64) -> String {
    let Some((head, rest)) = format.split_once('{') else { return format!("{format}{number}") };
    let Some((zeros, tail)) = rest.split_once('}') else { return format!("{format}{number}") };
    format!("{head}{number:0width$}{tail}", width = zeros.len())
}
