use super::super::reference::Found;
use super::*;
use crate::salesforce_backup::build;
use crate::shared::conditions::find;
use crate::shared::testing::at;
use orgkeep_api::common::condition;
use serde_json::{Value, json};

const NOW: &str = "2026-05-01T12:00:00Z";

fn ready(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": kind,
        "metadata": {"name": name, "namespace": "n", "uid": format!("uid-{name}"), "generation": 1},
        "spec": spec,
        "status": {"conditions": [{"type": "Ready", "status": "True", "reason": "Available", "message": "",
            "observedGeneration": 1, "lastTransitionTime": "2026-04-01T00:00:00Z"}]}})
}

fn here<K: serde::de::DeserializeOwned>(value: Value) -> Found<K> {
    Found::Here(Box::new(serde_json::from_value(value).unwrap()))
}

pub(crate) fn connection() -> Value {
    ready(
        "SalesforceConnection",
        "org",
        json!({"environment": "Production", "loginUrl": "https://acme.my.salesforce.com",
            "auth": {"clientCredentials": {"clientId": "c", "clientSecretRef": {"name": "s", "key": "k"}}}}),
    )
}

pub(crate) fn vault() -> Value {
    ready(
        "BackupVault",
        "main",
        json!({"s3": {"bucket": "bucket"}, "encryption": {"keySecretRef": {"name": "vault", "key": "key"}}}),
    )
}

fn backup(spec: Value, status: Value) -> SalesforceBackup {
    let mut all = json!({"connectionRef": {"name": "org"}, "vaultRef": {"name": "main"}});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    serde_json::from_value(json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "SalesforceBackup",
        "metadata": {"name": "acme", "namespace": "n", "uid": "uid-acme", "generation": 3},
        "spec": all, "status": status}))
    .unwrap()
}

/// A Snapshot that the backup made, in a phase.
fn snapshot(name: &str, created: &str, phase: Option<&str>) -> Snapshot {
    let status = phase.map(|phase| {
        json!({"phase": phase, "completionTime": created, "lineId": "line-1",
            "counts": {"objects": 7, "records": 70, "errors": 1},
            "conditions": [{"type": "Ready", "status": if phase == "Succeeded" { "True" } else { "False" },
                "reason": if phase == "Succeeded" { "Succeeded" } else { "WorkerLost" }, "message": "words",
                "lastTransitionTime": "2026-04-01T00:00:00Z"}]})
    });
    serde_json::from_value(json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "Snapshot",
        "metadata": {"name": name, "namespace": "n", "creationTimestamp": created,
            "labels": {"orgkeep.dev/owner-uid": "uid-acme"}},
        "spec": {"backupRef": {"name": "acme"}}, "status": status}))
    .unwrap()
}

fn observed(spec: Value, status: Value, snapshots: Vec<Snapshot>) -> Observed {
    Observed {
        now: at(NOW),
        backup: backup(spec, status),
        connection: here(connection()),
        vault: here(vault()),
        snapshots,
    }
}

fn cron() -> Value {
    json!({"schedule": {"cron": "0 */6 * * *"}})
}

fn says<'a>(decision: &'a Decision, type_: &str) -> Option<(&'a str, &'a str)> {
    find(&decision.status.conditions, type_).map(|found| (found.status.as_str(), found.reason.as_str()))
}

#[test]
fn a_slot_that_is_due_makes_one_snapshot() {
    let status = json!({"nextRunTime": "2026-05-01T12:00:00Z"});
    let decision = decide(&observed(cron(), status, vec![]));
    let made = decision.make.as_ref().unwrap();
    assert_eq!(made.name, "acme-20260501-1200");
    assert_eq!(made.origin, Origin::Schedule);
    assert_eq!(decision.status.next_run_time.as_deref(), Some("2026-05-01T18:00:00Z"));
    assert_eq!(decision.status.last_run_time.as_deref(), Some("2026-05-01T12:00:00Z"));
    assert_eq!(decision.status.first_run_time.as_deref(), Some("2026-05-01T12:00:00Z"));
    assert_eq!(decision.status.last_snapshot.as_deref(), Some("acme-20260501-1200"));
    assert_eq!(decision.outcome, Outcome::wait_seconds(3600));
    assert_eq!(says(&decision, condition::READY), Some(("True", "Scheduled")));
    assert_eq!(says(&decision, condition::BACKUP_SUCCEEDED), Some(("Unknown", "Pending")));
}

