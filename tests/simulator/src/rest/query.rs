//! `query`, `queryAll` and their further pages.

use std::sync::Arc;

use http::StatusCode;
use serde_json::json;

use super::versions::reached;
use super::{Call, check_needs, columns, tooling};
use crate::schema::FieldType;
use crate::soql::{self, Cursor, JsonForm, Pages, Plan, Selected};
use crate::store::Database;
use crate::value::Id;
use crate::value::decimal::write_integer;
use crate::web::{Answer, ApiError};

/// Rows of a page at most, and at least when a smaller page is asked for.
const MOST: u64 = 2_000;
const FEWEST: u64 = 200;
/// The API versions since which sub-selects hold others, and FIELDS() is known.
const NESTED_SINCE: u16 = 58;
const FIELDS_SINCE: u16 = 51;
/// Texts that are longer make rows wide.
const LONG_TEXT: usize = 255;
pub(super) const JSON: &str = "application/json;charset=UTF-8";

/// The first page; with `columns=true` what the columns are, with `explain` how it would be read.
pub(super) fn first(call: &Call<'_>, with_deleted: bool) -> Result<Answer, ApiError> {
    if let Some(text) = call.request.parameter("explain") {
        return explain(call, &plan(call, &soql::parse(text)?)?, text);
    }
    let text = call.request.parameter("q").filter(|text| !text.trim().is_empty());
    let text =
        text.ok_or_else(|| ApiError::bad("MALFORMED_QUERY", "SOQL statement cannot be empty: parameter q"))?;
    let query = soql::parse(text)?;
    let (plan, database) = match tooling::shared(call, &query)? {
        Some(shared) => shared,
        None => (plan(call, &query)?, call.world.database.clone()),
    };
    if columns::wanted(call) {
        return Ok(Answer::ok(&columns::metadata(&plan)));
    }
    run(call, &plan, database, with_deleted)
}

