//! Calls: the budget asked, a place in the window taken, sent, counted, and tried again where that helps.

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderValue, Method};
use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use orgkeep_core::budget::Observed;
use orgkeep_core::problem::Symptom;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::answer::symptom;
use super::body::{Body, describe};
use super::counters::{CallCounts, Counters, Resource};
use super::retry::{Next, Tries};
use super::tls::http_client;
use super::window::{Slot, Window};
use crate::auth::{self, Token, TokenAnswer, TokenKeeper};
use crate::budget::{Booked, Governor};
use crate::error::{Error, Result};
use crate::limits;
use crate::options::ConnectOptions;

/// What is sent. Every call may be sent again: the only POSTs are those that sign in and those that make query
/// jobs, and a job that was made and never heard of is harmless (its results go away by themselves).
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// Method.
    pub(crate) method: Method,
    /// Path and query from the org's root.
    pub(crate) path: String,
    /// What it is counted as.
    pub(crate) resource: Resource,
    /// JSON to send.
    pub(crate) body: Option<Bytes>,
    /// The form of answer.
    pub(crate) accept: &'static str,
    /// Goes before others that wait for a place.
    pub(crate) urgent: bool,
}

impl Call {
    /// A GET for JSON.
    pub(crate) fn get(resource: Resource, path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            resource,
            body: None,
            accept: "application/json",
            urgent: false,
        }
    }

    /// Method and path for errors and logs; the query is left out, as it may hold data.
    pub(crate) fn what(&self) -> String {
        format!("{} {}", self.method, self.path.split('?').next().unwrap_or_default())
    }
}

/// An answer that is no refusal.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its head.
    pub(crate) headers: HeaderMap,
    /// Its body, to be read.
    pub(crate) body: Body,
}

/// The way to one org.
#[derive(Debug)]
pub(crate) struct Transport {
    options: ConnectOptions,
    http: reqwest::Client,
    tokens: TokenKeeper,
    window: Window,
    governor: Governor,
    counters: Counters,
}

impl Transport {
    /// Checks the options and prepares; nothing is sent.
    pub(crate) fn new(options: ConnectOptions) -> Result<Self> {
        check_url(&options.login_url, options.allow_http, "loginUrl")?;
        Ok(Self {
            http: http_client(&options)?,
            tokens: TokenKeeper::default(),
            window: Window::new(options.in_flight),
            governor: Governor::new(&options),
            counters: Counters::default(),
            options,
        })
    }

    /// Calls, and hands out the body unread.
    pub(crate) async fn open(&self, call: &Call) -> Result<Reply> {
        self.retrying(call, |token| Box::pin(self.attempt(call, token))).await
    }

    /// Calls, and reads the body whole; a body that breaks off is read again.
    pub(crate) async fn fetch(&self, call: &Call) -> Result<Bytes> {
        self.retrying(call, |token| {
            Box::pin(async move {
                let reply = self.attempt(call, token).await?;
                reply.body.whole().await.map_err(|detail| no_answer(call.what(), detail, false))
            })
        })
        .await
    }

    /// Calls, and reads the body as JSON.
    pub(crate) async fn fetch_json<T: DeserializeOwned>(&self, call: &Call) -> Result<T> {
        let body = self.fetch(call).await?;
        serde_json::from_slice(&body)
            .map_err(|error| Error::WrongAnswer { what: call.what(), detail: error.to_string() })
    }

    /// Takes note of an allowance that the body of a call begun at `at` told.
    pub(crate) fn observe(&self, told: Observed, at: Timestamp) {
        self.governor.observe(told, at);
    }

    /// Learns of earlier lives of this worker.
    pub(crate) fn reckon_with_lives(&self, lives: u32) {
        self.governor.reckon_with_lives(lives);
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// What the org told last of its allowance, when, and our calls so far.
    pub(crate) fn observed(&self) -> (Option<(Observed, Timestamp)>, u64) {
        self.governor.observed()
    }

    /// Calls so far.
    pub(crate) fn calls(&self) -> CallCounts {
        self.counters.snapshot()
    }

    async fn retrying<'a, T>(
        &'a self,
        call: &Call,
        attempt: impl Fn(Token) -> BoxFuture<'a, Result<T>>,
    ) -> Result<T> {
        let mut tries = Tries::new(self.options.retry);
        let mut token = self.token(None).await?;
        loop {
            let error = match attempt(token.clone()).await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            match tries.after(error.reaction(), rand::random()) {
                Next::GiveUp => return Err(error),
                Next::Renew => token = self.token(Some(token.generation)).await?,
                Next::Pause(pause) => {
                    tracing::warn!(%error, ?pause, "trying again");
                    tokio::time::sleep(pause).await;
                    // Another task may have renewed it meanwhile.
                    token = self.token(None).await?;
                }
            }
            tracing::debug!(call = call.what(), "once more");
        }
    }

