//! `sobjects/X`: basic information, describe, and records by id, by external id and through relationships.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::query::{self, JSON, single};
use super::{Call, blob, conditions, describe, replication};
use crate::schema::{FieldType, Object};
use crate::soql::Plan;
use crate::value::{Cell, Decimal, Id};
use crate::web::{Answer, ApiError};

/// Answers below `sobjects/X`.
pub(super) fn answer(call: &Call<'_>, object: &str, rest: &[&str]) -> Result<Answer, ApiError> {
    let number = find(call, object)?;
    match rest {
        [] => Ok(basic(call, number)),
        ["describe"] => Ok(describe::object(call, number)),
        [which @ ("updated" | "deleted")] => {
            let (start, end) = (call.request.parameter("start"), call.request.parameter("end"));
            let tell = if *which == "updated" { replication::updated } else { replication::deleted };
            Ok(Answer::ok(&tell(call, number, start, end)?))
        }
        [id] => record(call, number, parse_id(id)?),
        [first, rest @ ..] => match by_field(call, number, first, rest)? {
            Some(answer) => Ok(answer),
            None => below(call, number, parse_id(first)?, rest),
        },
    }
}

/// The object of this name, if the user sees it.
pub(super) fn find(call: &Call<'_>, object: &str) -> Result<usize, ApiError> {
    let found = call.world.schema.find(object).filter(|number| call.view.sees_object(*number));
    found.ok_or_else(ApiError::not_found)
}

fn basic(call: &Call<'_>, number: usize) -> Answer {
    let mut describe = call.world.schema.describe(number, &call.view, call.version, &call.request.base);
    if let Some(describe) = describe.as_object_mut() {
        let later = [
            "actionOverrides",
            "childRelationships",
            "fields",
            "namedLayoutInfos",
            "recordTypeInfos",
            "supportedScopes",
        ];
        describe.retain(|key, _| !later.contains(&key.as_str()));
    }
    Answer::ok(&json!({"objectDescribe": describe, "recentItems": []}))
}

/// An id in a path. What does not look like one is taken for the value of an external id.
pub(super) fn parse_id(text: &str) -> Result<Id, ApiError> {
    Id::parse(text).ok_or_else(|| {
        if matches!(text.len(), 15 | 18) {
            return ApiError::bad("MALFORMED_ID", format!("malformed id {text}"));
        }
        no_external_id(text)
    })
}

/// The recorded words.
pub(super) fn no_external_id(text: &str) -> ApiError {
    let message = format!("Provided external ID field does not exist or is not accessible: {text}");
    ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
}

/// The fields that a call asks for with `fields=`, the id among them as recorded, or all that the user sees.
pub(super) fn field_list(
    call: &Call<'_>,
    number: usize,
    asked: Option<&str>,
) -> Result<Vec<String>, ApiError> {
    let object = call.world.schema.object(number);
    let Some(asked) = asked else {
        let seen = object.fields.iter().enumerate().filter(|(field, _)| call.view.sees_field(number, *field));
        return Ok(seen.map(|(_, field)| field.name.clone()).collect());
    };
    let mut fields: Vec<String> = Vec::new();
    for name in asked.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let known = object.find(name).is_some_and(|field| call.view.sees_field(number, field));
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let path =
            name.contains('.') && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.".contains(&b));
        if !(path || known && plain) {
            let message = format!("No such column '{name}' on sobject of type {}", object.name);
            return Err(ApiError::bad("INVALID_FIELD", message));
        }
        if !fields.iter().any(|other| other.eq_ignore_ascii_case(name)) {
            fields.push(name.to_owned());
        }
    }
    if !fields.iter().any(|name| name.eq_ignore_ascii_case("Id")) {
        fields.push("Id".to_owned());
    }
    Ok(fields)
}

/// A record by its id.
fn record(call: &Call<'_>, number: usize, id: Id) -> Result<Answer, ApiError> {
    let fields = field_list(call, number, call.request.parameter("fields"))?.join(",");
    let query = format!("SELECT {fields} FROM {} WHERE Id = '{id}'", call.world.schema.object(number).name);
    let plan = Arc::new(plan(call, &query)?);
    let cursor = plan.open(call.world.database.clone(), false);
    let row = single(&cursor, call.version).ok_or_else(ApiError::not_found)?;
    Ok(conditions::read(call, number, id, Answer::bytes(StatusCode::OK, JSON, row)))
}

/// A plan of a query that is put together here. Objects that queries want filtered by certain fields are read by
/// id without.
fn plan(call: &Call<'_>, query: &str) -> Result<Plan, ApiError> {
    Ok(Plan::of(&call.world.schema, &call.view, query)?)
}

