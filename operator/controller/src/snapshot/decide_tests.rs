use super::super::model::{References, Worker};
use super::*;
use crate::salesforce_backup::reference::Found;
use crate::salesforce_backup::tests_of_decide as others;
use crate::shared::conditions::find;
use crate::shared::observe::WorkerPod;
use crate::shared::testing::at;
use crate::shared::worker_pod::Owner;
use orgkeep_api::Snapshot;
use orgkeep_api::common::condition;
use orgkeep_api::snapshot::SnapshotStatus;
use orgkeep_core::run::{Counts, Failure, Outcome as Word, SnapshotFacts};
use serde_json::{Value, json};

const NOW: &str = "2026-05-01T12:00:00Z";

/// What differs between tests.
#[derive(Debug, Clone)]
pub(in crate::snapshot) struct Setup {
    pub spec: Value,
    pub phase: Option<&'static str>,
    pub run: Option<Value>,
    pub progress: Option<Value>,
    pub worker: WorkerState,
    pub record: WorkerState,
    pub ahead: Option<String>,
    pub worker_spec: Value,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            spec: json!({}),
            phase: None,
            run: None,
            progress: None,
            worker: WorkerState::Absent,
            record: WorkerState::Absent,
            ahead: None,
            worker_spec: json!({}),
        }
    }
}

pub(in crate::snapshot) fn observed(setup: Setup) -> Observed {
    let mut spec = json!({"backupRef": {"name": "acme"}});
    spec.as_object_mut().unwrap().extend(setup.spec.as_object().unwrap().clone());
    let mut status = json!({});
    for (key, value) in [
        ("phase", setup.phase.map(|phase| json!(phase))),
        ("run", setup.run.clone()),
        ("progress", setup.progress.clone()),
    ] {
        if let Some(value) = value {
            status[key] = value;
        }
    }
    let snapshot: Snapshot = serde_json::from_value(json!({
        "apiVersion": "orgkeep.dev/v1alpha1", "kind": "Snapshot",
        "metadata": {"name": "acme-1", "namespace": "n", "uid": "u1", "generation": 2,
            "creationTimestamp": "2026-05-01T11:58:59Z"},
        "spec": spec, "status": status}))
    .unwrap();
    let backup = json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "SalesforceBackup",
        "metadata": {"name": "acme", "namespace": "n", "uid": "uid-acme"},
        "spec": {"connectionRef": {"name": "org"}, "vaultRef": {"name": "main"}, "worker": setup.worker_spec}});
    let here = |value: Value| Found::Here(Box::new(serde_json::from_value(value).unwrap()));
    let uid = (setup.worker != WorkerState::Absent).then(|| "job-1".to_owned());
    Observed {
        now: at(NOW),
        owner: Owner::of(&snapshot).unwrap(),
        snapshot,
        references: References {
            backup: here(backup),
            connection: Found::Here(Box::new(serde_json::from_value(others::connection()).unwrap())),
            vault: Found::Here(Box::new(serde_json::from_value(others::vault()).unwrap())),
        },
        ahead: setup.ahead,
        worker: Worker { state: setup.worker, uid, ..Worker::default() },
        record: setup.record,
        progress: None,
    }
}

fn run(attempt: i32, uid: &str, started: &str) -> Option<Value> {
    Some(json!({"id": "run-1", "jobName": format!("acme-1-r{attempt}"), "jobUid": uid, "attempt": attempt,
        "startedAt": started}))
}

/// A run that is at work, in its first Job.
fn at_work(worker: WorkerState) -> Setup {
    Setup {
        phase: Some("InProgress"),
        run: run(1, "job-1", "2026-05-01T11:50:00Z"),
        worker,
        ..Setup::default()
    }
}

fn canceling(setup: Setup) -> Setup {
    Setup { spec: json!({"cancel": true}), ..setup }
}

