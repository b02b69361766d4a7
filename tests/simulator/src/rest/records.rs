//! `sobjects/X`: records made, changed and deleted, by id and by an external id.

use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::versions::reached;
use super::write::{self, Change, Done, Outcome, Record};
use super::{Call, conditions, headers, multipart, sobjects};
use crate::schema::FieldType;
use crate::store::transaction::{Refusal, read_text};
use crate::value::{Id, Value};
use crate::web::{Answer, ApiError};

/// The version since which an upsert that changes a record answers with content (REST API guide, upsert).
const TELLS_SINCE: u16 = 46;

/// Answers what is not GET below `sobjects/X`.
pub(super) fn answer(call: &Call<'_>, object: &str, rest: &[&str]) -> Result<Answer, ApiError> {
    let number = sobjects::find(call, object)?;
    let method = call.method();
    match rest {
        [] if method == Method::POST => create(call, number, body(call)?),
        // an upsert by `Id` without one
        [field] if method == Method::POST && field.eq_ignore_ascii_case("Id") => {
            create(call, number, body(call)?)
        }
        [id] if method == Method::PATCH || method == Method::DELETE => {
            one(call, number, sobjects::parse_id(id)?, &method)
        }
        [field, value @ ..] if !value.is_empty() && (method == Method::PATCH || method == Method::DELETE) => {
            by_field(call, number, field, &value.join("/"), &method)
        }
        [] => Err(ApiError::method(&method, "GET,HEAD,POST")),
        _ => Err(ApiError::method(&method, "DELETE,GET,HEAD,PATCH")),
    }
}

/// The record of a body in JSON, with the contents that came beside it.
fn body(call: &Call<'_>) -> Result<Record, ApiError> {
    let fields = serde_json::from_slice(&multipart::json(call)?)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    Ok(Record { fields, contents: multipart::contents(call) })
}

fn only(call: &Call<'_>, change: Change) -> Outcome {
    let mut outcomes = write::run(call, &headers::options(call), &[change], true);
    outcomes.pop().unwrap_or_else(|| Err(Refusal::new("UNKNOWN_EXCEPTION", "nothing was done")))
}

fn create(call: &Call<'_>, object: usize, record: Record) -> Result<Answer, ApiError> {
    if write::value_of(&record.fields, "Id").is_some() {
        return Err(not_in_body("Id"));
    }
    let done = only(call, Change::Insert(object, record)).map_err(ApiError::refused)?;
    Ok(told(call, object, done, StatusCode::CREATED, false))
}

/// The words for a field that the path names already.
fn not_in_body(field: &str) -> ApiError {
    ApiError::bad("INVALID_FIELD", format!("The {field} field should not be specified in the sobject data."))
}

fn told(call: &Call<'_>, object: usize, done: Done, status: StatusCode, upsert: bool) -> Answer {
    let id = done.id.to_string();
    let mut body = json!({"id": id, "success": true, "errors": []});
    if upsert && reached(call.version, TELLS_SINCE) {
        body["created"] = json!(done.created);
    }
    let place =
        format!("/services/data/v{}/sobjects/{}/{id}", call.version, call.world.schema.object(object).name);
    let answer = Answer::json(status, &body);
    if done.created { answer.with("location", &place) } else { answer }
}

/// A record by its id.
fn one(call: &Call<'_>, object: usize, id: Id, method: &Method) -> Result<Answer, ApiError> {
    // what is not there is not found, whatever else is wrong with the call
    let missing = |refusal| ApiError { status: StatusCode::NOT_FOUND, ..ApiError::refused(refusal) };
    write::check_there(call, object, id).map_err(missing)?;
    conditions::check_write(call, object, id)?;
    let change = if method == Method::DELETE {
        Change::Delete(id)
    } else {
        let record = body(call)?;
        if write::value_of(&record.fields, "Id").is_some() {
            return Err(not_in_body("Id"));
        }
        Change::Update(id, record)
    };
    only(call, change).map_err(ApiError::refused)?;
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

/// A record by a field that tells records apart.
fn by_field(
    call: &Call<'_>,
    object: usize,
    field: &str,
    value: &str,
    method: &Method,
) -> Result<Answer, ApiError> {
    let key = write::key_field(call, object, field).ok_or_else(|| sobjects::no_external_id(field))?;
    let described = call.world.schema.object(object);
    let name = described.fields[key].name.clone();
    let text = sobjects::decoded(value);
    if described.fields[key].kind == FieldType::Id {
        return one(call, object, sobjects::parse_id(&text)?, method);
    }
    let wrong = |refusal| ApiError::refused(refusal);
    let read = read_text(&described.fields[key], &text).map_err(wrong)?;
    let read: Value = read.ok_or_else(|| {
        ApiError::refused(Refusal::new("MISSING_ARGUMENT", format!("{name} not specified")))
    })?;
    let found = write::found_by(call, object, key, &read);
    if found.len() > 1 {
        return Ok(sobjects::several(call, object, &found));
    }
    if method == Method::DELETE {
        let id = found.first().ok_or_else(ApiError::not_found)?;
        return one(call, object, *id, method);
    }
    if found.is_empty() && call.request.parameter("updateOnly") == Some("true") {
        return Err(ApiError::not_found());
    }
    let mut record = body(call)?;
    for given in [name.as_str(), "Id"] {
        if write::value_of(&record.fields, given).is_some() {
            return Err(not_in_body(given));
        }
    }
    record.fields.insert(name, Json::String(text));
    let done = only(call, Change::Upsert(object, key, record)).map_err(ApiError::refused)?;
    if done.created {
        return Ok(told(call, object, done, StatusCode::CREATED, true));
    }
    if reached(call.version, TELLS_SINCE) {
        return Ok(told(call, object, done, StatusCode::OK, true));
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
