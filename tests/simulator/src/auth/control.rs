//! What an administrator or a test does to sign-in and limits, below `/_simulator`: the clock, sessions, users, calls
//! of others, and an approval without a browser.

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::time::Duration;

use super::apps;
use super::place::Place;
use super::token;
use crate::org::{Change, Flow};
use crate::server::{OrgState, State};
use crate::value::calendar::rest_datetime;
use crate::web::{Answer, ApiError, Request};

/// Answers what it knows of.
///
/// - `GET clock`; `POST clock` `{"advanceSeconds": 7200}`
/// - `GET sessions`; `DELETE sessions/<number>`; `POST sessions/end` (`{"user": …}`, or all)
/// - `GET users`; `PATCH users/<user name>` with what changes: `permissions`, `hiddenFields`, `hiddenObjects`,
///   `active`, `password`
/// - `GET usage`; `POST usage` `{"calls": 500, "bulkJobs": 0}`: as others use the allowance
/// - `POST refresh-tokens` `{"clientId": …, "user": …}`: as the user approves the app on the web-server flow's page
///
/// `users`, `usage` and `refresh-tokens` are those of the first org, or, below `orgs/<id>`, of that one.
pub(crate) fn answer(state: &State, request: &Request, place: Place, rest: &[&str]) -> Option<Answer> {
    let (id, rest) = match rest {
        ["orgs", id, rest @ ..] => (Some(*id), rest),
        rest => (None, rest),
    };
    let org = || org(state, place, id);
    let told = match (&request.method, rest) {
        (&Method::GET, ["clock"]) => Ok(clock(state)),
        (&Method::POST, ["clock"]) => advance(state, request),
        (&Method::GET, ["sessions"]) => Ok(json!({"sessions": state.sessions.to_json(&state.orgs)})),
        (&Method::POST, ["sessions", "end"]) => end_sessions(state, request),
        (&Method::DELETE, ["sessions", number]) => end_session(state, number),
        (&Method::GET, ["users"]) => org().map(users),
        (&Method::PATCH, ["users", name]) => org().and_then(|org| change_user(state, org, request, name)),
        (&Method::GET, ["usage"]) => org().map(usage),
        (&Method::POST, ["usage"]) => org().and_then(|org| use_up(org, request)),
        (&Method::POST, ["refresh-tokens"]) => org().and_then(|org| refresh_token(state, org, request)),
        _ => return None,
    };
    Some(match told {
        Ok(Json::Null) => Answer::empty(StatusCode::NO_CONTENT),
        Ok(told) => Answer::ok(&told),
        Err(error) => error.answer(),
    })
}

fn body<T: for<'a> Deserialize<'a>>(request: &Request) -> Result<T, ApiError> {
    let text: &[u8] = if request.body.is_empty() { b"{}" } else { &request.body };
    serde_json::from_slice(text).map_err(|error| ApiError::bad("INVALID_REQUEST", error.to_string()))
}

fn org<'a>(state: &'a State, place: Place, named: Option<&str>) -> Result<&'a OrgState, ApiError> {
    let mut orgs = state.orgs.iter().filter(|org| place.has(org));
    let found =
        orgs.find(|org| named.is_none_or(|id| org.org.id() == id || org.org.id().get(..15) == Some(id)));
    found.map(|org| &**org).ok_or_else(ApiError::not_found)
}

fn clock(state: &State) -> Json {
    json!({"now": rest_datetime(state.clock.now_ms())})
}

fn advance(state: &State, request: &Request) -> Result<Json, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Wish {
        advance_seconds: f64,
    }
    let wish: Wish = body(request)?;
    let by = Duration::try_from_secs_f64(wish.advance_seconds)
        .map_err(|error| ApiError::bad("INVALID_REQUEST", format!("advanceSeconds: {error}")))?;
    state.clock.advance(by);
    Ok(clock(state))
}

