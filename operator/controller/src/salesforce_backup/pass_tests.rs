//! Whole passes against an API server of our own.

use super::*;
use crate::salesforce_backup::tests_of_decide as objects;
use crate::shared::testing::{self, lines};
use serde_json::{Value, json};

const BACKUP: &str = "/apis/orgkeep.dev/v1alpha1/namespaces/n/salesforcebackups/acme";
const SNAPSHOTS: &str = "/apis/orgkeep.dev/v1alpha1/namespaces/n/snapshots";

fn due() -> Value {
    json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "SalesforceBackup",
        "metadata": {"name": "acme", "namespace": "n", "uid": "uid-acme", "generation": 1},
        "spec": {"connectionRef": {"name": "org"}, "vaultRef": {"name": "main"},
            "schedule": {"cron": "0 */6 * * *"}},
        "status": {"nextRunTime": "2026-05-01T12:00:00Z"}})
}

/// A pass; `taken` is what has the Snapshot's name already.
async fn pass(taken: Option<Value>) -> (Result<Outcome, Error>, testing::Asked) {
    let (client, asked) = testing::client(move |call| {
        let (verb, path) = call.line.split_once(' ').unwrap();
        match (verb, path) {
            ("GET", BACKUP) => Some((200, due())),
            ("GET", path) if path.ends_with("/salesforceconnections/org") => {
                Some((200, objects::connection()))
            }
            ("GET", path) if path.ends_with("/backupvaults/main") => Some((200, objects::vault())),
            ("GET", SNAPSHOTS) => {
                Some((200, json!({"apiVersion": "v1", "kind": "SnapshotList", "metadata": {}, "items": []})))
            }
            ("GET", path) if path.starts_with(SNAPSHOTS) => taken.clone().map(|taken| (200, taken)),
            ("POST", SNAPSHOTS) if taken.is_some() => Some((409, testing::status(409, "AlreadyExists"))),
            ("POST", _) => Some((201, call.body.clone())),
            ("PATCH", _) => Some((200, due())),
            _ => None,
        }
    });
    let object = Arc::new(serde_json::from_value(due()).unwrap());
    (Backups::reconcile(object, testing::context(client)).await, asked)
}

fn status_written(asked: &testing::Asked) -> Value {
    let asked = asked.lock().unwrap();
    let call = asked.iter().find(|call| call.line == format!("PATCH {BACKUP}/status")).unwrap();
    call.body["status"].clone()
}

fn taken_by(uid: &str) -> Option<Value> {
    Some(json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "Snapshot",
        "metadata": {"name": "acme-20260501-1200", "namespace": "n", "labels": {"orgkeep.dev/owner-uid": uid}},
        "spec": {"backupRef": {"name": "acme"}}}))
}

#[tokio::test]
async fn a_slot_is_made_and_then_written_down() {
    // As if for the first time, and as if the first time was cut off after the Snapshot was made.
    for taken in [None, taken_by("uid-acme")] {
        let (outcome, asked) = pass(taken).await;
        assert_eq!(outcome.unwrap(), Outcome::wait_seconds(3600));
        let lines = lines(&asked);
        let at = |wanted: &str| lines.iter().position(|line| line.starts_with(wanted)).unwrap();
        assert!(at(&format!("POST {SNAPSHOTS}")) < at("PATCH"));
        let status = status_written(&asked);
        assert_eq!(status["lastSnapshot"], "acme-20260501-1200");
        assert_eq!(status["nextRunTime"], "2026-05-01T18:00:00Z");
        assert!(!lines.iter().any(|line| line.contains("/secrets") || line.contains("/jobs")));
    }
}

#[tokio::test]
async fn a_stranger_of_the_same_name_stops_no_schedule() {
    let (outcome, asked) = pass(taken_by("somebody-else")).await;
    assert_eq!(outcome.unwrap(), Outcome::wait_seconds(3600));
    let status = status_written(&asked);
    assert_eq!(status["nextRunTime"], "2026-05-01T18:00:00Z");
    assert_eq!(status.get("lastSnapshot"), None);
    let asked = asked.lock().unwrap();
    let told = asked.iter().find(|call| call.body["reason"] == "NameTaken").unwrap();
    assert_eq!(told.body["type"], "Warning");
}
