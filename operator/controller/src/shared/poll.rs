//! Asking a worker's pod how it gets on. A pod belongs to a tenant, so what it answers is bounded in time and
//! size, and it is never followed elsewhere.

use std::net::IpAddr;
use std::time::Duration;

use orgkeep_core::run::{PROGRESS_PORT, Progress};
use serde::de::DeserializeOwned;

/// A pod answers at once or not at all.
const CONNECT: Duration = Duration::from_secs(1);
const ANSWER: Duration = Duration::from_secs(3);
/// The largest progress, bytes.
const PROGRESS_LIMIT: usize = 64 * 1024;
/// The largest result, bytes: a catalog of a thousand snapshots has some hundred KiB.
const RESULT_LIMIT: usize = 16 * 1024 * 1024;

/// Asks pods.
#[derive(Debug, Clone)]
pub struct Poller {
    client: reqwest::Client,
    port: u16,
}

impl Poller {
    /// A poller that goes straight to pods, whatever proxy is set.
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .timeout(ANSWER)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { client, port: PROGRESS_PORT })
    }

    /// The same, to another port.
    #[cfg(test)]
    #[must_use]
    pub fn at_port(mut self, port: u16) -> Self {
        self.port = port;
        self
    }

    /// How far the worker at an address is; `None` when it did not say.
    pub async fn progress(&self, ip: &str) -> Option<Progress> {
        self.ask(ip, "progress", PROGRESS_LIMIT).await
    }

    /// The worker's result; `None` when it has none yet.
    pub async fn result<T: DeserializeOwned>(&self, ip: &str) -> Option<T> {
        self.ask(ip, "result", RESULT_LIMIT).await
    }

    async fn ask<T: DeserializeOwned>(&self, ip: &str, path: &str, limit: usize) -> Option<T> {
        let host = match ip.parse().ok()? {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let url = format!("http://{host}:{}/{path}", self.port);
        match self.fetch(&url, limit).await {
            Ok(body) => body.and_then(|body| serde_json::from_slice(&body).ok()),
            Err(error) => {
                tracing::debug!(%error, url, "a worker did not answer");
                None
            }
        }
    }

    async fn fetch(&self, url: &str, limit: usize) -> Result<Option<Vec<u8>>, reqwest::Error> {
        let mut answer = self.client.get(url).send().await?;
        if !answer.status().is_success() {
            return Ok(None);
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if body.len() + chunk.len() > limit {
                return Ok(None);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Some(body))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::get;

    async fn serve(router: Router) -> u16 {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move { axum::serve(listener, router).await });
        port
    }

    #[tokio::test]
    async fn reads_progress_and_bears_with_nonsense() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let router = Router::new()
            .route("/progress", get(|| async { r#"{"objectsTotal":3,"percent":50}"# }))
            .route("/result", get(|| async { "x".repeat(RESULT_LIMIT + 1) }));
        let poller = Poller::new().unwrap().at_port(serve(router).await);
        let progress = poller.progress("127.0.0.1").await.unwrap();
        assert_eq!((progress.objects_total, progress.percent), (3, 50));
        assert_eq!(poller.result::<serde_json::Value>("127.0.0.1").await, None);
        assert_eq!(poller.progress("evil.example/").await, None, "only addresses");
    }
}
