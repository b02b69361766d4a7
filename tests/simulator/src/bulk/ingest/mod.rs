//! Bulk API 2.0 ingest: `jobs/ingest`. A job takes one CSV file and writes its rows, in batches of 10,000 that run
//! beside each other. After the Bulk API 2.0 guide (version 66.0); words of errors are those that people report.

mod job;
mod new;
mod results;
mod run;
mod upload;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

pub(crate) use job::IngestJob;

use super::Wish;
use crate::faults::JobFault;
use crate::rest::Call;
use crate::server::State;
use crate::value::Id;
use crate::web::{Answer, ApiError};

/// The first version that has ingest jobs.
const SINCE: u16 = 41;
/// How long jobs and results are kept, in milliseconds.
const LIFE_MS: i64 = 7 * 24 * 3_600_000;

/// The ingest jobs of an org.
#[derive(Debug, Default)]
pub(crate) struct IngestJobs(Mutex<BTreeMap<Id, Arc<IngestJob>>>, Totals);

/// What all loads since the start came to, so that a benchmark can take the simulator's own work off.
#[derive(Debug, Default)]
pub(crate) struct Totals {
    rows: AtomicU64,
    bytes: AtomicU64,
    busy_us: AtomicU64,
}

impl Totals {
    /// Counts a batch: rows and the time that it took, of one thread.
    fn count(&self, rows: u64, busy: std::time::Duration) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.busy_us.fetch_add(busy.as_micros() as u64, Ordering::Relaxed);
    }
}

impl IngestJobs {
    fn add(&self, job: Arc<IngestJob>, now: i64) {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.retain(|_, job| now - job.created_at < LIFE_MS);
        jobs.insert(job.id, job);
    }

    fn find(&self, id: &str, now: i64) -> Option<Arc<IngestJob>> {
        let jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.get(&Id::parse(id)?).filter(|job| now - job.created_at < LIFE_MS).cloned()
    }

    fn remove(&self, id: Id) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
    }

    /// The jobs, the oldest first.
    pub(crate) fn all(&self) -> Vec<Arc<IngestJob>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Rows and bytes that were loaded since the start, and how many rows in a second of one thread.
    pub(crate) fn totals(&self) -> Json {
        let read = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
        let Totals { rows, bytes, busy_us } = &self.1;
        let seconds = read(busy_us) as f64 / 1e6;
        let rate = if seconds > 0.0 { (read(rows) as f64 / seconds).round() } else { 0.0 };
        json!({"rows": read(rows), "bytes": read(bytes), "busySeconds": seconds, "rowsPerBusySecond": rate})
    }

    /// What a list has of them.
    pub(super) fn listed(&self) -> Vec<(Id, Json)> {
        self.all().iter().map(|job| (job.id, job.listed())).collect()
    }

    /// The jobs as asking for each answers, the oldest first.
    pub(crate) fn infos(&self) -> Vec<Json> {
        self.all().iter().map(|job| job.info()).collect()
    }
}

/// The name under which the log counts a call, given what stands behind `jobs/ingest`.
pub(crate) fn resource(rest: &[&str], method: &Method) -> &'static str {
    match rest {
        [] if method == Method::POST => "IngestCreate",
        [] => "IngestJobs",
        [_] if method == Method::PATCH => "IngestState",
        [_] if method == Method::DELETE => "IngestDelete",
        [_] => "IngestJob",
        [_, "batches"] => "IngestUpload",
        [_, "successfulResults"] => "IngestSuccessful",
        [_, "failedResults"] => "IngestFailed",
        [_, name] if is_unprocessed(name) => "IngestUnprocessed",
        _ => "Unknown",
    }
}

/// The guide writes `unprocessedrecords`; simple-salesforce asks for `unprocessedRecords`, and nobody complains.
fn is_unprocessed(name: &str) -> bool {
    name.eq_ignore_ascii_case("unprocessedrecords")
}

/// Answers below `jobs/ingest`.
pub(crate) fn answer(state: &State, call: &Call<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    let major = call.version.split('.').next().and_then(|major| major.parse::<u16>().ok());
    if major < Some(SINCE) {
        return Err(ApiError::not_found());
    }
    let method = &call.request.method;
    let (jobs, now) = (&call.org.ingest_jobs, call.org.clock.now_ms());
    // a path may end with a slash, as the guide writes those of results
    let rest = rest.strip_suffix(&[""]).unwrap_or(rest);
    let find = |id: &str| {
        let job = jobs.find(id, now).ok_or_else(ApiError::not_found)?;
        befall(call, &job);
        Ok::<_, ApiError>(job)
    };
    match rest {
        [] if method == Method::POST => new::create(state, call),
        [] if method == Method::GET => super::jobs::list_ingest(state, call),
        [] => Err(ApiError::method(method, "GET, POST")),
        [id] if method == Method::GET => {
            let job = find(id)?;
            let answer = Answer::ok(&job.info());
            vanish(call, &job).map_or(Ok(answer), Err)
        }
        [id] if method == Method::PATCH => {
            let job = find(id)?;
            let wish: Wish = serde_json::from_slice(&call.request.body)
                .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
            match wish.state.as_str() {
                "UploadComplete" => {
                    if job.close(now)? {
                        run::start(&job);
                    }
                }
                "Aborted" => job.abort(now)?,
                other => {
                    let message =
                        format!("state can only be set to UploadComplete or Aborted, not to {other}");
                    return Err(ApiError::bad("INVALIDJOBSTATE", message));
                }
            }
            let answer = Answer::ok(&job.short_info());
            // the job is gone, and its rows are written all the same
            drop(vanish(call, &job));
            Ok(answer)
        }
        [id] if method == Method::DELETE => {
            let job = find(id)?;
            if !job.is_deletable() {
                // the guide's words (Delete a Query Job)
                let message = "Error encountered when deleting the job because the job is not terminated";
                return Err(ApiError::bad("API_ERROR", message));
            }
            jobs.remove(job.id);
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        [_] => Err(ApiError::method(method, "GET, PATCH, DELETE")),
        [id, "batches"] if method == Method::PUT => upload::put(call, &find(id)?),
        [_, "batches"] => Err(ApiError::method(method, "PUT")),
        [id, kind] if matches!(*kind, "successfulResults" | "failedResults") || is_unprocessed(kind) => {
            if method != Method::GET {
                return Err(ApiError::method(method, "GET"));
            }
            results::answer(&find(id)?, kind)
        }
        _ => Err(ApiError::not_found()),
    }
}

/// Lets what the fault plan has for this call befall the job.
fn befall(call: &Call<'_>, job: &IngestJob) {
    if let Some(fault) = call.request.job_fault() {
        job.befall(fault, call.org.clock.now_ms());
    }
    if let Some(fault) = call.request.row_fault() {
        job.load.befall(fault);
    }
}

/// Takes the job away if the fault plan says so.
fn vanish(call: &Call<'_>, job: &IngestJob) -> Option<ApiError> {
    matches!(call.request.job_fault(), Some(JobFault::Vanish)).then(|| {
        call.org.ingest_jobs.remove(job.id);
        ApiError::not_found()
    })
}
