//! Creation of a query job.

use std::sync::Arc;

use serde::Deserialize;

use super::csv::Format;
use super::job::NewJob;
use super::refused;
use crate::rest::{Call, check_needs};
use crate::server::State;
use crate::soql::{self, Plan};
use crate::web::{Answer, ApiError};

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
    let schema = &call.world.schema;
    let plan = Plan::new(schema, &call.view, &query)?;
    refused::by_plan(&plan)?;
    check_needs(plan.described(), &query)?;
    if !call.org.limits.bulk_jobs.take() {
        return Err(ApiError::bad("LIMIT_EXCEEDED", "Max bulk v2 query jobs per day exceeded"));
    }
    let job = call.org.jobs.add(NewJob {
        user: call.user_id().to_owned(),
        with_deleted,
        plan: Arc::new(plan),
        format,
        version: call.version.to_owned(),
        takes: state.bulk_job,
    });
    let answer = Answer::ok(&job.short_info());
    let database = call.world.database.clone();
    tokio::task::spawn_blocking(move || job.run(database));
    Ok(answer)
}
