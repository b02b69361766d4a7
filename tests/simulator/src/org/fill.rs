//! Records made rows: ids given, labels resolved, audit fields and numbers filled in.

use std::collections::HashMap;

use super::error::LoadError;
use super::people::{SET_UP, record_types};
use super::records::Record;
use crate::schema::{Field, FieldType, Object, Schema};
use crate::store::{Gone, Row, RowRef, Table};
use crate::value::{Cell, Id, Value};

/// Milliseconds between two records that say nothing of when they were made.
const STEP: i64 = 60_000;

/// Ids of records by object and label, and by label alone.
#[derive(Default)]
struct Labels {
    of_object: HashMap<(usize, String), Id>,
    all: HashMap<String, Id>,
}

/// Puts the records into the tables.
pub(super) fn fill(
    records: &[Record],
    schema: &Schema,
    tables: &mut [Table],
    owner: Option<Id>,
) -> Result<(), LoadError> {
    let (ids, labels) = give_ids(records, schema, tables)?;
    let mut parents = Parents::new(records, &ids, schema, tables);
    let mut numbers: HashMap<(usize, usize), u64> = HashMap::new();
    for (place, record) in records.iter().enumerate() {
        let object = schema.object(record.object);
        let id = ids[place];
        let mut row = match tables[record.object].find(id) {
            Some(RowRef::Stored(known)) => known.clone(), // a user of org.yaml
            _ => Row::new(id),
        };
        if let Some(field) = object.find("Id") {
            row.set(field, Some(Value::Id(id)));
        }
        for (number, content) in &record.cells {
            let field = &object.fields[*number];
            let value = value(record, object, field, content, schema, &labels)?;
            row.set(*number, value);
        }
        for (number, name, content) in &record.lookups {
            let id = parents.find(record, &object.fields[*number], name, content, schema)?;
            row.set(*number, Some(Value::Id(id)));
        }
        if let Some((parent, field)) = record.parent {
            row.set(field, Some(Value::Id(ids[parent])));
        }
        complete(&mut row, object, SET_UP + STEP * (place as i64 + 1), owner);
        for (number, field) in object.fields.iter().enumerate().filter(|(_, field)| field.auto_number) {
            let count = numbers.entry((record.object, number)).or_default();
            *count += 1;
            if row.get(number).to_value().is_none() {
                let width = field.length.clamp(1, 8);
                row.set(number, Some(Value::Text(format!("{count:0width$}").into())));
            }
        }
        row.deleted =
            is_set(&row, object, "IsDeleted") || is_set(&row, object, "IsArchived") && is_activity(object);
        if let Some(field) = missing(&row, object) {
            return Err(record.wrong(format!("{} is required: give it a value", field.name)));
        }
        let gone = is_set(&row, object, "IsDeleted").then(|| deleted_at(&row, object));
        tables[record.object].put(row);
        if let Some(at) = gone {
            let gone = Gone { at, with: id, purged: None, cleared: Vec::new() };
            tables[record.object].set_gone(id, Some(gone));
        }
    }
    Ok(())
}

/// Records by the content of a field, for references such as `Account.Name`.
struct Parents<'a> {
    records: &'a [Record],
    ids: &'a [Id],
    /// Text of the rows that were there before: object, field, content.
    built_in: HashMap<(usize, usize, String), Id>,
    known: HashMap<(usize, usize), HashMap<&'a str, Id>>,
}

impl<'a> Parents<'a> {
    fn new(records: &'a [Record], ids: &'a [Id], schema: &Schema, tables: &[Table]) -> Self {
        let mut built_in = HashMap::new();
        for (object, table) in tables.iter().enumerate() {
            for id in table.stored_ids() {
                let Some(RowRef::Stored(row)) = table.find(id) else { continue };
                for field in 0..schema.object(object).fields.len() {
                    if let Cell::Text(text) = row.get(field) {
                        built_in.insert((object, field, text.to_owned()), id);
                    }
                }
            }
        }
        Self { records, ids, built_in, known: HashMap::new() }
    }

    fn find(
        &mut self,
        record: &Record,
        reference: &Field,
        name: &str,
        content: &str,
        schema: &Schema,
    ) -> Result<Id, LoadError> {
        if let (true, Some(id)) = (name.eq_ignore_ascii_case("Id"), Id::parse(content)) {
            return Ok(id);
        }
        for target in reference.reference_to.iter().filter_map(|target| schema.find(target)) {
            let Some(field) = schema.object(target).find(name) else { continue };
            let (records, ids) = (self.records, self.ids);
            let of_field = self.known.entry((target, field)).or_insert_with(|| {
                let of_target = records.iter().zip(ids).filter(|(record, _)| record.object == target);
                let cells =
                    of_target.flat_map(|(record, id)| record.cells.iter().map(move |cell| (cell, *id)));
                cells
                    .filter(|((number, _), _)| *number == field)
                    .map(|((_, text), id)| (text.as_str(), id))
                    .collect()
            });
            let built_in = || self.built_in.get(&(target, field, content.to_owned()));
            if let Some(id) = of_field.get(content).or_else(built_in) {
                return Ok(*id);
            }
        }
        let targets = reference.reference_to.join(" or ");
        Err(record.wrong(format!("{}: no record of {targets} has {name} `{content}`", reference.name)))
    }
}

