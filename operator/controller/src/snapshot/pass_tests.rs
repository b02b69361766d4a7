//! Whole passes against an API server of our own: what is asked, and in which order.

use super::*;
use crate::salesforce_backup::tests_of_decide as others;
use crate::shared::testing::{self, Asked, Call, lines};
use serde_json::{Value, json};
use std::sync::Mutex;

const SNAPSHOT: &str = "/apis/orgkeep.dev/v1alpha1/namespaces/n/snapshots/acme-1";
const JOBS: &str = "/apis/batch/v1/namespaces/n/jobs";
const MAPS: &str = "/api/v1/namespaces/n/configmaps";

fn snapshot(spec: Value, status: Value) -> Value {
    let mut all = json!({"backupRef": {"name": "acme"}});
    all.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "Snapshot",
        "metadata": {"name": "acme-1", "namespace": "n", "uid": "u1", "generation": 1,
            "creationTimestamp": "2026-05-01T11:58:00Z"},
        "spec": all, "status": status})
}

fn backup() -> Value {
    json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "SalesforceBackup",
        "metadata": {"name": "acme", "namespace": "n", "uid": "uid-acme"},
        "spec": {"connectionRef": {"name": "org"}, "vaultRef": {"name": "main"}}})
}

/// A cluster that keeps the Snapshot's status and its Job.
struct Cluster {
    snapshot: Value,
    job: Option<Value>,
    pods: Vec<Value>,
    refuse_jobs: bool,
}

fn answer(cluster: &mut Cluster, call: &Call) -> Option<(u16, Value)> {
    let line = call.line.as_str();
    if line.contains("/events") {
        return Some((201, call.body.clone()));
    }
    if line == format!("PATCH {SNAPSHOT}/status") {
        cluster.snapshot["status"] = call.body["status"].clone();
        return Some((200, cluster.snapshot.clone()));
    }
    if line == format!("POST {JOBS}") {
        if cluster.refuse_jobs {
            return Some((403, testing::status(403, "Forbidden")));
        }
        let mut job = call.body.clone();
        job["metadata"]["uid"] = json!("job-1");
        job["metadata"]["creationTimestamp"] = json!("2026-05-01T12:00:00Z");
        cluster.job = Some(job.clone());
        return Some((201, job));
    }
    let path = line.split_once(' ').map_or("", |(_, path)| path);
    match (line.split(' ').next().unwrap_or(""), path) {
        ("GET", SNAPSHOT) => Some((200, cluster.snapshot.clone())),
        ("GET", path) if path.ends_with("/salesforcebackups/acme") => Some((200, backup())),
        ("GET", path) if path.ends_with("/salesforceconnections/org") => Some((200, others::connection())),
        ("GET", path) if path.ends_with("/backupvaults/main") => Some((200, others::vault())),
        ("GET", path) if path.ends_with("/snapshots") => {
            Some((200, list("Snapshot", vec![cluster.snapshot.clone()])))
        }
        ("GET", "/api/v1/namespaces/n/pods") => Some((200, list("Pod", cluster.pods.clone()))),
        ("GET", path) if path == format!("{JOBS}/acme-1-r1") => cluster.job.clone().map(|job| (200, job)),
        ("PATCH", path) if path.starts_with(MAPS) => Some((200, call.body.clone())),
        _ => None,
    }
}

fn list(kind: &str, items: Vec<Value>) -> Value {
    json!({"apiVersion": "v1", "kind": format!("{kind}List"), "metadata": {}, "items": items})
}

struct Bed {
    cluster: Arc<Mutex<Cluster>>,
    context: Arc<Context>,
    asked: Asked,
}

fn bed(snapshot: Value) -> Bed {
    let cluster = Cluster { snapshot, job: None, pods: Vec::new(), refuse_jobs: false };
    let cluster = Arc::new(Mutex::new(cluster));
    let server = Arc::clone(&cluster);
    let (client, asked) = testing::client(move |call| answer(&mut server.lock().unwrap(), call));
    Bed { cluster, context: testing::context(client), asked }
}

impl Bed {
    /// A pass over the object as the watch saw it in the beginning, which is behind.
    async fn pass(&self, seen: &Value) -> Result<Outcome, Error> {
        self.asked.lock().unwrap().clear();
        let object = serde_json::from_value(seen.clone()).unwrap();
        Snapshots::reconcile(Arc::new(object), Arc::clone(&self.context)).await
    }

