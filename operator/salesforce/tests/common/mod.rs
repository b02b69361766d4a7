//! A raw HTTP server that answers as a test's table says: well by default, badly on purpose.
//!
//! It shares nothing with the client but what the API's documentation promises.

// The lint's exception for tests does not reach what tests share; each test file uses its part.
#![allow(clippy::unwrap_used, dead_code)]

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Response, StatusCode};
use orgkeep_salesforce::{Auth, Client, ConnectOptions, Environment, RetryPolicy};

pub(crate) type Answer = Response<Body>;
type Handler = Arc<dyn Fn(&Seen) -> Answer + Send + Sync>;

/// A request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: String,
    pub headers: HeaderMap,
    pub body: String,
    /// How many requests to this path came before.
    pub nth: usize,
}

#[derive(Clone)]
struct Shared {
    routes: Arc<Mutex<HashMap<String, Handler>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// The server; its port closes with the test's runtime.
pub(crate) struct Org {
    pub address: SocketAddr,
    shared: Shared,
}

impl Org {
    /// A server that lets a client connect.
    pub(crate) async fn start() -> Self {
        let shared = Shared { routes: Arc::default(), seen: Arc::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(serve).with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let org = Self { address, shared };
        org.on("/services/oauth2/token", move |seen| token(address, &format!("token-{}", seen.nth)));
        org.on("/services/data", |_| json(200, r#"[{"version":"63.0"},{"version":"64.0"}]"#));
        org.on("/services/data/v64.0/limits", |_| {
            json(200, r#"{"DailyApiRequests":{"Max":100000,"Remaining":99990}}"#)
        });
        org.on("/services/data/v64.0/query", |seen| {
            assert!(seen.query.contains("FROM+Organization"), "{}", seen.query);
            json(
                200,
                r#"{"totalSize":1,"done":true,"records":[{"Id":"00D5g000004LabAEAU","Name":"Acme",
                "OrganizationType":"Enterprise Edition","InstanceName":"NA224","IsSandbox":true}]}"#,
            )
        });
        org
    }

    /// Answers a path.
    pub(crate) fn on(&self, path: &str, handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) {
        self.shared.routes.lock().unwrap().insert(path.to_owned(), Arc::new(handler));
    }

    /// For handlers that add handlers.
    pub(crate) fn shared_routes(&self) -> Routes {
        Routes(self.shared.routes.clone())
    }

    /// Requests to a path so far.
    pub(crate) fn seen(&self, path: &str) -> Vec<Seen> {
        self.shared.seen.lock().unwrap().iter().filter(|seen| seen.path == path).cloned().collect()
    }

    /// Options that reach this server and lose no time.
    pub(crate) fn options(&self) -> ConnectOptions {
        let auth = Auth::ClientCredentials {
            client_id: "app".to_owned(),
            client_secret: "app-secret".to_owned().into(),
        };
        let url = format!("http://{}", self.address).parse().unwrap();
        let mut options = ConnectOptions::new(url, Environment::Sandbox, auth);
        options.allow_http = true;
        options.retry = RetryPolicy {
            tries: 4,
            base: Duration::from_millis(2),
            cap: Duration::from_millis(10),
            total: Duration::from_secs(10),
        };
        options
    }

    /// A client of this server.
    pub(crate) async fn connect(&self) -> Client {
        Client::connect(self.options()).await.unwrap()
    }
}

/// The table of answers.
#[derive(Clone)]
pub(crate) struct Routes(Arc<Mutex<HashMap<String, Handler>>>);

impl Routes {
    /// Answers a path.
    pub(crate) fn on(&self, path: &str, handler: impl Fn(&Seen) -> Answer + Send + Sync + 'static) {
        self.0.lock().unwrap().insert(path.to_owned(), Arc::new(handler));
    }
}

async fn serve(State(shared): State<Shared>, request: Request) -> Answer {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let path = head.uri.path().to_owned();
    let seen = {
        let mut all = shared.seen.lock().unwrap();
        let seen = Seen {
            method: head.method.to_string(),
            query: head.uri.query().unwrap_or_default().to_owned(),
            authorization: head
                .headers
                .get("authorization")
                .map(|value| value.to_str().unwrap().to_owned())
                .unwrap_or_default(),
            body: String::from_utf8(body.to_vec()).unwrap(),
            headers: head.headers.clone(),
            nth: all.iter().filter(|other| other.path == path).count(),
            path: path.clone(),
        };
        all.push(seen.clone());
        seen
    };
    let handler = shared.routes.lock().unwrap().get(&path).cloned();
    match handler {
        Some(handler) => handler(&seen),
        None => refusal(404, "NOT_FOUND", "The requested resource does not exist"),
    }
}

pub(crate) fn token(address: SocketAddr, access_token: &str) -> Answer {
    json(200, &format!(r#"{{"access_token":"{access_token}","instance_url":"http://{address}"}}"#))
}

pub(crate) fn json(status: u16, body: &str) -> Answer {
    answer(status, &[("content-type", "application/json")], body.to_owned())
}

pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Answer {
    json(status, &format!(r#"[{{"errorCode":"{code}","message":"{message}"}}]"#))
}

pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut answer = Response::builder().status(StatusCode::from_u16(status).unwrap());
    for (name, value) in headers {
        answer = answer.header(*name, *value);
    }
    answer.body(body.into()).unwrap()
}

/// A parameter of a query string, decoded.
pub(crate) fn parameter(query: &str, name: &str) -> Option<String> {
    url::form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

/// A body that breaks off after the given bytes.
pub(crate) fn cut(head: impl Into<Bytes>) -> Body {
    let pieces = [Ok(head.into()), Err(std::io::Error::other("cut on purpose"))];
    Body::from_stream(futures::StreamExt::then(futures::stream::iter(pieces), |piece| async {
        // Lets the piece before reach the client first.
        tokio::time::sleep(Duration::from_millis(20)).await;
        piece
    }))
}
