//! What a run does next, from what was read. Pure: the state machine of a Snapshot.
//!
//! Pending → InProgress → Succeeded, PartiallySucceeded, Failed or Canceled, from which nothing leads away.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use orgkeep_api::run_status::ProgressStatus;
use orgkeep_api::snapshot::{RunStatus, SnapshotStatus};
use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot, names};
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{self, Phase, Progress};
use xxhash_rust::xxh3::xxh3_64;

use super::ending;
use super::progress;
use super::status::{self, Says};
use crate::salesforce_backup::reference::{self, Blocked, Found};
use crate::salesforce_backup::{is_from_catalog, phase_of};
use crate::shared::observe::{WorkerState, observe};
use crate::shared::time::{parse, rfc3339, seconds_between};
use crate::shared::worker_pod::Owner;
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

/// What was read.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The time.
    pub now: Timestamp,
    /// The Snapshot.
    pub snapshot: Snapshot,
    /// What its Jobs belong to.
    pub owner: Owner,
    /// What it refers to.
    pub references: References,
    /// The Snapshot that has to end first; only looked for before a run.
    pub ahead: Option<String>,
    /// The Job that the status names.
    pub worker: Worker,
    /// The Job that reads a lost run's record.
    pub record: WorkerState,
    /// What the worker said.
    pub progress: Option<Progress>,
}

/// What a run needs.
#[derive(Debug, Clone)]
pub struct References {
    /// The backup.
    pub backup: Found<SalesforceBackup>,
    /// Its connection.
    pub connection: Found<SalesforceConnection>,
    /// Its vault.
    pub vault: Found<BackupVault>,
}

impl Default for References {
    fn default() -> Self {
        Self { backup: Found::Missing, connection: Found::Missing, vault: Found::Missing }
    }
}

/// All of what a run needs.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// The backup.
    pub backup: &'a SalesforceBackup,
    /// Its connection.
    pub connection: &'a SalesforceConnection,
    /// Its vault.
    pub vault: &'a BackupVault,
}

/// The Job that the status names.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// What has become of it.
    pub state: WorkerState,
    /// Whether Kubernetes ended it at `activeDeadlineSeconds`.
    pub past_deadline: bool,
    /// Since when it is suspended.
    pub suspended_since: Option<Timestamp>,
    /// When the newest of its pods was made or ended.
    pub pods_changed: Option<Timestamp>,
    /// Its uid.
    pub uid: Option<String>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            state: WorkerState::Absent,
            past_deadline: false,
            suspended_since: None,
            pods_changed: None,
            uid: None,
        }
    }
}

impl Worker {
    /// Reads it.
    pub fn read(job: Option<&Job>, pods: &[Pod]) -> Self {
        let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref());
        let find = |type_: &str| {
            conditions.and_then(|all| all.iter().find(|one| one.type_ == type_ && one.status == "True"))
        };
        Self {
            state: observe(job, pods),
            past_deadline: find("Failed")
                .is_some_and(|end| end.reason.as_deref() == Some("DeadlineExceeded")),
            suspended_since: find("Suspended").and_then(|one| Some(one.last_transition_time.as_ref()?.0)),
            pods_changed: pods.iter().flat_map(changes).max(),
            uid: job.and_then(ResourceExt::uid),
        }
    }
}

fn changes(pod: &Pod) -> Vec<Timestamp> {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let ended = containers
        .into_iter()
        .flatten()
        .filter_map(|container| Some(container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0));
    ended.chain(pod.creation_timestamp().map(|time| time.0)).collect()
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The status; written before `act` is done.
    pub status: SnapshotStatus,
    /// What to do.
    pub act: Act,
    /// When to look again.
    pub outcome: Outcome,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Make the Job that `status.run` names.
    Start,
    /// Make the Job that reads the run's record.
    ReadRecord,
    /// Suspend the Job: its pods get SIGTERM.
    Suspend,
    /// Delete what the run does not need any more.
    CleanUp {
        /// The Job, too: it must not go on.
        job: bool,
    },
}

impl Observed {
    /// The status as it was read.
    pub fn old(&self) -> SnapshotStatus {
        self.snapshot.status.clone().unwrap_or_default()
    }

    /// What the run needs, whether it is ready or not.
    pub fn resolved(&self) -> Result<Resolved<'_>, Blocked> {
        let References { backup, connection, vault } = &self.references;
        let name = self.snapshot.spec.backup_ref.as_ref().map_or("", |backup| backup.name.as_str());
        let backup = reference::present("SalesforceBackup", name, backup)?;
        let spec = &backup.spec;
        Ok(Resolved {
            backup,
            connection: reference::present("SalesforceConnection", &spec.connection_ref.name, connection)?,
            vault: reference::present("BackupVault", &spec.vault_ref.name, vault)?,
        })
    }

    fn ready(&self) -> Result<Resolved<'_>, Blocked> {
        let resolved = self.resolved()?;
        let spec = &resolved.backup.spec;
        reference::connection(&spec.connection_ref.name, &self.references.connection)?;
        reference::vault(&spec.vault_ref.name, &self.references.vault)?;
        Ok(resolved)
    }

    /// Minutes that a pod may take to start, as seconds.
    fn start_deadline(&self) -> u64 {
        const DEFAULT_MINUTES: i32 = 15;
        let backup = self.references.backup.here();
        let minutes = backup.map_or(DEFAULT_MINUTES, |backup| backup.spec.worker.start_deadline_minutes);
        u64::try_from(minutes).unwrap_or(0) * 60
    }
}

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
