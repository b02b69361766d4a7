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
/// Graphs of a call, and calls in all of them, at most.
const MOST_GRAPHS: usize = 75;
const MOST_NODES: usize = 500;

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

#[derive(Deserialize)]
struct Graphs {
    graphs: Vec<Graph>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Graph {
    graph_id: String,
    composite_request: Vec<Part>,
}

/// The result of a part.
struct Done {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    reference: Option<String>,
}

impl Done {
    fn went_well(&self) -> bool {
        !self.status.is_client_error() && !self.status.is_server_error()
    }
}

/// What is below `composite`.
pub(super) fn resources(call: &Call<'_>) -> Answer {
    let base = format!("/services/data/v{}/composite", call.version);
    let names = ["batch", "graph", "sobjects", "tree"];
    let entries = names.iter().map(|name| ((*name).to_owned(), json!(format!("{base}/{name}"))));
    Answer::ok(&Json::Object(entries.collect()))
}

/// Answers it. As a whole it is one call.
pub(super) fn answer(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    call.only(&Method::POST)?;
    let wanted: Wanted = serde_json::from_slice(&call.request.body)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    let done = match check(&wanted.composite_request, MOST, MOST_QUERIES) {
        Ok(()) if wanted.all_or_none => process_as_one(state, call, &wanted.composite_request),
        Ok(()) => process(state, call, &wanted.composite_request, false),
        Err(error) => vec![failed(&error, None)],
    };
    let mut out = Vec::new();
    write(&done, &mut out);
    Ok(Answer::bytes(StatusCode::OK, JSON, out))
}

/// Answers `composite/graph`: several composites, each of which is done as a whole or not at all.
pub(super) fn graphs(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    call.only(&Method::POST)?;
    let wanted: Graphs = serde_json::from_slice(&call.request.body)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    let nodes: usize = wanted.graphs.iter().map(|graph| graph.composite_request.len()).sum();
    if nodes > MOST_NODES || wanted.graphs.len() > MOST_GRAPHS {
        let message = format!("A call holds {MOST_GRAPHS} graphs with {MOST_NODES} nodes at most.");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    let mut out = b"{\"graphs\":[".to_vec();
    for (number, graph) in wanted.graphs.iter().enumerate() {
        let done = match check(&graph.composite_request, MOST_NODES, MOST_NODES) {
            Ok(()) => process_as_one(state, call, &graph.composite_request),
            Err(error) => vec![failed(&error, None)],
        };
        out.extend_from_slice(if number > 0 { b"," } else { b"" });
        out.extend_from_slice(
            format!("{{\"graphId\":{},\"graphResponse\":", json!(graph.graph_id)).as_bytes(),
        );
        write(&done, &mut out);
        out.extend_from_slice(format!(",\"isSuccessful\":{}}}", done.iter().all(Done::went_well)).as_bytes());
    }
    out.extend_from_slice(b"]}");
    Ok(Answer::bytes(StatusCode::OK, JSON, out))
}

/// Runs parts that stand or fall together: nobody sees what they did before all of them are done.
fn process_as_one(state: &State, call: &Call<'_>, parts: &[Part]) -> Vec<Done> {
    let reads = parts.iter().all(|part| part.method.eq_ignore_ascii_case("GET"));
    let tooling =
        parts.iter().any(|part| matches!(part.sub(&part.url, None).parts().as_slice(), ["tooling", ..]));
    // changes of metadata are changes of their own
    if reads || tooling || call.open.is_some() {
        return process(state, call, parts, true);
    }
    let done = call.org.together(|open| {
        let done = process(state, &call.within(open), parts, true);
        if done.iter().all(Done::went_well) { Ok(done) } else { Err(done) }
    });
    done.unwrap_or_else(|undone| undone)
}

/// Runs the parts one after the other.
fn process(state: &State, call: &Call<'_>, parts: &[Part], all_or_none: bool) -> Vec<Done> {
    let mut done: Vec<Done> = Vec::new();
    let mut bodies: HashMap<&str, Json> = HashMap::new();
    for part in parts {
        let result =
            run(state, call, part, &bodies).unwrap_or_else(|error| failed(&error, Some(&part.reference_id)));
        bodies.insert(&part.reference_id, serde_json::from_slice(&result.body).unwrap_or(Json::Null));
        let undo = all_or_none && !result.went_well();
        done.push(result);
        if undo {
            return rolled_back(done, parts);
        }
    }
    done
}

fn check(parts: &[Part], most: usize, most_queries: usize) -> Result<(), ApiError> {
    let limit = |what: &str| {
        Err(ApiError::bad("LIMIT_EXCEEDED", format!("The request can’t contain more than {what}.")))
    };
    if parts.len() > most {
        return limit(&format!("{most} operations"));
    }
    if parts.iter().filter(|part| part.sub(&part.url, None).is_query()).count() > most_queries {
        return limit(&format!("{most_queries} query or collection operations"));
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

fn run(state: &State, call: &Call<'_>, part: &Part, bodies: &HashMap<&str, Json>) -> Result<Done, ApiError> {
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
    let answer = sub.answer(state, call);
    let (status, headers) = (answer.status, answer.headers.clone());
    let body = answer.into_json().ok_or_else(|| {
        ApiError::bad(
            "INVALID_INPUT",
            format!("The content of a blob is not returned in a composite request: {url}"),
        )
    })?;
    Ok(Done { status, headers, body, reference: Some(part.reference_id.clone()) })
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

fn write(done: &[Done], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"compositeResponse\":[");
    for (number, part) in done.iter().enumerate() {
        out.extend_from_slice(if number > 0 { b",{\"body\":" } else { b"{\"body\":" });
        out.extend_from_slice(&part.body);
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

    proptest::proptest! {
        #[test]
        fn references_never_panic(text in "[@{}.\\[\\]a0-9 ]{0,24}") {
            let bodies = HashMap::from([("a", json!([{"a": [0]}]))]);
            let _ = referred(&text, &bodies);
        }
    }
}
