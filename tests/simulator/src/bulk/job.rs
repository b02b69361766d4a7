//! One query job and its states.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Number, Value as Json, json};

use super::csv::Format;
use crate::soql::{Cursor, Plan};
use crate::store::Database;
use crate::value::Id;
use crate::value::calendar::{now_ms, rest_datetime};
use crate::web::ApiError;

/// How long results are kept.
const LIFE: Duration = Duration::from_hours(7 * 24);

/// States as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum JobState {
    UploadComplete,
    InProgress,
    JobComplete,
    Aborted,
}

impl JobState {
    /// Whether the job stays in this state.
    pub(super) fn is_end(self) -> bool {
        matches!(self, Self::JobComplete | Self::Aborted)
    }

    fn name(self) -> &'static str {
        match self {
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Aborted => "Aborted",
        }
    }
}

/// What a job is made of.
pub(super) struct NewJob {
    pub(super) user: String,
    pub(super) with_deleted: bool,
    pub(super) plan: Arc<Plan>,
    pub(super) format: Format,
    pub(super) version: String,
    /// The least time from its creation to its end.
    pub(super) takes: Duration,
}

/// One query job.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: Id,
    pub(super) format: Format,
    pub(super) version: String,
    user: String,
    with_deleted: bool,
    plan: Arc<Plan>,
    takes: Duration,
    created: Instant,
    created_at: i64,
    work: Mutex<Work>,
}

#[derive(Debug)]
enum Work {
    Running,
    Done { cursor: Arc<Cursor>, took: Duration },
    Aborted,
}

impl Job {
    /// Where it stands.
    pub(super) fn state(&self) -> JobState {
        let age = self.created.elapsed();
        match &*self.work.lock().unwrap_or_else(PoisonError::into_inner) {
            Work::Aborted => JobState::Aborted,
            Work::Done { .. } if age >= self.takes => JobState::JobComplete,
            _ if age * 3 < self.takes => JobState::UploadComplete,
            Work::Running | Work::Done { .. } => JobState::InProgress,
        }
    }

    /// Its rows, once it is complete.
    pub(super) fn results(&self) -> Result<Arc<Cursor>, ApiError> {
        let state = self.state();
        match &*self.work.lock().unwrap_or_else(PoisonError::into_inner) {
            Work::Done { cursor, .. } if state == JobState::JobComplete => Ok(cursor.clone()),
            _ => {
                let message = format!(
                    "Results can only be read of a job in the state JobComplete; this one is {}",
                    state.name()
                );
                Err(ApiError::bad("INVALIDJOBSTATE", message))
            }
        }
    }

    /// Does the work: opens the cursor over the snapshot.
    pub(super) fn run(&self, database: Database) {
        let began = Instant::now();
        let cursor = Arc::new(self.plan.open(database, self.with_deleted));
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*work, Work::Running) {
            *work = Work::Done { cursor, took: began.elapsed().max(self.takes) };
        }
    }

    /// Ends it before it is complete.
    pub(super) fn abort(&self) -> Result<(), ApiError> {
        let state = self.state();
        if state.is_end() {
            let message = format!("Aborting a job in the state {} is not allowed", state.name());
            return Err(ApiError::bad("INVALIDJOBSTATE", message));
        }
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Work::Aborted;
        Ok(())
    }

    /// What creation and a change answer.
    pub(super) fn short_info(&self) -> Json {
        // 62.0 stays a number with a point
        let version = self.version.parse::<f64>().ok().and_then(Number::from_f64);
        json!({
            "id": self.id.to_string(),
            "operation": if self.with_deleted { "queryAll" } else { "query" },
            "object": self.plan.described().name,
            "createdById": self.user,
            "createdDate": rest_datetime(self.created_at),
            "systemModstamp": rest_datetime(self.created_at),
            "state": self.state().name(),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": version,
            "lineEnding": self.format.ending_name(),
            "columnDelimiter": self.format.delimiter_name(),
        })
    }

    /// What asking for it answers.
    pub(super) fn info(&self) -> Json {
        let mut info = self.short_info();
        let (rows, took) = match (self.state(), &*self.work.lock().unwrap_or_else(PoisonError::into_inner)) {
            (JobState::JobComplete, Work::Done { cursor, took }) => (cursor.total(), took.as_millis() as u64),
            _ => (0, 0),
        };
        info["jobType"] = json!("V2Query");
        info["numberRecordsProcessed"] = json!(rows);
        info["retries"] = json!(0);
        info["totalProcessingTime"] = json!(took);
        info["isPkChunkingSupported"] = json!(!self.plan.is_ordered_or_cut());
        info
    }
}

/// The jobs of an org.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: Mutex<(u64, BTreeMap<Id, Arc<Job>>)>,
}

impl Jobs {
    pub(super) fn add(&self, new: NewJob) -> Arc<Job> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.1.retain(|_, job| job.created.elapsed() < LIFE);
        jobs.0 += 1;
        let id = Id::new(*b"750", jobs.0);
        let job = Arc::new(Job {
            id,
            format: new.format,
            version: new.version,
            user: new.user,
            with_deleted: new.with_deleted,
            plan: new.plan,
            takes: new.takes,
            created: Instant::now(),
            created_at: now_ms(),
            work: Mutex::new(Work::Running),
        });
        jobs.1.insert(id, job.clone());
        job
    }

    pub(super) fn find(&self, id: &str) -> Option<Arc<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).1.get(&Id::parse(id)?).cloned()
    }

    pub(super) fn remove(&self, id: Id) {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).1.remove(&id);
    }

    pub(super) fn all(&self) -> Vec<Arc<Job>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).1.values().cloned().collect()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).1.len()
    }
}
