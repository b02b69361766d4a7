//! One ingest job: what it is, where it stands, and what is told of it.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::Instant;

use crate::bulk::csv::Format;
use crate::bulk::facts::Facts;
use crate::bulk::load::{BATCH, Layout, Load, Operation, Outcomes, Source};
use crate::bulk::version_number;
use crate::faults::JobFault;
use crate::value::Id;
use crate::value::calendar::rest_datetime;
use crate::web::{ApiError, Spooled};

/// What a job is made of.
#[derive(Debug)]
pub(super) struct NewIngest {
    pub(super) load: Load,
    pub(super) format: Format,
    /// Id of the user.
    pub(super) user: String,
    pub(super) version: String,
    /// The least time from the end of its upload to its own.
    pub(super) takes: Duration,
    pub(super) facts: Facts,
}

/// One ingest job.
#[derive(Debug)]
pub(crate) struct IngestJob {
    pub(super) id: Id,
    pub(super) load: Load,
    pub(super) format: Format,
    pub(super) facts: Facts,
    pub(super) created_at: i64,
    user: String,
    version: String,
    takes: Duration,
    stage: Mutex<Stage>,
    /// No more rows are to be written.
    stop: AtomicBool,
    processed: AtomicU64,
    failed: AtomicU64,
    busy_ms: AtomicU64,
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    Complete,
    Failed(String),
    Aborted,
}

/// One batch: its rows, and what became of them.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) rows: Range<usize>,
    pub(super) outcomes: Mutex<Outcomes>,
}

#[derive(Debug, Default)]
struct Stage {
    file: Option<Arc<Spooled>>,
    /// Several files were uploaded.
    doubled: bool,
    started: Option<(Instant, i64)>,
    ended: Option<(End, Instant, i64)>,
    work: Option<Arc<Work>>,
    fault: Option<JobFault>,
}

/// What is being worked on.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) source: Source,
    pub(super) batches: Vec<Batch>,
}

/// What a job that has ended came to: its work, or the file that could not be worked on.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) work: Option<Arc<Work>>,
    pub(super) file: Option<Arc<Spooled>>,
}

impl Work {
    pub(super) fn new(source: Source) -> Self {
        let rows = source.scanned.rows();
        let batch = |from: usize| Batch { rows: from..(from + BATCH).min(rows), outcomes: Mutex::default() };
        Self { batches: (0..rows).step_by(BATCH).map(batch).collect(), source }
    }
}

impl IngestJob {
    pub(super) fn new(id: Id, new: NewIngest, created_at: i64) -> Self {
        let NewIngest { load, format, user, version, takes, facts } = new;
        Self {
            id,
            load,
            format,
            facts,
            created_at,
            user,
            version,
            takes,
            stage: Mutex::default(),
            stop: AtomicBool::new(false),
            processed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            busy_ms: AtomicU64::new(0),
        }
    }