fn word(phase: Phase, reason: Reason) -> Box<Word> {
    Box::new(Word::new(phase, reason, "words"))
}

fn finished(phase: Phase, reason: Reason) -> WorkerState {
    WorkerState::Finished { outcome: word(phase, reason), at: Some(at("2026-05-01T11:59:00Z")) }
}

fn stopped(reason: Option<Reason>, at_: &str) -> WorkerState {
    let outcome = reason.map(|reason| word(Phase::InProgress, reason));
    WorkerState::Stopped { outcome, at: Some(at(at_)) }
}

fn lost_state() -> WorkerState {
    WorkerState::Lost { message: "pod acme-1-r1-x vanished".into(), at: None }
}

fn waiting(reason: Reason, since: &str) -> WorkerState {
    WorkerState::Waiting { reason, message: "pod p: ErrImagePull".into(), since: Some(at(since)) }
}

fn running_state() -> WorkerState {
    WorkerState::Running { pods: vec![WorkerPod { name: "p".into(), ip: Some("10.0.0.1".into()), index: 0 }] }
}

fn ready(status: &SnapshotStatus) -> (String, String, String) {
    let found = find(&status.conditions, condition::READY).unwrap();
    (found.status.clone(), found.reason.clone(), found.message.clone())
}

#[test]
fn a_run_is_written_down_before_it_is_made() {
    let decision = decide(&observed(Setup::default()));
    assert_eq!(decision.act, Act::Start);
    let run = decision.status.run.as_ref().unwrap();
    assert_eq!((run.job_name.as_str(), run.attempt, run.job_uid.as_str()), ("acme-1-r1", 1, ""));
    assert!(run.id.starts_with("20260501-115859-"), "{}", run.id);
    assert_eq!(decision.status.phase.as_deref(), Some("Pending"), "no worker reports yet");
    assert_eq!(decision.status.start_time.as_deref(), Some(NOW));
    // The operator was killed before it made the Job: the same is made, under the same id.
    let mut again = observed(Setup::default());
    again.snapshot.status = Some(decision.status.clone());
    again.now = at("2026-05-01T12:05:00Z");
    let later = decide(&again);
    assert_eq!((later.act, &later.status), (Act::Start, &decision.status));
    // Too late for that: it may have been made, and be gone.
    again.now = at("2026-05-01T12:15:00Z");
    assert_eq!(decide(&again).act, Act::ReadRecord);
}

#[test]
fn what_is_not_ready_is_waited_for() {
    let missing = Observed {
        references: References { connection: Found::Missing, ..observed(Setup::default()).references },
        ..observed(Setup::default())
    };
    let gone = Observed { references: References::default(), ..observed(Setup::default()) };
    let mut unready = observed(Setup::default());
    if let Found::Here(vault) = &mut unready.references.vault {
        vault.status = None;
    }
    let busy = observed(Setup { ahead: Some("acme-0".into()), ..Setup::default() });
    for (o, reason, stalled, outcome) in [
        (missing, "ReferenceNotFound", true, Outcome::Blocked),
        (gone, "ReferenceNotFound", true, Outcome::Blocked),
        (unready, "ReferenceNotReady", false, Outcome::wait_seconds(30)),
        (busy, "LineBusy", false, Outcome::wait_seconds(30)),
    ] {
        let decision = decide(&o);
        assert_eq!((decision.act, decision.outcome), (Act::Nothing, outcome), "{reason}");
        assert_eq!(decision.status.phase.as_deref(), Some("Pending"));
        assert_eq!(ready(&decision.status).1, reason);
        assert_eq!(find(&decision.status.conditions, condition::STALLED).is_some(), stalled);
        assert_eq!(decision.status.run, None);
    }
}

/// Phase, `Ready`'s reason, what is done.
type Want = (&'static str, &'static str, Act);