/// Which page of a query is wanted.
pub(crate) enum Page<'a> {
    /// The first one of this query, with deleted and archived rows or without.
    First(&'a str, bool),
    /// The one that a locator names.
    More(&'a str),
}

/// A page of at most some rows, as JSON. Contents of blobs come one to a page, as SOAP gives them.
pub(crate) fn page(call: &Call<'_>, page: Page<'_>, rows: u64) -> Result<Vec<u8>, ApiError> {
    let (cursor, from, id) = match page {
        Page::First(text, with_deleted) => {
            let query = soql::parse(text)?;
            let cursor = Arc::new(plan(call, &query)?.open(call.world.database.clone(), with_deleted));
            cursor.check()?;
            (cursor, 0, None)
        }
        Page::More(locator) => {
            let (cursor, from, id) = located(call, locator)?;
            (cursor, from, Some(id))
        }
    };
    let plan = cursor.plan();
    if plan.count {
        return Ok(format!("{{\"totalSize\":{},\"done\":true,\"records\":[]}}", cursor.total()).into_bytes());
    }
    let blob = |column: &soql::Column| {
        plan.schema().object(column.object).fields[column.field].kind == FieldType::Base64
    };
    let rows =
        if !plan.aggregate && plan.columns.iter().any(blob) { 1 } else { rows.min(page_size(plan, None)) };
    Ok(write_page(call, &cursor, from, rows, id))
}

/// Children of children came with an API version, and so did FIELDS().
fn check_version(query: &soql::Query, version: &str) -> Result<(), ApiError> {
    if query.levels() > 1 && !reached(version, NESTED_SINCE) {
        let message = "SOQL statements cannot query aggregate relationships more than 1 level away from the root entity \
                       object.";
        return Err(ApiError::bad("MALFORMED_QUERY", message));
    }
    let fields = query.select.iter().any(|selected| matches!(selected, Selected::Fields(_)));
    if fields && !reached(version, FIELDS_SINCE) {
        return Err(ApiError::bad("MALFORMED_QUERY", "unexpected token: '('"));
    }
    Ok(())
}

fn plan(call: &Call<'_>, query: &soql::Query) -> Result<Arc<Plan>, ApiError> {
    check_version(query, call.version)?;
    let plan = Plan::new(&call.world.schema, &call.view, query)?;
    check_needs(plan.described(), query)?;
    Ok(Arc::new(plan))
}

/// The first page of a plan.
pub(super) fn run(
    call: &Call<'_>,
    plan: &Arc<Plan>,
    database: Database,
    with_deleted: bool,
) -> Result<Answer, ApiError> {
    let cursor = Arc::new(plan.open(database, with_deleted));
    cursor.check()?;
    if plan.count {
        let body = format!("{{\"totalSize\":{},\"done\":true,\"records\":[]}}", cursor.total());
        return Ok(Answer::bytes(StatusCode::OK, JSON, body));
    }
    let page = page_size(plan, call.request.header("sforce-query-options"));
    Ok(Answer::bytes(StatusCode::OK, JSON, write_page(call, &cursor, 0, page, None)))
}

/// A further page: `01g…-2000`.
pub(super) fn more(call: &Call<'_>, locator: &str) -> Result<Answer, ApiError> {
    let (cursor, from, id) = located(call, locator)?;
    let page = call.org.cursors.find(id, call.user_id()).map_or(MOST, |(_, page)| page);
    Ok(Answer::bytes(StatusCode::OK, JSON, write_page(call, &cursor, from, page, Some(id))))
}

fn located(call: &Call<'_>, locator: &str) -> Result<(Arc<Cursor>, u64, Id), ApiError> {
    let dead = || ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
    let (id, from) = locator.rsplit_once('-').ok_or_else(dead)?;
    let id = Id::parse(id).ok_or_else(dead)?;
    let from: u64 = from.parse().map_err(|_| dead())?;
    let (cursor, _) = call.org.cursors.find(id, call.user_id()).ok_or_else(dead)?;
    if from > cursor.total() {
        return Err(dead());
    }
    Ok((cursor, from, id))
}

/// The plan of a table scan, which is what the simulator does.
fn explain(call: &Call<'_>, plan: &Arc<Plan>, text: &str) -> Result<Answer, ApiError> {
    let rows = call.world.database.table(plan.object).count(false);
    let cursor = plan.open(call.world.database.clone(), false);
    cursor.check()?;
    let shown = json!({
        "cardinality": cursor.total(), "fields": [], "leadingOperationType": "TableScan", "notes": [],
        "relativeCost": 1.0, "sobjectCardinality": rows, "sobjectType": plan.described().name,
    });
    Ok(Answer::ok(&json!({"plans": [shown], "sourceQuery": text})))
}

/// Cuts lists of children into pages, and counts what went into the answer.
struct Lists<'a, 'b> {
    call: &'a Call<'b>,
    written: u64,
}

impl Pages for Lists<'_, '_> {
    fn size(&mut self, list: &Cursor) -> u64 {
        let size = page_size(list.plan(), self.call.request.header("sforce-query-options")).min(list.total());
        self.written += size;
        size
    }

    fn keep(&mut self, list: Arc<Cursor>, from: u64) -> String {
        let call = self.call;
        let id = call.org.cursors.add(call.user_id(), call.version, from, &list);
        format!("/services/data/v{}/query/{id}-{from}", call.version)
    }
}

/// A page of a query, with a cursor for the rest if there is one. Children count as rows of the page: where
/// parents have many, fewer parents are on it.
fn write_page(call: &Call<'_>, cursor: &Arc<Cursor>, from: u64, page: u64, id: Option<Id>) -> Vec<u8> {
    let total = cursor.total();
    let form = JsonForm::new(cursor.plan(), call.version);
    let mut lists = Lists { call, written: 0 };
    let mut scratch = String::new();
    let mut records = Vec::with_capacity(64 * 1024);
    let mut end = from;
    for row in cursor.rows(from, page) {
        if end > from {
            if end - from + lists.written >= page {
                break;
            }
            records.push(b',');
        }
        cursor.write_json_record(row, &form, &mut lists, &mut scratch, &mut records);
        end += 1;
    }
    let mut out = Vec::with_capacity(records.len() + 128);
    out.extend_from_slice(b"{\"totalSize\":");
    write_integer(i64::try_from(total).unwrap_or(i64::MAX), &mut out);
    if end < total {
        let id = id.unwrap_or_else(|| call.org.cursors.add(call.user_id(), call.version, page, cursor));
        let version = call.version;
        let url =
            format!(",\"done\":false,\"nextRecordsUrl\":\"/services/data/v{version}/query/{id}-{end}\"");
        out.extend_from_slice(url.as_bytes());
    } else {
        out.extend_from_slice(b",\"done\":true");
    }
    out.extend_from_slice(b",\"records\":[");
    out.extend_from_slice(&records);
    out.extend_from_slice(b"]}");
    out
}

/// Wide rows come in smaller pages, whatever was asked for. Groups come at once.
fn page_size(plan: &Plan, options: Option<&str>) -> u64 {
    if plan.aggregate {
        return MOST;
    }
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