    fn status(&self) -> Value {
        self.cluster.lock().unwrap().snapshot["status"].clone()
    }

    fn writes(&self) -> Vec<String> {
        let all = lines(&self.asked);
        all.into_iter().filter(|line| !line.starts_with("GET ") && !line.contains("/events")).collect()
    }
}

#[tokio::test]
async fn a_run_from_its_first_pass_to_its_last() {
    let seen = snapshot(json!({}), json!({}));
    let bed = bed(seen.clone());
    bed.pass(&seen).await.unwrap();
    assert_eq!(
        bed.writes(),
        [
            format!("PATCH {SNAPSHOT}/status"),
            format!("PATCH {MAPS}/acme-1-r1"),
            format!("POST {JOBS}"),
            format!("PATCH {SNAPSHOT}/status"),
        ],
        "the run is in the status before it is made"
    );
    assert_eq!(
        (&bed.status()["phase"], &bed.status()["run"]["jobUid"]),
        (&json!("Pending"), &json!("job-1"))
    );
    assert!(!lines(&bed.asked).iter().any(|line| line.contains("/secrets")));
    // The watch has not seen it yet: nothing is made twice.
    bed.pass(&seen).await.unwrap();
    assert!(!bed.writes().iter().any(|line| line.starts_with("POST")), "{:?}", bed.writes());
    {
        let mut cluster = bed.cluster.lock().unwrap();
        cluster.pods = vec![testing::pod("acme-1-r1-x", "Running", json!({"running": {}}))];
        cluster.pods[0]["status"]["podIP"] = json!("");
    }
    bed.pass(&seen).await.unwrap();
    assert_eq!(bed.status()["phase"], "InProgress");
    bed.pass(&seen).await.unwrap();
    assert_eq!(bed.writes(), Vec::<String>::new(), "nothing new, nothing written");
    {
        let word = orgkeep_core::run::Outcome::new(
            orgkeep_core::run::Phase::Succeeded,
            orgkeep_core::reason::Reason::Succeeded,
            "9 objects",
        );
        let mut cluster = bed.cluster.lock().unwrap();
        let end = json!({"terminated": {"exitCode": 0, "reason": "Completed", "message": word.to_message()}});
        cluster.pods = vec![testing::pod("acme-1-r1-x", "Succeeded", end)];
        cluster.job.as_mut().unwrap()["status"] = json!({"conditions": [
            {"type": "Complete", "status": "True", "lastTransitionTime": "2026-05-01T11:59:30Z"}]});
    }
    assert_eq!(bed.pass(&seen).await.unwrap(), Outcome::Done);
    let status = bed.status();
    assert_eq!(
        (&status["phase"], &status["completionTime"]),
        (&json!("Succeeded"), &json!("2026-05-01T11:59:30Z"))
    );
    bed.pass(&seen).await.unwrap();
    assert_eq!(bed.writes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_namespace_that_takes_no_job_is_told() {
    let seen = snapshot(json!({}), json!({}));
    let bed = bed(seen.clone());
    bed.cluster.lock().unwrap().refuse_jobs = true;
    assert_eq!(bed.pass(&seen).await.unwrap(), Outcome::wait_seconds(30));
    let status = bed.status();
    let ready = &status["conditions"][0];
    assert_eq!((&ready["reason"], &status["phase"]), (&json!("WorkerNotStarting"), &json!("Pending")));
    // Healed by itself.
    bed.cluster.lock().unwrap().refuse_jobs = false;
    bed.pass(&seen).await.unwrap();
    assert_eq!(bed.status()["run"]["jobUid"], "job-1");
}

#[tokio::test]
async fn what_ended_long_ago_or_comes_from_the_catalog_is_not_even_read() {
    for seen in [
        snapshot(
            json!({}),
            json!({"phase": "Failed", "completionTime": "2026-05-01T11:00:00Z", "observedGeneration": 1}),
        ),
        snapshot(json!({"snapshotId": "7"}), json!({})),
    ] {
        let bed = bed(seen.clone());
        assert_eq!(bed.pass(&seen).await.unwrap(), Outcome::Done);
        assert_eq!(lines(&bed.asked), Vec::<String>::new());
    }
}