#[test]
fn row_by_row() {
    const GONE: Act = Act::CleanUp { job: false };
    const KILL: Act = Act::CleanUp { job: true };
    let early = |worker| Setup { phase: Some("Pending"), ..at_work(worker) };
    let suspended = |pods| WorkerState::Suspended { pods };
    let rows: Vec<(&str, Setup, Want)> = vec![
        (
            "a pod starts",
            early(waiting(Reason::Pending, "2026-05-01T11:50:00Z")),
            ("Pending", "Pending", Act::Nothing),
        ),
        (
            "a pod cannot start, and may yet",
            early(waiting(Reason::WorkerNotStarting, "2026-05-01T11:50:00Z")),
            ("Pending", "Pending", Act::Nothing),
        ),
        (
            "a pod has not started in time",
            Setup {
                run: run(1, "job-1", "2026-05-01T11:45:00Z"),
                ..early(waiting(Reason::Pending, "2026-05-01T11:45:00Z"))
            },
            ("Failed", "WorkerNotStarting", KILL),
        ),
        (
            "a longer patience",
            Setup {
                run: run(1, "job-1", "2026-05-01T11:45:00Z"),
                worker_spec: json!({"startDeadlineMinutes": 60}),
                ..early(waiting(Reason::Pending, "2026-05-01T11:45:00Z"))
            },
            ("Pending", "Pending", Act::Nothing),
        ),
        (
            "a pod is made again in mid run: what it told last counts",
            Setup {
                progress: Some(json!({"updatedAt": "2026-05-01T11:50:00Z"})),
                run: run(1, "job-1", "2026-05-01T09:00:00Z"),
                ..at_work(waiting(Reason::Pending, "2026-05-01T09:00:00Z"))
            },
            ("InProgress", "Pending", Act::Nothing),
        ),
        ("a pod runs", early(running_state()), ("InProgress", "Running", Act::Nothing)),
        ("done", at_work(finished(Phase::Succeeded, Reason::Succeeded)), ("Succeeded", "Succeeded", GONE)),
        (
            "done in part",
            at_work(finished(Phase::PartiallySucceeded, Reason::ObjectsIncomplete)),
            ("PartiallySucceeded", "ObjectsIncomplete", GONE),
        ),
        (
            "refused",
            at_work(finished(Phase::Failed, Reason::AuthenticationFailed)),
            ("Failed", "AuthenticationFailed", GONE),
        ),
        (
            "memory",
            at_work(WorkerState::OutOfMemory { message: "pod p".into(), at: None }),
            ("Failed", "WorkerOutOfMemory", GONE),
        ),
        (
            "stopped a moment ago",
            at_work(stopped(Some(Reason::Stopped), "2026-05-01T11:59:55Z")),
            ("InProgress", "DeadlineExceeded", Act::Nothing),
        ),
        (
            "stopped",
            at_work(stopped(Some(Reason::Stopped), "2026-05-01T11:59:00Z")),
            ("InProgress", "Pending", Act::Start),
        ),
        (
            "stopped without a word",
            at_work(stopped(None, "2026-05-01T11:59:00Z")),
            ("InProgress", "Pending", Act::Start),
        ),
        (
            "the allowance is used up: much later",
            at_work(stopped(Some(Reason::AllowanceReached), "2026-05-01T11:59:00Z")),
            ("InProgress", "AllowanceReached", Act::Nothing),
        ),
        (
            "the same, said as a failure",
            at_work(finished(Phase::Failed, Reason::AllowanceReached)),
            ("InProgress", "AllowanceReached", Act::Nothing),
        ),
        (
            "another run holds the line: soon again",
            at_work(finished(Phase::Failed, Reason::LineBusy)),
            ("InProgress", "Pending", Act::Start),
        ),
        (
            "stopped too often",
            Setup {
                run: run(9, "job-1", "2026-05-01T11:00:00Z"),
                ..at_work(stopped(Some(Reason::Stopped), "2026-05-01T11:00:00Z"))
            },
            ("Failed", "DeadlineExceeded", GONE),
        ),
        ("no word", at_work(lost_state()), ("InProgress", "WorkerLost", Act::ReadRecord)),
        ("the Job is gone", at_work(WorkerState::Absent), ("InProgress", "WorkerLost", Act::ReadRecord)),
        (
            "its record is read",
            Setup { record: running_state(), ..at_work(lost_state()) },
            ("InProgress", "WorkerLost", Act::Nothing),
        ),
        (
            "the record says success",
            Setup { record: finished(Phase::Succeeded, Reason::Succeeded), ..at_work(lost_state()) },
            ("Succeeded", "Succeeded", GONE),
        ),
        (
            "there is no record",
            Setup { record: finished(Phase::Failed, Reason::WorkerLost), ..at_work(lost_state()) },
            ("Failed", "WorkerLost", GONE),
        ),
        (
            "the reader's own failure is no word of the run",
            Setup { record: finished(Phase::Failed, Reason::VaultUnreachable), ..at_work(lost_state()) },
            ("Failed", "WorkerLost", GONE),
        ),
        (
            "the reader dies",
            Setup { record: lost_state(), ..at_work(lost_state()) },
            ("Failed", "WorkerLost", GONE),
        ),
        (
            "the reader does not start",
            Setup {
                record: waiting(Reason::Pending, "2026-05-01T11:40:00Z"),
                ..at_work(WorkerState::Absent)
            },
            ("Failed", "WorkerLost", GONE),
        ),
        ("canceled before it began", canceling(Setup::default()), ("Canceled", "Canceled", GONE)),
        (
            "canceled before its Job was made",
            canceling(Setup { run: run(1, "", "2026-05-01T11:59:00Z"), ..Setup::default() }),
            ("Canceled", "Canceled", GONE),
        ),
        ("canceled at work", canceling(at_work(running_state())), ("InProgress", "Canceled", Act::Suspend)),
        ("it stops", canceling(at_work(suspended(1))), ("InProgress", "Canceled", Act::Nothing)),
        ("it has stopped", canceling(at_work(suspended(0))), ("Canceled", "Canceled", KILL)),
        (
            "it has stopped in good order",
            canceling(at_work(stopped(None, NOW))),
            ("Canceled", "Canceled", GONE),
        ),
        (
            "the end was faster than the cancel",
            canceling(at_work(finished(Phase::Succeeded, Reason::Succeeded))),
            ("Succeeded", "Succeeded", GONE),
        ),
        ("suspended by somebody else", at_work(suspended(0)), ("InProgress", "Pending", Act::Nothing)),
    ];
    for (what, setup, (phase, reason, act)) in rows {
        let decision = decide(&observed(setup));
        assert_eq!(decision.status.phase.as_deref(), Some(phase), "{what}");
        assert_eq!(ready(&decision.status).1, reason, "{what}");
        assert_eq!(decision.act, act, "{what}");
        let terminal = Phase::from_word(phase).unwrap().is_terminal();
        assert_eq!(decision.status.completion_time.is_some(), terminal, "{what}");
        assert_eq!(decision.outcome == Outcome::Done, terminal, "{what}");
        let stalled = find(&decision.status.conditions, condition::STALLED).is_some();
        assert_eq!(stalled, terminal && phase != "Succeeded", "{what}");
    }
}