#[test]
fn when_nothing_is_due_nothing_is_made() {
    for (what, spec, status, next) in [
        ("a new one waits for its first slot", cron(), json!({}), Some("2026-05-01T18:00:00Z")),
        (
            "before the slot",
            cron(),
            json!({"nextRunTime": "2026-05-01T18:00:00Z"}),
            Some("2026-05-01T18:00:00Z"),
        ),
        (
            "suspended",
            json!({"schedule": {"cron": "0 */6 * * *"}, "suspend": true}),
            json!({"nextRunTime": "2026-05-01T06:00:00Z"}),
            None,
        ),
        (
            "another schedule than the one whose slot passed",
            cron(),
            json!({"nextRunTime": "2026-05-01T11:11:00Z"}),
            Some("2026-05-01T18:00:00Z"),
        ),
        ("no schedule", json!({}), json!({"nextRunTime": "2026-05-01T06:00:00Z"}), None),
        ("a token that was taken up", json!({"runNow": "a"}), json!({"lastRunNow": "a"}), None),
    ] {
        let decision = decide(&observed(spec, status, vec![]));
        assert_eq!(decision.make, None, "{what}");
        assert_eq!(decision.status.next_run_time.as_deref(), next, "{what}");
        assert_eq!(says(&decision, condition::STALLED), None, "{what}");
    }
}

#[test]
fn missed_slots_make_one_run() {
    let status = json!({"nextRunTime": "2026-04-20T06:00:00Z"});
    let decision = decide(&observed(cron(), status, vec![]));
    assert_eq!(decision.make.unwrap().name, "acme-20260501-1200");
    assert_eq!(decision.status.next_run_time.as_deref(), Some("2026-05-01T18:00:00Z"));
}

#[test]
fn every_three_days_counts_from_the_first_run() {
    let spec = json!({"schedule": {"preset": "Every3Days", "hourUtc": 5}});
    let waiting = decide(&observed(spec.clone(), json!({}), vec![]));
    let next = waiting.status.next_run_time.clone().unwrap();
    assert!(next.starts_with("2026-05-02T05:0"), "{next}");
    let mut due = observed(spec, json!({"nextRunTime": next}), vec![]);
    due.now = at("2026-05-02T05:30:00Z");
    let decision = decide(&due);
    assert!(decision.make.is_some());
    assert!(decision.status.next_run_time.unwrap().starts_with("2026-05-05T05:0"));
}

#[test]
fn a_slot_during_a_run_is_left_out_and_told() {
    let status = json!({"nextRunTime": "2026-05-01T12:00:00Z", "lastRunTime": "2026-05-01T06:00:00Z"});
    for phase in [None, Some("InProgress"), Some("Finalizing")] {
        let active = snapshot("acme-20260501-0600", "2026-05-01T06:00:00Z", phase);
        let decision = decide(&observed(cron(), status.clone(), vec![active]));
        assert_eq!(decision.make, None);
        assert_eq!(decision.status.next_run_time.as_deref(), Some("2026-05-01T18:00:00Z"));
        assert_eq!(decision.status.last_run_time.as_deref(), Some("2026-05-01T06:00:00Z"));
        assert_eq!(decision.notes[0].reason, "LineBusy");
        assert!(!decision.notes[0].warning);
    }
}

#[test]
fn a_snapshot_that_was_made_before_a_crash_is_taken_as_made() {
    let status = json!({"nextRunTime": "2026-05-01T12:00:00Z"});
    let made = snapshot("acme-20260501-1200", NOW, None);
    let decision = decide(&observed(cron(), status, vec![made]));
    assert_eq!(decision.make, None);
    assert_eq!(decision.notes, []);
    assert_eq!(decision.status.last_run_time.as_deref(), Some(NOW));
    assert_eq!(decision.status.last_snapshot.as_deref(), Some("acme-20260501-1200"));
}

