//! The query jobs of an org, and the list of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value as Json, json};

use super::job::{Job, NewJob};
use crate::clock::Clock;
use crate::rest::Call;
use crate::server::State;
use crate::value::Id;
use crate::web::{Answer, ApiError};

/// How long jobs and results are kept, in milliseconds.
const LIFE_MS: i64 = 7 * 24 * 3_600_000;
/// Jobs that one answer lists at most, as the documentation says.
const LISTED: usize = 1_000;

/// The jobs of an org.
#[derive(Debug)]
pub(crate) struct Jobs {
    clock: Arc<Clock>,
    jobs: Mutex<(u64, BTreeMap<Id, Arc<Job>>)>,
}

impl Jobs {
    pub(crate) fn new(clock: Arc<Clock>) -> Self {
        Self { clock, jobs: Mutex::default() }
    }

    /// Whether a job is still kept.
    fn lives(&self, job: &Job) -> bool {
        self.clock.now_ms() - job.created_at < LIFE_MS
    }

    pub(super) fn add(&self, new: NewJob) -> Arc<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.1.retain(|_, job| self.lives(job));
        jobs.0 += 1;
        let id = Id::new(*b"750", jobs.0);
        let job = Arc::new(Job::new(id, new, self.clock.now_ms()));
        jobs.1.insert(id, job.clone());
        job
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Job>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.1.get(&Id::parse(id)?).filter(|job| self.lives(job)).cloned()
    }

    pub(super) fn remove(&self, id: Id) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&id);
    }

    /// A number for a job of Bulk 1.0, whose ids are of the same kind.
    pub(crate) fn number(&self) -> u64 {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.0 += 1;
        jobs.0
    }

    pub(super) fn all(&self) -> Vec<Arc<Job>> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.1.values().filter(|job| self.lives(job)).cloned().collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).1.len()
    }
}

/// `GET jobs/query`: jobs of Bulk 2.0 and of 1.0 (`Classic`) alike.
pub(super) fn list(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    let jobs = || call.org.jobs.all().iter().map(|job| (job.id, job.listed())).collect();
    let classic = |chunked| call.org.bulk1_jobs.listed(chunked, true);
    answer_list(state, call, "query", "V2Query", jobs, classic)
}

/// `GET jobs/ingest`: the same of jobs that write.
pub(super) fn list_ingest(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    let classic = |chunked| call.org.bulk1_jobs.listed(chunked, false);
    answer_list(state, call, "ingest", "V2Ingest", || call.org.ingest_jobs.listed(), classic)
}

fn answer_list(
    state: &State,
    call: &Call<'_>,
    path: &str,
    own: &str,
    jobs: impl FnOnce() -> Vec<(Id, Json)>,
    classic: impl FnOnce(bool) -> Vec<(Id, Json)>,
) -> Result<Answer, ApiError> {
    let parameter = |name: &str| call.request.parameter(name);
    let kind = parameter("jobType");
    if let Some(kind) =
        kind.filter(|kind| !["Classic", "V2Query", "V2Ingest", "BigObjectIngest"].contains(kind))
    {
        return Err(ApiError::bad("INVALIDJOB", format!("jobType {kind} is not one of the allowed values")));
    }
    // the only mode that there is
    let mode_fits = parameter("concurrencyMode").is_none_or(|mode| mode.eq_ignore_ascii_case("parallel"));
    let chunked = parameter("isPkChunkingEnabled").is_some_and(|only| only.eq_ignore_ascii_case("true"));
    let mut records: Vec<(Id, Json)> = Vec::new();
    if mode_fits {
        // jobs of Bulk 2.0 have no such setting
        if kind.is_none_or(|kind| kind == own) && !chunked {
            records.extend(jobs());
        }
        if kind.is_none_or(|kind| kind == "Classic") {
            records.extend(classic(chunked));
        }
    }
    records.sort_by_key(|(id, _)| *id);
    let org = Id::parse(call.org.org.id()).unwrap_or(Id::LOWEST);
    let from = match parameter("queryLocator").filter(|locator| !locator.is_empty()) {
        None => 0,
        Some(locator) => {
            let wrong = || ApiError::bad("INVALID_QUERY_LOCATOR", "invalid query locator");
            usize::try_from(state.locators.read(org, locator).ok_or_else(wrong)?).unwrap_or(usize::MAX)
        }
    };
    let more = records.len() > from.saturating_add(LISTED);
    let next = more.then(|| {
        let mut url = format!("/services/data/v{}/jobs/{path}?", call.version);
        for name in ["isPkChunkingEnabled", "jobType", "concurrencyMode"] {
            if let Some(value) = parameter(name) {
                url.push_str(&format!("{name}={value}&"));
            }
        }
        format!("{url}queryLocator={}", state.locators.make(org, (from + LISTED) as u64))
    });
    let records: Vec<Json> = records.into_iter().skip(from).take(LISTED).map(|(_, record)| record).collect();
    Ok(Answer::ok(&json!({"done": !more, "records": records, "nextRecordsUrl": next})))
}
