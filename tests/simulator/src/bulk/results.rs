//! Results of a job: a page of CSV, and the list of pages that can be read at the same time.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::csv;
use super::job::Job;
use crate::rest::Call;
use crate::server::State;
use crate::soql::Cursor;
use crate::web::{Answer, ApiError};

/// Pages that one answer of `resultPages` lists at most.
const LISTED: u64 = 5;
/// Cells of a page when the client does not say how many rows it wants, and bounds of its rows.
const CELLS: u64 = 6_000_000;
const FEWEST: u64 = 10_000;
const MOST: u64 = 250_000;

/// `GET jobs/query/ID/results`.
pub(super) fn page(state: &State, call: &Call<'_>, job: &Arc<Job>) -> Result<Answer, ApiError> {
    let (cursor, from) = start(state, call, job)?;
    let most = match call.request.parameter("maxRecords") {
        Some(text) => {
            let wrong = || ApiError::bad("INVALID_SEARCH", "maxRecords must be a whole number above 0");
            text.parse::<u64>().ok().filter(|rows| *rows > 0).ok_or_else(wrong)?
        }
        None => page_rows(&cursor),
    };
    let end = cursor.total().min(from.saturating_add(most));
    let rows = end.saturating_sub(from);
    let next = if end < cursor.total() { state.locators.make(job.id, end) } else { "null".to_owned() };
    let format = job.format;
    let answer =
        Answer::stream("text/csv", Box::new(move |out| csv::write(&cursor, from, rows, format, out)));
    Ok(answer.with("sforce-locator", &next).with("sforce-numberofrecords", &rows.to_string()))
}

/// `GET jobs/query/ID/resultPages`.
pub(super) fn pages(state: &State, call: &Call<'_>, job: &Arc<Job>) -> Result<Answer, ApiError> {
    let (cursor, from) = start(state, call, job)?;
    let base = format!("/services/data/v{}/jobs/query/{}", job.version, job.id);
    let rows = page_rows(&cursor);
    let mut listed: Vec<Json> = Vec::new();
    let mut at = from;
    while listed.is_empty() || (at < cursor.total() && (listed.len() as u64) < LISTED) {
        listed.push(
            json!({"resultUrl": format!("{base}/results?locator={}", state.locators.make(job.id, at))}),
        );
        at += rows;
    }
    let done = at >= cursor.total();
    let next = (!done).then(|| format!("{base}/resultPages?locator={}", state.locators.make(job.id, at)));
    Ok(Answer::ok(&json!({"resultPages": listed, "nextRecordsUrl": next, "done": done})))
}

/// The rows of a complete job and the place that the call's locator stands for.
fn start(state: &State, call: &Call<'_>, job: &Job) -> Result<(Arc<Cursor>, u64), ApiError> {
    if call.version != job.version {
        let message =
            format!("The job was created with API version {}; use that one for its results", job.version);
        return Err(ApiError::new(StatusCode::CONFLICT, "API_VERSION_MISMATCH", message));
    }
    let cursor = job.results()?;
    let from = match call.request.parameter("locator") {
        None | Some("" | "null") => 0,
        Some(locator) => {
            let wrong = || ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
            state.locators.read(job.id, locator).filter(|row| *row <= cursor.total()).ok_or_else(wrong)?
        }
    };
    Ok((cursor, from))
}

/// Rows of a page at the server's choice: fewer of wide ones.
fn page_rows(cursor: &Cursor) -> u64 {
    (CELLS / (cursor.columns().len() as u64).max(1)).clamp(FEWEST, MOST)
}
