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
