//! Batches: a query each, or rows to write, with their results.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::Instant;

use super::form::{Content, Form, head};
use super::job::{ContentType, Job};
use super::load::{self, Rows};
use super::rows;
use super::{Call, Refusal};
use crate::bulk::load::{Load, Outcomes};
use crate::bulk::{refuse_plan, refuse_query};
use crate::faults::JobFault;
use crate::rest::check_needs;
use crate::server::State;
use crate::soql::{self, Cursor, Plan, Query};
use crate::store::Database;
use crate::value::Id;
use crate::value::calendar::{now_ms, rest_datetime};
use crate::web::Answer;

/// Rows of one result at most: the real bound is 1 GB.
const RESULT_ROWS: u64 = 1_000_000;

/// States as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchState {
    Queued,
    InProgress,
    Completed,
    Failed,
    NotProcessed,
}

impl BatchState {
    fn name(self) -> &'static str {
        match self {
            Self::Queued => "Queued",
            Self::InProgress => "InProgress",
            Self::Completed => "Completed",
            Self::Failed => "Failed",
            Self::NotProcessed => "NotProcessed",
        }
    }
}

/// One batch.
#[derive(Debug)]
pub(super) struct Batch {
    id: Id,
    serial: u64,
    /// The query, or the rows.
    request: Bytes,
    created: Instant,
    created_at: i64,
    work: Mutex<Work>,
}

#[derive(Debug, Clone)]
enum Work {
    Running,
    /// Rows are being written.
    Writing,
    Done(Arc<Cursor>),
    Written(Arc<Outcomes>),
    Failed(String),
    NotProcessed,
    Hung,
}

impl Batch {
    fn new(serial: u64, request: impl Into<Bytes>, work: Work) -> Arc<Self> {
        let id = Id::new(*b"751", serial);
        Arc::new(Self {
            id,
            serial,
            request: request.into(),
            created: Instant::now(),
            created_at: now_ms(),
            work: Mutex::new(work),
        })
    }

    fn work(&self) -> Work {
        self.work.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs the query, unless something else became of the batch.
    fn run(&self, plan: &Arc<Plan>, database: Database, with_deleted: bool) {
        let cursor = Arc::new(plan.open(database, with_deleted));
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*work, Work::Running) {
            *work = Work::Done(cursor);
        }
    }

    /// Writes rows, unless something else became of the batch before; those of a serial job wait for each other.
    fn write(&self, job: &Job, load: &Load, rows: &Rows, fault: Option<&JobFault>) {
        let _alone = job.is_serial().then(|| job.running.lock().unwrap_or_else(PoisonError::into_inner));
        {
            let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
            if !matches!(*work, Work::Running) {
                return;
            }
            *work = Work::Writing;
        }
        let written = match rows.write(load) {
            // nobody is told that it is done
            Ok(_) if fault == Some(&JobFault::Stall) => Work::Hung,
            Ok(outcomes) => Work::Written(Arc::new(outcomes)),
            Err(message) => Work::Failed(message),
        };
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = written;
    }

