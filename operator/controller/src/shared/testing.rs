//! An API server for tests: a closure answers each request, and each is noted.

use std::sync::{Arc, Mutex};

use http::{Request, Response};
use jiff::Timestamp;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};

use super::backoff::Backoff;
use super::context::Context;
use super::events::Events;
use super::gates::Gates;
use super::lease::Fence;
use super::metrics::Metrics;
use super::poll::Poller;
use super::stores::Stores;
use super::worker_pod::WorkerDefaults;

/// What was asked, in order.
pub type Asked = Arc<Mutex<Vec<Call>>>;

/// One request.
#[derive(Debug, Clone)]
pub struct Call {
    /// `GET /api/…` without the query.
    pub line: String,
    /// Its body; null if it had none.
    pub body: Value,
}

/// A client whose requests `answer` answers; `None` is 404.
pub fn client(answer: impl Fn(&Call) -> Option<(u16, Value)> + Send + 'static) -> (Client, Asked) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let asked = Asked::default();
    let notes = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let line = format!("{} {}", request.method(), request.uri().path());
            let bytes = request.into_body().collect_bytes().await.unwrap_or_default();
            let call = Call { line, body: serde_json::from_slice(&bytes).unwrap_or_default() };
            notes.lock().unwrap().push(call.clone());
            let (code, body) = answer(&call).unwrap_or_else(|| (404, status(404, "NotFound")));
            let response = Response::builder().status(code).body(Body::from(body.to_string().into_bytes()));
            send.send_response(response.unwrap());
        }
    });
    (Client::new(service, "default"), asked)
}

/// A `Status` as the API server answers it.
pub fn status(code: u16, reason: &str) -> Value {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
        "message": format!("{reason} for a test"), "metadata": {}})
}

/// A context around a client.
pub fn context(client: Client) -> Arc<Context> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (stores, backoff) = (Arc::new(Stores::default()), Arc::new(Backoff::default()));
    Arc::new(Context {
        events: Events::new(client.clone(), "test".to_owned()),
        client,
        workers: defaults(),
        cluster: "c1".to_owned(),
        metrics: Arc::new(Metrics::new(Arc::clone(&stores), Arc::clone(&backoff))),
        backoff,
        poller: Poller::new().unwrap(),
        stores,
        gates: Arc::new(Gates::default()),
        fence: Arc::new(Fence::new()),
        clock: || at("2026-05-01T12:00:00Z"),
    })
}

/// Worker defaults for tests.
pub fn defaults() -> WorkerDefaults {
    WorkerDefaults {
        image: "registry/orgkeep:1".to_owned(),
        image_pull_policy: "IfNotPresent".to_owned(),
        service_account: Some("orgkeep-worker".to_owned()),
    }
}

/// A time.
pub fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The lines of what was asked.
pub fn lines(asked: &Asked) -> Vec<String> {
    asked.lock().unwrap().iter().map(|call| call.line.clone()).collect()
}

/// A Job with these conditions (type, reason).
pub fn job(name: &str, generation: i64, conditions: &[(&str, &str)]) -> Value {
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(type_, reason)| {
            json!({"type": type_, "status": "True", "reason": reason,
                "lastTransitionTime": "2026-05-01T11:59:00Z"})
        })
        .collect();
    json!({"apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": name, "namespace": "n", "uid": "job-1",
            "creationTimestamp": "2026-05-01T11:58:00Z",
            "labels": {"orgkeep.dev/owner-uid": "u1"},
            "annotations": {"orgkeep.dev/generation": generation.to_string()}},
        "spec": {"template": {}},
        "status": {"conditions": conditions}})
}

/// A pod of that Job in a phase, with its container's state.
pub fn pod(name: &str, phase: &str, state: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "n",
            "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "j", "uid": "job-1"}]},
        "status": {"phase": phase, "podIP": "127.0.0.1",
            "containerStatuses": [{"name": "worker", "image": "i", "imageID": "", "ready": false,
                "restartCount": 0, "state": state}]}})
}