fn end_sessions(state: &State, request: &Request) -> Result<Json, ApiError> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Wish {
        user: Option<String>,
    }
    let wish: Wish = body(request)?;
    let Some(name) = wish.user else {
        state.sessions.end_all();
        return Ok(Json::Null);
    };
    let mut known = false;
    for org in &state.orgs {
        if let Some((user, _)) = org.users.find(&name) {
            known = true;
            state.sessions.end_user(org.number, user);
        }
    }
    if known { Ok(Json::Null) } else { Err(ApiError::not_found()) }
}

fn end_session(state: &State, number: &str) -> Result<Json, ApiError> {
    let number = number.parse().map_err(|_| ApiError::not_found())?;
    if state.sessions.end_number(number) { Ok(Json::Null) } else { Err(ApiError::not_found()) }
}

fn users(org: &OrgState) -> Json {
    let hidden = org.now().hidden;
    let users = org.users.all();
    let entry = |(number, user): (usize, &std::sync::Arc<crate::org::User>)| {
        let hidden = hidden.get(number);
        json!({
            "id": user.id,
            "username": user.username,
            "profile": user.profile,
            "active": user.active,
            "permissions": user.permissions,
            "hiddenFields": hidden.map(|hidden| &hidden.fields),
            "hiddenObjects": hidden.map(|hidden| &hidden.objects),
        })
    };
    json!({"users": users.iter().enumerate().map(entry).collect::<Vec<_>>()})
}

fn change_user(state: &State, org: &OrgState, request: &Request, name: &str) -> Result<Json, ApiError> {
    let change: Change = body(request)?;
    let name = url::form_urlencoded::parse(name.as_bytes()).next().map(|(name, _)| name.into_owned());
    let (number, _) = name.and_then(|name| org.users.find(&name)).ok_or_else(ApiError::not_found)?;
    let leaves = change.active == Some(false);
    org.change_user(number, change).map_err(|message| ApiError::bad("INVALID_REQUEST", message))?;
    if leaves {
        state.sessions.end_user(org.number, number);
    }
    Ok(users(org))
}

fn usage(org: &OrgState) -> Json {
    let limits = &org.limits;
    json!({
        "requests": limits.requests.entry(),
        "bulkJobs": limits.bulk_jobs.entry(),
        "callers": limits.by_caller(&org.org.settings),
    })
}

fn use_up(org: &OrgState, request: &Request) -> Result<Json, ApiError> {
    #[derive(Deserialize)]
    #[serde(default, rename_all = "camelCase", deny_unknown_fields)]
    #[derive(Default)]
    struct Wish {
        calls: u64,
        bulk_jobs: u64,
    }
    let wish: Wish = body(request)?;
    org.limits.requests.add(wish.calls);
    org.limits.bulk_jobs.add(wish.bulk_jobs);
    Ok(usage(org))
}

fn refresh_token(state: &State, org: &OrgState, request: &Request) -> Result<Json, ApiError> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Wish {
        client_id: String,
        user: String,
    }
    let wish: Wish = body(request)?;
    let token = approve(state, org.number, &wish.client_id, &wish.user);
    let message = "no such user or app, or the app does not have the RefreshToken flow";
    Ok(json!({"refreshToken": token.ok_or_else(|| ApiError::bad("INVALID_REQUEST", message))?}))
}

/// Approves an app as a user does on the page of the web-server flow; the refresh token that comes of it.
pub(crate) fn approve(state: &State, org: usize, client_id: &str, user: &str) -> Option<String> {
    let app = *apps::find(state, Some(client_id), Place::Org(org)).first()?;
    app.allows(Flow::RefreshToken, apps::NOT_APPROVED).ok()?;
    let (user, _) = app.org.users.find(user)?;
    app.admit_signed_in(user).ok()?;
    token::approve(state, app, user, vec!["api".to_owned(), "refresh_token".to_owned()]).refresh
}