    /// Takes a place in the window and books the call; a call that must wait for the budget holds no place.
    async fn enter(&self, call: &Call) -> Result<(Slot, Booked<'_>)> {
        loop {
            let slot = self.window.enter(call.urgent).await;
            match self.governor.begin()? {
                Ok(booked) => return Ok((slot, booked)),
                Err(wait) => {
                    drop(slot);
                    tracing::info!(?wait, "the org has not told enough of our calls yet");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    async fn attempt(&self, call: &Call, token: Token) -> Result<Reply> {
        let (slot, booked) = self.enter(call).await?;
        let mut request = self
            .http
            .request(call.method.clone(), join(&token.instance_url, &call.path)?)
            .header(AUTHORIZATION, bearer(&token)?)
            .header(ACCEPT, call.accept);
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let sent = self.send(request, call.resource, call.what()).await;
        let told = sent.as_ref().ok().and_then(|response| limits::from_headers(response.headers()));
        booked.end(told);
        let response = sent?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = Body::new(response, self.options.timeouts.idle, Some(slot));
        if status.is_success() {
            return Ok(Reply { headers, body });
        }
        Err(self.refusal(call.what(), status.as_u16(), &headers, body, false).await)
    }

    /// The token, or a new one if the one of `refused` generation is still kept.
    async fn token(&self, refused: Option<u64>) -> Result<Token> {
        self.tokens.get(refused, || self.sign_in()).await
    }

    /// Signs in. Takes no place in the window, so that it never waits behind the calls that wait for it.
    async fn sign_in(&self) -> Result<TokenAnswer> {
        let mut tries = Tries::new(self.options.retry);
        loop {
            let error = match self.sign_in_once().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match tries.after(error.reaction(), rand::random()) {
                Next::Pause(pause) => {
                    tracing::warn!(%error, ?pause, "trying to sign in again");
                    tokio::time::sleep(pause).await;
                }
                Next::Renew | Next::GiveUp => return Err(error),
            }
        }
    }

    async fn sign_in_once(&self) -> Result<TokenAnswer> {
        let what = || "POST /services/oauth2/token".to_owned();
        // Minted anew for each try: a claim is good for two minutes only.
        let form = auth::form(&self.options.auth, self.options.environment, self.options.clock.now())?;
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
        let url = join(&self.options.login_url, "/services/oauth2/token")?;
        let request = self.http.post(url).header(ACCEPT, "application/json").form(&form);
        let response = self.send(request, Resource::Token, what()).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = Body::new(response, self.options.timeouts.idle, None);
        if !status.is_success() {
            return Err(self.refusal(what(), status.as_u16(), &headers, body, true).await);
        }
        let body = body.whole().await.map_err(|detail| no_answer(what(), detail, true))?;
        let answer = TokenAnswer::parse(&body)?;
        check_url(&answer.instance_url, self.options.allow_http, "the token's instance_url")?;
        Ok(answer)
    }

    /// Sends a request, up to the answer's head, and counts it.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        resource: Resource,
        what: String,
    ) -> Result<reqwest::Response> {
        let began = Instant::now();
        let sent = tokio::time::timeout(self.options.timeouts.headers, request.send()).await;
        let failed = !matches!(&sent, Ok(Ok(response)) if response.status().is_success());
        self.counters.count(resource, failed, began.elapsed());
        let token_call = resource == Resource::Token;
        match sent {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(no_answer(what, describe(error), token_call)),
            Err(_) => {
                let waited = self.options.timeouts.headers.as_secs_f32();
                Err(no_answer(what, format!("no answer within {waited} s"), token_call))
            }
        }
    }

    async fn refusal(
        &self,
        what: String,
        status: u16,
        headers: &HeaderMap,
        body: Body,
        token_call: bool,
    ) -> Error {
        // A refusal whose body broke off is still that status.
        let body = body.whole().await.unwrap_or_default();
        Error::Refused {
            what,
            symptom: symptom(status, headers, &body, token_call, self.options.clock.now()),
        }
    }
}

fn no_answer(what: String, message: String, token_call: bool) -> Error {
    let symptom = Symptom { status: None, code: String::new(), message, retry_after: None, token_call };
    Error::Unreachable { what, symptom }
}

fn bearer(token: &Token) -> Result<HeaderValue> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.access_token.expose_secret()))
        .map_err(|_| Error::WrongAnswer {
            what: "POST /services/oauth2/token".to_owned(),
            detail: "the access token has characters that no header may have".to_owned(),
        })?;
    value.set_sensitive(true);
    Ok(value)
}

fn join(base: &Url, path: &str) -> Result<Url> {
    base.join(path).map_err(|error| Error::WrongAnswer {
        what: path.split('?').next().unwrap_or_default().to_owned(),
        detail: format!("not a path: {error}"),
    })
}

fn check_url(url: &Url, allow_http: bool, name: &str) -> Result<()> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if allow_http => Ok(()),
        "http" => Err(Error::Options {
            detail: format!(
                "{name} is http://, which shows tokens to the network: use https:// (or insecure: true for a test)"
            ),
        }),
        other => Err(Error::Options { detail: format!("{name} has the scheme {other}, expected https") }),
    }
}

/// The path and query of a URL that an answer named, so that no answer can send a token to another host.
pub(crate) fn path_of(named: &str, what: &str) -> Result<String> {
    if named.starts_with('/') && !named.starts_with("//") {
        return Ok(named.to_owned());
    }
    let url = Url::parse(named).map_err(|error| Error::WrongAnswer {
        what: what.to_owned(),
        detail: format!("it names a page that is no URL: {error}"),
    })?;
    Ok(url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path())))
}
