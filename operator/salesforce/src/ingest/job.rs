//! A Bulk 2.0 ingest job: its calls. What is done after a lost answer is decided in [`super::drive`].

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::StreamExt as _;
use http::Method;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::part::Part;
use crate::client::{Client, encode};
use crate::error::{Error, Result};
use crate::transport::{Body, Call, Outgoing, Resource, path_of};
use crate::write::{Operation, Target};

/// First pause between two looks at a job; each is a call against the allowance, so pauses grow.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);

/// States of an ingest job.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "String")]
pub enum IngestState {
    /// Made; takes its upload.
    Open,
    /// Told to begin.
    UploadComplete,
    /// At work.
    InProgress,
    /// Every row was taken up; which were written, the results tell.
    JobComplete,
    /// Salesforce gave it up; some rows may be written.
    Failed,
    /// Someone aborted it; some rows may be written.
    Aborted,
    /// A state that this version does not know: waited on.
    Other(String),
}

impl From<String> for IngestState {
    fn from(word: String) -> Self {
        match word.as_str() {
            "Open" => Self::Open,
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
pub struct IngestInfo {
    /// The job's id, `750…`.
    pub id: String,
    /// Where it stands.
    pub state: IngestState,
    /// Object API name.
    #[serde(default)]
    pub object: String,
    /// Bulk's word for what is done.
    #[serde(default)]
    pub operation: String,
    /// Who made it.
    #[serde(default)]
    pub created_by_id: Option<String>,
    /// When, in the org's time.
    #[serde(default)]
    pub created_date: Option<String>,
    /// Where the upload goes, relative to the org.
    #[serde(default)]
    pub content_url: Option<String>,
    /// Rows taken up so far.
    #[serde(default)]
    pub number_records_processed: Option<u64>,
    /// Of them, those that were refused.
    #[serde(default)]
    pub number_records_failed: Option<u64>,
    /// Why it failed.
    #[serde(default)]
    pub error_message: Option<String>,
}

impl IngestInfo {
    /// When it was made; the org writes `+0000` and `Z`.
    pub(crate) fn created_at(&self) -> Option<Timestamp> {
        org_time(self.created_date.as_deref()?)
    }
}

/// A time as REST (`+0000`) and Bulk (`Z`) write it.
pub(crate) fn org_time(text: &str) -> Option<Timestamp> {
    let text = text.strip_suffix("+0000").map_or_else(|| text.to_owned(), |time| format!("{time}Z"));
    text.parse().ok()
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct NewJob<'a> {
    object: &'a str,
    operation: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id_field_name: Option<&'a str>,
    content_type: &'a str,
    column_delimiter: &'a str,
    line_ending: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct JobList {
    records: Vec<IngestInfo>,
    #[serde(default)]
    next_records_url: Option<String>,
}

/// Which of a job's results.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResultFile {
    Successful,
    Failed,
    Unprocessed,
}

impl ResultFile {
    pub(crate) const ALL: [Self; 3] = [Self::Successful, Self::Failed, Self::Unprocessed];

    /// The last part of its path: the last of them has a small r.
    fn path(self) -> &'static str {
        match self {
            Self::Successful => "successfulResults",
            Self::Failed => "failedResults",
            Self::Unprocessed => "unprocessedrecords",
        }
    }

    /// The columns before those that were sent.
    pub(crate) fn own_columns(self) -> &'static [&'static str] {
        match self {
            Self::Successful => &["sf__Id", "sf__Created"],
            Self::Failed => &["sf__Id", "sf__Error"],
            Self::Unprocessed => &[],
        }
    }
}

/// A job in the org.
#[derive(Debug, Clone)]
pub(crate) struct IngestJob {
    client: Client,
    pub(crate) id: Arc<str>,
    object: Arc<str>,
}

impl IngestJob {
    pub(crate) fn new(client: &Client, id: &str, object: &str) -> Self {
        Self { client: client.clone(), id: id.into(), object: object.into() }
    }

    /// Makes a job. Not sent again after a lost answer: see [`lost`].
    pub(crate) async fn create(
        client: &Client,
        target: &Target,
        crlf: bool,
    ) -> Result<(Self, Option<String>)> {
        let job = NewJob {
            object: &target.object,
            operation: target.operation.as_str(),
            external_id_field_name: match &target.operation {
                Operation::Upsert { external_id } => Some(external_id),
                _ => None,
            },
            content_type: "CSV",
            column_delimiter: "COMMA",
            line_ending: if crlf { "CRLF" } else { "LF" },
        };
        let about = format!("{} of {}", target.operation.as_str(), target.object);
        let path = format!("{}/jobs/ingest", client.base());
        let call = Call::post(Resource::Ingest, path, job)?.about(about).once();
        let made: IngestInfo = client.transport().fetch_json(&call).await?;
        Ok((Self::new(client, &made.id, &target.object), made.content_url))
    }

