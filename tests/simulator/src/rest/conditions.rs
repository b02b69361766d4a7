//! Conditional headers of records: `If-Modified-Since` and `If-Unmodified-Since` against `LastModifiedDate`
//! (REST API guide, Conditional Requests).

use http::StatusCode;

use super::{Call, describe, write};
use crate::value::Id;
use crate::value::calendar::parse_datetime;
use crate::web::{Answer, ApiError};

/// When a record was last changed, in milliseconds since 1970.
fn changed(call: &Call<'_>, object: usize, id: Id) -> Option<i64> {
    parse_datetime(&write::text_of(call, object, id, "LastModifiedDate")?)
}

/// Refuses a write if the record was changed since the client read it.
pub(super) fn check_write(call: &Call<'_>, object: usize, id: Id) -> Result<(), ApiError> {
    let Some(changed) = changed(call, object, id) else { return Ok(()) };
    let header = |name: &str| call.request.header(name).and_then(describe::parse);
    let too_new = header("if-unmodified-since").is_some_and(|since| changed > since);
    let too_old = header("if-modified-since").is_some_and(|since| changed <= since);
    if too_new || too_old {
        let message = "The request has been refused: a precondition of its headers failed";
        return Err(ApiError::new(StatusCode::PRECONDITION_FAILED, "PRECONDITION_FAILED", message));
    }
    Ok(())
}

/// Puts `Last-Modified` to a record that is read, or says that the client knows it already.
pub(super) fn read(call: &Call<'_>, object: usize, id: Id, answer: Answer) -> Answer {
    let Some(changed) = changed(call, object, id) else { return answer };
    let known = call.request.header("if-modified-since").and_then(describe::parse);
    let answer = match known {
        Some(known) if changed <= known => Answer::empty(StatusCode::NOT_MODIFIED),
        _ => answer,
    };
    answer.with("last-modified", &describe::written(changed))
}
