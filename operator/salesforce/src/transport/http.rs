//! Calls: the budget asked, a place in the window taken, sent, counted, and tried again where that helps.

use std::sync::OnceLock;
use std::time::Duration;

use ::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use bytes::Bytes;
use futures::future::BoxFuture;
use jiff::Timestamp;
use orgkeep_core::budget::Observed;
use orgkeep_core::problem::{Reaction, Symptom, react};
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::answer::symptom;
use super::body::{Body, WHOLE_LIMIT, WholeError, describe};
use super::counters::{CallCounts, Counters, Resource};
use super::flaw::{Flaw, Whole, json};
use super::org_clock::OrgClock;
use super::retry::{Next, Tries, backoff};
use super::send::Outgoing;
use super::soap::Envelope;
use super::tls::http_client;
use super::window::{Slot, Window};
use crate::auth::{self, Rotation, Token, TokenAnswer, TokenKeeper, user_of};
use crate::budget::{Booked, Governor};
use crate::error::{Error, Result};
use crate::limits;
use crate::options::{Auth, ConnectOptions};

/// What is sent. Every call may be sent again unless it says `once`: the other POSTs are those that sign in, those
/// that pack several GETs, those that ask by SOAP, and those that make query jobs or retrieves, and a job that was made
/// and never heard of is harmless (its results go away by themselves).
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
    /// A SOAP envelope to send instead, whose session the transport puts in.
    pub(crate) envelope: Option<Envelope>,
    /// A body that is streamed instead.
    pub(crate) outgoing: Option<Outgoing>,
    /// Must not be sent again unless the org said that it did nothing: a lost answer is the caller's to find.
    pub(crate) once: bool,
    /// The form of answer.
    pub(crate) accept: &'static str,
    /// Goes before others that wait for a place.
    pub(crate) urgent: bool,
    /// Further headers, such as `Range` or `If-Modified-Since`.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// What it is about, for errors: the object, the page.
    pub(crate) about: Option<String>,
}

impl Call {
    /// A GET for JSON.
    pub(crate) fn get(resource: Resource, path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            resource,
            body: None,
            envelope: None,
            outgoing: None,
            once: false,
            accept: "application/json",
            urgent: false,
            headers: Vec::new(),
            about: None,
        }
    }

    /// A POST of JSON for JSON.
    pub(crate) fn post(resource: Resource, path: impl Into<String>, body: impl Serialize) -> Result<Self> {
        let mut call = Self::get(resource, path);
        call.method = Method::POST;
        call.body = Some(Bytes::from(serde_json::to_vec(&body).map_err(|error| Error::WrongAnswer {
            what: call.what(),
            detail: format!("what is to be sent cannot be written: {error}"),
        })?));
        Ok(call)
    }

    /// A SOAP call; see [`Envelope`].
    pub(crate) fn soap(resource: Resource, path: impl Into<String>, envelope: Envelope) -> Self {
        let mut call = Self::get(resource, path);
        call.method = Method::POST;
        call.accept = "text/xml";
        call.envelope = Some(envelope);
        call
    }

    /// Not to be sent again after a lost answer.
    pub(crate) fn once(mut self) -> Self {
        self.once = true;
        self
    }

    /// With another method.
    pub(crate) fn method(mut self, method: Method) -> Self {
        self.method = method;
        self
    }

    /// With a body that is streamed.
    pub(crate) fn sending(mut self, outgoing: Outgoing) -> Self {
        self.outgoing = Some(outgoing);
        self
    }

    /// Says what the call is about.
    pub(crate) fn about(mut self, about: impl Into<String>) -> Self {
        self.about = Some(about.into());
        self
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Method and path for errors and logs, and what it is about; the query is left out, as it may hold data.
    pub(crate) fn what(&self) -> String {
        let path = self.path.split('?').next().unwrap_or_default();
        match &self.about {
            Some(about) => format!("{} {path} ({about})", self.method),
            None => format!("{} {path}", self.method),
        }
    }
}

/// An answer that is no refusal: a success, or "not modified" to a call that asked for that.
#[derive(Debug)]
pub(crate) struct Reply {
    /// Its status.
    pub(crate) status: StatusCode,
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
    rotation: Rotation,
    user: OnceLock<String>,
    window: Window,
    governor: Governor,
    counters: Counters,
    org_clock: OrgClock,
}

