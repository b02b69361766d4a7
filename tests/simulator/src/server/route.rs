//! Which handler a request goes to, and what every answer has.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::state::State;
use crate::auth::{self, Caller, Place};
use crate::bulk1;
use crate::control;
use crate::faults::{self, Asked, BadPage, Close, Fired, Firing};
use crate::limits::InFlight;
use crate::log::{Counted, NewEntry, Sending};
use crate::rest::{self, Call};
use crate::soap;
use crate::web::{Answer, ApiError, Request, Response, take};

/// Bytes of path and query string at most.
const LONGEST_URI: usize = 16_384;

/// What a handler made of a request, for answer and log.
struct Handled {
    resource: &'static str,
    org: Option<usize>,
    /// Whom the answer tells of the allowance.
    counted: Option<Caller>,
    /// Ends when the last of the answer was sent.
    in_flight: Option<InFlight>,
    answer: Answer,
}

impl Handled {
    fn new(resource: &'static str, org: Option<usize>, answer: Answer) -> Self {
        Self { resource, org, counted: None, in_flight: None, answer }
    }
}

/// Why there is no response: the connection ends.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection is closed, as the fault plan says")]
pub(super) struct HangUp;

/// Answers a request.
pub(super) async fn answer(
    state: Arc<State>,
    request: hyper::Request<Incoming>,
    tls: bool,
) -> Result<Response, HangUp> {
    let (parts, body) = request.into_parts();
    let uri = parts.uri.path_and_query().map_or(0, |path| path.as_str().len());
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().map(str::to_owned);
    let mut received = 0;
    let mut fault = None;
    let (handled, gzip) = if uri > LONGEST_URI {
        let page = "<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>";
        let answer = Answer::bytes(StatusCode::URI_TOO_LONG, "text/html;charset=iso-8859-1", page);
        (Handled::new("TooLong", None, answer.with("connection", "close")), false)
    } else {
        match take(body, &parts).await {
            Err(error) => (Handled::new("Unknown", None, error.answer()), false),
            Ok(taken) => {
                let mut request = Request::new(&parts, taken.body, tls, &state.host);
                (request.parts, request.spooled, received) = (taken.parts, taken.spooled, taken.received);
                let mut gzip = request.takes_gzip();
                match faults::check(&state, &request) {
                    None => (handle(&state, request).await, gzip),
                    Some(fired) => {
                        gzip &= fired.firing.action.gzip != Some(false);
                        let handled;
                        (handled, fault) = faulty(&state, request, fired).await;
                        (handled, gzip)
                    }
                }
            }
        }
    };
    let Handled { resource, org, counted, in_flight, mut answer } = handled;
    if let Some(caller) = counted {
        let org = &state.orgs[caller.org];
        answer = answer.with("sforce-limit-info", &org.limits.header(&org.org.settings, caller));
    }
    let entry = NewEntry {
        method: parts.method.to_string(),
        path,
        query: query
            .filter(|_| !resource.starts_with("Token") && !matches!(resource, "UserInfo" | "Identity")),
        org: org.map(|org| state.orgs[org].org.id().to_owned()),
        resource,
        // nothing is sent where the connection ends
        status: if fault.as_ref().is_some_and(|fault| fault.action.close.is_some()) {
            0
        } else {
            answer.status.as_u16()
        },
        received,
        fault: fault.as_ref().map(|fault| fault.told.clone()),
    };
    let sending = Sending::new(&state.log, entry);
    if let Some(fault) = &fault {
        if let Some(delay) = fault.action.delay_ms {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if fault.action.close.is_some() {
            return Err(HangUp);
        }
    }
    let mut response = answer.finish(gzip).await;
    response.headers_mut().insert("vary", HeaderValue::from_static("Accept-Encoding"));
    if let Some(fault) = &fault {
        response = faults::damage(response, &fault.action).await;
    }
    Ok(response.map(|body| Counted::new(body, sending, in_flight).boxed_unsync()))
}

/// Carries a call out as far as the fault lets it, and damages its answer. The fault comes back if it had
/// something to act on.
async fn faulty(state: &Arc<State>, mut request: Request, fired: Fired) -> (Handled, Option<Firing>) {
    let Fired { firing, resource, org } = fired;
    let action = firing.action.clone();
    for change in &action.change {
        faults::change(state, change, org, &request.base);
    }
    if action.end_sessions {
        state.sessions.end_all();
    }
    if action.close == Some(Close::Before) || (action.replaces() && !action.carried_out) {
        let answer = faults::error_answer(&action, &request, resource);
        let (answer, _) = faults::spoil(&action, answer).await;
        return (Handled::new(resource, org, answer), Some(firing));
    }
    let page = action.page.filter(|_| faults::sees_rest_page(resource));
    let again = request.clone();
    let asked = Arc::new(Asked::new(action.clone(), firing.seed));
    request.fault = Some(asked.clone());
    let mut handled = handle(state, request).await;
    let mut found = match page {
        Some(bad) => rest_page(state, &again, bad, &mut handled.answer).await,
        None => !asked.came_to_nothing(),
    };
    if found {
        if action.replaces() {
            handled.answer = faults::error_answer(&action, &again, resource);
        }
        (handled.answer, found) = faults::spoil(&action, handled.answer).await;
    }
    if !found {
        state.faults.take_back(&firing);
        return (handled, None);
    }
    (handled, Some(firing))
}

/// Makes the page of a REST query wrong; whether there was something to do it to.
async fn rest_page(state: &Arc<State>, request: &Request, bad: BadPage, answer: &mut Answer) -> bool {
    let first = match faults::first_path(&request.path).filter(|_| bad == BadPage::Duplicate) {
        Some(path) => Some(handle(state, Request { path, ..request.clone() }).await.answer.gathered().await),
        None => None,
    };
    let whole = std::mem::replace(answer, Answer::empty(StatusCode::OK)).gathered().await;
    let content = whole.content().filter(|_| whole.status == StatusCode::OK);
    let first = first.as_ref().and_then(Answer::content);
    let page = content.and_then(|page| faults::rest_page(page, bad, &request.path, first));
    *answer = whole;
    let found = page.is_some();
    if let Some(page) = page {
        answer.set_content(page);
    }
    found
}

async fn handle(state: &Arc<State>, request: Request) -> Handled {
    let (place, path) = Place::of(state, &request);
    let path = path.trim_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').collect();
    let told =
        |resource: &'static str, (org, answer): (Option<usize>, Answer)| Handled::new(resource, org, answer);
    match parts.as_slice() {
        ["services", "oauth2", "token"] => told("Token", auth::token(state, &request, place)),
        ["services", "oauth2", "authorize"] => {
            told("TokenAuthorize", auth::authorize(state, &request, place))
        }
        ["setup", "connect"] => told("TokenConnect", auth::connect(state, &request, place)),
        ["services", "oauth2", "revoke"] => {
            Handled::new("TokenRevoke", place.org(), auth::revoke(state, &request))
        }
        ["services", "oauth2", "userinfo"] => told("UserInfo", auth::userinfo(state, &request, place)),
        ["id", rest @ ..] => told("Identity", auth::identity(state, &request, place, rest)),
        ["services", "Soap", letter @ ("u" | "c" | "m" | "t" | "T"), version, ..]
            if request.method == Method::POST =>
        {
            let api = soap::Api::of(letter).unwrap_or(soap::Api::Partner);
            let (resource, version) = (soap::resource(api, &request), (*version).to_owned());
            let soap::Answered { org, in_flight, answer } =
                soap::answer(state.clone(), request, place, api, version).await;
            Handled { in_flight, ..Handled::new(resource, org, answer) }
        }
        ["services", "data"] if request.method == Method::GET => {
            let org =
                caller(state, &request, place).map(|caller| caller.org).or(place.org()).unwrap_or_default();
            Handled::new("Versions", Some(org), Answer::ok(&rest::versions(&state.orgs[org].org.settings)))
        }
        ["services", "data", ..] => data(state.clone(), request, place, path).await,
        ["services", "async", version, rest @ ..] => {
            let (org, answer, in_flight) = bulk1::answer(state, &request, place, version, rest).await;
            let resource = bulk1::resource(rest, &request.method);
            Handled { in_flight, ..Handled::new(resource, org, answer) }
        }
        ["_simulator", rest @ ..] => {
            Handled::new("Simulator", None, control::answer(state, &request, place, rest))
        }
        _ => Handled::new("Unknown", place.org(), ApiError::not_found().answer()),
    }
}

fn caller(state: &State, request: &Request, place: Place) -> Option<Caller> {
    place.caller(state, request.token()?)
}

/// Calls below `/services/data/vNN.0`.
async fn data(state: Arc<State>, request: Request, place: Place, path: String) -> Handled {
    let parts: Vec<&str> = path.split('/').skip(3).collect();
    let resource = rest::resource(&parts, &request.method);
    let Some(caller) = caller(&state, &request, place) else {
        return Handled::new(resource, None, ApiError::session().answer());
    };
    let work = move || {
        let parts: Vec<&str> = path.split('/').skip(2).collect();
        match answer_data(&state, &request, caller, &parts) {
            Ok((answer, in_flight)) => (answer, Some(in_flight)),
            Err(error) => (error.answer(), None),
        }
    };
    let (answer, in_flight) = tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| {
        let message = "An unexpected error occurred. Please include this ErrorId if you contact support";
        let error = ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "UNKNOWN_EXCEPTION", message);
        (error.answer(), None)
    });
    Handled { resource, org: Some(caller.org), counted: Some(caller), in_flight, answer }
}

fn answer_data(
    state: &State,
    request: &Request,
    caller: Caller,
    parts: &[&str],
) -> Result<(Answer, InFlight), ApiError> {
    let org = &*state.orgs[caller.org];
    let user = org.users.get(caller.user).ok_or_else(ApiError::session)?;
    if !user.may("ApiEnabled") {
        // the words that users report who lack "API Enabled"
        let message = "The REST API is not enabled for this Organization.";
        return Err(ApiError::forbidden("API_DISABLED_FOR_ORG", message));
    }
    let [version, parts @ ..] = parts else { return Err(ApiError::not_found()) };
    let version = rest::known_version(version, &org.org.settings)?;
    let in_flight = org.limits.enter(caller)?;
    let world = org.now();
    let view = rest::seen_by(version, org.org.view(&world, caller.user, &user));
    let call = Call { org, world, caller, user: &user, view, version, request, open: None };
    Ok((rest::answer(state, &call, parts).unwrap_or_else(|error| error.answer()), in_flight))
}
