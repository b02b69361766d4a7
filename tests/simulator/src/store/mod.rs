//! The rows of an org: stored ones, and generated ones that take no memory until somebody changes them.
//!
//! A [`Database`] is cheap to clone: a clone is a snapshot that stays as it is while the org goes on, which is
//! what query cursors and finished Bulk jobs read from.

pub mod activity;
mod chunks;
mod content;
pub mod generator;
mod gone;
mod index;
pub mod locks;
mod recipe;
pub mod table;
pub mod transaction;
mod words;
mod world;
#[cfg(test)]
mod world_tests;

use std::collections::HashMap;
use std::sync::Arc;

use rpds::HashTrieMapSync;

pub use content::{Content, ContentWriter};
pub use generator::Generator;
pub use gone::{Cleared, Gone};
pub use table::{Bounds, Row, RowRef, Table};
pub(crate) use world::plain;
pub use world::{Hidden, World};

use crate::formula::{self, Surroundings};
use crate::schema::{FieldType, Schema};
use crate::value::{Cell, Id};

/// All tables of an org, by the number of their object.
#[derive(Clone, Debug, Default)]
pub struct Database {
    tables: Arc<Vec<Arc<Table>>>,
    /// Contents of base64 fields that were written while the org runs, by the key that the cell holds.
    files: HashTrieMapSync<Box<str>, Content>,
    /// What formulas look at beside rows.
    surroundings: Arc<Surroundings>,
    /// Who reads this snapshot: `$User` of formulas.
    reader: Option<Id>,
    /// Bytes of these contents.
    file_bytes: u64,
}

impl Database {
    /// A database of these tables, one per object of the schema in its order.
    pub fn new(tables: Vec<Table>) -> Self {
        Self {
            tables: Arc::new(tables.into_iter().map(Arc::new).collect()),
            files: HashTrieMapSync::default(),
            surroundings: Arc::default(),
            reader: None,
            file_bytes: 0,
        }
    }

    /// What formulas look at beside rows.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The same, for a change.
    pub fn surroundings_mut(&mut self) -> &mut Surroundings {
        Arc::make_mut(&mut self.surroundings)
    }

    /// Who reads this snapshot.
    pub fn reader(&self) -> Option<Id> {
        self.reader
    }

    /// The same rows, read by this user.
    pub fn read_by(mut self, reader: Option<Id>) -> Self {
        self.reader = reader;
        self
    }

    /// The same rows, of which it is known from now on which ones have a value in a key or a reference.
    pub(crate) fn indexed(mut self, schema: &Schema) -> Self {
        for (number, table) in Arc::make_mut(&mut self.tables).iter_mut().enumerate() {
            Arc::make_mut(table).index(schema.object(number));
        }
        self
    }

    /// Rows that are not deleted and have a value in a field, in the order of their ids. Keys (unique, external id,
    /// `idLookup`) and references but for who made and changed a record are looked up, others are searched for.
    pub fn with_value(&self, schema: &Schema, object: usize, field: usize, value: Cell<'_>) -> Vec<Id> {
        let table = self.table(object);
        let case_sensitive = schema.object(object).fields[field].case_sensitive;
        if let Some(found) = table.with_value(field, case_sensitive, value) {
            return found;
        }
        let mut scratch = String::new();
        let mut found = Vec::new();
        for row in table.scan(Bounds::ALL, false) {
            let cell = self.cell(schema, object, row, field, &mut scratch);
            if index::same(case_sensitive, cell, value) {
                found.push(table.id_of(row));
            }
        }
        found
    }

    /// The table of an object.
    pub fn table(&self, object: usize) -> &Table {
        &self.tables[object]
    }

    /// The table of an object, for a change; snapshots keep the old one.
    pub fn table_mut(&mut self, object: usize) -> &mut Table {
        Arc::make_mut(&mut Arc::make_mut(&mut self.tables)[object])
    }