#[test]
fn the_next_job_goes_on_with_the_same_run() {
    let mut o = observed(at_work(stopped(Some(Reason::Stopped), "2026-05-01T11:59:00Z")));
    if let WorkerState::Stopped { outcome: Some(word), .. } = &mut o.worker.state {
        word.api_calls = 7;
    }
    let decision = decide(&o);
    let run = decision.status.run.as_ref().unwrap();
    assert_eq!((run.id.as_str(), run.job_name.as_str(), run.attempt), ("run-1", "acme-1-r2", 2));
    assert_eq!((run.job_uid.as_str(), decision.status.api_calls), ("", Some(7)));
    // Killed by Kubernetes at the deadline: the same.
    let mut killed =
        observed(at_work(WorkerState::Lost { message: "x".into(), at: Some(at("2026-05-01T11:59:00Z")) }));
    killed.worker.past_deadline = true;
    assert_eq!(decide(&killed).act, Act::Start);
}

#[test]
fn the_outcome_is_copied() {
    let mut word = Word::new(Phase::PartiallySucceeded, Reason::ObjectsIncomplete, "1 of 9 objects failed");
    word.snapshot = Some(SnapshotFacts {
        line_id: "line-1".into(),
        snapshot_id: "4".into(),
        manifest_digest: "sha256:ab".into(),
        size_bytes: 99,
    });
    word.counts = Counts { objects: 9, records: 90, errors: 1, ..Counts::default() };
    word.failures =
        (0..30).map(|n| Failure { object: format!("O{n}"), code: "X".into(), message: "m".into() }).collect();
    word.api_calls = 12;
    let worker = WorkerState::Finished { outcome: Box::new(word), at: Some(at("2026-05-01T11:59:00Z")) };
    let progress = json!({"objectsTotal": 9, "objectsDone": 8, "percent": 97, "currentObject": "Task"});
    let status = decide(&observed(Setup { progress: Some(progress), ..at_work(worker) })).status;
    assert_eq!((status.line_id.as_deref(), status.snapshot_id.as_deref()), (Some("line-1"), Some("4")));
    assert_eq!((status.manifest_digest.as_deref(), status.size_bytes), (Some("sha256:ab"), Some(99)));
    assert_eq!((status.vault_name.as_deref(), status.api_calls), (Some("main"), Some(12)));
    assert_eq!(status.counts.map(|counts| (counts.records, counts.errors)), Some((90, 1)));
    assert_eq!(status.failures.len(), 20);
    assert_eq!(status.completion_time.as_deref(), Some("2026-05-01T11:59:00Z"));
    let progress = status.progress.unwrap();
    assert_eq!((progress.percent, progress.objects_done, progress.current_object.as_str()), (100, 9, ""));
    assert_eq!(progress.records, 90);
}

