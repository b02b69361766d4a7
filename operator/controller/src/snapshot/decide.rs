//! What a run does next, from what was read. Pure: the state machine of a Snapshot.
//!
//! Pending → InProgress → Succeeded, PartiallySucceeded, Failed or Canceled, from which nothing leads away.

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;
use orgkeep_api::names;
use orgkeep_api::run_status::ProgressStatus;
use orgkeep_api::snapshot::RunStatus;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{self, Phase};
use xxhash_rust::xxh3::xxh3_64;

use super::ending;
use super::model::{Act, Decision, Observed};
use super::progress;
use super::status::{self, Says};
use crate::salesforce_backup::{is_from_catalog, phase_of};
use crate::shared::observe::WorkerState;
use crate::shared::time::{parse, rfc3339, seconds_between};
use crate::shared::{Error, Outcome};

/// Jobs that follow each other in one run; a name has room for one digit.
pub const MOST_ATTEMPTS: i32 = 9;
/// How often a worker is asked.
const POLL_SECONDS: u64 = 3;
/// How often what is waited for is looked at, besides when it changes.
const WAIT_SECONDS: u64 = 30;
/// Pause before the next Job of a run that stopped; doubled with each.
const STOPPED_PAUSE: i64 = 10;
/// The same where the org has to be left alone for a while.
const ALLOWANCE_PAUSE: i64 = 900;
/// Longest pause.
const LONGEST_PAUSE: i64 = 3600;
/// Pods that do not end after a cancel are given up.
const CANCEL_SECONDS: u64 = 600;

/// Decides.
pub fn decide(o: &Observed) -> Decision {
    let old = o.old();
    if is_from_catalog(&o.snapshot) {
        return Decision { status: old, act: Act::Nothing, outcome: Outcome::Done };
    }
    if phase_of(&o.snapshot).is_some_and(Phase::is_terminal) {
        return ending::ended(o);
    }
    match &old.run {
        None => pending(o),
        Some(run) => at_work(o, run),
    }
}

fn pending(o: &Observed) -> Decision {
    if o.snapshot.spec.cancel {
        return ending::canceled(o, "canceled before it began");
    }
    if let Err(blocked) = o.ready() {
        let outcome = if blocked.reason.is_configuration() {
            Outcome::Blocked
        } else {
            Outcome::wait_seconds(WAIT_SECONDS)
        };
        let status = status::waiting(o, Phase::Pending, &Says::blocked(&blocked));
        return Decision { status, act: Act::Nothing, outcome };
    }
    if let Some(other) = &o.ahead {
        let says = Says::new(Reason::LineBusy, format!("Snapshot {other} of the same backup goes first"));
        return wait(o, &says, WAIT_SECONDS);
    }
    start(o, run_id(o), 1, 0)
}

/// Unique by the object, readable by its time; the same whenever it is asked for.
fn run_id(o: &Observed) -> String {
    let uid = xxh3_64(o.owner.uid.as_bytes());
    let made = o.snapshot.creation_timestamp().map_or(o.now, |time| time.0);
    format!("{}-{uid:016x}", made.strftime("%Y%m%d-%H%M%S"))
}

/// Names the Job that is to be made; `calls` is what those before it told.
fn start(o: &Observed, id: String, attempt: i32, calls: u64) -> Decision {
    let job_name = names::run_job(&o.snapshot.name_any(), attempt);
    let says = Says::new(Reason::Pending, format!("Job {job_name} is made"));
    let phase = status::phase(o).unwrap_or(Phase::Pending);
    let mut status = status::waiting(o, phase, &says);
    status.start_time.get_or_insert_with(|| rfc3339(o.now));
    status.run =
        Some(RunStatus { id, job_name, job_uid: String::new(), attempt, started_at: rfc3339(o.now) });
    status.api_calls = ending::calls(status.api_calls, calls);
    Decision { status, act: Act::Start, outcome: Outcome::wait_seconds(POLL_SECONDS) }
}

fn wait(o: &Observed, says: &Says, seconds: u64) -> Decision {
    let phase = status::phase(o).unwrap_or(Phase::Pending);
    let status = status::waiting(o, phase, says);
    Decision { status, act: Act::Nothing, outcome: Outcome::wait_seconds(seconds) }
}

