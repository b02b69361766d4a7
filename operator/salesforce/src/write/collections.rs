//! Up to 200 records in one call, for what may be sent twice: update, delete, and upsert by external id.

use std::collections::HashSet;

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::headers::WriteOptions;
use super::json::members;
use super::row::{Cell, InputRow, Operation, Outcome, RowError, Target};
use crate::client::{Client, encode};
use crate::error::{Error, Result};
use crate::transport::{Call, Resource};

/// Records in one call (D).
pub(crate) const RECORDS_LIMIT: usize = 200;
/// Text in one call, bytes: far below what the org takes, so that a call stays short.
const BYTES_LIMIT: usize = 4_000_000;
/// Times that a call is sent whose answer was lost, and rows that were locked.
const TRIES: u32 = 6;

/// What the org says of a record: `statusCode`, not `errorCode` as elsewhere.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Saved {
    #[serde(default)]
    id: Option<String>,
    success: bool,
    #[serde(default)]
    created: Option<bool>,
    #[serde(default)]
    errors: Vec<SavedError>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SavedError {
    #[serde(alias = "errorCode")]
    status_code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    fields: Vec<String>,
}

/// Writes rows, in as many calls as it takes; one outcome for each, in their order. Rows that were locked are sent
/// again, fewer at a time.
pub(crate) async fn write(
    client: &Client,
    target: &Target,
    rows: &[InputRow],
    options: WriteOptions,
) -> Result<Vec<Outcome>> {
    if target.operation == Operation::Insert || target.operation == Operation::HardDelete {
        return Err(Error::InputRefused {
            what: format!("{} of {} in a collection", target.operation.as_str(), target.object),
            detail:
                "an insert whose answer is lost could not be found again, and REST deletes nothing for good"
                    .into(),
        });
    }
    target.check()?;
    let key = target.key_place().ok_or_else(|| Error::InputRefused {
        what: format!("a collection of {}", target.object),
        detail: "no column names the record".into(),
    })?;
    let mut outcomes: Vec<Option<Outcome>> = vec![None; rows.len()];
    let mut open = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        if row.cells.get(key).and_then(Cell::as_text).is_some() && row.cells.len() == target.columns.len() {
            open.push(at);
        } else {
            let error = RowError::own("KeyMissing", "the column by which the record is found is empty");
            outcomes[at] = Some(Outcome::Failed(error));
        }
    }
    for round in 0..TRIES {
        if round > 0 {
            tokio::time::sleep(client.transport().pause(round)).await;
        }
        let size = if options.all_or_none { RECORDS_LIMIT } else { (RECORDS_LIMIT >> (2 * round)).max(1) };
        for chunk in chunks(target, rows, &open, key, size) {
            let saved = send(client, target, rows, &chunk, options).await?;
            for (at, outcome) in chunk.into_iter().zip(saved) {
                outcomes[at] = Some(outcome);
            }
        }
        open.retain(|&at| matches!(&outcomes[at], Some(Outcome::Failed(error)) if error.passes()));
        if open.is_empty() || options.all_or_none {
            break;
        }
    }
    let missing = || Outcome::Unprocessed { why: "it was not sent".into() };
    Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect())
}

/// Cuts rows into calls. The org refuses a record that comes twice in one call, so a second goes into the next.
fn chunks(target: &Target, rows: &[InputRow], open: &[usize], key: usize, size: usize) -> Vec<Vec<usize>> {
    let mut chunks = Vec::new();
    let mut chunk: Vec<usize> = Vec::new();
    let mut seen = HashSet::new();
    let mut bytes = 0;
    for &at in open {
        let row = &rows[at];
        let text = row.cells[key].as_text().unwrap_or_default().to_lowercase();
        let id =
            if target.operation.key_column() == Some("Id") { text.get(..15).unwrap_or(&text) } else { &text };
        let length = row.cells.iter().map(|cell| cell.as_text().map_or(8, str::len) + 24).sum::<usize>();
        let full = chunk.len() == size || (bytes + length > BYTES_LIMIT && !chunk.is_empty());
        if full || seen.contains(id) {
            chunks.push(std::mem::take(&mut chunk));
            seen.clear();
            bytes = 0;
        }
        seen.insert(id.to_owned());
        bytes += length;
        chunk.push(at);
    }
    if !chunk.is_empty() {
        chunks.push(chunk);
    }
    chunks
}

