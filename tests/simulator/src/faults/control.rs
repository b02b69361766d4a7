//! `/_simulator/faults`: PUT puts a plan in place, GET shows it with how often each fault fired, DELETE takes it back.

use http::{Method, StatusCode};
use serde_json::{Value as Json, json};

use super::plan::{Change, FaultPlan};
use crate::auth::Place;
use crate::server::State;
use crate::web::{Answer, ApiError, Request};

/// Does what others do, as the plan says; what is refused is told on standard error, since nobody waits for it.
pub(crate) fn change(state: &State, change: &Change, org: Option<usize>, base: &str) {
    let id = org.map_or("", |org| state.orgs[org].org.id());
    let path = change.path.replace("{org}", id);
    let body = match &change.body {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    let head = http::Request::builder().method(change.method.as_str()).uri(path.as_str()).body(());
    let Ok((parts, ())) = head.map(http::Request::into_parts) else {
        tracing::warn!(path, "a change of the fault plan is no request");
        return;
    };
    let host = base.split_once("://").map_or(base, |(_, host)| host);
    let request = Request::new(&parts, body.into(), base.starts_with("https"), host);
    let path = request.path.trim_matches('/').to_owned();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let answer = crate::control::answer(state, &request, Place::Anywhere, &parts);
    if !answer.status.is_success() {
        let words = answer.content().map(|content| String::from_utf8_lossy(content).into_owned());
        tracing::warn!(
            path,
            status = answer.status.as_u16(),
            ?words,
            "a change of the fault plan was refused"
        );
    }
}

/// Answers a call of `/_simulator/faults`.
pub(crate) fn answer(state: &State, request: &Request) -> Answer {
    match request.method {
        Method::GET => {}
        Method::PUT => {
            let text = String::from_utf8_lossy(&request.body);
            match FaultPlan::from_yaml(&text) {
                Ok(plan) => state.faults.set(plan),
                Err(error) => return ApiError::bad("INVALID_FAULT_PLAN", error.to_string()).answer(),
            }
        }
        Method::DELETE => {
            state.faults.set(FaultPlan::default());
            return Answer::empty(StatusCode::NO_CONTENT);
        }
        _ => return ApiError::method(&request.method, "GET, PUT, DELETE").answer(),
    }
    let (seed, faults) = state.faults.counts();
    Answer::ok(&json!({"seed": seed, "faults": faults}))
}
