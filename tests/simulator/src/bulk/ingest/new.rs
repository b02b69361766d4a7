//! Creation of an ingest job, with its rows in the same call or without.

use std::sync::{Arc, RwLock};

use http::StatusCode;
use serde::Deserialize;

use super::job::{IngestJob, NewIngest};
use super::{run, vanish};
use crate::bulk::csv::Format;
use crate::bulk::load::{Load, Operation};
use crate::bulk::refuse_object;
use crate::rest::Call;
use crate::schema::FieldType;
use crate::server::State;
use crate::value::Id;
use crate::web::{Answer, ApiError, Spooled};

/// Characters of rows that may come in the call that makes the job.
const MULTIPART_MOST: usize = 100_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    object: Option<String>,
    operation: Option<String>,
    external_id_field_name: Option<String>,
    content_type: Option<String>,
    column_delimiter: Option<String>,
    line_ending: Option<String>,
    assignment_rule_id: Option<String>,
}

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::bad("INVALIDJOB", message)
}

/// `POST jobs/ingest`.
pub(super) fn create(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    let kind = call.request.header("content-type").unwrap_or_default();
    let (json, content) = match boundary(kind) {
        Some(boundary) => {
            let (json, content) = parts(&call.request.body, &boundary)?;
            (json, Some(content))
        }
        None => (call.request.body.as_ref(), None),
    };
    let wanted: Wanted = serde_json::from_slice(json)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    let job = Arc::new(read(state, call, wanted)?);
    super::befall(call, &job);
    let now = call.org.clock.now_ms();
    if let Some(content) = content {
        if String::from_utf8_lossy(content).chars().count() > MULTIPART_MOST {
            let message =
                format!("the content of a multipart request has {MULTIPART_MOST} characters at most");
            return Err(ApiError::bad("CLIENTINPUTERROR", message));
        }
        job.fill(Arc::new(Spooled::of(content.to_vec().into())))?;
    }
    call.org.ingest_jobs.add(job.clone(), now);
    // [K]: by the guide every job needs `UploadComplete`; what people see is that this one has it
    if content.is_some() && !state.facts.ingest_multipart_open && job.close(now)? {
        run::start(&job);
    }
    let answer = Answer::ok(&job.short_info());
    drop(vanish(call, &job));
    Ok(answer)
}

/// Holds a wish against what may be loaded, and makes a job of it.
fn read(state: &State, call: &Call<'_>, wanted: Wanted) -> Result<IngestJob, ApiError> {
    let operation = wanted.operation.as_deref().unwrap_or_default();
    let operation = Operation::named(operation)
        .ok_or_else(|| invalid(format!("operation {operation} is not one of the allowed values")))?;
    if wanted.content_type.is_some_and(|kind| kind != "CSV") {
        return Err(invalid("contentType can only be CSV"));
    }
    let format = Format::named(wanted.column_delimiter.as_deref(), wanted.line_ending.as_deref());
    let format =
        format.ok_or_else(|| invalid("columnDelimiter or lineEnding is not one of the allowed values"))?;
    let named = wanted.object.unwrap_or_default();
    let number = call.world.schema.find(&named).filter(|number| call.view.sees_object(*number));
    let number = number.ok_or_else(|| invalid(format!("Unable to find object: {named}")))?;
    let object = call.world.schema.object(number);
    refuse_object(object)?;
    if operation == Operation::HardDelete && !call.user.may("BulkApiHardDelete") {
        // the words that Data Loader looks for
        let message = "hardDelete operation requires special user profile permission, please contact your system administrator";
        return Err(ApiError::bad("FEATURENOTENABLED", message));
    }
    let key = wanted.external_id_field_name.filter(|key| !key.is_empty());
    check_key(call, operation, number, key.as_deref())?;
    let assignment = match wanted.assignment_rule_id.filter(|id| !id.is_empty()) {
        None => None,
        Some(id) => {
            Some(Id::parse(&id).ok_or_else(|| invalid(format!("assignmentRuleId {id} is not a valid id")))?)
        }
    };
    if call.org.limits.bulk_batches.is_used_up() {
        return Err(ApiError::bad("EXCEEDEDQUOTA", "ApiBatchItems Limit exceeded."));
    }
    let load = Load {
        org: state.orgs[call.org.number].clone(),
        user: call.caller.user,
        object: object.name.clone(),
        operation,
        key,
        assignment,
        faults: RwLock::default(),
    };
    let new = NewIngest {
        load,
        format,
        user: call.user_id().to_owned(),
        version: call.version.to_owned(),
        takes: state.bulk_job,
        facts: state.facts,
    };
    let id = Id::new(*b"750", call.org.jobs.number());
    Ok(IngestJob::new(id, new, call.org.clock.now_ms()))
}