#[test]
fn a_name_that_is_taken_leaves_the_slot_out_and_the_schedule_goes_on() {
    let status = json!({"nextRunTime": "2026-05-01T12:00:00Z", "lastRunTime": "2026-05-01T06:00:00Z"});
    let mut foreign = snapshot("acme-20260501-1200", NOW, Some("Succeeded"));
    foreign.metadata.labels = None;
    let known = decide(&observed(cron(), status.clone(), vec![foreign]));
    // One that does not refer to this backup is only met when it is made.
    let o = observed(cron(), status, vec![]);
    let met = name_taken(&o, decide(&o));
    for decision in [known, met] {
        assert_eq!(decision.make, None);
        assert_eq!((decision.notes[0].reason.as_str(), decision.notes[0].warning), ("NameTaken", true));
        assert_eq!(decision.status.last_run_time.as_deref(), Some("2026-05-01T06:00:00Z"));
        assert_eq!(decision.status.next_run_time.as_deref(), Some("2026-05-01T18:00:00Z"));
    }
}

#[test]
fn run_now_starts_one_run_for_each_token() {
    let spec = json!({"runNow": "before-release"});
    let decision = decide(&observed(spec.clone(), json!({"lastRunNow": "older"}), vec![]));
    let made = decision.make.clone().unwrap();
    assert_eq!(made.name, "acme-20260501-1200");
    assert_eq!(decision.status.last_run_now.as_deref(), Some("before-release"));
    assert_eq!(decision.status.first_run_time.as_deref(), Some(NOW));
    // The same pass again, after a crash before the status was written.
    let o = observed(spec.clone(), json!({}), vec![]);
    let answer = build::snapshot(&o.backup, &made);
    let again = decide(&Observed { snapshots: vec![answer], ..o });
    assert_eq!(again.make, None);
    assert_eq!(again.status.last_run_now.as_deref(), Some("before-release"));
    assert_eq!(again.status.last_run_time.as_deref(), Some(NOW));
    // A minute whose name is taken is passed by.
    let old = snapshot("acme-20260501-1200", NOW, Some("Succeeded"));
    let next = decide(&observed(spec.clone(), json!({}), vec![old]));
    assert_eq!(next.make.unwrap().name, "acme-20260501-1201");
    // During a run the token waits.
    let active = snapshot("acme-20260501-0600", "2026-05-01T06:00:00Z", Some("InProgress"));
    let waits = decide(&observed(spec.clone(), json!({}), vec![active]));
    assert_eq!((waits.make, waits.status.last_run_now), (None, None));
    // Suspension pauses the schedule only.
    let suspended = decide(&observed(json!({"runNow": "a", "suspend": true}), json!({}), vec![]));
    assert!(suspended.make.is_some());
}

#[test]
fn a_taken_name_does_not_use_up_the_token() {
    let o = observed(json!({"runNow": "a"}), json!({}), vec![]);
    let decision = name_taken(&o, decide(&o));
    assert_eq!((decision.status.last_run_now, decision.status.first_run_time), (None, None));
    assert_eq!(decision.outcome, Outcome::wait_seconds(TAKEN_WAIT));
}

#[test]
fn what_is_referred_to_decides_ready() {
    let unready = |mut value: Value, change: fn(&mut Value)| {
        change(&mut value);
        value
    };
    let good = || observed(cron(), json!({}), vec![]);
    for (what, o, reason, stalled) in [
        ("missing", Observed { connection: Found::Missing, ..good() }, "ReferenceNotFound", true),
        ("unreadable", Observed { vault: Found::Unreadable, ..good() }, "ReferenceNotReady", false),
        (
            "not ready",
            Observed {
                vault: here(unready(vault(), |v| v["status"]["conditions"][0]["status"] = json!("False"))),
                ..good()
            },
            "ReferenceNotReady",
            false,
        ),
        (
            "changed since",
            Observed {
                connection: here(unready(connection(), |v| v["metadata"]["generation"] = json!(2))),
                ..good()
            },
            "ReferenceNotReady",
            false,
        ),
        (
            "never looked at",
            Observed { connection: here(unready(connection(), |v| v["status"] = json!({}))), ..good() },
            "ReferenceNotReady",
            false,
        ),
        (
            "read only",
            Observed {
                vault: here(unready(vault(), |v| v["spec"]["accessMode"] = json!("ReadOnly"))),
                ..good()
            },
            "VaultReadOnly",
            true,
        ),
        (
            "a schedule that makes no sense",
            observed(json!({"schedule": {"cron": "0 0 30 2 *"}}), json!({}), vec![]),
            "InvalidObject",
            true,
        ),
    ] {
        let decision = decide(&o);
        assert_eq!(says(&decision, condition::READY), Some(("False", reason)), "{what}");
        assert_eq!(says(&decision, condition::STALLED).is_some(), stalled, "{what}");
        assert_eq!(says(&decision, condition::RECONCILING).is_some(), !stalled, "{what}");
        assert_ne!(decision.outcome, Outcome::Done, "{what}");
    }
}

