//! Jobs: made, looked at, closed and aborted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::batch::{Batch, BatchState};
use super::chunks::Chunking;
use super::form::{self, Content, Form};
use super::{Call, Refusal};
use crate::bulk::load::{Load, Operation};
use crate::bulk::{self, refuse_object};
use crate::schema::FieldType;
use crate::server::State;
use crate::value::Id;
use crate::value::calendar::rest_datetime;
use crate::web::Answer;

/// Jobs are kept this long, in milliseconds.
const LIFE_MS: i64 = 7 * 24 * 3_600_000;

/// In which form results come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ContentType {
    Csv,
    Xml,
    Json,
}

impl ContentType {
    fn name(self) -> &'static str {
        match self {
            Self::Csv => "CSV",
            Self::Xml => "XML",
            Self::Json => "JSON",
        }
    }
}

/// One job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Id,
    pub(super) object: String,
    pub(super) with_deleted: bool,
    pub(super) content: ContentType,
    pub(super) chunking: Option<Chunking>,
    /// What it does with rows, if it writes.
    pub(super) load: Option<Arc<Load>>,
    /// Held by the batch that runs, where only one may.
    pub(super) running: Mutex<()>,
    user: String,
    version: String,
    mode: &'static str,
    created_at: i64,
    state: Mutex<JobState>,
}

#[derive(Debug)]
struct JobState {
    name: &'static str,
    changed_at: i64,
    batches: Vec<Arc<Batch>>,
}

/// The jobs of an org.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: Mutex<BTreeMap<Id, Arc<Job>>>,
}

impl Jobs {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<Id, Arc<Job>>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job with this id, if it is still kept.
    pub(super) fn find(&self, id: &str, now: i64) -> Result<Arc<Job>, Refusal> {
        let job = Id::parse(id).and_then(|id| self.locked().get(&id).cloned());
        let job = job.filter(|job| now - job.created_at < LIFE_MS);
        job.ok_or_else(|| Refusal::bad("InvalidJob", format!("Unable to find job {id}")))
    }

    /// What the list of all query jobs, which is of Bulk 2.0, has of them.
    pub(crate) fn listed(&self, only_chunked: bool, queries: bool) -> Vec<(Id, Json)> {
        let jobs = self.locked();
        let wanted = jobs
            .values()
            .filter(|job| queries == job.load.is_none() && (!only_chunked || job.chunking.is_some()));
        wanted
            .map(|job| {
                let state = job.locked();
                let listed = json!({
                    "id": job.id.to_string(),
                    "operation": job.operation(),
                    "object": job.object,
                    "createdById": job.user,
                    "createdDate": rest_datetime(job.created_at),
                    "systemModstamp": rest_datetime(state.changed_at),
                    "state": state.name,
                    "concurrencyMode": job.mode,
                    "contentType": job.content.name(),
                    "apiVersion": bulk::version_number(&job.version),
                    "jobType": "Classic",
                });
                (job.id, listed)
            })
            .collect()
    }
}

impl Job {
    fn locked(&self) -> MutexGuard<'_, JobState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether its batches run one after the other.
    pub(super) fn is_serial(&self) -> bool {
        self.mode == "Serial"
    }

