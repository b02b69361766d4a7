//! Which handler a request goes to, and what every answer has.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;

use super::state::State;
use crate::auth::{self, Caller};
use crate::control;
use crate::log::{Counted, NewEntry, Sending};
use crate::rest::{self, Call};
use crate::web::{Answer, ApiError, Request, Response};

/// Bytes of path and query string at most.
const LONGEST_URI: usize = 16_384;
/// Bytes of a request's body at most.
const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// What a handler made of a request, for answer and log.
struct Handled {
    resource: &'static str,
    org: Option<usize>,
    /// Whether the answer tells of the allowance.
    counted: bool,
    answer: Answer,
}

impl Handled {
    fn new(resource: &'static str, org: Option<usize>, answer: Answer) -> Self {
        Self { resource, org, counted: false, answer }
    }
}

/// Answers a request.
pub(super) async fn answer(state: Arc<State>, request: hyper::Request<Incoming>, tls: bool) -> Response {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().map(str::to_owned);
    let mut received = 0;
    let (handled, gzip) = if uri > LONGEST_URI {
        let page = "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>";
        let answer = Answer::bytes(StatusCode::URI_TOO_LONG, "text/html;charset=iso-8859-1", page);
        (Handled::new("TooLong", None, answer.with("connection", "close")), false)
    } else {
        match Limited::new(body, LARGEST_BODY).collect().await {
            Err(_) => {
                let error = ApiError::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "REQUEST_TOO_LARGE",
                    "the body cannot be read",
                );
                (Handled::new("Unknown", None, error.answer()), false)
            }
            Ok(body) => {
                let request = Request::new(&parts, body.to_bytes(), tls, &state.host);
                received = request.body.len() as u64;
                let gzip = request.takes_gzip();
                (handle(&state, request).await, gzip)
            }
        }
    };
    let Handled { resource, org, counted, mut answer } = handled;
    if let Some(org) = org.filter(|_| counted) {
        answer = answer.with("sforce-limit-info", &state.orgs[org].requests.header());
    }
    let entry = NewEntry {
        method: parts.method.to_string(),
        path,
        query: query.filter(|_| !resource.starts_with("Token")),
        org: org.map(|org| state.orgs[org].org.id().to_owned()),
        resource,
        status: answer.status.as_u16(),
        received,
    };
    let sending = Sending::new(&state.log, entry);
    let mut response = answer.finish(gzip).await;
    response.headers_mut().insert("vary", HeaderValue::from_static("Accept-Encoding"));
    response.map(|body| Counted::new(body, sending).boxed_unsync())
}

async fn handle(state: &Arc<State>, request: Request) -> Handled {
    let (at, path) = state.split_path(&request.path);
    let path = path.trim_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let is_post = request.method == Method::POST;
    match parts.as_slice() {
        ["services", "oauth2", "token"] if is_post => {
            let (org, answer) = auth::token(state, &request, at);
            Handled::new("Token", org, answer)
        }
        ["services", "oauth2", "revoke"] => Handled::new("TokenRevoke", at, auth::revoke(state, &request)),
        ["services", "oauth2", "userinfo"] => match caller(state, &request) {
            Some(caller) => {
                Handled::new("UserInfo", Some(caller.org), auth::userinfo(state, &request, caller))
            }
            None => Handled::new("UserInfo", at, bad_token()),
        },
        ["id", ..] => match caller(state, &request) {
            Some(caller) => {
                let told = auth::identity(state, &request, caller, path.trim_start_matches("id/"));
                Handled::new("Identity", Some(caller.org), told.unwrap_or_else(|error| error.answer()))
            }
            None => Handled::new("Identity", at, bad_token()),
        },
        ["services", "Soap", "u" | "c", version, ..] if is_post => {
            let (org, answer) = auth::soap_login(state, &request, at, version);
            Handled::new("SoapLogin", org, answer)
        }
        ["services", "data"] if request.method == Method::GET => {
            let org = caller(state, &request).map(|caller| caller.org).or(at).unwrap_or_default();
            Handled::new("Versions", Some(org), Answer::ok(&rest::versions(&state.orgs[org].org.settings)))
        }
        ["services", "data", ..] => data(state.clone(), request, path).await,
        ["_simulator", rest @ ..] => Handled::new("Simulator", None, control::answer(state, &request, rest)),
        _ => Handled::new("Unknown", at, ApiError::not_found().answer()),
    }
}

/// The words of the identity resources for a token that is none.
fn bad_token() -> Answer {
    Answer::bytes(StatusCode::FORBIDDEN, "text/html;charset=UTF-8", "Bad_OAuth_Token")
}

fn caller(state: &State, request: &Request) -> Option<Caller> {
    state.sessions.caller(request.token()?)
}

/// Calls below `/services/data/vNN.0`.
async fn data(state: Arc<State>, request: Request, path: String) -> Handled {
    let parts: Vec<&str> = path.split('/').skip(3).collect();
    let resource = rest::resource(&parts, &request.method);
    let Some(caller) = caller(&state, &request) else {
        return Handled::new(resource, None, ApiError::session().answer());
    };
    let work = move || {
        let parts: Vec<&str> = path.split('/').skip(2).collect();
        answer_data(&state, &request, caller, &parts).unwrap_or_else(|error| error.answer())
    };
    let answer = tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let message = "An unexpected error occurred. Please include this ErrorId if you contact support";
        ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", message).answer()
    });
    Handled { resource, org: Some(caller.org), counted: true, answer }
}

fn answer_data(state: &State, request: &Request, caller: Caller, parts: &[&str]) -> Result<Answer, ApiError> {
    let org = &*state.orgs[caller.org];
    let user = &org.org.settings.users[caller.user];
    if !user.may("ApiEnabled") {
        return Err(ApiError::forbidden("API_CURRENTLY_DISABLED", "API is currently disabled for this user"));
    }
    let [version, parts @ ..] = parts else { return Err(ApiError::not_found()) };
    let version = rest::known_version(version, &org.org.settings)?;
    if !org.requests.take() {
        return Err(ApiError::forbidden("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."));
    }
    let world = org.now();
    let view = org.org.view(&world, caller.user);
    let call = Call { org, world, user, view, version, request };
    rest::answer(state, &call, parts)
}