/// Sends one call until its answer is read: what it does twice it does once.
async fn send(
    client: &Client,
    target: &Target,
    rows: &[InputRow],
    chunk: &[usize],
    options: WriteOptions,
) -> Result<Vec<Outcome>> {
    let call = call(client, target, rows, chunk, options)?;
    let mut lost = 0;
    loop {
        match client.transport().fetch_json::<Vec<Saved>>(&call).await {
            Ok(saved) if saved.len() == chunk.len() => {
                let outcome = |saved: Saved| outcome(saved, target, lost > 0);
                let mut outcomes: Vec<Outcome> = saved.into_iter().map(outcome).collect();
                if target.operation == Operation::Delete && lost > 0 {
                    named(&mut outcomes, target, rows, chunk);
                }
                return Ok(outcomes);
            }
            Ok(saved) => {
                return Err(Error::WrongAnswer {
                    what: call.what(),
                    detail: format!("{} results for {} records", saved.len(), chunk.len()),
                });
            }
            Err(error) if error.may_have_worked() && lost + 1 < TRIES => {
                lost += 1;
                tracing::warn!(%error, "sent again: it names its records");
                tokio::time::sleep(client.transport().pause(lost)).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// A record that a repeated delete finds deleted has the id that it was asked by.
fn named(outcomes: &mut [Outcome], target: &Target, rows: &[InputRow], chunk: &[usize]) {
    let place = target.key_place().unwrap_or_default();
    for (outcome, &at) in outcomes.iter_mut().zip(chunk) {
        if let Outcome::Succeeded { id, .. } = outcome
            && id.is_empty()
        {
            rows[at].cells[place].as_text().unwrap_or_default().clone_into(id);
        }
    }
}

fn outcome(saved: Saved, target: &Target, repeated: bool) -> Outcome {
    if saved.success {
        let created = match (&target.operation, saved.created) {
            // the first of two calls may have made it
            (Operation::Upsert { .. }, Some(false) | None) if repeated => None,
            (Operation::Upsert { .. }, created) => created,
            _ => Some(false),
        };
        return Outcome::Succeeded { id: saved.id.unwrap_or_default(), created };
    }
    let error = saved.errors.into_iter().next().map_or_else(
        || RowError::own("UNKNOWN", "the org gave no reason"),
        |error| RowError { code: error.status_code, message: error.message, fields: error.fields },
    );
    if repeated && target.operation == Operation::Delete && error.code == "ENTITY_IS_DELETED" {
        return Outcome::Succeeded { id: saved.id.unwrap_or_default(), created: Some(false) };
    }
    Outcome::Failed(error)
}

fn call(
    client: &Client,
    target: &Target,
    rows: &[InputRow],
    chunk: &[usize],
    options: WriteOptions,
) -> Result<Call> {
    let base = format!("{}/composite/sobjects", client.base());
    let key = target.key_place().unwrap_or_default();
    let about = format!("{} {} of {}", target.operation.as_str(), chunk.len(), target.object);
    if target.operation == Operation::Delete {
        let ids: Vec<&str> = chunk.iter().filter_map(|&at| rows[at].cells[key].as_text()).collect();
        let path = format!("{base}?ids={}&allOrNone={}", encode(&ids.join(",")), options.all_or_none);
        let call = Call::get(Resource::Record, path).method(Method::DELETE).about(about).once();
        return Ok(options.put(call));
    }
    let records: Vec<Value> = chunk
        .iter()
        .map(|&at| {
            let mut record = serde_json::Map::new();
            record.insert("attributes".to_owned(), json!({ "type": target.object }));
            record.extend(members(target, &rows[at].cells, &[]));
            Value::Object(record)
        })
        .collect();
    let body = json!({ "allOrNone": options.all_or_none, "records": records });
    let path = match &target.operation {
        Operation::Upsert { external_id } => {
            format!("{base}/{}/{}", encode(&target.object), encode(external_id))
        }
        _ => base,
    };
    let mut call = Call::get(Resource::Record, path).method(Method::PATCH).about(about).once();
    call.body = Some(Bytes::from(body.to_string()));
    Ok(options.put(call))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::row::Column;

    fn rows(ids: &[&str]) -> Vec<InputRow> {
        let row = |id: &&str| InputRow { key: (*id).into(), cells: vec![Cell::Text((*id).into())] };
        ids.iter().map(row).collect()
    }

    #[test]
    fn a_record_comes_once_in_a_call() {
        let target = Target::new("Account", Operation::Update, vec![Column::text("Id")]);
        let rows = rows(&["001000000000001AAA", "001000000000002", "001000000000001", "001000000000003"]);
        let open: Vec<usize> = (0..4).collect();
        assert_eq!(chunks(&target, &rows, &open, 0, 200), [vec![0, 1], vec![2, 3]]);
        assert_eq!(chunks(&target, &rows, &open, 0, 1).len(), 4);
    }

    /// The shape that CumulusCI recorded (BSD-3-Clause).
    #[test]
    fn what_the_org_says_of_a_record() {
        let target = Target::new(
            "Contact",
            Operation::Upsert { external_id: "E__c".into() },
            vec![Column::text("E__c")],
        );
        let read = |json: &str, repeated| outcome(serde_json::from_str(json).unwrap(), &target, repeated);
        let made = r#"{"id":"0031k00000XIhaUAAT","success":true,"errors":[],"created":true}"#;
        let succeeded = |created| Outcome::Succeeded { id: "0031k00000XIhaUAAT".to_owned(), created };
        assert_eq!(read(made, false), succeeded(Some(true)));
        assert_eq!(read(&made.replace("true}", "false}"), true), succeeded(None));
        let failed = r#"{"success":false,"errors":[{"statusCode":"REQUIRED_FIELD_MISSING",
            "message":"Required fields are missing: [LastName]","fields":["LastName"]}]}"#;
        assert!(matches!(read(failed, false), Outcome::Failed(error) if error.fields == ["LastName"]));
        let target = Target::new("Contact", Operation::Delete, vec![Column::text("Id")]);
        let deleted = r#"{"id":"003x","success":false,"errors":[{"statusCode":"ENTITY_IS_DELETED","message":"entity is deleted","fields":[]}]}"#;
        let read = |repeated| outcome(serde_json::from_str(deleted).unwrap(), &target, repeated);
        assert!(read(true).succeeded() && !read(false).succeeded());
    }
}
