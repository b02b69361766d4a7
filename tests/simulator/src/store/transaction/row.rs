//! Rows as a transaction reads and writes them: found, filled in, stamped, numbered.

use super::{Refusal, Transaction};
use crate::schema::FieldType;
use crate::store::{Row, RowRef};
use crate::value::calendar::{DAY_MS, civil_from_days};
use crate::value::{Cell, Id, Value};

impl Transaction<'_> {
    /// A copy of a record, whether it is deleted or not, that may be changed and put back; generated rows
    /// become stored ones.
    pub(crate) fn find(&self, id: Id) -> Option<(usize, Row)> {
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

    /// The object of a record that is there and not deleted.
    pub(super) fn is_alive(&self, id: Id) -> Result<usize, Refusal> {
        let object = self.object_of(id).ok_or_else(Refusal::unknown)?;
        let table = self.world.database.table(object);
        match table.find(id).ok_or_else(Refusal::unknown)? {
            // an archived activity is shown by queryAll only, but it is not deleted
            RowRef::Stored(row) if row.deleted && table.gone(id).is_some() => Err(Refusal::deleted()),
            _ => Ok(object),
        }
    }

    /// A copy of a record that is not deleted.
    pub(crate) fn alive(&self, id: Id) -> Result<(usize, Row), Refusal> {
        self.is_alive(id)?;
        self.find(id).ok_or_else(Refusal::unknown)
    }

    /// An activity of long ago, which only queryAll shows.
    pub(super) fn is_archived(&self, object: usize, row: &Row) -> bool {
        let described = self.described(object);
        matches!(described.name.as_str(), "Task" | "Event")
            && described.find("IsArchived").is_some_and(|field| row.get(field) == Cell::Bool(true))
    }

    /// Puts a row.
    pub(crate) fn write(&mut self, object: usize, row: Row) {
        let masters = self.summing(object, &row);
        self.world.database.table_mut(object).put(row);
        self.stamp_masters(masters);
    }

    /// Sets a field by its name, if the object has it.
    pub(super) fn set(&self, object: usize, row: &mut Row, field: &str, value: Option<Value>) {
        if let Some(field) = self.described(object).find(field) {
            row.set(field, value);
        }
    }

    /// Notes the change in the audit fields: automation moves SystemModstamp alone, users the others as well.
    pub(crate) fn stamp(&self, object: usize, row: &mut Row, by_user: bool) {
        let stamps = self.described(object).stamps;
        let mut set = |field: Option<usize>, value: Value| {
            if let Some(field) = field {
                row.set(field, Some(value));
            }
        };
        set(stamps.stamp, Value::DateTime(self.at));
        if by_user {
            set(stamps.modified, Value::DateTime(self.at));
            set(stamps.modified_by, Value::Id(self.actor.user));
        }
    }

    /// What the server fills in when a record is made.
    pub(super) fn complete(&mut self, object: usize, row: &mut Row) {
        let described = self.described(object);
        let stamps = described.stamps;
        if let Some(field) = stamps.id {
            row.set(field, Some(Value::Id(row.id)));
        }
        for (number, field) in described.fields.iter().enumerate() {
            let default = match (&field.default, field.kind) {
                (Some(default), _) => default.clone(),
                (None, FieldType::Boolean) => Value::Bool(false),
                _ => continue,
            };
            if row.get(number) == Cell::Null {
                row.set(number, Some(default));
            }
        }
        let mut default = |field: Option<usize>, value: Value| {
            let field = field?;
            if row.get(field) == Cell::Null {
                row.set(field, Some(value));
            }
            row.get(field).to_value()
        };
        if described.is_custom() {
            // a custom object's Name says `defaultedOnCreate`: it is the id
            let name = described.find("Name");
            let numbered = name.is_some_and(|name| described.fields[name].auto_number);
            if let Some(id) =
                stamps.id.filter(|_| !numbered).and_then(|id| default(Some(id), Value::Bool(false)))
            {
                let Value::Id(id) = id else { return };
                default(name, Value::Text(id.to_string().into()));
            }
        }
        let (user, now) = (Value::Id(self.actor.user), Value::DateTime(self.at));
        default(stamps.owner, user.clone());
        // a record that was made long ago, with the permission to say so, was changed then at the earliest
        let made = default(stamps.created, now.clone()).unwrap_or_else(|| now.clone());
        let by = default(stamps.created_by, user.clone()).unwrap_or(user);
        default(stamps.modified, made);
        default(stamps.modified_by, by);
        if let Some(field) = stamps.stamp {
            row.set(field, Some(now));
        }
        self.measure(object, row);
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
                Some(format) => numbered(&format, next, self.at),
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

/// A number in its display format: `INV-{0000}` gives `INV-0007`; `{YYYY}`, `{YY}`, `{MM}` and `{DD}` are the day of
/// the record (help page "Custom Field Attributes", display format).
fn numbered(format: &str, number: u64, at: i64) -> String {
    let (year, month, day) = civil_from_days(at.div_euclid(DAY_MS) as i32);
    let mut text = String::new();
    let mut rest = format;
    let mut counted = false;
    while let Some((head, tail)) = rest.split_once('{') {
        let Some((token, tail)) = tail.split_once('}') else { break };
        text.push_str(head);
        match token {
            "YYYY" => text.push_str(&format!("{year:04}")),
            "YY" => text.push_str(&format!("{:02}", year.rem_euclid(100))),
            "MM" => text.push_str(&format!("{month:02}")),
            "DD" => text.push_str(&format!("{day:02}")),
            zeros => {
                counted = true;
                text.push_str(&format!("{number:0width$}", width = zeros.len()));
            }
        }
        rest = tail;
    }
    text.push_str(rest);
    if !counted {
        text.push_str(&number.to_string());
    }
    text
}