/// Bytes a second of the slowest line on which an upload is waited for.
const SLOWEST_UPLOAD: u64 = 128 << 10;

impl Transport {
    /// Checks the options and prepares; nothing is sent.
    pub(crate) fn new(options: ConnectOptions) -> Result<Self> {
        check_url(&options.login_url, options.allow_http, "loginUrl")?;
        Ok(Self {
            http: http_client(&options)?,
            tokens: TokenKeeper::default(),
            rotation: Rotation::default(),
            user: OnceLock::new(),
            window: Window::new(options.in_flight),
            governor: Governor::new(&options),
            counters: Counters::default(),
            org_clock: OrgClock::default(),
            options,
        })
    }

    /// Calls, and hands out the body unread if its head passes the check; else it is asked for again where the
    /// check's error says that this helps.
    pub(crate) async fn open_checked(
        &self,
        call: &Call,
        check: impl Fn(&Reply) -> Result<()> + Sync,
    ) -> Result<Reply> {
        let check = &check;
        self.retrying(call, |token| {
            Box::pin(async move {
                let reply = self.attempt(call, token).await?;
                check(&reply)?;
                Ok(reply)
            })
        })
        .await
    }

    /// Calls, and reads the body whole; a body that breaks off is read again.
    pub(crate) async fn fetch(&self, call: &Call) -> Result<Bytes> {
        self.fetch_as(call, |whole| Ok(whole.body.clone())).await
    }

    /// Calls, reads the body whole and makes something of it; a body that breaks off, and one that is what a
    /// restarting node or a proxy says instead of the answer, is read again.
    pub(crate) async fn fetch_as<T: Send>(
        &self,
        call: &Call,
        read: impl Fn(&Whole) -> std::result::Result<T, Flaw> + Sync,
    ) -> Result<T> {
        let read = &read;
        self.retrying(call, |token| {
            Box::pin(async move {
                let Reply { status, headers, body } = self.attempt(call, token).await?;
                let body = body.whole().await.map_err(|error| match error {
                    WholeError::Broken(detail) => no_answer(call.what(), detail, false),
                    WholeError::TooLarge => Error::TooLarge { what: call.what(), limit: WHOLE_LIMIT as u64 },
                })?;
                let whole = Whole { status, headers, body };
                read(&whole).map_err(|flaw| flaw.judged(&whole.headers, &whole.body).of(call.what()))
            })
        })
        .await
    }

    /// Calls, and reads the body as JSON.
    pub(crate) async fn fetch_json<T: DeserializeOwned + Send>(&self, call: &Call) -> Result<T> {
        self.fetch_as(call, |whole| json(&whole.body)).await
    }

    /// Takes note of an allowance that the body of a call begun at `at` told.
    pub(crate) fn observe(&self, told: Observed, at: Timestamp) {
        self.governor.observe(told, at);
    }

    /// Learns of earlier lives of this worker.
    pub(crate) fn reckon_with_lives(&self, lives: u32) {
        self.governor.reckon_with_lives(lives);
    }

    /// The id of the user as whom we are signed in, where the org tells it.
    pub(crate) fn user(&self) -> Option<&str> {
        self.user.get().map(String::as_str)
    }

    /// Whether the refresh token of the options was replaced by another.
    pub(crate) fn refresh_token_rotated(&self) -> bool {
        self.rotation.current().is_some()
    }

    /// The time now.
    pub(crate) fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    /// The org's time now, as far as its answers told it: whole seconds, rounded down.
    pub(crate) fn org_now(&self) -> Timestamp {
        self.org_clock.at(self.now())
    }

    /// What a part of a composite shows that was refused.
    pub(crate) fn symptom_of_part(&self, status: u16, body: &[u8]) -> Symptom {
        symptom(status, &HeaderMap::new(), body, false, self.options.clock.now())
    }

