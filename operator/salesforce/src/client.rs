//! The client: connected once, cheap to clone, shared by all tasks of a worker.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use orgkeep_core::problem::Reaction;
use orgkeep_core::run::{OrgFacts, UsageFacts};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_core::scope::Offered;
use serde::Deserialize;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::blob::{BlobReader, BlobSource};
use crate::bulk::{JobInfo, QueryJob, WideJob};
use crate::describe::{self, DescribeCache};
use crate::error::{Error, Result};
use crate::limits::{Limit, Limits};
use crate::many::Count;
use crate::options::ConnectOptions;
use crate::permissions::{self, Permissions};
use crate::rest::{RestQuery, query_path};
use crate::soql::Select;
use crate::transport::{Call, CallCounts, Resource, Transport};
use crate::versions::{self, OfferedVersion};

/// A query that was opened, one way or the other.
#[derive(Debug)]
pub enum Opened {
    /// A complete job: [`QueryJob::read`] or [`QueryJob::page`].
    Bulk(QueryJob, JobInfo),
    /// By REST, and why.
    Rest(Box<RestQuery>, Error),
}

/// A connection to one org.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
    /// `/services/data/vNN.0`
    base: Arc<str>,
    org: Arc<OrgFacts>,
    /// Set when the org has refused a composite as such.
    composites_refused: Arc<AtomicBool>,
}

impl Client {
    /// Signs in, chooses the API version, and learns the org and its allowance: five calls.
    pub async fn connect(options: ConnectOptions) -> Result<Self> {
        let asked = options.api_version.clone();
        let transport = Arc::new(Transport::new(options)?);
        let offered: Vec<OfferedVersion> =
            transport.fetch_json(&Call::get(Resource::Versions, "/services/data")).await?;
        let version = versions::choose(&offered, asked.as_deref())?;
        let mut client = Self {
            transport,
            base: format!("/services/data/v{version}").into(),
            org: Arc::new(OrgFacts { api_version: version.to_string(), ..OrgFacts::default() }),
            composites_refused: Arc::default(),
        };
        client.refresh_limits().await?;
        client.org = Arc::new(client.read_organization().await?);
        Ok(client)
    }

    /// The org as it was when the connection was made.
    pub fn org(&self) -> OrgFacts {
        OrgFacts::clone(&self.org)
    }

    /// The org's allowance as it was last told, and our calls so far.
    pub fn usage(&self) -> UsageFacts {
        let (observed, own_used) = self.transport.observed();
        let Some((observed, at)) = observed else {
            return UsageFacts { own_used, ..UsageFacts::default() };
        };
        let percent = observed.used.saturating_mul(100).checked_div(observed.allowance).unwrap_or(100);
        UsageFacts {
            used: observed.used,
            allowance: observed.allowance,
            own_used,
            percent: percent.min(100) as u8,
            observed_at: at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        }
    }

    /// Tells how many processes were this worker before and died within the last minutes, where that is found out
    /// only after the connection was made: their calls may not be in the org's count yet.
    pub fn reckon_with_lives(&self, lives: u32) {
        self.transport.reckon_with_lives(lives);
    }

    /// Calls so far, by resource.
    pub fn calls(&self) -> CallCounts {
        self.transport.calls()
    }

    /// Whether the org gave a new refresh token in the place of the one in the options.
    pub fn refresh_token_rotated(&self) -> bool {
        self.transport.refresh_token_rotated()
    }

    /// Asks the org for its limits: one call. The allowance is also told by every other answer.
    pub async fn refresh_limits(&self) -> Result<()> {
        self.limits().await.map(drop)
    }

    /// The org's limits by their names, such as `DailyApiRequests`, `DailyBulkV2QueryJobs` and
    /// `DailyBulkV2QueryFileStorageMB`: one call. Which there are depends on the org and the release; the values may
    /// be some minutes old.
    pub async fn limits(&self) -> Result<BTreeMap<String, Limit>> {
        let at = self.transport.now();
        let call = self.get(Resource::Limits, "limits");
        let limits: Limits = self.transport.fetch_json(&call).await?;
        let told = limits.observed().ok_or_else(|| Error::WrongAnswer {
            what: call.what(),
            detail: "it names no DailyApiRequests".to_owned(),
        })?;
        self.transport.observe(told, at);
        Ok(limits.0)
    }

    /// What the user may do of what a backup needs, as far as the org tells.
    pub async fn permissions(&self) -> Result<Permissions> {
        permissions::read(self).await
    }

    /// All objects that the user may see.
    pub async fn describe_global(&self) -> Result<Vec<Offered>> {
        let answer: describe::Global =
            self.transport.fetch_json(&self.get(Resource::Describe, "sobjects")).await?;
        Ok(answer.into_offered())
    }

    /// One object with the fields that the user may see.
    pub async fn describe(&self, object: &str) -> Result<ObjectSchema> {
        describe::describe_if_changed(self, object, &mut DescribeCache::default()).await
    }

    /// The same, unless the cache has it as it is: then a call and no describe.
    pub async fn describe_cached(&self, object: &str, cache: &mut DescribeCache) -> Result<ObjectSchema> {
        describe::describe_if_changed(self, object, cache).await
    }

    /// Many objects, ten in one counted call and two such calls at once; each has its own schema or error, in the
    /// order asked. The cache spares the reading of those that have not changed.
    pub async fn describe_many(
        &self,
        objects: &[String],
        cache: &mut DescribeCache,
    ) -> Result<Vec<Result<ObjectSchema>>> {
        describe::describe_many(self, objects, cache).await
    }