    fn locked(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How its file has to be laid out.
    pub(super) fn layout(&self) -> Layout {
        Layout {
            delimiter: self.format.delimiter(),
            crlf: Some(self.format.is_crlf()),
            free_values: !self.facts.ingest_breaks_refused,
        }
    }

    /// Takes its file.
    pub(super) fn fill(&self, file: Arc<Spooled>) -> Result<(), ApiError> {
        let mut stage = self.locked();
        if stage.started.is_some() || stage.ended.is_some() {
            let state = self.state(&stage, Duration::ZERO);
            let message = format!("Job is in state {state}; only an Open one takes data");
            return Err(ApiError::bad("INVALIDJOBSTATE", message));
        }
        if stage.file.is_some() {
            if !self.facts.ingest_second_upload_taken {
                return Err(self.several_contents());
            }
            stage.doubled = true;
        }
        stage.file = Some(file);
        Ok(())
    }

    /// The words of a recorded answer (salesforce.stackexchange.com, question 231917).
    fn several_contents(&self) -> ApiError {
        let message = format!(
            "Found multiple contents for job: <{}>, please 'Close' / 'Abort' / 'Delete' the current Job then create a \
             new Job and make sure you only do 'PUT' once on a given Job.",
            &self.id.to_string()[..15]
        );
        ApiError::bad("INVALIDJOB", message)
    }

    /// Ends its upload; whether its rows are to be written now.
    pub(super) fn close(&self, now: i64) -> Result<bool, ApiError> {
        let mut stage = self.locked();
        if stage.started.is_some() || stage.ended.is_some() {
            if self.facts.ingest_closes_again && !matches!(stage.ended, Some((End::Aborted, ..))) {
                return Ok(false);
            }
            return Err(self.not_again(&stage, "Closing"));
        }
        if stage.doubled {
            return Err(self.several_contents());
        }
        stage.started = Some((Instant::now(), now));
        Ok(true)
    }

    /// Ends it; rows that were written stay.
    pub(super) fn abort(&self, now: i64) -> Result<(), ApiError> {
        let mut stage = self.locked();
        let is_told_to_end = stage.ended.is_some() && self.state(&stage, Duration::ZERO).ends();
        if is_told_to_end {
            return Err(self.not_again(&stage, "Aborting"));
        }
        self.stop.store(true, Ordering::Release);
        stage.ended = Some((End::Aborted, Instant::now(), now));
        Ok(())
    }

    fn not_again(&self, stage: &Stage, what: &str) -> ApiError {
        let state = self.state(stage, Duration::ZERO);
        // the words of recorded answers
        let told = if state == Told::JobComplete { "Completed".to_owned() } else { state.to_string() };
        ApiError::bad("INVALIDJOBSTATE", format!("{what} already {told} Job not allowed"))
    }

    /// What the fault plan has for it.
    pub(super) fn befall(&self, fault: &JobFault, now: i64) {
        let mut stage = self.locked();
        if let (JobFault::Fail(message), true) = (fault, stage.started.is_some()) {
            self.stop.store(true, Ordering::Release);
            stage.ended = Some((End::Failed(message.clone()), Instant::now(), now));
        }
        stage.fault = Some(fault.clone());
    }

    /// The file and the fault with which its work begins.
    pub(super) fn begin(&self) -> (Option<Arc<Spooled>>, Option<JobFault>) {
        let stage = self.locked();
        (stage.file.clone(), stage.fault.clone())
    }

    /// Tells what is being worked on.
    pub(super) fn set_work(&self, work: Arc<Work>) {
        self.locked().work = Some(work);
    }

    /// What there is for results.
    pub(super) fn results(&self) -> Result<Made, ApiError> {
        let stage = self.locked();
        let state = self.state(&stage, Duration::ZERO);
        if !state.ends() {
            let message = format!("Results can only be read of a job that has ended; this one is {state}");
            return Err(ApiError::bad("INVALIDJOBSTATE", message));
        }
        Ok(Made { work: stage.work.clone(), file: stage.file.clone() })
    }

    /// Notes its end, unless it has one.
    pub(super) fn end(&self, end: End) {
        let mut stage = self.locked();
        let now = self.load.org.clock.now_ms();
        stage.ended.get_or_insert_with(|| (end, Instant::now(), now));
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Acquire)
    }

    /// Counts rows that were processed, and the time that it took.
    pub(super) fn count(&self, processed: usize, failed: usize, took: Duration) {
        self.processed.fetch_add(processed as u64, Ordering::Relaxed);
        self.failed.fetch_add(failed as u64, Ordering::Relaxed);
        self.busy_ms.fetch_add(took.as_millis() as u64, Ordering::Relaxed);
    }