fn at_work(o: &Observed, run: &RunStatus) -> Decision {
    let cancel = o.snapshot.spec.cancel;
    match &o.worker.state {
        WorkerState::Absent => absent(o, run),
        WorkerState::Waiting { .. } | WorkerState::Running { .. } if cancel => {
            let says = Says::new(Reason::Canceled, "asked to stop; the worker ends".to_owned());
            Decision { act: Act::Suspend, ..noted(o, wait(o, &says, POLL_SECONDS)) }
        }
        WorkerState::Waiting { reason, message, since } => {
            let late = seconds_between(last_sign(o, run, *since), o.now) >= o.start_deadline();
            if late {
                ending::failed(o, Reason::WorkerNotStarting, message)
            } else {
                // Its pod may still come: nothing has failed yet.
                let says = Says::new(Reason::Pending, format!("{reason}: {message}"));
                noted(o, wait(o, &says, POLL_SECONDS))
            }
        }
        WorkerState::Running { .. } => running(o),
        WorkerState::Suspended { pods } => suspended(o, *pods),
        // What holds it up passes by itself, later than a Job's own patience.
        WorkerState::Finished { outcome, at }
            if outcome.phase == Phase::Failed
                && matches!(outcome.reason, Reason::AllowanceReached | Reason::LineBusy) =>
        {
            stopped(o, run, Some(outcome.as_ref()), *at)
        }
        WorkerState::Finished { outcome, at } => ending::finished(o, outcome, *at),
        WorkerState::Stopped { outcome, at } => stopped(o, run, outcome.as_deref(), *at),
        WorkerState::OutOfMemory { message, .. } => ending::failed(o, Reason::WorkerOutOfMemory, message),
        // Kubernetes killed it at the deadline before it could say a word; its journal is kept all the same.
        WorkerState::Lost { at, .. } if o.worker.past_deadline => stopped(o, run, None, *at),
        WorkerState::Lost { message, .. } => lost(o, message),
    }
}

/// Puts the Job's uid down if the pass that made it did not come to.
fn noted(o: &Observed, mut decision: Decision) -> Decision {
    if let (Some(run), Some(uid)) = (&mut decision.status.run, &o.worker.uid) {
        run.job_uid.clone_from(uid);
    }
    decision
}

fn absent(o: &Observed, run: &RunStatus) -> Decision {
    let started = parse(&run.started_at).unwrap_or(o.now);
    let fresh = seconds_between(started, o.now) < o.start_deadline();
    if !run.job_uid.is_empty() || !fresh {
        return lost(o, &format!("Job {} is gone", run.job_name));
    }
    // Named in the status and not made yet: the operator was killed in between.
    if o.snapshot.spec.cancel {
        return ending::canceled(o, "canceled before its worker was made");
    }
    if let Err(blocked) = o.resolved() {
        return wait(o, &Says::blocked(&blocked), WAIT_SECONDS);
    }
    let says = Says::new(Reason::Pending, format!("Job {} is made", run.job_name));
    Decision { act: Act::Start, ..wait(o, &says, POLL_SECONDS) }
}

/// The last time that something was heard of this Job: a pod that is made again has its own time to start.
fn last_sign(o: &Observed, run: &RunStatus, since: Option<Timestamp>) -> Timestamp {
    let progress = o.snapshot.status.as_ref().and_then(|status| status.progress.as_ref());
    let told = progress.and_then(|progress| parse(&progress.updated_at)).filter(|told| *told <= o.now);
    let known = [parse(&run.started_at), since, o.worker.pods_changed, told];
    known.into_iter().flatten().max().unwrap_or(o.now)
}

fn running(o: &Observed) -> Decision {
    let says = Says::new(Reason::Running, "a worker is at work".to_owned());
    let mut status = status::waiting(o, Phase::InProgress, &says);
    let old = status.progress.take();
    let new = o.progress.as_ref().map(ProgressStatus::from);
    status.progress = progress::next(old, new);
    let decision = Decision { status, act: Act::Nothing, outcome: Outcome::wait_seconds(POLL_SECONDS) };
    noted(o, decision)
}

fn suspended(o: &Observed, pods: usize) -> Decision {
    if !o.snapshot.spec.cancel {
        let says = Says::new(Reason::Pending, "the Job is suspended by somebody else".to_owned());
        return noted(o, wait(o, &says, WAIT_SECONDS));
    }
    let given_up =
        o.worker.suspended_since.is_some_and(|since| seconds_between(since, o.now) > CANCEL_SECONDS);
    match pods {
        0 => ending::canceled(o, "canceled; the worker has ended"),
        _ if given_up => ending::canceled(o, "canceled; its pod does not answer and is deleted"),
        _ => {
            let says = Says::new(Reason::Canceled, "asked to stop; the worker ends".to_owned());
            wait(o, &says, POLL_SECONDS)
        }
    }
}