#[test]
fn what_was_missed_is_seen_after_a_restart() {
    // The Job was made, the operator died before it put its uid down.
    let setup = Setup { run: run(1, "", "2026-05-01T11:59:00Z"), ..at_work(running_state()) };
    let status = decide(&observed(setup)).status;
    assert_eq!(status.run.unwrap().job_uid, "job-1");
}

#[test]
fn a_job_that_is_refused_is_tried_again_for_a_while() {
    let o = observed(Setup::default());
    let first = decide(&o);
    let taken = Error::NotOurs { kind: "Job", name: "acme-1-r1".into() };
    let again = refused(&o, &first, &taken).unwrap();
    assert_eq!(ready(&again.status).1, "WorkerNotStarting");
    assert_eq!(again.outcome, Outcome::wait_seconds(30));
    let mut late = observed(Setup {
        phase: Some("Pending"),
        run: run(1, "", "2026-05-01T11:45:10Z"),
        ..Setup::default()
    });
    late.snapshot.status.as_mut().unwrap().conditions = again.status.conditions;
    let end = refused(&late, &decide(&late), &taken).unwrap();
    assert_eq!(
        (end.status.phase.as_deref(), ready(&end.status).1.as_str()),
        (Some("Failed"), "WorkerNotStarting")
    );
    assert!(refused(&o, &first, &Error::TimedOut(1)).is_none());
}

