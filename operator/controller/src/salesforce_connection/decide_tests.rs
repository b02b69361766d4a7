use std::sync::{Arc, Mutex};

use orgkeep_api::SalesforceConnection;
use orgkeep_core::run::OrgFacts;
use serde_json::{Value, json};

use super::*;
use crate::salesforce_connection::Connections;
use crate::shared::testing::{self, Call, lines};
use crate::shared::{Context, Reconciler};

const JOB: &str = "/apis/batch/v1/namespaces/n/jobs";
const MAPS: &str = "/api/v1/namespaces/n/configmaps";
const STATUS: &str = "PATCH /apis/orgkeep.dev/v1alpha1/namespaces/n/salesforceconnections/acme/status";

fn connection(login_url: &str, status: Value) -> Arc<SalesforceConnection> {
    let object = json!({"apiVersion": "orgkeep.dev/v1alpha1", "kind": "SalesforceConnection",
        "metadata": {"name": "acme", "namespace": "n", "uid": "u1", "generation": 1},
        "spec": {"environment": "Sandbox", "loginUrl": login_url,
            "auth": {"clientCredentials": {"clientId": "id", "clientSecretRef": {"name": "org", "key": "secret"}}}},
        "status": status});
    Arc::new(serde_json::from_value(object).unwrap())
}

async fn pass(context: &Arc<Context>, object: &Arc<SalesforceConnection>) -> Outcome {
    Connections::reconcile(Arc::clone(object), Arc::clone(context)).await.unwrap()
}

/// Answers writes with what was written.
fn echo(call: &Call) -> Option<(u16, Value)> {
    (!call.line.starts_with("GET")).then(|| (200, call.body.clone()))
}

fn status_written(asked: &testing::Asked) -> Value {
    let asked = asked.lock().unwrap();
    asked.iter().rev().find(|call| call.line == STATUS).map(|call| call.body["status"].clone()).unwrap()
}

fn condition(status: &Value, type_: &str) -> Value {
    let conditions = status["conditions"].as_array().unwrap();
    conditions.iter().find(|found| found["type"] == type_).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_new_connection_gets_a_probe() {
    let (client, asked) = testing::client(|call| match call.line.as_str() {
        // an uid, or the object would look unmade
        line if line.ends_with("/status") => {
            let object = connection("https://x.my.salesforce.com", json!({}));
            Some((200, serde_json::to_value(&*object).unwrap()))
        }
        _ => echo(call),
    });
    let context = testing::context(client);
    let outcome = pass(&context, &connection("https://x.my.salesforce.com", json!({}))).await;
    assert_eq!(outcome, Outcome::wait_seconds(10));
    assert_eq!(
        lines(&asked),
        [
            format!("GET {JOB}/acme-sfc-probe"),
            format!("GET {MAPS}/acme-sfc-probe"),
            format!("PATCH {MAPS}/acme-sfc-probe"),
            format!("POST {JOB}"),
            STATUS.to_owned(),
        ]
    );
    let status = status_written(&asked);
    assert_eq!(condition(&status, "Ready")["status"], "Unknown");
    assert_eq!(condition(&status, "Reconciling")["status"], "True");
    assert_eq!(status["observedGeneration"], 1);
}

/// A server with a probe that ended with these words.
fn ended(code: i32, word: &Word) -> (Arc<Context>, testing::Asked) {
    let message = word.to_message();
    let failed = code != 0;
    let (client, asked) = testing::client(move |call| {
        let end = if failed { ("Failed", "PodFailurePolicy") } else { ("Complete", "") };
        let line = call.line.as_str();
        if line == format!("GET {JOB}/acme-sfc-probe") {
            return Some((200, testing::job("acme-sfc-probe", 1, &[end])));
        }
        if line == "GET /api/v1/namespaces/n/pods" {
            let state = json!({"terminated": {"exitCode": code, "reason": "Error", "message": message}});
            let pod = testing::pod("p", if failed { "Failed" } else { "Succeeded" }, state);
            return Some((
                200,
                json!({"apiVersion": "v1", "kind": "PodList", "metadata": {}, "items": [pod]}),
            ));
        }
        if line == STATUS {
            let object = connection("https://x.my.salesforce.com", json!({}));
            return Some((200, serde_json::to_value(&*object).unwrap()));
        }
        if line.starts_with("DELETE") {
            return Some((200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})));
        }
        echo(call)
    });
    (testing::context(client), asked)
}