    /// Uploads these rows of a part, in this order. A job takes one upload only.
    pub(crate) async fn upload(
        &self,
        content_url: Option<&str>,
        part: &Arc<Part>,
        rows: &[u32],
        crlf: bool,
    ) -> Result<()> {
        let path = match content_url {
            Some(url) if url.contains("://") || url.starts_with('/') => path_of(url, "contentUrl")?,
            // relative, without a slash in front
            Some(url) => format!("/{url}"),
            None => self.path("/batches"),
        };
        let (length, part, rows) = (part.upload_length(rows, crlf), part.clone(), Arc::<[u32]>::from(rows));
        let outgoing = Outgoing::new("text/csv; charset=UTF-8", length, move || {
            futures::stream::iter(part.upload(rows.to_vec(), crlf).map(Ok)).boxed()
        });
        let mut call = Call::get(Resource::IngestUpload, path).method(Method::PUT).sending(outgoing).once();
        call.about = Some(self.about());
        self.client.transport().fetch(&call).await.map(drop)
    }

    /// Tells the org to begin. Whether it was told before a lost answer, [`Self::info`] says.
    pub(crate) async fn complete(&self) -> Result<()> {
        self.client.transport().fetch(&self.set_state("UploadComplete").once()).await.map(drop)
    }

    /// Ends the job; rows that are written stay so.
    pub(crate) async fn abort(&self) -> Result<()> {
        self.client.transport().fetch(&self.set_state("Aborted")).await.map(drop)
    }

    /// Where the job stands now.
    pub(crate) async fn info(&self) -> Result<IngestInfo> {
        self.client.transport().fetch_json(&self.call("")).await
    }

    /// Waits until the job has ended, in whichever way.
    pub(crate) async fn wait(
        &self,
        cancel: &CancellationToken,
        deadline: Option<Instant>,
    ) -> Result<IngestInfo> {
        let mut pause = FIRST_PAUSE;
        let cancelled = || Error::Cancelled { object: self.object.to_string(), job: self.id.to_string() };
        loop {
            let info = tokio::select! {
                biased;
                () = cancel.cancelled() => return Err(cancelled()),
                info = self.info() => info?,
            };
            if matches!(info.state, IngestState::JobComplete | IngestState::Failed | IngestState::Aborted) {
                return Ok(info);
            }
            let next = Instant::now() + pause.mul_f64(rand::random_range(0.75..1.25));
            if deadline.is_some_and(|deadline| next > deadline) {
                return Err(Error::JobDeadline {
                    object: self.object.to_string(),
                    job: self.id.to_string(),
                    state: format!("{:?}", info.state),
                });
            }
            tokio::select! {
                () = cancel.cancelled() => return Err(cancelled()),
                () = tokio::time::sleep_until(next) => {}
            }
            pause = pause.mul_f64(1.5).min(LONGEST_PAUSE);
        }
    }

    /// Opens one of the job's results.
    pub(crate) async fn results(&self, file: ResultFile) -> Result<Body> {
        let mut call = self.call(&format!("/{}", file.path()));
        call.accept = "text/csv";
        call.urgent = false;
        Ok(self.client.transport().open_checked(&call, |_| Ok(())).await?.body)
    }

    fn set_state(&self, state: &str) -> Call {
        let mut call = self.call("").method(Method::PATCH);
        call.body = Some(Bytes::from(format!(r#"{{"state":"{state}"}}"#)));
        call
    }

    fn call(&self, suffix: &str) -> Call {
        let mut call = Call::get(Resource::Ingest, self.path(suffix)).about(self.about());
        call.urgent = true;
        call
    }

    fn about(&self) -> String {
        format!("{}, job {}", self.object, self.id)
    }

    fn path(&self, suffix: &str) -> String {
        format!("{}/jobs/ingest/{}{suffix}", self.client.base(), encode(&self.id))
    }
}

/// Pages of the list of jobs that are read for one lost answer; the newest jobs come first or last, nobody says (K).
const LIST_PAGES: usize = 20;

/// Jobs that may be the one whose making was asked for at `since` and whose answer was lost: made by us since, for the
/// same object and operation, still open, and not known to the journal.
pub(crate) async fn lost(
    client: &Client,
    target: &Target,
    since: Timestamp,
    known: &std::collections::BTreeSet<String>,
) -> Result<Vec<IngestInfo>> {
    let mut path = format!("{}/jobs/ingest?jobType=V2Ingest", client.base());
    let mut found = Vec::new();
    for _ in 0..LIST_PAGES {
        let call = Call::get(Resource::Ingest, path).about("jobs after a lost answer");
        let list: JobList = client.transport().fetch_json(&call).await?;
        let user = client.transport().user();
        found.extend(list.records.into_iter().filter(|info| {
            info.state == IngestState::Open
                && info.object.eq_ignore_ascii_case(&target.object)
                && info.operation == target.operation.as_str()
                && info.created_at().is_some_and(|made| made >= since)
                && info.created_by_id.as_deref().zip(user).is_none_or(|(by, us)| same_id(by, us))
                && !known.contains(&info.id)
        }));
        match list.next_records_url {
            Some(next) => path = path_of(&next, "the list of ingest jobs")?,
            None => break,
        }
    }
    Ok(found)
}

/// Whether two ids of 15 or 18 characters are the same.
pub(crate) fn same_id(one: &str, other: &str) -> bool {
    one == other || (one.len().min(other.len()) == 15 && one.get(..15) == other.get(..15))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_in_both_forms() {
        let time = org_time("2026-01-31T10:11:12.000+0000").unwrap();
        assert_eq!(Some(time), org_time("2026-01-31T10:11:12.000Z"));
        assert_eq!(org_time("yesterday"), None);
        assert!(
            same_id("001000000000001", "001000000000001AAA")
                && !same_id("001000000000001AAA", "001000000000001AAB")
        );
    }
}
