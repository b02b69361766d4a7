//! A Bulk 2.0 query job: made, waited for, aborted, deleted.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::check::PagesSeen;
use crate::client::{Client, encode};
use crate::error::{Error, Result};
use crate::soql::{SOQL_LIMIT, Select};
use crate::transport::{Call, Resource};

/// First pause between two looks at a job; each is a call against the allowance, so pauses grow.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// States of a query job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum JobState {
    /// Accepted, not begun.
    UploadComplete,
    /// At work.
    InProgress,
    /// The results are there, for seven days.
    JobComplete,
    /// Salesforce gave it up.
    Failed,
    /// Someone aborted it.
    Aborted,
    /// A state that this version does not know: waited on.
    Other(String),
}

impl From<String> for JobState {
    fn from(word: String) -> Self {
        match word.as_str() {
            "UploadComplete" => Self::UploadComplete,
            "InProgress" => Self::InProgress,
            "JobComplete" => Self::JobComplete,
            "Failed" => Self::Failed,
            "Aborted" => Self::Aborted,
            _ => Self::Other(word),
        }
    }
}

/// What the org says of a job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobInfo {
    /// The job's id, `750…`.
    pub id: String,
    /// Where it stands.
    pub state: JobState,
    /// Rows so far; absent until the job has begun.
    #[serde(default)]
    pub number_records_processed: Option<u64>,
    /// Why it failed.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// A job in the org. Cheap to clone; knows the version it was made with, as its result pages must be asked for
/// with the same.
#[derive(Debug, Clone)]
pub struct QueryJob {
    pub(super) client: Client,
    id: Arc<str>,
    object: Arc<str>,
    api_version: Arc<str>,
    /// Locators that pages named as their next, with the page that named them.
    pub(super) named: Arc<Mutex<HashMap<String, Option<String>>>>,
    /// Pages that were read to their end.
    pub(super) seen: PagesSeen,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewJob<'a> {
    operation: &'a str,
    query: &'a str,
    content_type: &'a str,
    column_delimiter: &'a str,
    line_ending: &'a str,
}

impl QueryJob {
    pub(crate) fn new(client: Client, id: &str, object: &str, api_version: &str) -> Self {
        Self {
            client,
            id: id.into(),
            object: object.into(),
            api_version: api_version.into(),
            named: Arc::default(),
            seen: PagesSeen::default(),
        }
    }

    pub(crate) async fn create(client: Client, select: &Select, all: bool) -> Result<Self> {
        let soql = select.to_soql();
        if soql.chars().count() > SOQL_LIMIT {
            return Err(Error::QueryTooLong {
                object: select.object().to_owned(),
                detail: format!("a query of more than {SOQL_LIMIT} characters is too long for one Bulk job"),
                by_rest: true,
            });
        }
        let job = NewJob {
            operation: if all { "queryAll" } else { "query" },
            query: &soql,
            content_type: "CSV",
            column_delimiter: "COMMA",
            line_ending: "LF",
        };
        let path = format!("{}/jobs/query", client.base());
        let call = Call::post(Resource::BulkJob, path, job)?.about(format!("query of {}", select.object()));
        let made: JobInfo = client.transport().fetch_json(&call).await?;
        let version = client.org().api_version;
        Ok(Self::new(client, &made.id, select.object(), &version))
    }

    /// The job's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The object that it reads.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// The API version that it was made with, such as `64.0`: keep it with the id to resume.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// Where the job stands now: one call.
    pub async fn info(&self) -> Result<JobInfo> {
        self.client.transport().fetch_json(&self.call(Method::GET, "")).await
    }

    /// Waits until the results are there, looking at growing intervals. The job goes on in the org when the wait
    /// is cancelled or its deadline passes, and can be resumed.
    pub async fn wait(&self, cancel: &CancellationToken, deadline: Option<Instant>) -> Result<JobInfo> {
        let mut pause = FIRST_PAUSE;
        loop {
            let info = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(self.cancelled()),
                info = self.info() => info?,
            };
            match info.state {
                JobState::JobComplete => return Ok(info),
                JobState::Failed => {
                    let message = info.error_message.unwrap_or_else(|| "no reason was given".to_owned());
                    return Err(Error::JobFailed {
                        object: self.object().into(),
                        job: self.id().into(),
                        message,
                    });
                }
                JobState::Aborted => {
                    return Err(Error::JobAborted { object: self.object().into(), job: self.id().into() });
                }
                JobState::UploadComplete | JobState::InProgress | JobState::Other(_) => {}
            }
            let next = Instant::now() + pause.mul_f64(rand::random_range(0.75..1.25));
            if deadline.is_some_and(|deadline| next > deadline) {
                return Err(Error::JobDeadline {
                    object: self.object().into(),
                    job: self.id().into(),
                    state: format!("{:?}", info.state),
                });
            }
            tokio::select! {
                () = cancel.cancelled() => return Err(self.cancelled()),
                () = tokio::time::sleep_until(next) => {}
            }
            pause = pause.mul_f64(1.5).min(LONGEST_PAUSE);
        }
    }

    /// Ends a job that is no longer wanted.
    pub async fn abort(&self) -> Result<()> {
        let mut call = self.call(Method::PATCH, "");
        call.body = Some(Bytes::from_static(br#"{"state":"Aborted"}"#));
        self.client.transport().fetch(&call).await.map(drop)
    }

    /// Deletes a job that has ended, with its results, so that they no longer take the org's result storage.
    pub async fn delete(&self) -> Result<()> {
        self.client.transport().fetch(&self.call(Method::DELETE, "")).await.map(drop)
    }

    /// A call about this job; it goes before calls that fetch pages.
    fn call(&self, method: Method, suffix: &str) -> Call {
        let mut call = Call::get(Resource::BulkJob, self.path(suffix)).about(self.object());
        call.method = method;
        call.urgent = true;
        call
    }

    pub(super) fn path(&self, suffix: &str) -> String {
        format!("/services/data/v{}/jobs/query/{}{suffix}", self.api_version, encode(&self.id))
    }

    fn cancelled(&self) -> Error {
        Error::Cancelled { object: self.object().into(), job: self.id().into() }
    }
}
