//! Bulk API 2.0: query jobs (`jobs/query`), and in `ingest` jobs that write (`jobs/ingest`).

mod csv;
mod facts;
mod ingest;
mod job;
mod jobs;
pub(crate) mod load;
mod locator;
mod new;
mod pieces;
mod refused;
mod results;

use http::{Method, StatusCode};
use serde::Deserialize;

pub(crate) use csv::write_rows;
pub use facts::{FactError, Facts};
pub(crate) use ingest::{IngestJobs, answer as ingest, resource as ingest_resource};
pub(crate) use job::version_number;
pub(crate) use jobs::Jobs;
pub(crate) use locator::Locators;
pub(crate) use refused::{by_object as refuse_object, by_plan as refuse_plan, by_query as refuse_query};

use crate::faults::JobFault;
use crate::rest::Call;
use crate::server::State;
use crate::web::{Answer, ApiError};

/// The first versions that have query jobs, and parallel result pages.
const JOBS_SINCE: u16 = 47;
const PAGES_SINCE: u16 = 58;

/// Answers below `jobs/query`.
pub(crate) fn answer(state: &State, call: &Call<'_>, rest: &[&str]) -> Result<Answer, ApiError> {
    let since =
        |first: u16| call.version.split('.').next().and_then(|major| major.parse().ok()) >= Some(first);
    if !since(JOBS_SINCE) {
        return Err(ApiError::not_found());
    }
    let method = &call.request.method;
    let jobs = &call.org.jobs;
    let find = |id: &str| {
        let job = jobs.find(id).ok_or_else(ApiError::not_found)?;
        if let Some(fault) = call.request.job_fault() {
            job.befall(fault);
            if *fault == JobFault::Vanish {
                jobs.remove(job.id);
                return Err(ApiError::not_found());
            }
        }
        Ok(job)
    };
    match rest {
        [] if method == Method::POST => new::create(state, call),
        [] if method == Method::GET => jobs::list(state, call),
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
            job.abort(call.org.clock.now_ms())?;
            Ok(Answer::ok(&job.short_info()))
        }
        [id] if method == Method::DELETE => {
            let job = find(id)?;
            if !job.state().is_end() {
                // the documentation's own words (Delete a Query Job)
                let message = "Error encountered when deleting the job because the job is not terminated";
                return Err(ApiError::bad("API_ERROR", message));
            }
            jobs.remove(job.id);
            Ok(Answer::empty(StatusCode::NO_CONTENT))
        }
        [_] => Err(ApiError::method(method, "GET, PATCH, DELETE")),
        [id, "results"] if method == Method::GET => results::page(state, call, &find(id)?),
        [id, "resultPages"] if method == Method::GET && since(PAGES_SINCE) => {
            results::pages(state, call, &find(id)?)
        }
        _ => Err(ApiError::not_found()),
    }
}

/// The jobs of an org as asking for each answers, the oldest first.
pub(crate) fn infos(jobs: &Jobs, loads: &IngestJobs) -> Vec<serde_json::Value> {
    let queries = jobs.all();
    queries.iter().map(|job| job.info()).chain(loads.infos()).collect()
}

#[derive(Deserialize)]
struct Wish {
    state: String,
}
