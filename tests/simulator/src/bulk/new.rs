//! Creation of a query job.

use std::sync::Arc;

use serde::Deserialize;

use super::csv::Format;
use super::job::NewJob;
use super::refused;
use crate::faults::JobFault;
use crate::rest::{Call, check_needs};
use crate::server::State;
use crate::soql::{self, Plan};
use crate::web::{Answer, ApiError};

/// In what the storage of results is counted.
const MEGABYTE: u64 = 1_048_576;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Wanted {
    operation: String,
    query: Option<String>,
    content_type: Option<String>,
    column_delimiter: Option<String>,
    line_ending: Option<String>,
}

/// `POST jobs/query`.
pub(super) fn create(state: &State, call: &Call<'_>) -> Result<Answer, ApiError> {
    let wanted: Wanted = serde_json::from_slice(&call.request.body)
        .map_err(|error| ApiError::bad("JSON_PARSER_ERROR", error.to_string()))?;
    let with_deleted = match wanted.operation.as_str() {
        "query" => false,
        "queryAll" => true,
        other => {
            return Err(ApiError::bad(
                "INVALIDJOB",
                format!("operation {other} is not allowed here: query or queryAll"),
            ));
        }
    };
    if wanted.content_type.is_some_and(|kind| kind != "CSV") {
        return Err(ApiError::bad("INVALIDJOB", "contentType can only be CSV"));
    }
    let format = Format::named(wanted.column_delimiter.as_deref(), wanted.line_ending.as_deref())
        .ok_or_else(|| {
            ApiError::bad("INVALIDJOB", "columnDelimiter or lineEnding is not one of the allowed values")
        })?;
    let text = wanted.query.filter(|query| !query.trim().is_empty());
    let text = text.ok_or_else(|| ApiError::bad("INVALIDJOB", "Query cannot be empty"))?;
    refused::by_text(&text)?;
    let query = soql::parse(&text)?;
    refused::by_query(&query)?;
    let plan = Plan::new(&call.world.schema, &call.view, &query)?;
    let needs = || check_needs(plan.described(), &query).map_err(ApiError::from);
    let fails = match refused::by_object(plan.described())
        .and_then(|()| refused::by_plan(&plan))
        .and_then(|()| needs())
    {
        Ok(()) => None,
        // both are seen: most refusals come at creation, some only when the job runs
        Err(error) if state.facts.refused_later => Some(refused::later(&error)),
        Err(error) => return Err(error),
    };
    let limits = &call.org.limits;
    // full once more was stored than may be
    if !limits.bulk_storage.take_some(0) {
        let most = limits.bulk_storage.max().saturating_mul(1_024);
        let message =
            format!("Max bulk v2 query result size stored ({most}) kb per 24 hrs has been exceeded");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    let jobs = &limits.bulk_jobs;
    if !jobs.take() {
        // the words of a recorded answer (airbyte's tests)
        let most = jobs.max();
        let message = format!("Max bulk v2 query jobs ({most}) per 24 hrs has been reached ({most})");
        return Err(ApiError::bad("LIMIT_EXCEEDED", message));
    }
    let job = call.org.jobs.add(NewJob {
        user: call.user_id().to_owned(),
        with_deleted,
        plan: Arc::new(plan),
        format,
        version: call.version.to_owned(),
        takes: state.bulk_job,
        facts: state.facts,
        fails,
    });
    let answer = Answer::ok(&job.short_info());
    if let Some(fault) = call.request.job_fault() {
        job.befall(fault);
        if *fault == JobFault::Vanish {
            call.org.jobs.remove(job.id);
        }
    }
    let (database, org) = (call.world.database.clone(), state.orgs[call.org.number].clone());
    tokio::task::spawn_blocking(move || {
        let bytes = job.run(database);
        org.limits.bulk_storage.add((bytes + MEGABYTE / 2) / MEGABYTE);
    });
    Ok(answer)
}
