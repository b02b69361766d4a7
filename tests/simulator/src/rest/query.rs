//! `query`, `queryAll` and their further pages.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::StatusCode;

use super::{Call, check_needs};
use crate::schema::FieldType;
use crate::soql::{self, Cursor, JsonForm, Plan};
use crate::value::Id;
use crate::value::decimal::write_integer;
use crate::web::{Answer, ApiError};

/// Rows of a page at most, and at least when a smaller page is asked for.
const MOST: u64 = 2_000;
const FEWEST: u64 = 200;
/// How long a cursor lives.
const LIFE: Duration = Duration::from_hours(48);
/// Texts that are longer make rows wide.
const LONG_TEXT: usize = 255;

/// Queries with pages to come.
#[derive(Debug, Default)]
pub(crate) struct Cursors {
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    by_id: HashMap<Id, Entry>,
}

#[derive(Debug)]
struct Entry {
    user: String,
    opened: Instant,
    page: u64,
    cursor: Arc<Cursor>,
}

impl Cursors {
    fn add(&self, user: &str, page: u64, cursor: &Arc<Cursor>) -> Id {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.by_id.retain(|_, entry| entry.opened.elapsed() < LIFE);
        open.last += 1;
        let id = Id::new(*b"01g", open.last);
        let entry = Entry { user: user.to_owned(), opened: Instant::now(), page, cursor: cursor.clone() };
        open.by_id.insert(id, entry);
        id
    }

    /// The cursor and the size of its pages; only whoever opened it may read on.
    fn find(&self, id: Id, user: &str) -> Option<(Arc<Cursor>, u64)> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let entry =
            open.by_id.get(&id).filter(|entry| entry.user == user && entry.opened.elapsed() < LIFE)?;
        Some((entry.cursor.clone(), entry.page))
    }

    /// Ends them all, as time would.
    pub(crate) fn end_all(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).by_id.clear();
    }
}

/// The first page.
pub(super) fn first(call: &Call<'_>, with_deleted: bool) -> Result<Answer, ApiError> {
    let text = call.request.parameter("q").filter(|text| !text.trim().is_empty());
    let text =
        text.ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "SOQL statement cannot be empty: parameter q"))?;
    let query = soql::parse(text)?;
    let plan = Arc::new(Plan::new(&call.world.schema, &call.view, &query)?);
    check_needs(plan.described(), &query)?;
    let count = plan.count;
    let page = page_size(&plan, call.request.header("sforce-query-options"));
    let cursor = Arc::new(plan.open(call.world.database.clone(), with_deleted));
    if count {
        let body = format!("{{\"totalSize\":{},\"done\":true,\"records\":[]}}", cursor.total());
        return Ok(Answer::bytes(StatusCode::OK, JSON, body));
    }
    let more = (cursor.total() > page).then(|| call.org.cursors.add(call.user_id(), page, &cursor));
    Ok(Answer::bytes(StatusCode::OK, JSON, write_page(&cursor, call.version, 0, page, more)))
}

/// A further page: `01g…-2000`.
pub(super) fn more(call: &Call<'_>, locator: &str) -> Result<Answer, ApiError> {
    let dead = || ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (id, from) = locator.rsplit_once('-').ok_or_else(dead)?;
    let id = Id::parse(id).ok_or_else(dead)?;
    let from: u64 = from.parse().map_err(|_| dead())?;
    let (cursor, page) = call.org.cursors.find(id, call.user_id()).ok_or_else(dead)?;
    if from > cursor.total() {
        return Err(dead());
    }
    Ok(Answer::bytes(StatusCode::OK, JSON, write_page(&cursor, call.version, from, page, Some(id))))
}

const JSON: &str = "application/json;charset=UTF-8";

fn write_page(cursor: &Cursor, version: &str, from: u64, page: u64, id: Option<Id>) -> Vec<u8> {
    let total = cursor.total();
    let end = total.min(from.saturating_add(page));
    let mut out = Vec::with_capacity(64 * 1024);
    out.extend_from_slice(b"{\"totalSize\":");
    write_integer(total as i64, &mut out);
    match id.filter(|_| end < total) {
        Some(id) => {
            let url =
                format!(",\"done\":false,\"nextRecordsUrl\":\"/services/data/v{version}/query/{id}-{end}\"");
            out.extend_from_slice(url.as_bytes());
        }
        None => out.extend_from_slice(b",\"done\":true"),
    }
    out.extend_from_slice(b",\"records\":[");
    let form = JsonForm::new(cursor.plan(), version);
    let mut scratch = String::new();
    for (number, row) in cursor.rows(from, end.saturating_sub(from)).enumerate() {
        if number > 0 {
            out.push(b',');
        }
        cursor.write_json_row(row, &form, &mut scratch, &mut out);
    }
    out.extend_from_slice(b"]}");
    out
}

/// Wide rows come in smaller pages, whatever was asked for.
fn page_size(plan: &Plan, options: Option<&str>) -> u64 {
    let long = |column: &&soql::Column| {
        let field = &plan.schema().object(column.object).fields[column.field];
        field.kind == FieldType::TextArea && field.length > LONG_TEXT
    };
    let weight = plan.columns.len() + 20 * plan.columns.iter().filter(long).count();
    let most = match weight {
        0..=100 => MOST,
        101..=200 => 800,
        201..=400 => 500,
        _ => FEWEST,
    };
    let asked = options.and_then(|options| {
        let asked = options.split([',', ';']).find_map(|option| option.trim().strip_prefix("batchSize="));
        asked?.trim().parse::<u64>().ok()
    });
    asked.map_or(MOST, |asked| asked.clamp(FEWEST, MOST)).min(most)
}

/// One row of a query as JSON, if there is one.
pub(super) fn single(cursor: &Cursor, version: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(8 * 1024);
    let row = cursor.rows(0, 1).next()?;
    cursor.write_json_row(row, &JsonForm::new(cursor.plan(), version), &mut String::new(), &mut out);
    Some(out)
}
