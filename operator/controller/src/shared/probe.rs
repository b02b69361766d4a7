//! When a standing object is probed, and what a probe's end means; pure. Shared by connections and vaults.
//!
//! A probe is a Job with a fixed name, so that there is never more than one. It is made when nothing is known,
//! when the spec changed, when the interval is over, and after a failure with a wait that doubles: a cause that
//! goes away (a Secret that appears) is noticed without a change to the object, and never by a storm of Jobs.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use orgkeep_api::labels;
use orgkeep_api::run_status::ProbeStatus;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome as Word, Phase};

use super::observe::WorkerState;
use super::time::{parse, rfc3339};

/// `activeDeadlineSeconds` of a probe.
pub const DEADLINE_SECONDS: u32 = 300;
/// A pod that has not started by then is given up, seconds.
const START_SECONDS: i64 = 180;
/// Kubernetes removes a probe that we forgot, seconds.
pub const TTL_SECONDS: i32 = 600;
/// Pods that may be lost before a probe fails.
pub const BACKOFF_LIMIT: i32 = 1;
/// Wait after the first failure, seconds.
const FIRST_WAIT: i64 = 20;
/// Longest wait after failures, seconds.
const LONGEST_WAIT: i64 = 300;

/// What is known when it is decided.
#[derive(Debug, Clone)]
pub struct View<'a> {
    /// `metadata.generation` of the object.
    pub generation: i64,
    /// Its uid: spreads the probes of many objects.
    pub uid: &'a str,
    /// The book-keeping in its status.
    pub status: Option<&'a ProbeStatus>,
    /// Seconds between two probes that went well.
    pub interval: i64,
    /// When something happened that a probe would see: after a good one, the next is made at once.
    pub news: Option<Timestamp>,
    /// The probe's Job.
    pub worker: &'a WorkerState,
    /// The generation that the Job looks at.
    pub looks_at: Option<i64>,
    /// Now.
    pub now: Timestamp,
}

/// What to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Make the Job.
    Start,
    /// The Job looks at an older spec: delete it and come back.
    Discard,
    /// It is at work.
    Watch {
        /// Why it does not run, if it does not.
        waiting: Option<(Reason, String)>,
    },
    /// It ended: write this into the status, then delete the Job.
    Conclude {
        /// What it said, or what its silence means.
        word: Box<Word>,
        /// The new book-keeping.
        status: ProbeStatus,
    },
    /// Its end is in the status already: delete the Job.
    Clear,
    /// The next one is due then.
    Idle {
        /// Seconds.
        seconds: u64,
    },
}

/// Decides.
pub fn decide(view: &View<'_>) -> Step {
    let current = view.looks_at == Some(view.generation);
    match view.worker {
        WorkerState::Absent => idle_or_start(view),
        _ if !current => Step::Discard,
        WorkerState::Suspended { .. } => Step::Discard,
        WorkerState::Running { .. } => Step::Watch { waiting: None },
        WorkerState::Waiting { reason, message, since } => {
            let late = since.is_some_and(|since| age(since, view.now) > START_SECONDS);
            if late {
                let word = Word::new(Phase::Failed, Reason::WorkerNotStarting, starting(message));
                return conclude(view, word, view.now);
            }
            Step::Watch { waiting: Some((*reason, message.clone())) }
        }
        ended => {
            let at = ended.ended_at().unwrap_or(view.now);
            let known = view.status.and_then(|status| parse(&status.finished_at));
            let same = view.status.is_some_and(|status| status.observed_generation == view.generation);
            if same && known.is_some_and(|known| known.as_second() >= at.as_second()) {
                return Step::Clear;
            }
            conclude(view, word_of(ended), at)
        }
    }
}

/// What the end of a worker means where it left no word.
pub fn word_of(worker: &WorkerState) -> Word {
    let failed = |reason: Reason, message: &str| {
        Word::new(Phase::Failed, reason, format!("{message}; {}", reason.advice()))
    };
    match worker {
        WorkerState::Finished { outcome, .. } => outcome.as_ref().clone(),
        WorkerState::Stopped { .. } => {
            failed(Reason::Stopped, "the probe was stopped before it knew anything")
        }
        WorkerState::OutOfMemory { message, .. } => failed(Reason::WorkerOutOfMemory, message),
        WorkerState::Lost { message, .. } => failed(Reason::WorkerLost, message),
        _ => failed(Reason::InternalError, "the probe has not ended"),
    }
}

fn starting(message: &str) -> String {
    format!("the probe's pod has not started: {message}; {}", Reason::WorkerNotStarting.advice())
}

fn conclude(view: &View<'_>, word: Word, at: Timestamp) -> Step {
    let good = word.phase == Phase::Succeeded;
    let before = view.status.map_or(0, |status| status.failures_in_row);
    let status = ProbeStatus {
        observed_generation: view.generation,
        finished_at: rfc3339(at),
        failures_in_row: if good { 0 } else { before.saturating_add(1) },
    };
    Step::Conclude { word: Box::new(word), status }
}

/// The end of a probe whose Job the API server refused to make.
pub fn refused(generation: i64, before: Option<&ProbeStatus>, message: &str, now: Timestamp) -> Step {
    let reason = Reason::WorkerNotStarting;
    let text = format!("the probe's Job was refused: {message}; {}", reason.advice());
    let status = ProbeStatus {
        observed_generation: generation,
        finished_at: rfc3339(now),
        failures_in_row: before.map_or(0, |before| before.failures_in_row).saturating_add(1),
    };
    Step::Conclude { word: Box::new(Word::new(Phase::Failed, reason, text)), status }
}

fn idle_or_start(view: &View<'_>) -> Step {
    let Some(status) = view.status.filter(|status| status.observed_generation == view.generation) else {
        return Step::Start;
    };
    let Some(finished) = parse(&status.finished_at) else { return Step::Start };
    let news = view.news.is_some_and(|news| news > finished && news <= view.now);
    if news && status.failures_in_row == 0 {
        return Step::Start;
    }
    let left = wait(view.uid, status.failures_in_row, view.interval) - age(finished, view.now);
    match u64::try_from(left) {
        Ok(seconds) if seconds > 0 => Step::Idle { seconds },
        _ => Step::Start,
    }
}

/// Seconds until the next probe, from the end of the last.
pub fn wait(uid: &str, failures: i32, interval: i64) -> i64 {
    if failures <= 0 {
        return interval;
    }
    let doubled = FIRST_WAIT << u32::try_from(failures - 1).unwrap_or(0).min(10);
    let base = doubled.min(LONGEST_WAIT).min(interval.max(FIRST_WAIT));
    base + spread(uid, failures, base / 4)
}

/// A number in 0..=`most` that is the same whenever it is asked for.
fn spread(uid: &str, failures: i32, most: i64) -> i64 {
    let mut hasher = DefaultHasher::new();
    (uid, failures).hash(&mut hasher);
    i64::try_from(hasher.finish() % (u64::try_from(most).unwrap_or(0) + 1)).unwrap_or(0)
}

fn age(since: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(since).max(SignedDuration::ZERO).as_secs()
}

/// The annotation by which a Job says which spec it looks at.
pub fn annotations(generation: i64) -> BTreeMap<String, String> {
    BTreeMap::from([(labels::GENERATION.to_owned(), generation.to_string())])
}

/// Reads it back.
pub fn looks_at(job: &Job) -> Option<i64> {
    job.annotations().get(labels::GENERATION)?.parse().ok()
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
