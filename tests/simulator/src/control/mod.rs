//! The simulator's own resources below `/_simulator`: what a person or a test wants to see and do. They need no
//! session, since the simulator listens where only its user is, and they are not counted as API calls.

mod automations;
mod calls;
mod html;
mod manage;
mod page;
mod page_records;
mod records;
mod rows;
mod wish;

use http::Method;
use serde_json::json;

use crate::auth::{self, Place};
use crate::faults;
use crate::server::{OrgState, State};
use crate::store::World;
use crate::web::{Answer, ApiError, Request};
use wish::Wish;

/// Answers below `/_simulator`.
pub(crate) fn answer(state: &State, request: &Request, place: Place, rest: &[&str]) -> Answer {
    if foreign(request) {
        let message = "a page of another site may not change the simulator";
        return ApiError::forbidden("FORBIDDEN", message).answer();
    }
    if let Some(answer) = auth::control(state, request, place, rest) {
        return answer;
    }
    if let Some(page) = page::answer(state, request, rest) {
        return page.unwrap_or_else(|error| error.answer());
    }
    match rest {
        ["requests"] if request.method == Method::GET => Answer::ok(&state.log.to_json()),
        ["requests", "counts"] if request.method == Method::GET => {
            Answer::ok(&calls::to_json(&calls::by_resource(&state.log, None)))
        }
        ["orgs", id, rest @ ..] => {
            let org = find(state, id);
            org.and_then(|org| of_org(state, org, request, rest)).unwrap_or_else(|error| error.answer())
        }
        ["faults"] => faults::control(state, request),
        [] if request.method == Method::GET => {
            let orgs: Vec<serde_json::Value> = state.orgs.iter().map(|org| overview(org)).collect();
            Answer::ok(
                &json!({"orgs": orgs, "sessions": state.sessions.count(), "requests": state.log.entries().len()}),
            )
        }
        _ => ApiError::not_found().answer(),
    }
}

/// A browser says when a page of another site sends something.
fn foreign(request: &Request) -> bool {
    request.method != Method::GET
        && request.header("sec-fetch-site").is_some_and(|site| site == "cross-site" || site == "same-site")
}

/// The org with this id of 15 or 18 characters.
fn find<'a>(state: &'a State, id: &str) -> Result<&'a OrgState, ApiError> {
    let same = |org: &&std::sync::Arc<OrgState>| org.org.id() == id || org.org.id().get(..15) == Some(id);
    state.orgs.iter().find(same).map(|org| &**org).ok_or_else(ApiError::not_found)
}

fn of_org(state: &State, org: &OrgState, request: &Request, rest: &[&str]) -> Result<Answer, ApiError> {
    let wish = Wish::new(org, request)?;
    let post = request.method == Method::POST;
    match rest {
        [] if request.method == Method::GET => Ok(Answer::ok(&manage::overview(&wish))),
        ["records", rest @ ..] => records::answer(&wish, rest),
        [what @ ("delete" | "undelete" | "purge")] if post => records::many(&wish, what),
        ["merge"] if post => records::merge(&wish),
        ["bin", "empty"] if post => records::empty_bin(&wish),
        ["activity"] if post => manage::activity(&wish),
        ["jobs"] if request.method == Method::GET => {
            Ok(Answer::ok(&json!({"jobs": crate::bulk::infos(&org.jobs, &org.ingest_jobs)})))
        }
        ["save"] if post => manage::save(&wish),
        ["automations", rest @ ..] => automations::answer(&wish, rest, &request.method),
        ["schema"] if post => manage::schema(&wish),
        ["users", user, what @ ("hide" | "show")] if post => manage::visibility(&wish, user, *what == "hide"),
        ["requests", "counts"] if request.method == Method::GET => {
            Ok(Answer::ok(&calls::to_json(&calls::by_resource(&state.log, Some(org.org.id())))))
        }
        _ => Err(ApiError::not_found()),
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
        "apiRequests": org.limits.requests.told(),
        "bulkJobs": org.jobs.count(),
        "loads": org.ingest_jobs.totals(),
        "rows": counts,
    })
}
