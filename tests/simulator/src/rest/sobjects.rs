//! `sobjects/X`: basic information, describe, and records.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::query::single;
use super::{Call, blob};
use crate::soql::Plan;
use crate::value::Id;
use crate::web::{Answer, ApiError};

/// Answers below `sobjects/X`.
pub(super) fn answer(call: &Call<'_>, object: &str, rest: &[&str]) -> Result<Answer, ApiError> {
    let schema = &call.world.schema;
    let number = schema
        .find(object)
        .filter(|number| call.view.sees_object(*number))
        .ok_or_else(ApiError::not_found)?;
    match rest {
        [] => {
            let mut describe = schema.describe(number, &call.view, call.version);
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
            Ok(Answer::ok(&json!({"objectDescribe": describe, "recentItems": []})))
        }
        ["describe"] => Ok(Answer::ok(&schema.describe(number, &call.view, call.version))),
        [id] => record(call, number, id),
        [id, field] => blob::answer(call, number, parse_id(id)?, field),
        _ => Err(ApiError::not_found()),
    }
}

/// An id in a path. What does not look like one is taken for the value of an external id.
fn parse_id(text: &str) -> Result<Id, ApiError> {
    Id::parse(text).ok_or_else(|| {
        if matches!(text.len(), 15 | 18) {
            return ApiError::bad("MALFORMED_ID", format!("malformed id {text}"));
        }
        let message = format!("Provided external ID field does not exist or is not accessible: {text}");
        ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    })
}

fn record(call: &Call<'_>, number: usize, id: &str) -> Result<Answer, ApiError> {
    let id = parse_id(id)?;
    let object = call.world.schema.object(number);
    let fields = match call.request.parameter("fields") {
        Some(fields) => fields.to_owned(),
        None => {
            let seen =
                object.fields.iter().enumerate().filter(|(field, _)| call.view.sees_field(number, *field));
            seen.map(|(_, field)| field.name.as_str()).collect::<Vec<_>>().join(",")
        }
    };
    let query = format!("SELECT {fields} FROM {} WHERE Id = '{id}'", object.name);
    let plan = Arc::new(Plan::of(&call.world.schema, &call.view, &query)?);
    let cursor = plan.open(call.world.database.clone(), false);
    let row = single(&cursor, call.version).ok_or_else(ApiError::not_found)?;
    Ok(Answer::bytes(StatusCode::OK, "application/json;charset=UTF-8", row))
}