    fn operation(&self) -> &'static str {
        if let Some(load) = &self.load {
            return load.operation.name();
        }
        if self.with_deleted { "queryAll" } else { "query" }
    }

    /// Its batches, in the order in which they were made.
    pub(super) fn batches(&self) -> Vec<Arc<Batch>> {
        self.locked().batches.clone()
    }

    /// Adds batches; only an open job takes them.
    pub(super) fn add(&self, batches: Vec<Arc<Batch>>) -> Result<(), Refusal> {
        let mut state = self.locked();
        if state.name != "Open" {
            let message = format!("Job is in state {}, batches can only be added to an open one", state.name);
            return Err(Refusal::bad("InvalidJobState", message));
        }
        state.batches.extend(batches);
        Ok(())
    }

    fn set(&self, name: &'static str, now: i64) -> Result<(), Refusal> {
        let mut state = self.locked();
        match (state.name, name) {
            ("Aborted", _) | ("Closed", "Closed") => {
                let message = format!("Job is in state {} and cannot become {name}", state.name);
                Err(Refusal::bad("InvalidJobState", message))
            }
            _ => {
                state.name = name;
                state.changed_at = now;
                if name == "Aborted" {
                    state.batches.iter().for_each(|batch| batch.abort());
                }
                Ok(())
            }
        }
    }

    fn info(&self, takes: Duration, status: StatusCode, form: Form) -> Answer {
        let state = self.locked();
        let count = |wanted: &[BatchState]| {
            state.batches.iter().filter(|batch| wanted.contains(&batch.state(takes))).count()
        };
        let records: u64 = state.batches.iter().map(|batch| batch.records(takes)).sum();
        let failed: u64 = state.batches.iter().map(|batch| batch.failed(takes)).sum();
        let times: u64 = state.batches.iter().map(|batch| batch.took_ms(takes)).sum();
        let changed = state.batches.iter().map(|batch| batch.changed_at(takes)).max();
        let version = bulk::version_number(&self.version);
        // in XML without quotes all the same
        let mut members = vec![
            ("id", json!(self.id.to_string())),
            ("operation", json!(self.operation())),
            ("object", json!(self.object)),
            ("createdById", json!(self.user)),
            ("createdDate", json!(rest_datetime(self.created_at))),
            ("systemModstamp", json!(rest_datetime(changed.unwrap_or(0).max(state.changed_at)))),
            ("state", json!(state.name)),
        ];
        let load = self.load.as_ref();
        let key = load.and_then(|load| load.key.as_ref());
        let rule = load.and_then(|load| load.assignment).map(|id| id.to_string());
        if form == Form::Xml {
            // where they stand in recorded answers, and in the schema; what is null is not there
            members.extend([("externalIdFieldName", json!(key))]);
        }
        members.extend([
            ("concurrencyMode", json!(self.mode)),
            ("contentType", json!(self.content.name())),
            ("numberBatchesQueued", json!(count(&[BatchState::Queued]))),
            ("numberBatchesInProgress", json!(count(&[BatchState::InProgress]))),
            ("numberBatchesCompleted", json!(count(&[BatchState::Completed]))),
            ("numberBatchesFailed", json!(count(&[BatchState::Failed]))),
            ("numberBatchesTotal", json!(state.batches.len())),
            ("numberRecordsProcessed", json!(records)),
            ("numberRetries", json!(0)),
            ("apiVersion", json!(version)),
            ("numberRecordsFailed", json!(failed)),
            ("totalProcessingTime", json!(times)),
            ("apiActiveProcessingTime", json!(0)),
            ("apexProcessingTime", json!(0)),
        ]);
        if form == Form::Json {
            // what is null is told in JSON only
            members.extend([("assignmentRuleId", json!(rule)), ("externalIdFieldName", json!(key))]);
            members.push(("fastPathEnabled", json!(false)));
        }
        form.answer(status, "jobInfo", &Content(members))
    }
}

