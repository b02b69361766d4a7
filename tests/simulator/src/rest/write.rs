//! Changes of records, as REST and SOAP alike ask for them: one after the other in one transaction, each for itself or
//! all together.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::Call;
use super::sobjects::is_lookup;
use crate::schema::FieldType;
use crate::store::Content;
use crate::store::transaction::{Cells, Options, Refusal, Transaction};
use crate::value::{Cell, Id, Value};

/// Records of a call at most.
pub(crate) const MOST: usize = 200;
/// Runs of records of the same object in a call at most.
const MOST_CHUNKS: usize = 10;

/// A record as it is sent: its fields in JSON, and contents that came beside them, by the names of their fields.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) fields: Map<String, Json>,
    pub(crate) contents: Vec<(String, Content)>,
}

impl From<Map<String, Json>> for Record {
    fn from(fields: Map<String, Json>) -> Self {
        Self { fields, contents: Vec::new() }
    }
}

impl Record {
    /// Its cells.
    fn cells(
        &self,
        call: &Call<'_>,
        transaction: &mut Transaction<'_>,
        object: usize,
    ) -> Result<Cells, Refusal> {
        let mut cells = transaction.read_json(object, &call.view, &without(&self.fields, "Id"))?;
        let described = call.world.schema.object(object);
        for (name, content) in &self.contents {
            let field = described.find(name).filter(|field| {
                call.view.sees_field(object, *field) && described.fields[*field].kind == FieldType::Base64
            });
            let field = field.ok_or_else(|| {
                let message = format!(
                    "Binary fields with name {name} do not exist on sobject of type {}",
                    described.name
                );
                Refusal::new("INVALID_FIELD", message)
            })?;
            let value = transaction.keep_file(content.clone());
            cells.push((field, Some(value)));
        }
        Ok(cells)
    }
}

/// One change that is asked for.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// A new record.
    Insert(usize, Record),
    /// Fields of a record.
    Update(Id, Record),
    /// A record that is found by a field of its own, or made.
    Upsert(usize, usize, Record),
    /// Into the recycle bin.
    Delete(Id),
    /// Out of the recycle bin.
    Undelete(Id),
    /// Out of the recycle bin for good.
    Purge(Id),
    /// What could not be read.
    Refused(Refusal),
}

/// What a change came to: the record, and whether it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) id: Id,
    pub(crate) created: bool,
}

pub(crate) type Outcome = Result<Done, Refusal>;

/// Carries changes out; the outcomes are in their order. With `all_or_none` none of them stays if one is refused.
pub(crate) fn run(call: &Call<'_>, options: &Options, changes: &[Change], all_or_none: bool) -> Vec<Outcome> {
    if let Some(refusal) = too_many_chunks(call, changes) {
        return vec![Err(refusal); changes.len()];
    }
    let spoilt = spoilt(call, changes);
    let changes = spoilt.as_deref().unwrap_or(changes);
    let twice = named_twice(call, changes);
    let done = call.transact(options, |transaction| {
        let outcome = |(number, change): (usize, &Change)| match twice.get(&number) {
            Some(refusal) => Err(refusal.clone()),
            None => carry_out(call, transaction, change),
        };
        let outcomes: Vec<Outcome> = if changes.iter().all(|change| matches!(change, Change::Delete(_))) {
            delete(transaction, changes)
        } else {
            changes.iter().enumerate().map(outcome).collect()
        };
        if all_or_none && outcomes.iter().any(Result::is_err) { Err(outcomes) } else { Ok(outcomes) }
    });
    done.unwrap_or_else(|refused| {
        refused.into_iter().map(|outcome| outcome.and_then(|_| Err(rolled_back()))).collect()
    })
}

/// The changes, those refused that the fault plan wants refused.
fn spoilt(call: &Call<'_>, changes: &[Change]) -> Option<Vec<Change>> {
    let fault = call.request.row_fault()?;
    let spoil = |(number, change): (u64, &Change)| {
        let text = match change {
            Change::Insert(_, record) | Change::Update(_, record) | Change::Upsert(_, _, record) => {
                Json::Object(record.fields.clone()).to_string()
            }
            Change::Delete(id) | Change::Undelete(id) | Change::Purge(id) => id.to_string(),
            Change::Refused(_) => String::new(),
        };
        fault.refusal(number, text.as_bytes()).map_or_else(|| change.clone(), Change::Refused)
    };
    Some((1..).zip(changes).map(spoil).collect())
}

