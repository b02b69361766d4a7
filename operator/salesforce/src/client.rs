//! The client: connected once, cheap to clone, shared by all tasks of a worker.

use std::collections::BTreeMap;
use std::sync::Arc;

use orgkeep_core::run::{OrgFacts, UsageFacts};
use orgkeep_core::schema::ObjectSchema;
use orgkeep_core::scope::Offered;
use serde::Deserialize;

use crate::bulk::QueryJob;
use crate::describe;
use crate::error::{Error, Result};
use crate::limits::Limits;
use crate::options::ConnectOptions;
use crate::permissions::{self, Permissions};
use crate::rest::{RestQuery, query_path};
use crate::soql::Select;
use crate::transport::{Call, CallCounts, Resource, Transport};
use crate::versions::{self, OfferedVersion};

/// A connection to one org.
#[derive(Debug, Clone)]
pub struct Client {
    transport: Arc<Transport>,
    /// `/services/data/vNN.0`
    base: Arc<str>,
    org: Arc<OrgFacts>,
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

    /// Asks the org for its limits: one call. The allowance is also told by every other answer.
    pub async fn refresh_limits(&self) -> Result<()> {
        let at = self.transport.now();
        let limits: Limits = self.transport.fetch_json(&self.get(Resource::Limits, "limits")).await?;
        self.transport.observe(limits.observed(), at);
        Ok(())
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
        let call = self.get(Resource::Describe, &format!("sobjects/{}/describe", encode(object)));
        let answer: describe::Object = self.transport.fetch_json(&call).await?;
        Ok(answer.into_schema())
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
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            total_size: u64,
        }
        let soql = Select::counting(object, condition).to_soql();
        let call = Call::get(Resource::Query, query_path(&self.base, &soql, all));
        Ok(self.transport.fetch_json::<Answer>(&call).await?.total_size)
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

    /// Takes up a job that was made before, by its id and the API version that it was made with.
    pub fn resume_query_job(&self, id: &str, object: &str, api_version: &str) -> QueryJob {
        QueryJob::new(self.clone(), id, object, api_version)
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
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