#[tokio::test]
async fn a_missing_secret_is_told_and_stalls() {
    let word = Word::new(Phase::Failed, Reason::SecretNotFound, "Secret org is not there; create it");
    let (context, asked) = ended(78, &word);
    pass(&context, &connection("https://x.my.salesforce.com", json!({}))).await;
    let status = status_written(&asked);
    for (type_, is, reason) in [
        ("Ready", "False", "SecretNotFound"),
        ("Connected", "False", "SecretNotFound"),
        ("Stalled", "True", "SecretNotFound"),
    ] {
        assert_eq!(
            (&condition(&status, type_)["status"], &condition(&status, type_)["reason"]),
            (&json!(is), &json!(reason))
        );
    }
    assert_eq!(status["probe"]["failuresInRow"], 1);
    let lines = lines(&asked);
    let at = |wanted: &str| {
        lines.iter().position(|line| line.contains(wanted)).unwrap_or_else(|| panic!("{wanted}: {lines:#?}"))
    };
    assert!(at(STATUS) < at("DELETE"), "the status first, the Job after");
    assert!(lines.iter().any(|line| line.contains("/events")), "{lines:#?}");
    assert!(!lines.iter().any(|line| line.contains("/secrets")), "the operator reads no Secret");
}

#[tokio::test]
async fn a_good_probe_makes_it_ready() {
    let mut word = Word::new(Phase::Succeeded, Reason::Connected, "Acme answers");
    word.org = Some(OrgFacts { id: "00D000000000001AAA".into(), name: "Acme".into(), ..OrgFacts::default() });
    let (context, asked) = ended(0, &word);
    let old =
        json!({"probe": {"observedGeneration": 1, "finishedAt": "2026-05-01T11:00:00Z", "failuresInRow": 4}});
    pass(&context, &connection("https://x.my.salesforce.com", old)).await;
    let status = status_written(&asked);
    for type_ in ["Ready", "Connected", "PermissionsSufficient"] {
        assert_eq!(condition(&status, type_)["status"], "True", "{type_}");
    }
    assert_eq!(condition(&status, "Stalled"), Value::Null);
    assert_eq!((&status["org"]["name"], &status["probe"]["failuresInRow"]), (&json!("Acme"), &json!(0)));
}

#[tokio::test]
async fn a_job_that_is_refused_is_told() {
    let (client, asked) = testing::client(|call| match call.line.as_str() {
        line if line.starts_with("POST") && line.ends_with("/jobs") => {
            Some((422, testing::status(422, "Invalid")))
        }
        line if line == STATUS => {
            let object = connection("https://x.my.salesforce.com", json!({}));
            Some((200, serde_json::to_value(&*object).unwrap()))
        }
        _ => echo(call),
    });
    pass(&testing::context(client), &connection("https://x.my.salesforce.com", json!({}))).await;
    let ready = condition(&status_written(&asked), "Ready");
    assert_eq!((&ready["status"], &ready["reason"]), (&json!("False"), &json!("WorkerNotStarting")));
    assert!(ready["message"].as_str().unwrap().contains("Invalid for a test"));
}

#[tokio::test]
async fn a_local_simulator_is_refused_without_a_job_and_once() {
    let last: Arc<Mutex<Value>> = Arc::default();
    let kept = Arc::clone(&last);
    let (client, asked) = testing::client(move |call| {
        if call.line == STATUS {
            *kept.lock().unwrap() = call.body["status"].clone();
            let object = connection("simulator:org", json!({}));
            return Some((200, serde_json::to_value(&*object).unwrap()));
        }
        echo(call)
    });
    let context = testing::context(client);
    assert_eq!(pass(&context, &connection("simulator:org", json!({}))).await, Outcome::Blocked);
    let status = status_written(&asked);
    assert_eq!(condition(&status, "Ready")["reason"], "InvalidObject");
    assert!(!lines(&asked).iter().any(|line| line.starts_with("POST") && line.ends_with("/jobs")));
    asked.lock().unwrap().clear();
    let status = last.lock().unwrap().clone();
    pass(&context, &connection("simulator:org", status)).await;
    assert!(!lines(&asked).contains(&STATUS.to_owned()), "nothing changed, nothing is written");
}