/// What the good ones say where one was refused and all were to stand or fall together.
pub(crate) fn rolled_back() -> Refusal {
    let message =
        "Record rolled back because not all records were valid and the request was using AllOrNone header";
    Refusal::new("ALL_OR_NONE_OPERATION_ROLLED_BACK", message)
}

/// Records are worked on in runs of the same object (REST API guide, sObject Collections: 10 at most).
fn too_many_chunks(call: &Call<'_>, changes: &[Change]) -> Option<Refusal> {
    let schema = &call.world.schema;
    let object = |change: &Change| match change {
        Change::Insert(object, _) | Change::Upsert(object, ..) => Some(*object),
        Change::Update(id, _) | Change::Delete(id) | Change::Undelete(id) | Change::Purge(id) => {
            schema.find_prefix(id.prefix())
        }
        Change::Refused(_) => None,
    };
    let mut objects: Vec<usize> = changes.iter().filter_map(object).collect();
    objects.dedup();
    (objects.len() > MOST_CHUNKS).then(|| {
        let message = "Cannot have more than 10 chunks in a single operation. Please rearrange the data to reduce \
                       chunking.";
        Refusal::new("LIMIT_EXCEEDED", message)
    })
}

/// Changes that name the same record: by id in an update, by the same external id in an upsert. None of them is
/// carried out ("Duplicate external id specified", as users report it; that of updates is [K]).
fn named_twice(call: &Call<'_>, changes: &[Change]) -> HashMap<usize, Refusal> {
    let mut named: HashMap<(usize, String), Vec<usize>> = HashMap::new();
    for (number, change) in changes.iter().enumerate() {
        let name = match change {
            Change::Update(id, _) => (usize::MAX, id.to_string()),
            Change::Upsert(object, key, record) => {
                let field = &call.world.schema.object(*object).fields[*key];
                let Some(value) = value_of(&record.fields, &field.name) else { continue };
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                (*key, if field.case_sensitive { text } else { text.to_lowercase() })
            }
            _ => continue,
        };
        named.entry(name).or_default().push(number);
    }
    let mut twice = HashMap::new();
    for ((key, name), numbers) in named.into_iter().filter(|(_, numbers)| numbers.len() > 1) {
        for number in numbers {
            let refusal = match &changes[number] {
                Change::Upsert(object, ..) => {
                    let object = call.world.schema.object(*object);
                    let message = format!("Duplicate external id specified: {name}");
                    Refusal::field("DUPLICATE_VALUE", &object.fields[key].name, message)
                }
                _ => Refusal::new("DUPLICATE_VALUE", format!("Duplicate id in list: {name}")),
            };
            twice.insert(number, refusal);
        }
    }
    twice
}

fn delete(transaction: &mut Transaction<'_>, changes: &[Change]) -> Vec<Outcome> {
    let ids: Vec<Id> = changes
        .iter()
        .filter_map(|change| if let Change::Delete(id) = change { Some(*id) } else { None })
        .collect();
    let done = transaction.delete_all(&ids);
    done.into_iter().zip(ids).map(|(done, id)| done.map(|()| Done { id, created: false })).collect()
}

fn carry_out(call: &Call<'_>, transaction: &mut Transaction<'_>, change: &Change) -> Outcome {
    let view = &call.view;
    let there = |id: Id| Done { id, created: false };
    match change {
        Change::Insert(object, record) => {
            if value_of(&record.fields, "Id").is_some() {
                return Err(Refusal::field(
                    "INVALID_FIELD_FOR_INSERT_UPDATE",
                    "Id",
                    "cannot specify Id in an insert call",
                ));
            }
            let cells = record.cells(call, transaction, *object)?;
            Ok(Done { id: transaction.insert(*object, cells)?, created: true })
        }
        Change::Update(id, record) => {
            let object = transaction.object_of(*id).filter(|object| view.sees_object(*object));
            let object = object.ok_or_else(unknown)?;
            let cells = record.cells(call, transaction, object)?;
            transaction.update(*id, cells).map(|()| there(*id))
        }
        Change::Upsert(object, key, record) => upsert(call, transaction, *object, *key, record),
        Change::Delete(id) => transaction.delete(*id).map(|()| there(*id)),
        Change::Undelete(id) => transaction.undelete(*id).map(|()| there(*id)),
        Change::Purge(id) => transaction.purge(*id).map(|()| there(*id)),
        Change::Refused(refusal) => Err(refusal.clone()),
    }
}