/// A record by a field that tells records apart: `Key__c/A-1`. Nothing if `field` names no field.
fn by_field(call: &Call<'_>, number: usize, field: &str, rest: &[&str]) -> Result<Option<Answer>, ApiError> {
    let object = call.world.schema.object(number);
    let Some(found) = object.find(field).filter(|field| call.view.sees_field(number, *field)) else {
        return Ok(None);
    };
    let kind = object.fields[found].kind;
    if kind != FieldType::Id && !is_lookup(object, found) {
        return Err(no_external_id(field));
    }
    let [value, rest @ ..] = rest else { return Err(ApiError::not_found()) };
    let value = decoded(value);
    if kind == FieldType::Id {
        let id = parse_id(&value)?;
        return if rest.is_empty() { record(call, number, id) } else { below(call, number, id, rest) }
            .map(Some);
    }
    let literal = if kind.is_decimal() || kind == FieldType::Int {
        Decimal::parse(&value).ok_or_else(ApiError::not_found)?;
        value
    } else {
        format!("'{}'", value.replace('\\', "\\\\").replace('\'', "\\'"))
    };
    let query = format!("SELECT Id FROM {} WHERE {} = {literal}", object.name, object.fields[found].name);
    let plan = Arc::new(plan(call, &query)?);
    let cursor = plan.open(call.world.database.clone(), false);
    let ids: Vec<Id> = cursor.rows(0, u64::MAX).map(|row| cursor.id(row)).collect();
    match ids.as_slice() {
        [] => Err(ApiError::not_found()),
        [id] if rest.is_empty() => record(call, number, *id).map(Some),
        [id] => below(call, number, *id, rest).map(Some),
        several => Ok(Some(self::several(call, number, several))),
    }
}

/// Several records have the value: 300 with their URLs, as recorded.
pub(super) fn several(call: &Call<'_>, number: usize, ids: &[Id]) -> Answer {
    let base = format!("/services/data/v{}/sobjects/{}", call.version, call.world.schema.object(number).name);
    let urls: Vec<Json> = ids.iter().map(|id| json!(format!("{base}/{id}"))).collect();
    Answer::json(StatusCode::MULTIPLE_CHOICES, &Json::Array(urls))
}

/// Whether records can be named by a field.
pub(super) fn is_lookup(object: &Object, field: usize) -> bool {
    let described = object.describe.get("fields").and_then(|fields| fields.get(field));
    described.is_some_and(|field| field["externalId"] == true || field["idLookup"] == true)
}

/// What is below a record: the content of a blob, a parent, or a list of children.
fn below(call: &Call<'_>, number: usize, id: Id, rest: &[&str]) -> Result<Answer, ApiError> {
    let [name, rest @ ..] = rest else { return record(call, number, id) };
    let schema = &call.world.schema;
    let object = schema.object(number);
    if let Some(field) = object.find_relationship(name).filter(|field| call.view.sees_field(number, *field)) {
        let query = format!("SELECT {} FROM {} WHERE Id = '{id}'", object.fields[field].name, object.name);
        let plan = Arc::new(plan(call, &query)?);
        let cursor = plan.open(call.world.database.clone(), false);
        let row = cursor.rows(0, 1).next().ok_or_else(ApiError::not_found)?;
        let mut scratch = String::new();
        let Cell::Id(parent) = cursor.cell(row, 0, &mut scratch) else { return Err(ApiError::not_found()) };
        let target = schema.find_prefix(parent.prefix()).filter(|target| call.view.sees_object(*target));
        return below(call, target.ok_or_else(ApiError::not_found)?, parent, rest);
    }
    if !rest.is_empty() {
        return Err(ApiError::not_found());
    }
    let children = object.children.iter().find(|(known, ..)| known.eq_ignore_ascii_case(name));
    let Some((_, child, reference)) = children else { return blob::answer(call, number, id, name) };
    let child_number = find(call, child)?;
    if call.world.database.find(number, id).is_none() {
        return Err(ApiError::not_found());
    }
    let fields = field_list(call, child_number, call.request.parameter("fields"))?.join(",");
    let query = format!("SELECT {fields} FROM {child} WHERE {reference} = '{id}'");
    query::run(call, &Arc::new(plan(call, &query)?), call.world.database.clone(), false)
}

/// A part of a path with its `%41` decoded.
pub(super) fn decoded(part: &str) -> String {
    let bytes = part.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = bytes.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        let code = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        out.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}