    /// What is not complete is not processed any more.
    pub(super) fn abort(&self) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*work, Work::Running | Work::Hung) {
            *work = Work::NotProcessed;
        }
    }

    /// Where it stands, of a job that takes so long.
    pub(super) fn state(&self, takes: Duration) -> BatchState {
        let age = self.created.elapsed();
        match self.work() {
            Work::NotProcessed => BatchState::NotProcessed,
            _ if age * 3 < takes => BatchState::Queued,
            Work::Done(_) | Work::Written(_) if age >= takes => BatchState::Completed,
            Work::Failed(_) if age >= takes => BatchState::Failed,
            _ => BatchState::InProgress,
        }
    }

    /// Records processed.
    pub(super) fn records(&self, takes: Duration) -> u64 {
        match self.work() {
            Work::Done(cursor) if self.state(takes) == BatchState::Completed => cursor.total(),
            Work::Written(rows) if self.state(takes) == BatchState::Completed => rows.len() as u64,
            _ => 0,
        }
    }

    /// Records that could not be written.
    pub(super) fn failed(&self, takes: Duration) -> u64 {
        match self.work() {
            Work::Written(rows) if self.state(takes) == BatchState::Completed => rows.failed() as u64,
            _ => 0,
        }
    }

    /// How long it took.
    pub(super) fn took_ms(&self, takes: Duration) -> u64 {
        let is_done = matches!(self.state(takes), BatchState::Completed | BatchState::Failed);
        if is_done { takes.as_millis() as u64 } else { 0 }
    }

    /// When its state last changed.
    pub(super) fn changed_at(&self, takes: Duration) -> i64 {
        let takes_ms = i64::try_from(takes.as_millis()).unwrap_or(i64::MAX);
        match self.state(takes) {
            BatchState::Queued | BatchState::NotProcessed => self.created_at,
            BatchState::InProgress => self.created_at.saturating_add(takes_ms / 3),
            BatchState::Completed | BatchState::Failed => self.created_at.saturating_add(takes_ms),
        }
    }

    fn info(&self, job: &Job, takes: Duration) -> Content {
        let state = self.state(takes);
        let message = match self.work() {
            Work::Failed(message) if state == BatchState::Failed => Some(message),
            _ => None,
        };
        Content(vec![
            ("id", json!(self.id.to_string())),
            ("jobId", json!(job.id.to_string())),
            ("state", json!(state.name())),
            ("stateMessage", json!(message)),
            ("createdDate", json!(rest_datetime(self.created_at))),
            ("systemModstamp", json!(rest_datetime(self.changed_at(takes)))),
            ("numberRecordsProcessed", json!(self.records(takes))),
            ("numberRecordsFailed", json!(self.failed(takes))),
            ("totalProcessingTime", json!(self.took_ms(takes))),
            ("apiActiveProcessingTime", json!(0)),
            ("apexProcessingTime", json!(0)),
        ])
    }

    /// What became of its rows, once it is complete.
    fn written(&self, takes: Duration) -> Result<Arc<Outcomes>, Refusal> {
        match self.work() {
            Work::Written(rows) if self.state(takes) == BatchState::Completed => Ok(rows),
            // the words that clients have seen
            Work::Failed(_) | Work::NotProcessed => {
                Err(Refusal::bad("InvalidBatch", "Records not processed"))
            }
            _ => Err(Refusal::bad("InvalidBatch", "Batch not completed")),
        }
    }

    /// Its rows, once it is complete.
    fn results(&self, takes: Duration) -> Result<Arc<Cursor>, Refusal> {
        match self.work() {
            Work::Done(cursor) if self.state(takes) == BatchState::Completed => Ok(cursor),
            Work::Failed(message) if self.state(takes) == BatchState::Failed => {
                Err(Refusal::bad("InvalidBatch", format!("Batch failed: {message}")))
            }
            _ => Err(Refusal::bad("InvalidBatch", "Batch not completed")),
        }
    }
}

/// Answers below `job/ID/batch`.
pub(super) fn answer(state: &State, call: &Call<'_>, job: &str, rest: &[&str]) -> Result<Answer, Refusal> {
    let job = call.org.bulk1_jobs.find(job, call.org.clock.now_ms())?;
    let form = Form::of_batches(job.content);
    let takes = state.bulk_job;
    let is_get = call.request.method == Method::GET;
    let find = |id: &str| {
        let found = Id::parse(id).and_then(|id| job.batches().into_iter().find(|batch| batch.id == id));
        let batch =
            found.ok_or_else(|| Refusal::bad("InvalidBatch", format!("Unable to find batch {id}")))?;
        if let Some(fault) = call.request.job_fault() {
            befall(&batch, fault);
        }
        Ok(batch)
    };
    match rest {
        [] if call.request.method == Method::POST => {
            if let Some(load) = &job.load {
                let batch = create_load(call, &job, load)?;
                return Ok(form.answer(StatusCode::CREATED, "batchInfo", &batch.info(&job, takes)));
            }
            let batch = create(call, &job)?;
            if let Some(fault) = call.request.job_fault() {
                befall(&batch, fault);
            }
            Ok(form.answer(StatusCode::CREATED, "batchInfo", &batch.info(&job, takes)))
        }
        [] if is_get => Ok(list(&job, takes, form)),
        [id] if is_get => Ok(form.answer(StatusCode::OK, "batchInfo", &find(id)?.info(&job, takes))),
        [id, "request"] if is_get => {
            let kind = match job.content {
                ContentType::Json => "application/json",
                ContentType::Xml if job.load.is_some() => "application/xml",
                _ => "text/csv",
            };
            Ok(Answer::bytes(StatusCode::OK, kind, find(id)?.request.clone()))
        }
        [id, "result"] if is_get && job.load.is_some() => {
            Ok(load::results(&*find(id)?.written(takes)?, job.content))
        }
        [id, "result"] if is_get => {
            let batch = find(id)?;
            let cursor = batch.results(takes)?;
            let results = cursor.total().div_ceil(RESULT_ROWS).max(1);
            let ids: Vec<String> = (0..results).map(|part| result_id(&batch, part).to_string()).collect();
            Ok(result_list(&ids, form))
        }
        [id, "result", result] if is_get => {
            let batch = find(id)?;
            let cursor = batch.results(takes)?;
            let parts = cursor.total().div_ceil(RESULT_ROWS).max(1);
            let part = (0..parts).find(|part| Id::parse(result) == Some(result_id(&batch, *part)));
            let part =
                part.ok_or_else(|| Refusal::bad("InvalidBatch", format!("Unable to find result {result}")))?;
            let rows = RESULT_ROWS.min(cursor.total() - part * RESULT_ROWS);
            Ok(rows::answer(cursor, part * RESULT_ROWS, rows, job.content, call.version))
        }
        _ => Err(Refusal { status: StatusCode::METHOD_NOT_ALLOWED, ..Refusal::url(&call.request.path) }),
    }
}