/// Upsert needs a field that names records, and the others have none.
fn check_key(
    call: &Call<'_>,
    operation: Operation,
    object: usize,
    key: Option<&str>,
) -> Result<(), ApiError> {
    if operation != Operation::Upsert {
        return Ok(());
    }
    let described = call.world.schema.object(object);
    let name = &described.name;
    let blank =
        || invalid(format!("External ID was blank for {name}. An External ID must be specified for upsert."));
    let key = key.ok_or_else(blank)?;
    let field = described.find(key).filter(|field| call.view.sees_field(object, *field));
    let known = field
        .map(|field| &described.fields[field])
        .is_some_and(|field| field.external_id || field.id_lookup || field.kind == FieldType::Id);
    if known {
        return Ok(());
    }
    let message = format!(
        "Field name provided, {key} does not match an External ID, Salesforce Id, or indexed field for {name}"
    );
    Err(invalid(message))
}

/// The boundary of a multipart body.
fn boundary(kind: &str) -> Option<String> {
    let (kind, parameters) = kind.split_once(';')?;
    if !kind.trim().to_ascii_lowercase().starts_with("multipart/") {
        return None;
    }
    let boundary = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("boundary="))?;
    Some(boundary.trim_matches('"').to_owned())
}

/// The parts `job` and `content` of a multipart body.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Result<(&'a [u8], &'a [u8]), ApiError> {
    let wrong = || ApiError::bad("INVALIDJOB", "the multipart request needs the parts `job` and `content`");
    let (mut job, mut content) = (None, None);
    let mark = format!("--{boundary}");
    let ends: Vec<usize> = memchr::memmem::find_iter(body, mark.as_bytes()).collect();
    for pair in ends.windows(2) {
        let part = &body[pair[0] + mark.len()..pair[1]];
        let (head, rest) = match memchr::memmem::find(part, b"\r\n\r\n") {
            Some(at) => (&part[..at], &part[at + 4..]),
            None => {
                let at = memchr::memmem::find(part, b"\n\n").ok_or_else(wrong)?;
                (&part[..at], &part[at + 2..])
            }
        };
        // the line break before the next mark is the mark's
        let rest = rest.strip_suffix(b"\n").unwrap_or(rest);
        let rest = rest.strip_suffix(b"\r").unwrap_or(rest);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        if head.contains("name=\"job\"") || head.contains("application/json") {
            job = Some(rest);
        } else if head.contains("name=\"content\"") || head.contains("text/csv") {
            content = Some(rest);
        }
    }
    Ok((job.ok_or_else(wrong)?, content.ok_or_else(wrong)?))
}

/// What a body that is no job's content is refused with.
pub(super) fn unsupported(kind: &str) -> ApiError {
    let message = format!("Content-Type {kind} is not supported here: text/csv");
    ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multipart_bodies_are_taken_apart() {
        let kind = "multipart/form-data; boundary=BOUNDARY";
        assert_eq!(boundary(kind).as_deref(), Some("BOUNDARY"));
        assert_eq!(boundary("application/json; charset=UTF-8"), None);
        let body = "--B\r\nContent-Type: application/json\r\nContent-Disposition: form-data; name=\"job\"\r\n\r\n{}\r\n\
                    --B\r\nContent-Type: text/csv\r\nContent-Disposition: form-data; name=\"content\"; \
                    filename=\"content\"\r\n\r\nName\na\n\r\n--B--\r\n";
        let (job, content) = parts(body.as_bytes(), "B").unwrap();
        assert_eq!((job, content), (b"{}".as_slice(), b"Name\na\n".as_slice()));
        assert!(parts(b"--B\r\n\r\n{}\r\n--B--", "B").is_err());
    }
}
