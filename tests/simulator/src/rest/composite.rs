//! `composite`: up to 25 calls in one, which may name results of earlier ones as `@{account.id}`.

use std::collections::HashMap;

use bytes::Bytes;
use http::header::{ETAG, LAST_MODIFIED, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::Call;
use super::query::JSON;
use super::sub::Sub;
use crate::server::State;
use crate::web::{Answer, ApiError};

/// Calls at most, and how many of them may be queries or collections.
const MOST: usize = 25;
const MOST_QUERIES: usize = 5;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(default)]
    all_or_none: bool,
    composite_request: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    method: String,
    url: String,
    reference_id: String,
    #[serde(default)]
    http_headers: Option<Map<String, Json>>,
    #[serde(default)]
    body: Option<Json>,
}

/// The result of a part.
struct Done {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    reference: Option<String>,
}

/// What is below `composite`.
pub(super) fn resources(call: &Call<'_>) -> Answer {
    let base = format!("/services/data/v{}/composite", call.version);
    Answer::ok(&json!({"batch": format!("{base}/batch"), "sobjects": format!("{base}/sobjects")}))
}

/// Answers it. As a whole it is one call.
pub(super) fn answer(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    call.only(&Method::POST)?;
    let wanted: Wanted = serde_json::from_slice(&call.request.body)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    if let Err(error) = check(&wanted.composite_request) {
        return Ok(written(&[failed(&error, None)]));
    }
    let mut done: Vec<Done> = Vec::new();
    let mut bodies: HashMap<&str, Json> = HashMap::new();
    for part in &wanted.composite_request {
        let result = match run(state, call, part, &bodies) {
            Ok(answer) => {
                let (status, headers) = (answer.status, answer.headers.clone());
                let body = answer.into_bytes().unwrap_or_else(|| Bytes::from_static(b"null"));
                Done { status, headers, body, reference: Some(part.reference_id.clone()) }
            }
            Err(error) => failed(&error, Some(&part.reference_id)),
        };
        let ok = !result.status.is_client_error() && !result.status.is_server_error();
        bodies.insert(&part.reference_id, serde_json::from_slice(&result.body).unwrap_or(Json::Null));
        done.push(result);
        if !ok && wanted.all_or_none {
            return Ok(written(&rolled_back(done, &wanted.composite_request)));
        }
    }
    Ok(written(&done))
}

fn check(parts: &[Part]) -> Result<(), ApiError> {
    let limit = |what: &str| {
        Err(ApiError::bad("LIMIT_EXCEEDED", format!("The request can’t contain more than {what}.")))
    };
    if parts.len() > MOST {
        return limit(&format!("{MOST} operations"));
    }
    if parts.iter().filter(|part| part.sub(&part.url, None).is_query()).count() > MOST_QUERIES {
        return limit(&format!("{MOST_QUERIES} query or collection operations"));
    }
    for (number, part) in parts.iter().enumerate() {
        let id = &part.reference_id;
        let valid = id.starts_with(|c: char| c.is_ascii_alphanumeric())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !valid {
            return Err(ApiError::bad(
                "INVALID_INPUT",
                format!("Provided referenceId ('{id}') {REFERENCE_RULE}"),
            ));
        }
        if parts[..number].iter().any(|other| other.reference_id == *id) {
            return Err(ApiError::bad("INVALID_INPUT", format!("Duplicate referenceId provided: {id}")));
        }
    }
    Ok(())
}

const REFERENCE_RULE: &str =
    "must start with a letter or a number, and it can contain only letters, numbers and underscores ('_').";

impl Part {
    fn sub<'a>(&'a self, url: &'a str, body: Option<&'a Json>) -> Sub<'a> {
        Sub { method: &self.method, url, headers: self.http_headers.as_ref(), body }
    }
}

fn run(
    state: &State,
    call: &Call<'_>,
    part: &Part,
    bodies: &HashMap<&str, Json>,
) -> Result<Answer, ApiError> {
    let url = referred(&part.url, bodies)?;
    let body = part.body.clone().map(|body| referred_in(body, bodies)).transpose()?;
    let sub = part.sub(&url, body.as_ref());
    let known = matches!(
        sub.parts().as_slice(),
        ["sobjects" | "query" | "queryAll", ..]
            | ["composite", "sobjects", ..]
            | ["tooling", "query" | "sobjects", ..]
    );
    if !url.starts_with("/services/data/") || !known {
        return Err(ApiError::bad(
            "INVALID_INPUT",
            format!("This URL is not supported in a composite request: {url}"),
        ));
    }
    Ok(sub.answer(state, call))
}

