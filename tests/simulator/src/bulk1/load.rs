//! Batches that write: their rows in CSV, JSON or XML, and results in the same form and order.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::StatusCode;
use serde_json::json;

use super::form::{NAMESPACE, escape};
use super::job::{ContentType, Job};
use super::records::Records;
use super::{Call, Refusal};
use crate::bulk::load::{BATCH, CHUNK, Columns, Layout, Load, Outcome, Outcomes, Ready, Source, scan, words};
use crate::store::transaction::Refusal as RowRefusal;
use crate::web::{Answer, Spooled};

/// Characters of a batch at most (Bulk API limits).
const LARGEST: usize = 10_000_000;

/// The rows of a batch.
pub(super) enum Rows {
    Csv(Source),
    Listed(Records),
}

/// Holds a batch against the limits; what is wrong with what is in it fails the batch, with the message of the error.
pub(super) fn read(
    call: &Call<'_>,
    job: &Job,
    load: &Load,
    body: &Bytes,
) -> Result<Result<Rows, String>, Refusal> {
    if body.len() > LARGEST {
        let size = String::from_utf8_lossy(body).chars().count();
        if size > LARGEST {
            // the words of issues of jsforce and others
            let message = format!(
                "Failed to read request. Exceeded max size limit of {LARGEST} with response size {size}"
            );
            return Err(Refusal::bad("ClientInputError", message));
        }
    }
    Ok(rows(call, job, load, body))
}

fn rows(call: &Call<'_>, job: &Job, load: &Load, body: &Bytes) -> Result<Rows, String> {
    let schema = &call.world.schema;
    let object = schema.find(&load.object).map(|object| schema.object(object));
    let object = object.ok_or_else(|| format!("InvalidJob : Unable to find object: {}", load.object))?;
    let rows = match job.content {
        ContentType::Csv => {
            let layout = Layout { delimiter: b',', crlf: None, free_values: true };
            let file = Arc::new(Spooled::of(body.clone()));
            let scanned = scan(&file, layout)?;
            Rows::Csv(Source { file, layout, scanned })
        }
        ContentType::Json => Rows::Listed(Records::of_json(body, object)?),
        ContentType::Xml => Rows::Listed(Records::of_xml(body, object)?),
    };
    if rows.count() > BATCH {
        return Err(format!(
            "InvalidBatch : Exceeded number of records : {}. Number of records should be less than or equal to {BATCH}",
            rows.count()
        ));
    }
    load.columns(&call.world, rows.names())?;
    Ok(rows)
}

impl Rows {
    fn count(&self) -> usize {
        match self {
            Self::Csv(source) => source.scanned.rows(),
            Self::Listed(records) => records.rows.len(),
        }
    }

    fn names(&self) -> &[String] {
        match self {
            Self::Csv(source) => &source.scanned.names,
            Self::Listed(records) => &records.names,
        }
    }

    /// Writes them all. The error is why the batch fails.
    pub(super) fn write(&self, load: &Load) -> Result<Outcomes, String> {
        let mut columns = load.columns(&load.org.now(), self.names())?;
        let outcomes = Mutex::default();
        match self {
            Self::Csv(source) if source.scanned.rows() > 0 => {
                let all = 0..source.scanned.rows();
                load.write_rows(&mut columns, source, all, &outcomes, |_| false)?;
            }
            Self::Csv(_) => {}
            Self::Listed(records) => write_listed(load, &mut columns, records, &outcomes)?,
        }
        Ok(outcomes.into_inner().unwrap_or_else(PoisonError::into_inner))
    }
}

fn write_listed(
    load: &Load,
    columns: &mut Columns,
    records: &Records,
    outcomes: &Mutex<Outcomes>,
) -> Result<(), String> {
    for first in (0..records.rows.len()).step_by(CHUNK) {
        load.follow(columns, &records.names)?;
        let numbers = first..(first + CHUNK).min(records.rows.len());
        let mut rows: Vec<Ready> =
            numbers.clone().map(|number| columns.prepare(load, records.row(number))).collect();
        let texts: Vec<String> = numbers.map(|number| format!("{:?}", records.rows[number])).collect();
        load.refuse(first as u64 + 1, &mut rows, texts.iter().map(String::as_bytes));
        let mut outcomes = outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        for outcome in load.write(columns, &rows) {
            outcomes.push(outcome);
        }
    }
    Ok(())
}

/// The results of a batch, in the order of its rows.
pub(super) fn results(outcomes: &Outcomes, content: ContentType) -> Answer {
    let all = (0..outcomes.len()).map(|row| outcomes.get(row));
    match content {
        ContentType::Csv => {
            // as recorded
            let mut text = String::from("\"Id\",\"Success\",\"Created\",\"Error\"\n");
            for outcome in all {
                let (id, success, created, error) = parts(&outcome);
                let error = error.map(|refusal| words(refusal).replace('"', "\"\"")).unwrap_or_default();
                text.push_str(&format!("\"{id}\",\"{success}\",\"{created}\",\"{error}\"\n"));
            }
            Answer::bytes(StatusCode::OK, "text/csv", text)
        }
        ContentType::Json => {
            let results: Vec<serde_json::Value> = all
                .map(|outcome| {
                    let (id, success, created, error) = parts(&outcome);
                    let errors: Vec<serde_json::Value> = error
                        .map(|refusal| {
                            json!({
                                "message": refusal.message,
                                "fields": refusal.fields,
                                "statusCode": refusal.code,
                                "extendedErrorDetails": null,
                            })
                        })
                        .into_iter()
                        .collect();
                    let id = (!id.is_empty()).then_some(id);
                    json!({"success": success, "created": created, "id": id, "errors": errors})
                })
                .collect();
            Answer::bytes(StatusCode::OK, "application/json", json!(results).to_string())
        }
        ContentType::Xml => {
            let mut text =
                format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?><results xmlns=\"{NAMESPACE}\">");
            for outcome in all {
                let (id, success, created, error) = parts(&outcome);
                text.push_str("<result>");
                if let Some(RowRefusal { code, message, fields }) = error {
                    let fields: String =
                        fields.iter().map(|field| format!("<fields>{}</fields>", escape(field))).collect();
                    let message = escape(message);
                    text.push_str(&format!(
                        "<errors>{fields}<message>{message}</message><statusCode>{code}</statusCode></errors>"
                    ));
                }
                if !id.is_empty() {
                    text.push_str(&format!("<id>{id}</id>"));
                }
                text.push_str(&format!("<success>{success}</success><created>{created}</created></result>"));
            }
            Answer::bytes(StatusCode::OK, "application/xml", text + "</results>")
        }
    }
}

/// Id, success, created and why not.
fn parts(outcome: &Outcome) -> (String, bool, bool, Option<&RowRefusal>) {
    match outcome {
        Outcome::Done { id, created } => (id.to_string(), true, *created, None),
        // a record that could not be changed is not named
        Outcome::Failed { refusal, .. } => (String::new(), false, false, Some(refusal)),
        Outcome::Unprocessed => (String::new(), false, false, None),
    }
}
