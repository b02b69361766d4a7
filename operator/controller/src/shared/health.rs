//! `/livez`, `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use super::controller::{Shutdown, ending};
use super::gates::Gates;
use super::metrics::Metrics;

#[derive(Clone)]
struct Shared {
    gates: Arc<Gates>,
    metrics: Arc<Metrics>,
}

/// The routes.
pub fn router(gates: Arc<Gates>, metrics: Arc<Metrics>) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(scrape))
        .with_state(Shared { gates, metrics })
}

/// Serves until the process is to end.
pub async fn serve(
    listener: TcpListener,
    gates: Arc<Gates>,
    metrics: Arc<Metrics>,
    shutdown: Shutdown,
) -> std::io::Result<()> {
    axum::serve(listener, router(gates, metrics)).with_graceful_shutdown(ending(shutdown)).await
}

async fn readyz(State(shared): State<Shared>) -> Response {
    let missing = shared.gates.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response()
}

async fn scrape(State(shared): State<Shared>) -> Response {
    match shared.metrics.text(shared.gates.missing().is_empty()) {
        Ok(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shared::backoff::Backoff;
    use crate::shared::gates::Gate;
    use crate::shared::stores::Stores;

    #[tokio::test]
    async fn readiness_names_what_is_missing_and_liveness_does_not_care() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let gates = Arc::new(Gates::default());
        let metrics = Arc::new(Metrics::new(Arc::new(Stores::default()), Arc::new(Backoff::default())));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (end, ending) = tokio::sync::watch::channel(false);
        let served = tokio::spawn(serve(listener, Arc::clone(&gates), metrics, ending));
        let get = async |path: &str| {
            let answer = reqwest::get(format!("{url}{path}")).await.unwrap();
            (answer.status().as_u16(), answer.text().await.unwrap())
        };
        gates.set("snapshots", Gate::Starting);
        assert_eq!(get("/readyz").await, (503, "snapshots: starting\n".to_owned()));
        assert_eq!(get("/livez").await.0, 200);
        gates.set("snapshots", Gate::Ready);
        assert_eq!(get("/readyz").await.0, 200);
        assert!(get("/metrics").await.1.contains("orgkeep_ready 1"));
        end.send_replace(true);
        served.await.unwrap().unwrap();
    }
}