/// Stopped with its journal kept: the next Job of the same run goes on, so many times.
fn stopped(o: &Observed, run: &RunStatus, word: Option<&run::Outcome>, at: Option<Timestamp>) -> Decision {
    if o.snapshot.spec.cancel {
        return ending::canceled(o, "canceled; the worker has ended");
    }
    let reason = match word.map(|word| word.reason) {
        Some(reason) if reason != Reason::Stopped => reason,
        _ => Reason::DeadlineExceeded,
    };
    let said = word.map_or("the worker was ended at its deadline", |word| word.message.as_str());
    if run.attempt >= MOST_ATTEMPTS {
        let message = format!("{MOST_ATTEMPTS} workers in a row were stopped; the last: {said}");
        return ending::failed(o, reason, &message);
    }
    let base = if reason == Reason::AllowanceReached { ALLOWANCE_PAUSE } else { STOPPED_PAUSE };
    let doubled = base << u32::try_from(run.attempt - 1).unwrap_or(0).min(16);
    let begin = at
        .or_else(|| parse(&run.started_at))
        .and_then(|at| at.checked_add(SignedDuration::from_secs(doubled.min(LONGEST_PAUSE))).ok())
        .unwrap_or(o.now);
    if begin <= o.now && o.resolved().is_ok() {
        return start(o, run.id.clone(), run.attempt + 1, word.map_or(0, |word| word.api_calls));
    }
    let says = Says::new(reason, format!("{said}; the next worker goes on from its journal"));
    wait(o, &says, seconds_between(o.now, begin).clamp(1, WAIT_SECONDS * 2))
}

/// The worker left no word: its record in the vault may have it.
fn lost(o: &Observed, message: &str) -> Decision {
    match &o.record {
        WorkerState::Absent if o.resolved().is_ok() => {
            let says = Says::new(Reason::WorkerLost, format!("{message}; the run's record is read"));
            Decision { act: Act::ReadRecord, ..wait(o, &says, POLL_SECONDS) }
        }
        WorkerState::Absent => ending::vanished(o, message, "its vault is not there any more"),
        WorkerState::Waiting { since, .. }
            if since.is_none_or(|since| seconds_between(since, o.now) < o.start_deadline()) =>
        {
            let says = Says::new(Reason::WorkerLost, format!("{message}; the run's record is read"));
            wait(o, &says, POLL_SECONDS)
        }
        WorkerState::Running { .. } => {
            let says = Says::new(Reason::WorkerLost, format!("{message}; the run's record is read"));
            wait(o, &says, POLL_SECONDS)
        }
        WorkerState::Finished { outcome, at } => ending::recorded(o, message, outcome, *at),
        WorkerState::Waiting { message: why, .. }
        | WorkerState::OutOfMemory { message: why, .. }
        | WorkerState::Lost { message: why, .. } => {
            ending::vanished(o, message, &format!("its record could not be read: {why}"))
        }
        WorkerState::Stopped { .. } | WorkerState::Suspended { .. } => {
            ending::vanished(o, message, "its record could not be read: the Job for it was stopped")
        }
    }
}

/// What follows when the API server refused to make a Job; `None` where that is to be tried again as an error.
pub fn refused(o: &Observed, decided: &Decision, error: &Error) -> Option<Decision> {
    let message = error.refused()?;
    match decided.act {
        Act::ReadRecord => Some(ending::vanished(
            o,
            "the worker vanished",
            &format!("the Job that reads its record was refused: {message}"),
        )),
        Act::Start => {
            let run = decided.status.run.as_ref();
            let started = run.and_then(|run| parse(&run.started_at)).unwrap_or(o.now);
            if seconds_between(started, o.now) + WAIT_SECONDS >= o.start_deadline() {
                return Some(ending::failed(o, Reason::WorkerNotStarting, &message));
            }
            let says = Says::new(Reason::WorkerNotStarting, format!("the Job was refused: {message}"));
            let mut status = decided.status.clone();
            status.conditions = status::conditions(o, &says);
            Some(Decision { status, act: Act::Nothing, outcome: Outcome::wait_seconds(WAIT_SECONDS) })
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "decide_tests.rs"]
pub(crate) mod tests;
