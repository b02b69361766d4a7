//! The worker's only door: `/progress` while it works and `/result` for a while after it ended.
//!
//! The operator polls it from outside the pod, because a worker holds no Kubernetes token.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::progress::Tracker;

/// A result too large for the termination message; empty until the task knows it.
#[derive(Debug, Clone, Default)]
pub struct ResultSlot(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    value: OnceLock<serde_json::Value>,
    fetched: Notify,
}

impl ResultSlot {
    /// Puts the result in; the first one stays.
    pub fn set(&self, value: serde_json::Value) {
        // A task has one result; a second would be a mistake that changes nothing.
        let _ = self.0.value.set(value);
    }

    /// The result, if the task has one.
    pub fn get(&self) -> Option<&serde_json::Value> {
        self.0.value.get()
    }

    /// Waits until somebody fetched the result, at most `limit`; at once if there is none.
    pub async fn wait_fetched(&self, limit: Duration) -> bool {
        self.get().is_some() && tokio::time::timeout(limit, self.0.fetched.notified()).await.is_ok()
    }
}

/// A running door; dropping it closes it.
#[derive(Debug)]
pub struct Door {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Door {
    /// Opens the door. Port 0 takes a free one.
    pub async fn open(address: SocketAddr, tracker: Tracker, result: ResultSlot) -> std::io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/progress", get(progress))
            .route("/result", get(result_of))
            .with_state((tracker, result));
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::warn!(%error, "the progress port closed");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn progress(State((tracker, _)): State<(Tracker, ResultSlot)>) -> Response {
    Json(tracker.snapshot()).into_response()
}

async fn result_of(State((_, result)): State<(Tracker, ResultSlot)>) -> Response {
    match result.get() {
        Some(value) => {
            let answer = Json(value).into_response();
            result.0.fetched.notify_one();
            answer
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn get_path(address: SocketAddr, path: &str) -> String {
        let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn serves_progress_and_the_result_once_there_is_one() {
        let (tracker, slot) = (Tracker::default(), ResultSlot::default());
        tracker.planned(3, 10);
        let door = Door::open(SocketAddr::from(([127, 0, 0, 1], 0)), tracker, slot.clone()).await.unwrap();
        assert!(get_path(door.address(), "/progress").await.contains("\"objectsTotal\":3"));
        assert!(get_path(door.address(), "/result").await.starts_with("HTTP/1.1 404"));
        assert!(!slot.wait_fetched(Duration::from_secs(5)).await, "nothing to wait for");
        slot.set(serde_json::json!({"snapshots": []}));
        let (answer, fetched) =
            tokio::join!(get_path(door.address(), "/result"), slot.wait_fetched(Duration::from_secs(5)));
        assert!(answer.ends_with("{\"snapshots\":[]}"), "{answer}");
        assert!(fetched);
    }
}
