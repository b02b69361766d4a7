use std::sync::Arc;

use orgkeep_api::BackupVault;
use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome as Word, Phase, VaultFacts};
use serde_json::{Value, json};

use super::*;
use crate::backup_vault::Vaults;
use crate::shared::Reconciler;
use crate::shared::testing::{self, lines};

const STATUS: &str = "PATCH /apis/orgkeep.dev/v1alpha1/namespaces/n/backupvaults/main/status";
const JOB: &str = "/apis/batch/v1/namespaces/n/jobs";
const SNAPSHOTS: &str = "/apis/orgkeep.dev/v1alpha1/namespaces/n/snapshots";

fn vault(status: Value) -> Arc<BackupVault> {
    let object = json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "BackupVault",
        "metadata": {"name": "main", "namespace": "n", "uid": "u1", "generation": 1},
        "spec": {"volume": {"claimName": "data"}, "encryption": {"keySecretRef": {"name": "key", "key": "key"}}},
        "status": status});
    Arc::new(serde_json::from_value(object).unwrap())
}

fn object(object: &Arc<BackupVault>) -> Option<(u16, Value)> {
    Some((200, serde_json::to_value(&**object).unwrap()))
}

#[tokio::test]
async fn a_probe_that_ended_fills_the_status_and_pins_the_signing_key() {
    let mut word = Word::new(Phase::Succeeded, Reason::Available, "the vault answers");
    let facts = VaultFacts {
        vault_id: "v1".into(),
        signing_key: "new".into(),
        snapshots: 3,
        bytes: 77,
        ..VaultFacts::default()
    };
    word.vault = Some(facts);
    let message = word.to_message();
    let (client, asked) = testing::client(move |call| match call.line.as_str() {
        line if line == format!("GET {JOB}/main-bv-probe") => {
            Some((200, testing::job("main-bv-probe", 1, &[("Complete", "")])))
        }
        "GET /api/v1/namespaces/n/pods" => {
            let state = json!({"terminated": {"exitCode": 0, "message": message}});
            let pod = testing::pod("p", "Succeeded", state);
            Some((200, json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod]})))
        }
        line if line == STATUS => object(&vault(json!({}))),
        line if line.starts_with("GET") => None,
        _ => Some((200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}))),
    });
    let context = testing::context(client);
    Vaults::reconcile(vault(json!({"signingKey": "old"})), context).await.unwrap();
    let asked = asked.lock().unwrap();
    let status = &asked.iter().find(|call| call.line == STATUS).unwrap().body["status"];
    assert_eq!((&status["snapshots"], &status["bytes"]), (&json!(3), &json!(77)));
    assert_eq!(status["signingKey"], "old", "another key is the worker's to refuse, never ours to take over");
    let conditions = status["conditions"].as_array().unwrap();
    assert_eq!((&conditions[0]["type"], &conditions[0]["status"]), (&json!("Ready"), &json!("True")));
    assert_eq!(conditions[1]["reason"], "NoRecoveryKey");
}

/// A worker that serves a catalog, an API server that knows no Snapshot.
#[tokio::test]
async fn the_catalog_of_a_running_probe_becomes_snapshots() {
    let catalog = json!({"snapshots": [{"lineId": "l1", "snapshotId": "7", "namespace": "n", "backupName": "acme",
        "snapshotName": "acme-20260501-0200", "phase": "Succeeded", "startTime": "2026-05-01T02:00:00Z",
        "counts": {"records": 42}, "manifestDigest": "sha256:x"}]});
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = catalog.to_string();
    let router = axum::Router::new().route("/result", axum::routing::get(|| async move { answer }));
    tokio::spawn(async move { axum::serve(listener, router).await });

    let (client, asked) = testing::client(|call| match call.line.as_str() {
        line if line == format!("GET {JOB}/main-bv-probe") => {
            Some((200, testing::job("main-bv-probe", 1, &[])))
        }
        "GET /api/v1/namespaces/n/pods" => {
            let pod = testing::pod("p", "Running", json!({"running": {}}));
            Some((200, json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod]})))
        }
        line if line == format!("GET {SNAPSHOTS}") => Some((
            200,
            json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "SnapshotList", "metadata": {}, "items": []}),
        )),
        line if line == format!("POST {SNAPSHOTS}") || line.starts_with(&format!("PATCH {SNAPSHOTS}/")) => {
            let mut made = call.body.clone();
            made["metadata"]["uid"] = json!("s1");
            made["metadata"]["namespace"] = json!("n");
            made["spec"] = json!({"vaultRef": {"name": "main"}, "lineId": "l1", "snapshotId": "7"});
            Some((200, made))
        }
        line if line == STATUS => object(&vault(json!({}))),
        _ => None,
    });
    let mut context = (*testing::context(client)).clone();
    context.poller = context.poller.at_port(port);
    let outcome = Vaults::reconcile(vault(json!({})), Arc::new(context)).await.unwrap();
    assert_eq!(outcome, Outcome::wait_seconds(1));
    let made =
        asked.lock().unwrap().iter().find(|call| call.line == format!("POST {SNAPSHOTS}")).cloned().unwrap();
    assert_eq!(made.body["metadata"]["name"], "acme-20260501-0200");
    assert_eq!(made.body["metadata"]["labels"]["orgkeep.dev/origin"], "catalog");
    let written = format!("PATCH {SNAPSHOTS}/acme-20260501-0200/status");
    let status = asked.lock().unwrap().iter().find(|call| call.line == written).cloned();
    let status = status.unwrap_or_else(|| panic!("{:#?}", lines(&asked))).body["status"].clone();
    assert_eq!((&status["phase"], &status["counts"]["records"]), (&json!("Succeeded"), &json!(42)));
}