fn befall(batch: &Batch, fault: &JobFault) {
    let mut work = batch.work.lock().unwrap_or_else(PoisonError::into_inner);
    *work = match fault {
        JobFault::Fail(message) => Work::Failed(message.clone()),
        JobFault::Hang => Work::Hung,
        // the others befall loads alone
        _ => Work::NotProcessed,
    };
}

/// The id of a part of a batch's results.
fn result_id(batch: &Batch, part: u64) -> Id {
    Id::new(*b"752", batch.serial * 1_000 + part)
}

/// Makes the batch of the rows in the body, and begins to write them.
fn create_load(call: &Call<'_>, job: &Arc<Job>, load: &Arc<Load>) -> Result<Arc<Batch>, Refusal> {
    let body = &call.request.body;
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err(Refusal::bad("ClientInputError", "Unable to find any data to create batch"));
    }
    if !call.org.limits.bulk_batches.take() {
        return Err(Refusal::bad("ExceededQuota", "ApiBatchItems Limit exceeded."));
    }
    if let Some(fault) = call.request.row_fault() {
        load.befall(fault);
    }
    let fault = call.request.job_fault().cloned();
    let (work, rows) = match (load::read(call, job, load, body)?, &fault) {
        (_, Some(JobFault::Fail(message))) => (Work::Failed(message.clone()), None),
        (_, Some(JobFault::Hang)) => (Work::Hung, None),
        (Err(message), _) => (Work::Failed(message), None),
        (Ok(rows), _) => (Work::Running, Some(rows)),
    };
    let batch = Batch::new(call.org.jobs.number(), body.clone(), work);
    job.add(vec![batch.clone()])?;
    if let Some(rows) = rows {
        let (job, load, batch) = (job.clone(), load.clone(), batch.clone());
        tokio::task::spawn_blocking(move || batch.write(&job, &load, &rows, fault.as_ref()));
    }
    Ok(batch)
}

/// Makes the batch of the query in the body and, where the job is chunked, those of its parts.
fn create(call: &Call<'_>, job: &Arc<Job>) -> Result<Arc<Batch>, Refusal> {
    let text = String::from_utf8_lossy(&call.request.body).trim().to_owned();
    if text.is_empty() {
        return Err(Refusal::bad("ClientInputError", "Unable to find any data to create batch"));
    }
    if !call.org.limits.bulk_batches.take() {
        return Err(Refusal::bad("ExceededQuota", "ApiBatchItems Limit exceeded."));
    }
    let (query, plan) = match plan(call, job, &text) {
        Ok(planned) => planned,
        Err(message) => {
            let batch = Batch::new(call.org.jobs.number(), text, Work::Failed(message));
            job.add(vec![batch.clone()])?;
            return Ok(batch);
        }
    };
    let database = &call.world.database;
    let Some(chunking) = &job.chunking else {
        let batch = Batch::new(call.org.jobs.number(), text, Work::Running);
        job.add(vec![batch.clone()])?;
        run(&batch, plan, database.clone(), job.with_deleted);
        return Ok(batch);
    };
    // the batch that was asked for stays unprocessed; those of the parts come behind it
    let parts =
        chunking.parts(call, &query).map_err(|error| Refusal::bad("InvalidBatch", error.to_string()))?;
    let first = Batch::new(call.org.jobs.number(), text, Work::NotProcessed);
    let mut batches = vec![first.clone()];
    for (soql, plan) in parts {
        if !call.org.limits.bulk_batches.take() {
            let message = "ExceededQuota : ApiBatchItems Limit exceeded.".to_owned();
            batches.push(Batch::new(call.org.jobs.number(), soql, Work::Failed(message)));
            break;
        }
        let batch = Batch::new(call.org.jobs.number(), soql, Work::Running);
        run(&batch, Arc::new(plan), database.clone(), job.with_deleted);
        batches.push(batch);
    }
    job.add(batches)?;
    Ok(first)
}

