//! One query job and its states.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Number, Value as Json, json};
use tokio::time::Instant;

use super::csv::{self, Format};
use super::facts::Facts;
use crate::faults::JobFault;
use crate::soql::{Cursor, Plan};
use crate::store::Database;
use crate::value::Id;
use crate::value::calendar::rest_datetime;
use crate::web::ApiError;

/// States as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobState {
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl JobState {
    /// Whether the job stays in this state.
    pub(super) fn is_end(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::UploadComplete => "UploadComplete",
            Self::InProgress => "InProgress",
            Self::JobComplete => "JobComplete",
            Self::Failed => "Failed",
            Self::Aborted => "Aborted",
        }
    }
}

/// What a job is made of.
#[derive(Debug)]
pub(super) struct NewJob {
    pub(super) user: String,
    pub(super) with_deleted: bool,
    pub(super) plan: Arc<Plan>,
    pub(super) format: Format,
    pub(super) version: String,
    /// The least time from its creation to its end.
    pub(super) takes: Duration,
    pub(super) facts: Facts,
    /// Why it fails, if it does.
    pub(super) fails: Option<String>,
}

/// One query job.
#[derive(Debug)]
pub(crate) struct Job {
    pub(super) id: Id,
    pub(super) new: NewJob,
    created: Instant,
    pub(super) created_at: i64,
    work: Mutex<Work>,
}

/// How far it is. What is done is told once the job has taken its time.
#[derive(Debug)]
enum Work {
    Running,
    Done {
        cursor: Arc<Cursor>,
        took: Duration,
    },
    Failed(String),
    Aborted {
        at: i64,
    },
    /// It never ends by itself.
    Hung,
}

impl Job {
    pub(super) fn new(id: Id, new: NewJob, created_at: i64) -> Self {
        let work = new.fails.clone().map_or(Work::Running, Work::Failed);
        Self { id, new, created: Instant::now(), created_at, work: Mutex::new(work) }
    }

    /// Where it stands.
    pub(super) fn state(&self) -> JobState {
        self.state_after(self.created.elapsed())
    }

    /// Where it stands as it is told, which may lag.
    fn told_state(&self) -> JobState {
        let lag = if self.new.facts.late_state { self.new.takes } else { Duration::ZERO };
        self.state_after(self.created.elapsed().saturating_sub(lag))
    }

    fn state_after(&self, age: Duration) -> JobState {
        match &*self.work.lock().unwrap_or_else(PoisonError::into_inner) {
            Work::Aborted { .. } => JobState::Aborted,
            Work::Done { .. } if age >= self.new.takes => JobState::JobComplete,
            Work::Failed(_) if age >= self.new.takes => JobState::Failed,
            _ if age * 3 < self.new.takes => JobState::UploadComplete,
            _ => JobState::InProgress,
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

    /// Does the work: opens the cursor over the snapshot. The answer is about how many bytes its results have.
    pub(super) fn run(&self, database: Database) -> u64 {
        let began = Instant::now();
        let cursor = Arc::new(self.new.plan.open(database, self.new.with_deleted));
        let bytes = csv::about(&cursor, self.new.format);
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*work, Work::Running) {
            *work = Work::Done { cursor, took: began.elapsed().max(self.new.takes) };
        }
        bytes
    }

    /// Lets a fault of the plan befall it.
    pub(super) fn befall(&self, fault: &JobFault) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        match fault {
            JobFault::Fail(message) => *work = Work::Failed(message.clone()),
            JobFault::Hang => *work = Work::Hung,
            // the others befall loads alone
            _ => {}
        }
    }

    /// Ends it before it is complete.
    pub(super) fn abort(&self, now: i64) -> Result<(), ApiError> {
        let state = self.state();
        if state.is_end() {
            // the words of a recorded answer (restforce issue 905)
            let told = if state == JobState::JobComplete { "Completed" } else { state.name() };
            let message = format!("Aborting already {told} Job not allowed");
            return Err(ApiError::bad("INVALIDJOBSTATE", message));
        }
        *self.work.lock().unwrap_or_else(PoisonError::into_inner) = Work::Aborted { at: now };
        Ok(())
    }

    /// What creation and a change answer.
    pub(super) fn short_info(&self) -> Json {
        let new = &self.new;
        json!({
            "id": self.id.to_string(),
            "operation": if new.with_deleted { "queryAll" } else { "query" },
            "object": new.plan.described().name,
            "createdById": new.user,
            "createdDate": rest_datetime(self.created_at),
            "systemModstamp": rest_datetime(self.changed_at()),
            "state": self.told_state().name(),
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": version_number(&new.version),
            "lineEnding": new.format.ending_name(),
            "columnDelimiter": new.format.delimiter_name(),
        })
    }

    /// What a list of jobs has of it.
    pub(super) fn listed(&self) -> Json {
        let mut info = self.short_info();
        info["jobType"] = json!("V2Query");
        info
    }

    /// What asking for it answers.
    pub(super) fn info(&self) -> Json {
        let mut info = self.listed();
        let state = self.told_state();
        let is_counted = !self.new.facts.late_count || self.created.elapsed() >= self.new.takes * 2;
        let (rows, took, message) = match &*self.work.lock().unwrap_or_else(PoisonError::into_inner) {
            Work::Done { cursor, took } if state == JobState::JobComplete && is_counted => {
                (cursor.total(), took.as_millis() as u64, None)
            }
            Work::Failed(message) if state == JobState::Failed => {
                (0, self.new.takes.as_millis() as u64, Some(message.clone()))
            }
            _ => (0, 0, None),
        };
        info["numberRecordsProcessed"] = json!(rows);
        info["retries"] = json!(0);
        info["totalProcessingTime"] = json!(took);
        info["isPkChunkingSupported"] = json!(!self.new.plan.is_ordered_or_cut());
        if let Some(message) = message {
            info["errorMessage"] = json!(message);
        }
        info
    }

    /// When its state last changed.
    fn changed_at(&self) -> i64 {
        if let Work::Aborted { at } = &*self.work.lock().unwrap_or_else(PoisonError::into_inner) {
            return *at;
        }
        let takes = i64::try_from(self.new.takes.as_millis()).unwrap_or(i64::MAX);
        match self.told_state() {
            JobState::UploadComplete => self.created_at,
            JobState::InProgress => self.created_at.saturating_add(takes / 3),
            _ => self.created_at.saturating_add(takes),
        }
    }
}

/// `62.0` as a number that keeps its point.
pub(crate) fn version_number(version: &str) -> Option<Number> {
    version.parse::<f64>().ok().and_then(Number::from_f64)
}
