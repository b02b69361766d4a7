//! The simulator's own resources below `/_simulator`: what a person or a test wants to see and do.

use http::{Method, StatusCode};
use serde_json::json;

use crate::server::{OrgState, State};
use crate::store::World;
use crate::web::{Answer, ApiError, Request};

/// Answers below `/_simulator`.
pub(crate) fn answer(state: &State, request: &Request, rest: &[&str]) -> Answer {
    match rest {
        ["requests"] if request.method == Method::GET => Answer::ok(&state.log.to_json()),
        ["sessions", "end"] if request.method == Method::POST => {
            state.sessions.end_all();
            Answer::empty(StatusCode::NO_CONTENT)
        }
        [] if request.method == Method::GET => {
            let orgs: Vec<serde_json::Value> = state.orgs.iter().map(|org| overview(org)).collect();
            Answer::ok(
                &json!({"orgs": orgs, "sessions": state.sessions.count(), "requests": state.log.entries().len()}),
            )
        }
        _ => ApiError::not_found().answer(),
    }
}

fn overview(org: &OrgState) -> serde_json::Value {
    let World { schema, database, .. } = org.now();
    let objects = schema.objects().iter().enumerate();
    let counts: serde_json::Map<String, serde_json::Value> = objects
        .map(|(number, object)| (object.name.clone(), json!(database.table(number).count(true))))
        .collect();
    json!({
        "id": org.org.id(),
        "name": org.org.settings.name,
        "apiRequests": org.requests.told(),
        "bulkJobs": org.jobs.count(),
        "rows": counts,
    })
}