#[test]
fn a_pod_that_is_made_again_has_its_own_time_to_start() {
    let mut o = observed(Setup {
        run: run(1, "job-1", "2026-05-01T09:00:00Z"),
        ..at_work(waiting(Reason::Pending, "2026-05-01T09:00:00Z"))
    });
    assert_eq!(decide(&o).status.phase.as_deref(), Some("Failed"));
    let pod = crate::shared::testing::pod(
        "p",
        "Failed",
        json!({"terminated": {"exitCode": 1, "finishedAt": "2026-05-01T11:59:00Z"}}),
    );
    let pods = [serde_json::from_value(pod).unwrap()];
    o.worker.pods_changed = Worker::read(None, &pods).pods_changed;
    assert_eq!(decide(&o).status.phase.as_deref(), Some("InProgress"));
}

#[test]
fn an_end_only_takes_note_of_a_later_change() {
    let mut o = observed(at_work(finished(Phase::Succeeded, Reason::Succeeded)));
    let first = decide(&o).status;
    o.snapshot.status = Some(first.clone());
    o.snapshot.metadata.generation = Some(3);
    o.snapshot.spec.cancel = true;
    let mut second = decide(&o).status;
    assert_eq!((second.observed_generation, second.conditions[0].observed_generation), (Some(3), Some(3)));
    second.observed_generation = first.observed_generation;
    second.conditions.clone_from(&first.conditions);
    assert_eq!(second, first);
}

#[test]
fn a_snapshot_from_the_catalog_never_runs() {
    let spec = json!({"snapshotId": "7", "lineId": "l", "vaultRef": {"name": "main"}});
    let decision = decide(&observed(Setup { spec, ..Setup::default() }));
    assert_eq!((decision.act, decision.status), (Act::Nothing, SnapshotStatus::default()));
}

#[test]
fn events_are_told_once() {
    let mut o = observed(Setup::default());
    let mut told = Vec::new();
    let mut pass = |o: &mut Observed, state: WorkerState| {
        o.worker.uid = (state != WorkerState::Absent).then(|| "job-1".to_owned());
        o.worker.state = state;
        for _ in 0..2 {
            let new = decide(o).status;
            told.extend(
                status::news(o.snapshot.status.as_ref(), &new).map(|note| (note.warning, note.reason)),
            );
            o.snapshot.status = Some(new);
        }
    };
    pass(&mut o, WorkerState::Absent);
    pass(&mut o, waiting(Reason::Pending, NOW));
    pass(&mut o, running_state());
    pass(&mut o, finished(Phase::Failed, Reason::OrgUnreachable));
    let want = [(false, "Pending"), (false, "Running"), (true, "OrgUnreachable")];
    assert_eq!(told, want.map(|(warning, reason)| (warning, reason.to_owned())));
}

#[test]
fn the_oldest_goes_first() {
    let snapshot = |name: &str, created: &str, status: Value, cancel: bool| -> Snapshot {
        serde_json::from_value(json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "Snapshot",
            "metadata": {"name": name, "namespace": "n", "creationTimestamp": created},
            "spec": {"backupRef": {"name": "acme"}, "cancel": cancel}, "status": status}))
        .unwrap()
    };
    let (early, late) = ("2026-05-01T10:00:00Z", "2026-05-01T11:00:00Z");
    let me = snapshot("b", "2026-05-01T10:30:00Z", json!({}), false);
    let at_work = json!({"phase": "InProgress", "run": {"id": "r"}});
    for (other, first) in [
        (snapshot("a", early, json!({}), false), true),
        (snapshot("a", early, json!({}), true), false),
        (snapshot("a", late, json!({}), false), false),
        (snapshot("a", late, at_work.clone(), false), true),
        (snapshot("a", early, at_work, true), true),
        (snapshot("a", early, json!({"phase": "Failed", "run": {"id": "r"}}), false), false),
        (snapshot("b", early, json!({}), false), false),
    ] {
        let found = super::super::gather::first_of(&me, std::slice::from_ref(&other));
        assert_eq!(found.is_some(), first, "{other:?}");
    }
}

#[path = "decide_properties_tests.rs"]
mod properties;