fn unknown() -> Refusal {
    Refusal::new("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
}

fn upsert(
    call: &Call<'_>,
    transaction: &mut Transaction<'_>,
    object: usize,
    key: usize,
    record: &Record,
) -> Outcome {
    let described = call.world.schema.object(object);
    let field = &described.fields[key];
    if field.kind == FieldType::Id {
        let Some(id) = value_of(&record.fields, "Id") else {
            return carry_out(call, transaction, &Change::Insert(object, record.clone()));
        };
        let id = id.as_str().and_then(Id::parse).ok_or_else(|| malformed(id))?;
        if transaction.object_of(id) != Some(object) {
            return Err(unknown());
        }
        return carry_out(call, transaction, &Change::Update(id, record.clone()));
    }
    let cells = record.cells(call, transaction, object)?;
    match transaction.upsert(object, key, cells) {
        Ok((id, created)) => Ok(Done { id, created }),
        Err(refused) => Err(refused.into_refusal(&field.name)),
    }
}

/// What is no id.
pub(crate) fn malformed(id: &Json) -> Refusal {
    let id = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
    Refusal::field("MALFORMED_ID", "Id", format!("malformed id {id}"))
}

/// A value of a record that is given and not null, by its name in any case.
pub(crate) fn value_of<'a>(record: &'a Map<String, Json>, name: &str) -> Option<&'a Json> {
    record
        .iter()
        .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
        .map(|(_, value)| value)
}

/// A record without a field.
pub(crate) fn without(record: &Map<String, Json>, name: &str) -> Map<String, Json> {
    record
        .iter()
        .filter(|(key, _)| !key.eq_ignore_ascii_case(name))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Takes a field out of a record, in any case.
pub(super) fn remove(record: &mut Map<String, Json>, name: &str) {
    record.retain(|key, _| !key.eq_ignore_ascii_case(name));
}

/// The number of a field by which records of an object can be found.
pub(crate) fn key_field(call: &Call<'_>, object: usize, field: &str) -> Option<usize> {
    let described = call.world.schema.object(object);
    let found = described.find(field).filter(|found| call.view.sees_field(object, *found))?;
    (described.fields[found].kind == FieldType::Id || is_lookup(described, found)).then_some(found)
}

/// The records that have a value in a field.
pub(super) fn found_by(call: &Call<'_>, object: usize, key: usize, value: &Value) -> Vec<Id> {
    let found = |transaction: &mut Transaction<'_>| -> Result<(), Vec<Id>> {
        Err(transaction.find_by(object, key, value.as_cell()))
    };
    call.transact(&Options::default(), found).err().unwrap_or_default()
}

/// An entry of an answer for many records; `upsert` says whether the record was made.
pub(super) fn entry(outcome: &Outcome, upsert: bool) -> Json {
    match outcome {
        Ok(Done { id, created }) => {
            let mut entry = json!({"id": id.to_string(), "success": true, "errors": []});
            if upsert {
                entry["created"] = json!(created);
            }
            entry
        }
        Err(refusal) => json!({"success": false, "errors": [error(refusal)]}),
    }
}

/// A refusal as entries of many records have it.
pub(super) fn error(refusal: &Refusal) -> Json {
    json!({"statusCode": refusal.code, "message": refusal.message, "fields": refusal.fields})
}

/// Whether there is a record that is not deleted; what it says otherwise.
pub(super) fn check_there(call: &Call<'_>, object: usize, id: Id) -> Result<(), Refusal> {
    let table = call.world.database.table(object);
    let of_object = call.world.schema.find_prefix(id.prefix()) == Some(object);
    if !of_object || table.find(id).is_none() && table.gone(id).is_none() {
        return Err(unknown());
    }
    if table.gone(id).is_some() {
        return Err(Refusal::new("ENTITY_IS_DELETED", "entity is deleted"));
    }
    Ok(())
}

/// A cell of a record, as text; nothing for what is null.
pub(crate) fn text_of(call: &Call<'_>, object: usize, id: Id, field: &str) -> Option<String> {
    let number = call.world.schema.object(object).find(field)?;
    let row = call.world.database.find(object, id)?;
    let mut scratch = String::new();
    match call.world.database.cell(&call.world.schema, object, row, number, &mut scratch) {
        Cell::Null => None,
        cell => Some(crate::store::plain(cell)),
    }
}
