//! `composite/batch`: up to 25 calls that know nothing of each other, each of which counts.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value as Json, json};

use super::Call;
use super::query::JSON;
use super::sub::Sub;
use crate::server::State;
use crate::web::{Answer, ApiError};

/// Calls at most.
const MOST: usize = 25;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    #[serde(default)]
    halt_on_error: bool,
    batch_requests: Vec<Part>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    method: String,
    url: String,
    #[serde(default)]
    rich_input: Option<Json>,
}

/// Answers it. The call itself was counted as the first of its parts.
pub(super) fn answer(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    call.only(&Method::POST)?;
    let wanted: Wanted = serde_json::from_slice(&call.request.body)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    let parts = wanted.batch_requests.len();
    if parts == 0 || parts > MOST {
        let message = format!("The number of batch requests must be between 1 and {MOST}, but was {parts}");
        return Err(ApiError::bad("INVALID_BATCH_REQUEST", message));
    }
    let (mut results, mut has_errors) = (Vec::new(), false);
    for (number, part) in wanted.batch_requests.iter().enumerate() {
        if number > 0 {
            results.push(b',');
        }
        let halted = has_errors && wanted.halt_on_error;
        let counted = if number > 0 && !halted { call.org.limits.take(call.caller, 1) } else { Ok(()) };
        let answer = if halted {
            let message = "Batch processing halted per request's haltOnError option";
            ApiError::new(StatusCode::PRECONDITION_FAILED, "BATCH_PROCESSING_HALTED", message).answer()
        } else if let Err(error) = counted {
            error.answer()
        } else {
            let sub =
                Sub { method: &part.method, url: &part.url, headers: None, body: part.rich_input.as_ref() };
            let within = matches!(
                sub.parts().as_slice(),
                ["limits" | "sobjects" | "query" | "queryAll" | "search", ..]
            );
            if within { sub.answer(state, call) } else { ApiError::not_found().answer() }
        };
        let status = answer.status;
        has_errors |= status.is_client_error() || status.is_server_error();
        // contents of blobs do not fit into JSON
        let body = answer.into_json().unwrap_or_else(|| b"null".as_slice().into());
        results.extend_from_slice(format!("{{\"statusCode\":{},\"result\":", status.as_u16()).as_bytes());
        results.extend_from_slice(&body);
        results.push(b'}');
    }
    let mut out = json!({"hasErrors": has_errors}).to_string().into_bytes();
    out.pop();
    out.extend_from_slice(b",\"results\":[");
    out.extend_from_slice(&results);
    out.extend_from_slice(b"]}");
    Ok(Answer::bytes(StatusCode::OK, JSON, out))
}
