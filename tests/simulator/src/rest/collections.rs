//! `composite/sobjects/X`: many records by their ids, in the order of the ids, null for what is not there.

use std::collections::HashMap;
use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Deserialize;

use super::Call;
use super::query::JSON;
use super::sobjects::{field_list, find, parse_id};
use crate::soql::{JsonForm, Plan};
use crate::value::Id;
use crate::web::{Answer, ApiError};

/// Ids of a call at most: in the body, and in the URL.
const MOST: usize = 2_000;

#[derive(Deserialize)]
struct Wanted {
    ids: Vec<String>,
    fields: Vec<String>,
}

/// Answers GET with `ids=` and `fields=`, and POST with a body of both.
pub(super) fn read(call: &Call<'_>, object: &str) -> Result<Answer, ApiError> {
    let list = |name: &str| -> Vec<String> {
        let listed = call.request.parameter(name).unwrap_or_default().split(',');
        listed.map(str::trim).filter(|entry| !entry.is_empty()).map(str::to_owned).collect()
    };
    let Wanted { ids, fields } = match call.request.method {
        Method::GET => Wanted { ids: list("ids"), fields: list("fields") },
        Method::POST => serde_json::from_slice(&call.request.body)
            .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?,
        _ => return Err(ApiError::method(&call.request.method, "GET,POST")),
    };
    let number = find(call, object)?;
    for (given, name) in [(&ids, "ids"), (&fields, "fields")] {
        if given.is_empty() {
            return Err(ApiError::bad(
                "REQUIRED_FIELD_MISSING",
                format!("Missing required parameter: {name}"),
            ));
        }
    }
    if ids.len() > MOST {
        return Err(too_many());
    }
    let ids: Vec<Id> = ids.iter().map(|id| parse_id(id)).collect::<Result<_, _>>()?;
    Ok(Answer::bytes(StatusCode::OK, JSON, read_rows(call, number, &ids, &fields.join(","))?))
}

/// Records in the order of their ids, as a JSON array with null for what is not there.
pub(crate) fn read_rows(
    call: &Call<'_>,
    number: usize,
    ids: &[Id],
    fields: &str,
) -> Result<Vec<u8>, ApiError> {
    if ids.len() > MOST {
        return Err(too_many());
    }
    let fields = field_list(call, number, Some(fields))?.join(",");
    let name = &call.world.schema.object(number).name;
    let listed = ids.iter().map(|id| format!("'{id}'")).collect::<Vec<_>>().join(",");
    let query = format!("SELECT {fields} FROM {name} WHERE Id IN ({listed})");
    let plan = Arc::new(Plan::of(&call.world.schema, &call.view, &query)?);
    let cursor = plan.open(call.world.database.clone(), false);
    let rows: HashMap<Id, _> = cursor.rows(0, u64::MAX).map(|row| (cursor.id(row), row)).collect();
    let form = JsonForm::new(&plan, call.version);
    let (mut scratch, mut out) = (String::new(), vec![b'[']);
    for (number, id) in ids.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        match rows.get(id) {
            Some(row) => cursor.write_json_row(*row, &form, &mut scratch, &mut out),
            None => out.extend_from_slice(b"null"),
        }
    }
    out.push(b']');
    Ok(out)
}

fn too_many() -> ApiError {
    let message = format!("record limit reached. cannot submit more than {MOST} records into this call");
    ApiError::bad("EXCEEDED_ID_LIMIT", message)
}