    /// How long to wait after so many failures of something that is made of calls.
    pub(crate) fn pause(&self, failed: u32) -> Duration {
        backoff(&self.options.retry, failed).mul_f64(rand::random())
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
            if call.once && error.may_have_worked() {
                return Err(error);
            }
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
            .header(ACCEPT, call.accept);
        request = match &call.envelope {
            // the session stands in the envelope's header
            Some(envelope) => envelope.send(request, &token.access_token),
            None => request.header(AUTHORIZATION, bearer(&token)?),
        };
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.clone());
        }
        let mut patience = self.options.timeouts.headers;
        if let Some(outgoing) = &call.outgoing {
            request = outgoing.put(request);
            patience += Duration::from_secs(outgoing.length / SLOWEST_UPLOAD);
        }
        let sent = self.send(request, call.resource, call.what(), patience).await;
        if let Ok(response) = &sent {
            self.org_clock.learn(response.headers(), self.options.clock.now());
        }
        let told = sent.as_ref().ok().and_then(|response| limits::from_headers(response.headers()));
        booked.end(told);
        let response = sent?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = Body::new(response, self.options.timeouts.idle, Some(slot));
        if status.is_success() || status == StatusCode::NOT_MODIFIED {
            return Ok(Reply { status, headers, body });
        }
        Err(self.refusal(call.what(), status.as_u16(), &headers, body, false).await)
    }

    /// The token, or a new one if the one of `refused` generation is still kept.
    async fn token(&self, refused: Option<u64>) -> Result<Token> {
        let renewing = refused.is_some();
        self.tokens
            .get(refused, || async move {
                self.sign_in().await.map_err(|error| match error {
                    // The same credentials were good before.
                    Error::Refused { symptom, .. }
                        if renewing && matches!(react(&symptom), Reaction::EndRun(_)) =>
                    {
                        Error::AccessRevoked { symptom }
                    }
                    error => error,
                })
            })
            .await
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
        let rotated = self.rotation.current();
        let now = self.options.clock.now();
        let form = auth::form(&self.options.auth, rotated.as_ref(), self.options.environment, now)?;
        let form: Vec<_> = form.iter().map(|(name, value)| (*name, value.expose_secret())).collect();
        let url = join(&self.options.login_url, "/services/oauth2/token")?;
        let request = self.http.post(url).header(ACCEPT, "application/json").form(&form);
        let patience = self.options.timeouts.headers;
        let response = self.send(request, Resource::Token, what(), patience).await?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = Body::new(response, self.options.timeouts.idle, None);
        if !status.is_success() {
            return Err(self.refusal(what(), status.as_u16(), &headers, body, true).await);
        }
        let body = body.whole().await.map_err(|error| no_answer(what(), error.to_string(), true))?;
        let answer = TokenAnswer::parse(&body).map_err(|flaw| flaw.judged(&headers, &body).of(what()))?;
        if let Auth::RefreshToken { refresh_token, .. } = &self.options.auth {
            let sent = rotated.as_ref().unwrap_or(refresh_token);
            let sink = self.options.refresh_token_sink.as_ref();
            self.rotation.take(sent, answer.refresh_token.as_ref(), sink).await?;
        }
        check_url(&answer.instance_url, self.options.allow_http, "the token's instance_url")?;
        if let Some(user) = answer.id.as_deref().and_then(user_of) {
            let _ = self.user.set(user.to_owned());
        }
        Ok(answer)
    }

    /// Sends a request, up to the answer's head, and counts it.
    async fn send(
        &self,
        request: reqwest::RequestBuilder,
        resource: Resource,
        what: String,
        patience: Duration,
    ) -> Result<reqwest::Response> {
        let began = Instant::now();
        let sent = tokio::time::timeout(patience, request.send()).await;
        let failed = !matches!(&sent, Ok(Ok(response)) if response.status().is_success());
        self.counters.count(resource, failed, began.elapsed());
        let token_call = resource == Resource::Token;
        match sent {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => {
                let sent = !error.is_connect();
                let mut lost = no_answer(what, describe(error), token_call);
                if let Error::Unreachable { sent: said, .. } = &mut lost {
                    *said = sent;
                }
                Err(lost)
            }
            Err(_) => {
                let waited = patience.as_secs_f32();
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
    Error::Unreachable { what, symptom, sent: true }
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
