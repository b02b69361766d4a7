//! `query`, `queryAll`, `queryMore`, `retrieve`, `getUpdated` and `getDeleted`: what REST answers, in XML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};

use super::data::zulu;
use super::envelope::{tag, text_of, texts};
use super::{Call, Fault, sobject};
use crate::rest::{self, Page};
use crate::schema::FieldType;
use crate::value::Id;

/// Rows of a page without the header, at least and at most (SOAP API guide, QueryOptions).
const ROWS: u64 = 500;
const FEWEST: u64 = 200;
const MOST: u64 = 2_000;

fn argument(call: &Call<'_>, name: &str) -> String {
    text_of(call.envelope.operation(), name).unwrap_or_default().trim().to_owned()
}

/// How many rows a page has.
fn batch_size(call: &Call<'_>) -> u64 {
    let asked = call.envelope.header("QueryOptions").and_then(|options| text_of(options, "batchSize"));
    asked.and_then(|asked| asked.trim().parse::<u64>().ok()).map_or(ROWS, |asked| asked.clamp(FEWEST, MOST))
}

/// The first page of a query.
pub(super) fn query(call: &Call<'_>, with_deleted: bool) -> Result<String, Fault> {
    let text = argument(call, "queryString");
    told(call, rest::query_page(&call.rest, Page::First(&text, with_deleted), batch_size(call))?)
}

/// A further page.
pub(super) fn query_more(call: &Call<'_>) -> Result<String, Fault> {
    let locator = argument(call, "queryLocator");
    told(call, rest::query_page(&call.rest, Page::More(&locator), batch_size(call))?)
}

fn told(call: &Call<'_>, page: Vec<u8>) -> Result<String, Fault> {
    let mut page: Map<String, Json> = serde_json::from_slice(&page).map_err(|_| unreadable())?;
    for record in page.get_mut("records").and_then(Json::as_array_mut).into_iter().flatten() {
        fill_in(call, record);
    }
    let mut out = String::from("<result xsi:type=\"QueryResult\">");
    sobject::result(call, &mut out, &page);
    out.push_str("</result>");
    Ok(out)
}

fn unreadable() -> Fault {
    Fault::new("UNKNOWN_EXCEPTION", "the result cannot be written")
}

/// Puts contents of blobs where REST has their URLs.
fn fill_in(call: &Call<'_>, record: &mut Json) {
    let schema = &call.rest.world.schema;
    let name = record["attributes"]["type"].as_str().map(str::to_owned);
    let url = record["attributes"]["url"].as_str().and_then(|url| url.rsplit('/').next()).and_then(Id::parse);
    let (Some(object), Some(id)) = (name.and_then(|name| schema.find(&name)), url) else { return };
    let described = schema.object(object);
    for (key, value) in record.as_object_mut().into_iter().flatten() {
        let field = described.find(key).map(|field| &described.fields[field]);
        let Some(field) = field.filter(|field| field.kind == FieldType::Base64) else { continue };
        if value.is_string() {
            let content = rest::content(&call.rest, object, id, &field.name);
            *value = content.map_or(Json::Null, |content| Json::String(STANDARD.encode(content)));
        }
    }
}

/// Records by their ids, in their order.
pub(super) fn retrieve(call: &Call<'_>) -> Result<String, Fault> {
    let (fields, object) = (argument(call, "fieldList"), argument(call, "sObjectType"));
    let schema = &call.rest.world.schema;
    let number = schema.find(&object).filter(|number| call.rest.view.sees_object(*number));
    let number = number
        .ok_or_else(|| Fault::new("INVALID_TYPE", format!("sObject type '{object}' is not supported.")))?;
    let ids = texts(call.envelope.operation(), "ids");
    let ids: Vec<Id> = ids
        .iter()
        .map(|id| {
            Id::parse(id.trim()).ok_or_else(|| Fault::new("MALFORMED_ID", format!("malformed id {id}")))
        })
        .collect::<Result<_, _>>()?;
    let rows = rest::read_rows(&call.rest, number, &ids, &fields)?;
    let rows: Vec<Json> = serde_json::from_slice(&rows).map_err(|_| unreadable())?;
    let wants_id = fields.split(',').any(|field| field.trim().eq_ignore_ascii_case("Id"));
    let mut out = String::new();
    for mut row in rows {
        // REST tells the id unasked
        if let Some(row) = row.as_object_mut().filter(|_| !wants_id) {
            row.shift_remove("Id");
        }
        fill_in(call, &mut row);
        sobject::write(call, &mut out, "result", &row);
    }
    Ok(out)
}

fn window(call: &Call<'_>) -> Result<(usize, String, String), Fault> {
    let object = argument(call, "sObjectType");
    let number = call.rest.world.schema.find(&object).filter(|number| call.rest.view.sees_object(*number));
    let number = number
        .ok_or_else(|| Fault::new("INVALID_TYPE", format!("sObject type '{object}' is not supported.")))?;
    Ok((number, argument(call, "startDate"), argument(call, "endDate")))
}

/// Ids of what was changed within a time.
pub(super) fn updated(call: &Call<'_>) -> Result<String, Fault> {
    let (object, start, end) = window(call)?;
    let found = rest::updated(&call.rest, object, Some(&start), Some(&end))?;
    let mut out = String::from("<result>");
    for id in found["ids"].as_array().into_iter().flatten() {
        tag(&mut out, "ids", id.as_str().unwrap_or_default());
    }
    tag(&mut out, "latestDateCovered", &zulu(found["latestDateCovered"].as_str().unwrap_or_default()));
    Ok(out + "</result>")
}

/// Ids of what was deleted within a time.
pub(super) fn deleted(call: &Call<'_>) -> Result<String, Fault> {
    let (object, start, end) = window(call)?;
    let found = rest::deleted(&call.rest, object, Some(&start), Some(&end))?;
    let mut out = String::from("<result>");
    for record in found["deletedRecords"].as_array().into_iter().flatten() {
        out.push_str("<deletedRecords>");
        tag(&mut out, "deletedDate", &zulu(record["deletedDate"].as_str().unwrap_or_default()));
        tag(&mut out, "id", record["id"].as_str().unwrap_or_default());
        out.push_str("</deletedRecords>");
    }
    for name in ["earliestDateAvailable", "latestDateCovered"] {
        tag(&mut out, name, &zulu(found[name].as_str().unwrap_or_default()));
    }
    Ok(out + "</result>")
}
