//! Results of a job: a page of CSV, and the list of pages that can be read at the same time.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::csv;
use super::job::Job;
use super::pieces::{pieces, short};
use crate::faults::BadPage;
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
    let facts = job.new.facts;
    let most = match call.request.parameter("maxRecords") {
        Some(text) => {
            let wrong = || ApiError::bad("INVALID_SEARCH", "maxRecords must be a whole number above 0");
            text.parse::<u64>().ok().filter(|rows| *rows > 0).ok_or_else(wrong)?
        }
        None => page_rows(&cursor),
    };
    let total = cursor.total();
    let size = |from: u64| if facts.short_pages { short(from, most) } else { most };
    let end = total.min(from.saturating_add(size(from)));
    // behind the last row: one page more, if that is the form, and whoever is there has read it
    let is_last = |end: u64| end >= total && !(facts.empty_last_page && from < total);
    let (mut next, mut shown) = (end, (from, end.saturating_sub(from)));
    if let Some(bad) = call.request.page_fault() {
        match bad {
            BadPage::Duplicate if from > 0 => {
                shown = (from.saturating_sub(shown.1.max(1)), shown.1.max(1).min(from));
            }
            BadPage::Drop if end + size(end) < total => next = end + size(end),
            BadPage::Repeat => next = from,
            _ => call.request.miss_fault(),
        }
    }
    let repeats = next == from && end > from;
    let locator =
        if is_last(next) && !repeats { "null".to_owned() } else { state.locators.make(job.id, next) };
    let format = job.new.format;
    let runs = pieces(total, shown.0, shown.1, facts.shuffled && !job.new.plan.is_ordered_or_cut());
    let answer = Answer::stream("text/csv", Box::new(move |out| csv::write(&cursor, &runs, format, out)));
    Ok(answer.with("sforce-locator", &locator).with("sforce-numberofrecords", &shown.1.to_string()))
}

/// `GET jobs/query/ID/resultPages`.
pub(super) fn pages(state: &State, call: &Call<'_>, job: &Arc<Job>) -> Result<Answer, ApiError> {
    let (cursor, from) = start(state, call, job)?;
    let base = format!("/services/data/v{}/jobs/query/{}", job.new.version, job.id);
    let rows = page_rows(&cursor);
    let size = |from: u64| if job.new.facts.short_pages { short(from, rows) } else { rows };
    let mut listed: Vec<Json> = Vec::new();
    let mut at = from;
    while listed.is_empty() || (at < cursor.total() && (listed.len() as u64) < LISTED) {
        listed.push(
            json!({"resultUrl": format!("{base}/results?locator={}", state.locators.make(job.id, at))}),
        );
        at += size(at);
    }
    let mut done = at >= cursor.total();
    match call.request.page_fault() {
        None => {}
        Some(BadPage::Duplicate) => listed.insert(0, listed[0].clone()),
        Some(BadPage::Drop) if listed.len() > 1 => drop(listed.remove(1)),
        Some(BadPage::Repeat) => (at, done) = (from, false),
        Some(BadPage::Drop) => call.request.miss_fault(),
    }
    let next = (!done).then(|| format!("{base}/resultPages?locator={}", state.locators.make(job.id, at)));
    // the documentation spells the key in two ways
    let key = if job.new.facts.record_url_key { "nextRecordUrl" } else { "nextRecordsUrl" };
    Ok(Answer::ok(&json!({"resultPages": listed, key: next, "done": done})))
}

/// The rows of a complete job and the place that the call's locator stands for.
fn start(state: &State, call: &Call<'_>, job: &Job) -> Result<(Arc<Cursor>, u64), ApiError> {
    if call.version != job.new.version {
        let message =
            format!("The job was created with API version {}; use that one for its results", job.new.version);
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