    fn state(&self, stage: &Stage, lag: Duration) -> Told {
        if let Some((End::Aborted, ..)) = &stage.ended {
            return Told::Aborted;
        }
        let Some((started, _)) = stage.started else { return Told::Open };
        let age = started.elapsed().saturating_sub(lag);
        let is_stalled = matches!(stage.fault, Some(JobFault::Hang | JobFault::Stall));
        match &stage.ended {
            Some((End::Complete, at, _)) if age >= self.takes && at.elapsed() >= lag && !is_stalled => {
                Told::JobComplete
            }
            Some((End::Failed(_), at, _)) if age >= self.takes && at.elapsed() >= lag => Told::Failed,
            _ if age * 3 < self.takes => Told::UploadComplete,
            _ => Told::InProgress,
        }
    }

    fn lag(&self) -> Duration {
        if self.facts.late_state { self.takes } else { Duration::ZERO }
    }

    /// Whether it may be deleted (the guide, "Delete a Job").
    pub(super) fn is_deletable(&self) -> bool {
        let state = self.state(&self.locked(), Duration::ZERO);
        state.ends() || state == Told::UploadComplete
    }

    /// What creation and a change answer.
    pub(super) fn short_info(&self) -> Json {
        self.told(&self.locked(), false)
    }

    /// What a list of jobs has of it.
    pub(super) fn listed(&self) -> Json {
        self.told(&self.locked(), true)
    }

    fn told(&self, stage: &Stage, with_type: bool) -> Json {
        let state = self.state(stage, self.lag());
        let changed = match (&stage.ended, &stage.started) {
            (Some((_, _, at)), _) if state.ends() => *at,
            (_, Some((_, at))) => *at,
            _ => self.created_at,
        };
        let mut info = json!({
            "id": self.id.to_string(),
            "operation": self.load.operation.name(),
            "object": self.load.object,
            "createdById": self.user,
            "createdDate": rest_datetime(self.created_at),
            "systemModstamp": rest_datetime(changed),
            "state": state.to_string(),
        });
        if let Some(key) = self.load.key.as_ref().filter(|_| self.load.operation == Operation::Upsert) {
            info["externalIdFieldName"] = json!(key);
        }
        info["concurrencyMode"] = json!("Parallel");
        info["contentType"] = json!("CSV");
        info["apiVersion"] = json!(version_number(&self.version));
        if let Some(rule) = self.load.assignment {
            info["assignmentRuleId"] = json!(rule.to_string());
        }
        if with_type {
            info["jobType"] = json!("V2Ingest");
        }
        if state == Told::Open {
            info["contentUrl"] =
                json!(format!("services/data/v{}/jobs/ingest/{}/batches", self.version, self.id));
        }
        info["lineEnding"] = json!(self.format.ending_name());
        info["columnDelimiter"] = json!(self.format.delimiter_name());
        info
    }

    /// What asking for it answers.
    pub(super) fn info(&self) -> Json {
        let stage = self.locked();
        let mut info = self.told(&stage, true);
        let state = self.state(&stage, self.lag());
        let count = |counted: &AtomicU64| counted.load(Ordering::Relaxed);
        if state != Told::Open {
            info["numberRecordsProcessed"] = json!(count(&self.processed));
            info["numberRecordsFailed"] = json!(count(&self.failed));
        }
        info["retries"] = json!(0);
        let took = match (&stage.ended, &stage.started) {
            (Some((_, ended, _)), Some((started, _))) if state.ends() => {
                ended.duration_since(*started).max(self.takes).as_millis() as u64
            }
            _ => 0,
        };
        info["totalProcessingTime"] = json!(took);
        info["apiActiveProcessingTime"] = json!(count(&self.busy_ms).min(took));
        info["apexProcessingTime"] = json!(0);
        if let (Told::Failed, Some((End::Failed(message), ..))) = (state, &stage.ended) {
            info["errorMessage"] = json!(message);
        }
        info
    }
}

/// States as the API names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Open,
    UploadComplete,
    InProgress,
    JobComplete,
    Failed,
    Aborted,
}

impl Told {
    fn ends(self) -> bool {
        matches!(self, Self::JobComplete | Self::Failed | Self::Aborted)
    }
}

impl std::fmt::Display for Told {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, out)
    }
}