/// A text with its references replaced by what earlier results hold there.
fn referred(text: &str, bodies: &HashMap<&str, Json>) -> Result<String, ApiError> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((head, tail)) = rest.split_once("@{") {
        let Some((reference, after)) = tail.split_once('}') else { break };
        out.push_str(head);
        match look_up(reference, bodies) {
            Some(Json::String(found)) => out.push_str(found),
            Some(found @ (Json::Bool(_) | Json::Number(_))) => out.push_str(&found.to_string()),
            _ => return Err(no_value(reference)),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn no_value(reference: &str) -> ApiError {
    let from = reference.split(['.', '[']).next().unwrap_or_default();
    let message = format!(
        "Invalid reference specified. No value for {reference} found in {from}. Provided referenceId ('{reference}') \
         {REFERENCE_RULE}"
    );
    ApiError::bad("PROCESSING_HALTED", message)
}

/// `account.id`, `query.records[0].Id`, `created[0].id`
fn look_up<'a>(reference: &str, bodies: &'a HashMap<&str, Json>) -> Option<&'a Json> {
    let end = reference.find(['.', '[']).unwrap_or(reference.len());
    let mut found = bodies.get(&reference[..end])?;
    for step in reference[end..].split(['.', '[']).filter(|step| !step.is_empty()) {
        found = match step.strip_suffix(']') {
            Some(number) => found.get(number.parse::<usize>().ok()?)?,
            None => found.get(step)?,
        };
    }
    Some(found)
}

fn referred_in(body: Json, bodies: &HashMap<&str, Json>) -> Result<Json, ApiError> {
    Ok(match body {
        Json::String(text) => Json::String(referred(&text, bodies)?),
        Json::Array(list) => {
            list.into_iter().map(|entry| referred_in(entry, bodies)).collect::<Result<_, _>>()?
        }
        Json::Object(map) => {
            let entries = map.into_iter().map(|(key, value)| Ok((key, referred_in(value, bodies)?)));
            Json::Object(entries.collect::<Result<_, ApiError>>()?)
        }
        other => other,
    })
}

fn failed(error: &ApiError, reference: Option<&str>) -> Done {
    // in a composite answer the code comes first, as recorded
    let body = json!([{"errorCode": error.code, "message": error.message}]);
    Done {
        status: error.status,
        headers: HeaderMap::new(),
        body: body.to_string().into(),
        reference: reference.map(str::to_owned),
    }
}

/// With `allOrNone` every part but the one that failed says that it was undone.
fn rolled_back(mut done: Vec<Done>, parts: &[Part]) -> Vec<Done> {
    let undone = |part: &Part| {
        let message =
            "The transaction was rolled back since another operation in the same transaction failed.";
        failed(&ApiError::bad("PROCESSING_HALTED", message), Some(&part.reference_id))
    };
    let at_fault = done.pop();
    let before = parts.iter().take(done.len()).map(undone);
    let mut all: Vec<Done> = before.chain(at_fault).collect();
    all.extend(parts.iter().skip(all.len()).map(undone));
    all
}

fn written(done: &[Done]) -> Answer {
    let mut out = b"{\"compositeResponse\":[".to_vec();
    for (number, part) in done.iter().enumerate() {
        if number > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"body\":");
        out.extend_from_slice(if part.body.is_empty() { b"null" } else { &part.body });
        let mut headers = Map::new();
        for (name, shown) in [(ETAG, "ETag"), (LAST_MODIFIED, "Last-Modified"), (LOCATION, "Location")] {
            if let Some(value) = part.headers.get(name).and_then(|value| value.to_str().ok()) {
                headers.insert(shown.to_owned(), json!(value));
            }
        }
        let rest = json!({
            "httpHeaders": headers, "httpStatusCode": part.status.as_u16(), "referenceId": part.reference,
        });
        out.push(b',');
        // the object goes on where its brace was
        out.extend_from_slice(&rest.to_string().as_bytes()[1..]);
    }
    out.extend_from_slice(b"]}");
    Answer::bytes(StatusCode::OK, JSON, out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references() {
        let bodies = HashMap::from([("a", json!({"id": "001", "records": [{"Id": "x", "N": 3}]}))]);
        assert_eq!(referred("/x/@{a.id}/@{a.records[0].N}", &bodies).unwrap(), "/x/001/3");
        assert_eq!(referred("plain @{", &bodies).unwrap(), "plain @{");
        let error = referred("@{a.records[1].Id}", &bodies).unwrap_err();
        assert!(
            error
                .message
                .starts_with("Invalid reference specified. No value for a.records[1].Id found in a.")
        );
        assert_eq!(look_up("a[", &bodies), Some(&bodies["a"]));
    }
}