fn give_ids(records: &[Record], schema: &Schema, tables: &[Table]) -> Result<(Vec<Id>, Labels), LoadError> {
    let mut labels = Labels::default();
    let mut ids = Vec::with_capacity(records.len());
    let mut serials: HashMap<usize, u64> = HashMap::new();
    let kept: std::collections::HashSet<Id> =
        records.iter().filter_map(|record| record.label.as_deref().and_then(Id::parse)).collect();
    for record in records {
        let object = schema.object(record.object);
        let prefix = object.key_prefix.unwrap_or(*b"000");
        let given = record.label.as_deref().and_then(Id::parse).filter(|id| id.prefix() == prefix);
        let id = match (given, same_user(record, object, &tables[record.object])) {
            (_, Some(id)) | (Some(id), None) => id,
            (None, None) => loop {
                let serial = serials.entry(record.object).or_default();
                *serial += 1;
                let id = Id::new(prefix, *serial);
                if !kept.contains(&id) && tables[record.object].find(id).is_none() {
                    break id;
                }
            },
        };
        if let Some(label) = &record.label {
            let label = label.trim_start_matches('@').to_owned();
            if labels.of_object.insert((record.object, label.clone()), id).is_some() {
                return Err(
                    record.wrong(format!("there are two records {label} of {}; name each once", object.name))
                );
            }
            labels.all.entry(label).or_insert(id);
        }
        ids.push(id);
    }
    Ok((ids, labels))
}

/// The user of `org.yaml` that a record of User tells more about.
fn same_user(record: &Record, object: &Object, table: &Table) -> Option<Id> {
    if object.name != "User" {
        return None;
    }
    let field = object.find("Username")?;
    let name =
        record.cells.iter().find(|(number, _)| *number == field).map(|(_, content)| content.as_str())?;
    table.stored_ids().find(|id| match table.find(*id) {
        Some(RowRef::Stored(row)) => row.get(field) == Cell::Text(name),
        _ => false,
    })
}

fn value(
    record: &Record,
    object: &Object,
    field: &Field,
    content: &str,
    schema: &Schema,
    labels: &Labels,
) -> Result<Option<Value>, LoadError> {
    if field.kind.is_id() {
        return reference(record, object, field, content, schema, labels).map(|id| Some(Value::Id(id)));
    }
    if field.kind.is_compound() {
        return Err(record.wrong(format!("{} is put together from its parts; give those", field.name)));
    }
    let value = Value::parse(field.kind, content)
        .map_err(|error| record.wrong(format!("{}: {error}", field.name)))?;
    let bounded =
        field.length > 0 && field.kind != FieldType::Base64 && field.kind != FieldType::MultiPicklist;
    if bounded && content.len() > field.length && content.chars().count() > field.length {
        let message =
            format!("{}: the text is longer than the {} characters of the field", field.name, field.length);
        return Err(record.wrong(message));
    }
    Ok(value)
}

fn reference(
    record: &Record,
    object: &Object,
    field: &Field,
    content: &str,
    schema: &Schema,
    labels: &Labels,
) -> Result<Id, LoadError> {
    let label = content.trim_start_matches('@').to_owned();
    let targets = field.reference_to.iter().filter_map(|target| schema.find(target));
    for target in targets {
        if let Some(id) = labels.of_object.get(&(target, label.clone())) {
            return Ok(*id);
        }
    }
    if let Some(id) = Id::parse(content) {
        return Ok(id);
    }
    let record_type =
        record_types(object).find(|(_, _, name, _)| field.name == "RecordTypeId" && *name == content);
    if let Some((id, ..)) = record_type {
        return Ok(id);
    }
    labels.all.get(&label).filter(|_| content.starts_with('@')).copied().ok_or_else(|| {
        let targets = field.reference_to.join(" or ");
        record.wrong(format!("{}: no record of {targets} has the id or label `{content}`", field.name))
    })
}

fn is_set(row: &Row, object: &Object, field: &str) -> bool {
    object.find(field).is_some_and(|field| row.get(field) == Cell::Bool(true))
}

/// When a row that came deleted was deleted: its last change.
fn deleted_at(row: &Row, object: &Object) -> i64 {
    match object.find("SystemModstamp").map(|field| row.get(field)) {
        Some(Cell::DateTime(at)) => at,
        _ => SET_UP,
    }
}

fn is_activity(object: &Object) -> bool {
    object.name == "Task" || object.name == "Event"
}

/// A field that Salesforce would have asked for. Set-up objects are spared: a data set gives what it needs of them.
fn missing<'a>(row: &Row, object: &'a Object) -> Option<&'a Field> {
    if object.find("OwnerId").is_none() && object.find("IsDeleted").is_none() {
        return None;
    }
    let required = object.fields.iter().enumerate().filter(|(_, field)| field.required);
    required.filter(|(number, _)| row.get(*number) == Cell::Null).map(|(_, field)| field).next()
}

/// What the server fills in when a record is made.
fn complete(row: &mut Row, object: &Object, made: i64, owner: Option<Id>) {
    let mut default = |name: &str, value: Option<Value>| {
        let field = object.find(name)?;
        if row.get(field) == Cell::Null {
            row.set(field, value);
        }
        row.get(field).to_value()
    };
    let made = default("CreatedDate", Some(Value::DateTime(made)));
    let changed = default("LastModifiedDate", made.clone()).or(made);
    default("SystemModstamp", changed);
    for name in ["OwnerId", "CreatedById", "LastModifiedById"] {
        default(name, owner.map(Value::Id));
    }
}