#[test]
fn the_status_sums_up_the_snapshots() {
    let all = vec![
        snapshot("acme-1", "2026-04-29T00:00:00Z", Some("Succeeded")),
        snapshot("acme-2", "2026-04-30T00:00:00Z", Some("Failed")),
        snapshot("acme-3", "2026-05-01T00:00:00Z", Some("InProgress")),
    ];
    let decision = decide(&observed(json!({}), json!({}), all));
    let status = &decision.status;
    assert_eq!(
        (status.phase.as_deref(), status.last_snapshot.as_deref()),
        (Some("InProgress"), Some("acme-3"))
    );
    assert_eq!(status.last_success_time.as_deref(), Some("2026-04-29T00:00:00Z"));
    assert_eq!(status.line_id.as_deref(), Some("line-1"));
    assert_eq!(status.objects.as_ref().map(|objects| (objects.total, objects.failed)), Some((7, 1)));
    assert_eq!(says(&decision, condition::BACKUP_SUCCEEDED), Some(("False", "WorkerLost")));
    // All deleted: what was known stays, and nothing is told anew.
    let old = serde_json::to_value(status).unwrap();
    let later = decide(&observed(json!({}), old, vec![]));
    assert_eq!(later.status, decision.status);
    assert_eq!(status::news(Some(&decision.status), &later.status), []);
}

#[test]
fn a_success_that_the_catalog_shows_counts_for_the_same_line_only() {
    let shown = |line: &str| {
        let mut snapshot = snapshot("acme-1", "2026-04-29T00:00:00Z", Some("Succeeded"));
        snapshot.spec.snapshot_id = Some("7".into());
        snapshot.status.as_mut().unwrap().line_id = Some(line.into());
        snapshot
    };
    let spec = json!({"lineId": "line-1"});
    let own = decide(&observed(spec.clone(), json!({}), vec![shown("line-1")]));
    assert_eq!(own.status.last_success_time.as_deref(), Some("2026-04-29T00:00:00Z"));
    assert_eq!(own.status.last_snapshot, None, "it is no run of this backup");
    let other = decide(&observed(spec, json!({}), vec![shown("line-2")]));
    assert_eq!(other.status.last_success_time, None);
}

#[test]
fn what_this_version_does_not_do_is_said() {
    let message = |spec: Value| {
        let decision = decide(&observed(spec, json!({}), vec![]));
        let found = find(&decision.status.conditions, condition::SCOPE_COVERED).unwrap().clone();
        (found.status, found.reason, found.message)
    };
    let (status, reason, text) =
        message(json!({"deletion": {"policy": "Delete"}, "retention": {"keepLast": 3}}));
    assert_eq!((status.as_str(), reason.as_str()), ("False", "NotInThisVersion"));
    for word in ["file contents", "metadata", "data stays in the vault"] {
        assert!(text.contains(word), "{text}");
    }
    let records_only = json!({"scope": {"files": {"enabled": false}, "metadata": {"enabled": false}}});
    assert_eq!(message(records_only).0, "True");
}

#[test]
fn a_second_pass_changes_nothing() {
    let all = || vec![snapshot("acme-1", "2026-04-29T00:00:00Z", Some("Succeeded"))];
    let first = decide(&observed(cron(), json!({}), all()));
    let mut again = observed(cron(), serde_json::to_value(&first.status).unwrap(), all());
    again.now = at("2026-05-01T12:34:56Z");
    let second = decide(&again);
    assert_eq!(second.status, first.status);
    assert_eq!(status::news(None, &first.status).len(), 2, "Ready, and how the newest run ended");
    assert_eq!(status::news(Some(&first.status), &second.status), []);
}

#[test]
fn the_snapshot_that_is_made() {
    let o = observed(json!({"runNow": "a"}), json!({}), vec![]);
    let decision = decide(&o);
    insta::assert_yaml_snapshot!(build::snapshot(&o.backup, &decision.make.unwrap()));
}
