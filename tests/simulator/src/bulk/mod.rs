//! Bulk API 2.0 query jobs: `jobs/query`.

mod csv;
mod job;
mod locator;
mod new;
mod refused;
mod results;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value as Json, json};

pub(crate) use job::Jobs;
pub(crate) use locator::Locators;

use crate::rest::Call;
use crate::server::State;
use crate::web::{Answer, ApiError};

/// Answers below `jobs/query`.
pub(crate) fn answer(state: &State, call: &Call<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    let method = &call.request.method;
    let jobs = &call.org.jobs;
    let find = |id: &str| jobs.find(id).ok_or_else(ApiError::not_found);
    match rest {
        [] if method == Method::POST => new::create(state, call),
        [] if method == Method::GET => Ok(list(call)),
        [] => Err(ApiError::method(method, "GET, POST")),
        [id] if method == Method::GET => Ok(Answer::ok(&find(id)?.info())),
        [id] if method == Method::PATCH => {
            let job = find(id)?;
            let wish: Wish = serde_json::from_slice(&call.request.body)
                .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
            if wish.state != "Aborted" {
                return Err(ApiError::bad(
                    "INVALIDJOB",
                    format!("state can only be set to Aborted, not to {}", wish.state),
                ));
            }
            job.abort()?;
            Ok(Answer::ok(&job.short_info()))
        }
        [id] if method == Method::DELETE => {
            let job = find(id)?;
            if !job.state().is_end() {
                let message = "Only jobs in the states JobComplete, Failed and Aborted can be deleted";
                return Err(ApiError::bad("INVALIDJOBSTATE", message));
            }
            jobs.remove(job.id);
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        [_] => Err(ApiError::method(method, "GET, PATCH, DELETE")),
        [id, "results"] if method == Method::GET => results::page(state, call, &find(id)?),
        [id, "resultPages"] if method == Method::GET => results::pages(state, call, &find(id)?),
        _ => Err(ApiError::not_found()),
    }
}

/// The jobs of an org as asking for each answers, the oldest first.
pub(crate) fn infos(jobs: &Jobs) -> Vec<Json> {
    jobs.all().iter().map(|job| job.info()).collect()
}

#[derive(Deserialize)]
struct Wish {
    state: String,
}

fn list(call: &Call<'_>) -> Answer {
    let wanted = call.request.parameter("jobType").is_none_or(|kind| kind == "V2Query");
    let records: Vec<Json> = call.org.jobs.all().iter().filter(|_| wanted).map(|job| job.info()).collect();
    Answer::ok(&json!({"done": true, "records": records, "nextRecordsUrl": null}))
}