    /// The content that was kept under a key.
    pub fn file(&self, key: &str) -> Option<Content> {
        self.files.get(key).cloned()
    }

    /// Bytes of the contents that were written while the org runs.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Keeps a content.
    pub fn keep_file(&mut self, key: &str, content: Content) {
        if !self.files.contains_key(key) {
            self.file_bytes += content.length();
            self.files.insert_mut(key.into(), content);
        }
    }

    /// The same rows for a changed schema: for each new object the number that it had, and for objects whose
    /// fields changed, for each new field the number that that had.
    pub(crate) fn renumbered(
        &self,
        schema: &Schema,
        objects: &[Option<usize>],
        fields: &HashMap<usize, Vec<Option<usize>>>,
    ) -> Self {
        let table = |(new, old): (usize, &Option<usize>)| match (old, fields.get(&new)) {
            (Some(old), Some(fields)) => Arc::new(self.tables[*old].renumbered(schema.object(new), fields)),
            (Some(old), None) => self.tables[*old].clone(),
            (None, _) => Arc::new(Table::of(schema.object(new))),
        };
        let tables = objects.iter().enumerate().map(table).collect();
        Self { tables: Arc::new(tables), ..self.clone() }
    }

    /// The row with this id, deleted ones included.
    pub fn find(&self, object: usize, id: Id) -> Option<RowRef<'_>> {
        self.tables[object].find(id)
    }

    /// One cell. Text that must be put together (a generated word, a person's name) is written to `scratch`,
    /// from which the cell then borrows.
    pub fn cell<'a>(
        &'a self,
        schema: &Schema,
        object: usize,
        row: RowRef<'a>,
        field: usize,
        scratch: &'a mut String,
    ) -> Cell<'a> {
        // generated rows come by the million, and their generator knows all that the field would tell
        if let (RowRef::Generated(index), Some(generator)) = (row, self.tables[object].generator())
            && !generator.joins(field)
        {
            return generator.cell(index, field, scratch);
        }
        let described = &schema.object(object).fields[field];
        if described.formula.is_some() || described.roll_up.is_some() {
            // what cannot be computed is as it is stored
            return match formula::computed(self, schema, object, row, described) {
                Some(value) => formula::lend(described, value, scratch),
                None => self.stored(schema, object, row, field, scratch),
            };
        }
        self.stored(schema, object, row, field, scratch)
    }

    /// The same for a field that is not computed, or that cannot be.
    pub(crate) fn stored<'a>(
        &'a self,
        schema: &Schema,
        object: usize,
        row: RowRef<'a>,
        field: usize,
        scratch: &'a mut String,
    ) -> Cell<'a> {
        if let (RowRef::Generated(index), Some(generator)) = (row, self.tables[object].generator())
            && !generator.joins(field)
        {
            return generator.cell(index, field, scratch);
        }
        let described = &schema.object(object).fields[field];
        if !described.name_parts.is_empty() {
            return self.joined_name(schema, object, row, &described.name_parts, scratch);
        }
        let cell = match row {
            RowRef::Stored(stored) => stored.get(field),
            RowRef::Generated(_) => Cell::Null,
        };
        match cell {
            Cell::Null if described.kind == FieldType::Boolean => Cell::Bool(false),
            other => other,
        }
    }

    fn joined_name<'a>(
        &self,
        schema: &Schema,
        object: usize,
        row: RowRef<'_>,
        parts: &[usize],
        scratch: &'a mut String,
    ) -> Cell<'a> {
        let mut joined = String::new();
        for part in parts {
            scratch.clear();
            if let Cell::Text(text) = self.cell(schema, object, row, *part, scratch) {
                if !joined.is_empty() {
                    joined.push(' ');
                }
                joined.push_str(text);
            }
        }
        *scratch = joined;
        if scratch.is_empty() { Cell::Null } else { Cell::Text(scratch) }
    }
}