    /// The content of a binary field, streamed; nothing is sent before the first piece is asked for.
    pub fn blob(&self, source: BlobSource) -> BlobReader {
        BlobReader::new(self.clone(), source)
    }

    /// Rows of objects as the org estimates them, in one call a hundred objects; objects that it does not count
    /// are left out.
    pub async fn record_counts(&self, objects: &[&str]) -> Result<BTreeMap<String, u64>> {
        let mut counts = BTreeMap::new();
        for chunk in objects.chunks(100) {
            let names = encode(&chunk.join(","));
            let call = self.get(Resource::Limits, &format!("limits/recordCount?sObjects={names}"));
            let answer: RecordCounts = self.transport.fetch_json(&call).await?;
            counts.extend(answer.objects.into_iter().map(|object| (object.name, object.count)));
        }
        Ok(counts)
    }

    /// Rows of an object as the org counts them now; `all` counts deleted and archived rows, too.
    pub async fn count(&self, object: &str, all: bool, condition: Option<&str>) -> Result<u64> {
        let soql = Select::counting(object, condition).to_soql();
        let call = Call::get(Resource::Query, query_path(&self.base, &soql, all))
            .about(format!("count of {object}"));
        Ok(self.transport.fetch_json::<Count>(&call).await?.total_size)
    }

    /// Reads rows by REST, page by page; nothing is sent before the first page is asked for. `all` reads
    /// deleted and archived rows, too. A select too wide for one URI is read in parts, joined by `Id`.
    pub fn query(&self, select: &Select, all: bool) -> RestQuery {
        RestQuery::new(self.clone(), select.clone(), all)
    }

    /// Makes a Bulk 2.0 query job. An object that Bulk does not serve is refused here or fails later; both errors
    /// react with [`orgkeep_core::problem::Reaction::FallBackToRest`].
    pub async fn create_query_job(&self, select: &Select, all: bool) -> Result<QueryJob> {
        QueryJob::create(self.clone(), select, all).await
    }

    /// Makes the jobs of a select that is too wide for one, over some of its columns each; their rows are joined by
    /// `Id`. `max_columns` sets a number of columns where the org takes fewer than a query's length allows.
    pub async fn create_wide_job(
        &self,
        select: &Select,
        all: bool,
        max_columns: Option<usize>,
    ) -> Result<WideJob> {
        WideJob::create(self.clone(), select, all, max_columns).await
    }

    /// Opens a query by Bulk, and by REST where the org refuses that: at once, or by a job that fails. Waits until a
    /// job's results are there.
    pub async fn open_query(
        &self,
        select: &Select,
        all: bool,
        cancel: &CancellationToken,
        deadline: Option<Instant>,
    ) -> Result<Opened> {
        let bulk = async {
            let job = self.create_query_job(select, all).await?;
            let info = job.wait(cancel, deadline).await?;
            Ok::<_, Error>((job, info))
        };
        match bulk.await {
            Ok((job, info)) => Ok(Opened::Bulk(job, info)),
            Err(error) if error.reaction() == Reaction::FallBackToRest => {
                tracing::info!(object = select.object(), %error, "read by REST instead");
                Ok(Opened::Rest(Box::new(self.query(select, all)), error))
            }
            Err(error) => Err(error),
        }
    }

    /// Takes up a job that was made before, by its id and the API version that it was made with.
    pub fn resume_query_job(&self, id: &str, object: &str, api_version: &str) -> QueryJob {
        QueryJob::new(self.clone(), id, object, api_version)
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Whether the org has refused a composite before.
    pub(crate) fn composites_refused(&self) -> bool {
        self.composites_refused.load(Ordering::Relaxed)
    }

    /// Takes note that the org refuses composites: from now on every part is a call of its own.
    pub(crate) fn composite_was_refused(&self, error: &Error) {
        tracing::warn!(%error, "the org refuses composites; calls are sent one by one");
        self.composites_refused.store(true, Ordering::Relaxed);
    }

    /// `/services/data/vNN.0`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    fn get(&self, resource: Resource, path: &str) -> Call {
        Call::get(resource, format!("{}/{path}", self.base))
    }

    async fn read_organization(&self) -> Result<OrgFacts> {
        let columns = ["Id", "Name", "OrganizationType", "InstanceName", "IsSandbox"];
        let mut query = self.query(&Select::new("Organization", &columns), false);
        let row =
            query.next_page().await?.and_then(|page| page.rows.into_iter().next()).ok_or_else(|| {
                Error::WrongAnswer {
                    what: "the org's Organization row".to_owned(),
                    detail: "no row".to_owned(),
                }
            })?;
        let mut cells = row.into_iter().map(Option::unwrap_or_default);
        let mut next = || cells.next().unwrap_or_default();
        Ok(OrgFacts {
            id: next(),
            name: next(),
            edition: next(),
            instance: next(),
            sandbox: next() == "true",
            api_version: self.org.api_version.clone(),
        })
    }
}

#[derive(Deserialize)]
struct RecordCounts {
    #[serde(rename = "sObjects")]
    objects: Vec<RecordCount>,
}

#[derive(Deserialize)]
struct RecordCount {
    name: String,
    count: u64,
}

/// Encodes a part of a path or query.
pub(crate) fn encode(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
