//! What an org is made of at one moment.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Bounds, Database};
use crate::automation::Automations;
use crate::metadata;
use crate::schema::{Schema, SchemaChange};
use crate::value::calendar::{civil_from_days, rest_datetime};
use crate::value::{Cell, Value};

/// Schema, rows and what is hidden from whom, at one moment. A clone is cheap and stays as it is while the org
/// goes on: a call reads one clone from its beginning to its end, and so do query cursors and Bulk jobs. The
/// three always fit each other: numbers of objects and fields are those of this schema.
#[derive(Clone, Debug)]
pub struct World {
    /// Objects and fields.
    pub schema: Arc<Schema>,
    /// Rows.
    pub database: Database,
    /// What is hidden from each user, in the order of `org.yaml`'s users.
    pub hidden: Arc<Vec<Hidden>>,
    /// What fires when records change.
    pub automations: Arc<Automations>,
    /// Components of metadata.
    pub metadata: metadata::Store,
}

/// What is hidden from one user, by name: names stay when the schema changes, numbers do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hidden {
    /// Fields: `Contact.Birthdate`.
    pub fields: BTreeSet<String>,
    /// Objects.
    pub objects: BTreeSet<String>,
}

impl World {
    /// Changes the schema, at a time in milliseconds since 1970, and takes the rows along. The error says what
    /// is wrong with the change; nothing is changed then.
    pub fn change_schema(&mut self, change: &SchemaChange, at: i64) -> Result<(), String> {
        let changed = self.schema.changed_by(change, at)?;
        self.database = self.database.renumbered(&changed.schema, &changed.objects, &changed.fields);
        self.schema = Arc::new(changed.schema);
        self.metadata.follow(change);
        if let Some((object, field)) = changed.retyped {
            self.reread(object, field);
        }
        if let SchemaChange::RenameField { object, field, to } = change {
            let (from, to) = (format!("{object}.{field}"), format!("{object}.{to}"));
            for hidden in Arc::make_mut(&mut self.hidden) {
                if hidden.fields.remove(&from) {
                    hidden.fields.insert(to.clone());
                }
            }
        }
        Ok(())
    }

    /// Reads the content of a field anew, for the type that it has now. What the type cannot hold is lost.
    fn reread(&mut self, object: usize, field: usize) {
        let described = &self.schema.object(object).fields[field];
        let table = self.database.table(object);
        let changed: Vec<_> = table
            .scan(Bounds::ALL, true)
            .filter_map(|row| match row {
                super::RowRef::Stored(row) if row.get(field) != Cell::Null => Some(row.clone()),
                _ => None,
            })
            .map(|mut row| {
                let text = plain(row.get(field));
                let value = Value::parse(described.kind, &text).ok().flatten();
                let fits = |value: &Value| match value {
                    Value::Text(text) => described.length == 0 || text.chars().count() <= described.length,
                    _ => true,
                };
                row.set(field, value.filter(fits));
                row
            })
            .collect();
        for row in changed {
            self.database.table_mut(object).put(row);
        }
    }
}

/// A cell as it would stand in a data file.
pub(crate) fn plain(cell: Cell<'_>) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(value) => value.to_string(),
        Cell::Text(text) => text.to_owned(),
        Cell::Int(number) => number.to_string(),
        Cell::Number(number) => {
            let mut text = Vec::new();
            number.write(&mut text);
            String::from_utf8_lossy(&text).into_owned()
        }
        Cell::Date(days) => {
            let (year, month, day) = civil_from_days(days);
            format!("{year:04}-{month:02}-{day:02}")
        }
        Cell::DateTime(at) => rest_datetime(at),
        Cell::Time(of_day) => {
            let (seconds, millis) = (of_day / 1_000, of_day % 1_000);
            format!("{:02}:{:02}:{:02}.{millis:03}Z", seconds / 3_600, seconds / 60 % 60, seconds % 60)
        }
        Cell::Id(id) => id.to_string(),
    }
}