fn run(batch: &Arc<Batch>, plan: Arc<Plan>, database: Database, with_deleted: bool) {
    let batch = batch.clone();
    tokio::task::spawn_blocking(move || batch.run(&plan, database, with_deleted));
}

/// The query, looked up; or the message of a batch that fails, as clients have seen it.
fn plan(call: &Call<'_>, job: &Job, text: &str) -> Result<(Query, Arc<Plan>), String> {
    let failed =
        |code: &str, message: &str| format!("InvalidBatch : Failed to process query: {code}: {message}");
    if has_sub_select(text) {
        let kind = match job.content {
            ContentType::Csv => "CSV",
            ContentType::Xml => "XML",
            ContentType::Json => "JSON",
        };
        return Err(format!(
            "FeatureNotEnabled : Aggregate Relationships not supported in Bulk Query with {kind} content type"
        ));
    }
    let query = soql::parse(text).map_err(|error| failed(error.code, &error.message))?;
    let disabled =
        |message: &str| failed("FUNCTIONALITY_NOT_ENABLED", &message.replace("Bulk V2 Query", "Bulk Query"));
    refuse_query(&query).map_err(|error| disabled(&error.message))?;
    let plan = Plan::new(&call.world.schema, &call.view, &query)
        .map_err(|error| failed(error.code, &error.message))?;
    let object = &plan.described().name;
    if *object != job.object {
        let message = format!(
            "The root entity of the requested query ({object}) does not match the entity of the requested Bulk API \
             Job ({}).",
            job.object
        );
        return Err(failed("INVALID_TYPE_FOR_OPERATION", &message));
    }
    refuse_plan(&plan).map_err(|error| disabled(&error.message))?;
    check_needs(plan.described(), &query).map_err(|error| failed(error.code, &error.message))?;
    if let Some(chunking) = &job.chunking {
        chunking.check(&query).map_err(|message| failed("FUNCTIONALITY_NOT_ENABLED", message))?;
    }
    Ok((query, Arc::new(plan)))
}

fn has_sub_select(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let list = upper.split(" FROM ").next().unwrap_or_default();
    list.split('(').skip(1).any(|inner| inner.trim_start().starts_with("SELECT"))
}

fn list(job: &Job, takes: Duration, form: Form) -> Answer {
    let infos: Vec<Content> = job.batches().iter().map(|batch| batch.info(job, takes)).collect();
    if form == Form::Json {
        let infos: Vec<serde_json::Value> = infos.iter().map(Content::json).collect();
        return Answer::bytes(StatusCode::OK, "application/json", json!({"batchInfo": infos}).to_string());
    }
    let text = if infos.is_empty() {
        // as recorded
        head("batchInfoList").replace(">\n", " />").replacen("?>\n", "?>", 1)
    } else {
        let mut text = head("batchInfoList");
        for info in &infos {
            text.push_str(" <batchInfo>\n");
            info.write_xml(2, &mut text);
            text.push_str(" </batchInfo>\n");
        }
        text + "</batchInfoList>"
    };
    Answer::bytes(StatusCode::OK, "application/xml", text)
}

fn result_list(ids: &[String], form: Form) -> Answer {
    if form == Form::Json {
        return Answer::bytes(StatusCode::OK, "application/json", json!(ids).to_string());
    }
    let results: String = ids.iter().map(|id| format!("<result>{id}</result>")).collect();
    let text = format!("<result-list xmlns=\"{}\">{results}</result-list>", super::form::NAMESPACE);
    Answer::bytes(StatusCode::OK, "application/xml", text)
}
