//! `composite/sobjects`: up to 200 records made, changed, upserted or deleted in one call, each for itself or, with
//! `allOrNone`, all together (REST API guide, sObject Collections).

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use super::write::{self, Change, MOST, Outcome, Record};
use super::{Call, headers, multipart, sobjects};
use crate::store::transaction::Refusal;
use crate::value::Id;
use crate::web::{Answer, ApiError};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(default)]
    all_or_none: bool,
    records: Vec<Map<String, Json>>,
}

/// Answers POST and PATCH with records, and DELETE with `ids=`.
pub(super) fn write(call: &Call<'_>) -> Result<Answer, ApiError> {
    let method = call.method();
    if method == Method::DELETE {
        return delete(call);
    }
    if method != Method::POST && method != Method::PATCH {
        return Err(ApiError::method(&method, "DELETE,PATCH,POST"));
    }
    let wanted = wanted(call)?;
    let mut changes = Vec::with_capacity(wanted.records.len());
    for record in wanted.records {
        let object = typed(call, &record)?;
        let record = with_content(call, record)?;
        changes.push(if method == Method::POST {
            Change::Insert(object, record)
        } else {
            update(call, object, record)
        });
    }
    Ok(told(&write::run(call, &headers::options(call), &changes, wanted.all_or_none), false))
}

/// Answers `composite/sobjects/X/Field`: records of one object, found by an external id or made.
pub(super) fn upsert(call: &Call<'_>, object: &str, field: &str) -> Result<Answer, ApiError> {
    let method = call.method();
    if method != Method::PATCH {
        return Err(ApiError::method(&method, "PATCH"));
    }
    let number = sobjects::find(call, object)?;
    let key = write::key_field(call, number, field).ok_or_else(|| sobjects::no_external_id(field))?;
    let wanted = wanted(call)?;
    let mut changes = Vec::with_capacity(wanted.records.len());
    for record in wanted.records {
        if typed(call, &record)? != number {
            let message = format!("All records of an upsert must be of type {object}");
            return Err(ApiError::bad("INVALID_TYPE", message));
        }
        changes.push(Change::Upsert(number, key, record.into()));
    }
    Ok(told(&write::run(call, &headers::options(call), &changes, wanted.all_or_none), true))
}

fn wanted(call: &Call<'_>) -> Result<Wanted, ApiError> {
    let wanted: Wanted = serde_json::from_slice(&multipart::json(call)?)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    check_count(wanted.records.len())?;
    Ok(wanted)
}

fn check_count(count: usize) -> Result<(), ApiError> {
    if count <= MOST {
        return Ok(());
    }
    let message = format!("record limit reached. cannot submit more than {MOST} records into this call");
    Err(ApiError::bad("EXCEEDED_ID_LIMIT", message))
}

/// The object that a record says it is of.
pub(super) fn typed(call: &Call<'_>, record: &Map<String, Json>) -> Result<usize, ApiError> {
    let name = record.get("attributes").and_then(|attributes| attributes["type"].as_str());
    let name = name.ok_or_else(|| {
        ApiError::bad("INVALID_INPUT", "Records must have an attribute `type` that names their object")
    })?;
    let found = call.world.schema.find(name).filter(|object| call.view.sees_object(*object));
    found.ok_or_else(|| ApiError::bad("INVALID_TYPE", format!("sObject type '{name}' is not supported.")))
}

/// The record with the content that it names among the parts of the call (`binaryPartName`), for the field that
/// `binaryPartNameAlias` says.
fn with_content(call: &Call<'_>, mut fields: Map<String, Json>) -> Result<Record, ApiError> {
    let attribute = |name: &str| fields.get("attributes").and_then(|attributes| attributes[name].as_str());
    let Some(part) = attribute("binaryPartName").map(str::to_owned) else { return Ok(fields.into()) };
    let field = attribute("binaryPartNameAlias").map(str::to_owned);
    let field = field.ok_or_else(|| ApiError::bad("INVALID_INPUT", "binaryPartNameAlias is missing"))?;
    let content = multipart::content(call, &part)?;
    write::remove(&mut fields, &field);
    Ok(Record { fields, contents: vec![(field, content)] })
}

fn update(call: &Call<'_>, object: usize, record: Record) -> Change {
    let Some(id) = write::value_of(&record.fields, "Id") else {
        return Change::Refused(Refusal::field(
            "MISSING_ARGUMENT",
            "Id",
            "Id not specified in an update call",
        ));
    };
    match id.as_str().and_then(Id::parse) {
        None => Change::Refused(write::malformed(id)),
        Some(id) if call.world.schema.find_prefix(id.prefix()) != Some(object) => {
            let message =
                format!("{}: id value of incorrect type: {id}", call.world.schema.object(object).name);
            Change::Refused(Refusal::field("INVALID_CROSS_REFERENCE_KEY", "Id", message))
        }
        Some(id) => Change::Update(id, record),
    }
}

fn delete(call: &Call<'_>) -> Result<Answer, ApiError> {
    let ids = call.request.parameter("ids").unwrap_or_default();
    let ids: Vec<&str> = ids.split(',').map(str::trim).filter(|id| !id.is_empty()).collect();
    if ids.is_empty() {
        return Err(ApiError::bad("REQUIRED_FIELD_MISSING", "Missing required parameter: ids"));
    }
    check_count(ids.len())?;
    let all_or_none = call.request.parameter("allOrNone") == Some("true");
    let change = |text: &&str| match Id::parse(text) {
        None => Change::Refused(write::malformed(&Json::String((*text).to_owned()))),
        Some(id) => Change::Delete(id),
    };
    let changes: Vec<Change> = ids.iter().map(change).collect();
    Ok(told(&write::run(call, &headers::options(call), &changes, all_or_none), false))
}

/// 200 whatever became of the records.
fn told(outcomes: &[Outcome], upsert: bool) -> Answer {
    let entries = outcomes.iter().map(|outcome| write::entry(outcome, upsert)).collect();
    Answer::json(StatusCode::OK, &Json::Array(entries))
}