/// `POST job`.
pub(super) fn create(state: &State, call: &Call<'_>) -> Result<Answer, Refusal> {
    let form = Form::of(call.request, None);
    let members = form::read(call.request, form)?;
    let member = |name: &str| {
        members
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .filter(|v| !v.is_empty())
    };
    let (with_deleted, operation) = match member("operation") {
        Some("query") => (false, None),
        Some("queryAll") => (true, None),
        // jsforce and others say it in small letters
        Some("harddelete") => (false, Some(Operation::HardDelete)),
        Some(other) => match Operation::named(other) {
            Some(operation) => (false, Some(operation)),
            None => return Err(Refusal::bad("InvalidJob", "Unable to parse Job")),
        },
        None => return Err(Refusal::bad("InvalidJob", "Unable to parse Job")),
    };
    let named = member("object").ok_or_else(|| Refusal::bad("InvalidJob", "object is missing"))?;
    let number = call.world.schema.find(named).filter(|number| call.view.sees_object(*number));
    let number =
        number.ok_or_else(|| Refusal::bad("InvalidJob", format!("Unable to find object: {named}")))?;
    let object = call.world.schema.object(number);
    refuse_object(object).map_err(|error| Refusal::bad("InvalidEntity", error.message))?;
    let content = match member("contentType") {
        None | Some("XML") => ContentType::Xml,
        Some("CSV") => ContentType::Csv,
        Some("JSON") => ContentType::Json,
        Some(_) => return Err(Refusal::bad("InvalidJob", "Unable to parse Job")),
    };
    // a JSON client may give the number of the value
    let mode = match member("concurrencyMode") {
        None | Some("Parallel" | "0") => "Parallel",
        Some("Serial" | "1") => "Serial",
        Some(_) => return Err(Refusal::bad("InvalidJob", "Unable to parse Job")),
    };
    let chunking = match call.request.header("sforce-enable-pkchunking") {
        Some(header) => Chunking::read(header, object)?,
        None => None,
    };
    let load = match operation {
        Some(operation) => {
            let rule = member("assignmentRuleId");
            Some(Arc::new(new_load(state, call, number, operation, member("externalIdFieldName"), rule)?))
        }
        None => None,
    };
    let now = call.org.clock.now_ms();
    let job = Arc::new(Job {
        id: Id::new(*b"750", call.org.jobs.number()),
        object: object.name.clone(),
        with_deleted,
        content,
        chunking,
        load,
        running: Mutex::default(),
        user: call.user_id.clone(),
        version: call.version.to_owned(),
        mode,
        created_at: now,
        state: Mutex::new(JobState { name: "Open", changed_at: now, batches: Vec::new() }),
    });
    let mut jobs = call.org.bulk1_jobs.locked();
    jobs.retain(|_, job| now - job.created_at < LIFE_MS);
    jobs.insert(job.id, job.clone());
    drop(jobs);
    Ok(job.info(Duration::ZERO, StatusCode::CREATED, form))
}

/// What a job that writes does with its rows.
fn new_load(
    state: &State,
    call: &Call<'_>,
    number: usize,
    operation: Operation,
    key: Option<&str>,
    rule: Option<&str>,
) -> Result<Load, Refusal> {
    let object = call.world.schema.object(number);
    if operation == Operation::HardDelete && !call.user.may("BulkApiHardDelete") {
        // the words that Data Loader looks for
        let message = "hardDelete operation requires special user profile permission, please contact your system administrator";
        return Err(Refusal::bad("FeatureNotEnabled", message));
    }
    if operation == Operation::Upsert {
        let name = &object.name;
        let blank =
            || format!("External ID was blank for {name}. An External ID must be specified for upsert.");
        let key = key.ok_or_else(|| Refusal::bad("InvalidJob", blank()))?;
        let field = object.find(key).filter(|field| call.view.sees_field(number, *field));
        let field = field.map(|field| &object.fields[field]);
        if !field.is_some_and(|f| f.external_id || f.id_lookup || f.kind == FieldType::Id) {
            let message = format!(
                "Field name provided, {key} does not match an External ID, Salesforce Id, or indexed field for {name}"
            );
            return Err(Refusal::bad("InvalidJob", message));
        }
    }
    let load = Load {
        org: state.orgs[call.org.number].clone(),
        user: call.caller.user,
        object: object.name.clone(),
        operation,
        key: key.map(str::to_owned),
        assignment: rule.and_then(Id::parse),
        faults: RwLock::default(),
    };
    if let Some(fault) = call.request.row_fault() {
        load.befall(fault);
    }
    Ok(load)
}

/// `GET` and `POST job/ID`.
pub(super) fn answer(call: &Call<'_>, takes: Duration, id: &str) -> Result<Answer, Refusal> {
    let now = call.org.clock.now_ms();
    let job = call.org.bulk1_jobs.find(id, now)?;
    let form = Form::of(call.request, Some(job.content));
    if call.request.method == Method::POST {
        let members = form::read(call.request, form)?;
        match members.iter().find(|(name, _)| name == "state").map(|(_, state)| state.as_str()) {
            Some("Closed") => job.set("Closed", now)?,
            Some("Aborted") => job.set("Aborted", now)?,
            _ => return Err(Refusal::bad("InvalidJobState", "state can become Closed or Aborted")),
        }
    } else if call.request.method != Method::GET {
        return Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, ..Refusal::url(&call.request.path) });
    }
    Ok(job.info(takes, StatusCode::OK, form))
}
