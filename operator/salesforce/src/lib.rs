//! The client of Salesforce: sign-in, describe, REST query, Bulk 2.0 query, and the org's allowance kept.
//!
//! Streaming and bounded: pages are handed out as they come, one token is kept and renewed once for all tasks,
//! every failure is looked up in [`orgkeep_core::problem`], every call is counted and asks the budget
//! ([`orgkeep_core::budget`]) before it begins.
//!
//! # In short
//! ```text
//! let mut options = ConnectOptions::new(login_url, Environment::Production, Auth::ClientCredentials { .. });
//! let client = Client::connect(options).await?;              // cheap to clone
//!
//! client.org() -> OrgFacts        client.usage() -> UsageFacts        client.calls() -> CallCounts
//! client.permissions().await? -> Permissions { api_enabled, view_all_data, query_all_files: Option<bool> }
//! client.describe_global().await? -> Vec<scope::Offered>
//! client.describe("Account").await? -> ObjectSchema
//! client.record_counts(&["Account"]).await? -> BTreeMap<String, u64>      // approximate
//! client.count("Account", all, Some("Name != null")).await? -> u64        // exact, as of now
//! client.limits().await? -> BTreeMap<String, Limit { max, remaining }>
//! client.calls().by_resource[&Resource::Query] -> CallStats { calls, failed, latency, latency_buckets }
//!
//! // Several in one counted call: ten describes, five queries; each with its own answer or error.
//! client.describe_many(&names, &mut cache).await? -> Vec<Result<ObjectSchema>>    // If-Modified-Since by the cache
//! client.count_many(&[CountAsk { object, all, condition }]).await? -> Vec<Result<u64>>
//! client.query_many(&[(select, all)]).await? -> Vec<Result<RestQuery>>            // first pages are there already
//!
//! let select = Select::of(&schema).filter("SystemModstamp > 2026-01-01T00:00:00Z");
//! let mut rows = client.query(&select, all);                 // RestQuery; wide objects are split and joined
//! rows.columns() -> &[String]
//! while let Some(page) = rows.next_page().await? {           // RestPage { total_size, rows }
//!     page.rows: Vec<Vec<Option<String>>>                    // in the order of columns()
//! }
//!
//! let job = client.create_query_job(&select, all).await?;    // QueryJob: Clone
//! job.id(), job.object(), job.api_version()
//! let job = client.resume_query_job(id, object, api_version);
//! job.wait(&cancel, deadline).await? -> JobInfo { state, .. }              // Err(JobFailed) when Failed
//! job.result_pages(None).await? -> ResultPages { locators: Vec<Option<String>>, next: Option<String> }
//! let mut page = job.page(locator.as_deref(), max_records).await?;
//! page.rows_announced: Option<u64>, page.next: Option<String>, page.body: impl Stream<Item = Result<Bytes>>
//! job.abort().await?; job.delete().await?;
//!
//! // All pages in order, several on their way at once under a bound of memory, resumable:
//! let mut reader = job.read(ReadOptions { parallel: 4, memory: 16 << 20, ..Default::default() }, info.number_records_processed);
//! while let Some(event) = reader.next().await? {   // BulkEvent::{Begins, Csv(Bytes), Ends(PageDone { next, rows, .. })}
//! }                                                // ReadOptions { from: done.next, .. } goes on after a page
//! client.open_query(&select, all, &cancel, deadline).await? -> Opened::{Bulk(job, info), Rest(query, why)}
//! client.create_wide_job(&select, all, max_columns).await? -> WideJob     // too wide for one job: joined by Id
//!
//! let mut blob = client.blob(BlobSource::new("ContentVersion", id, "VersionData").length(n).md5(checksum));
//! while let Some(piece) = blob.next_chunk().await? { /* Bytes; resumed by Range, or begun anew and passed over */ }
//! blob.summary() -> BlobSummary { length, md5, length_proven, md5_proven, resumed }
//!
//! // Writing. A journal of intents comes first: `impl Intents`, append-only; the same write with the same rows goes on.
//! let target = Target::new("Contact", Operation::Insert, columns).key("Key__c").parent("AccountId");
//! client.ingest(intents, "run-7/Contact", &target, rows, &mut outcomes, &IngestOptions::default(), &cancel).await?
//!     -> IngestReport { succeeded, failed, unprocessed, unknown, by_rest, jobs, .. }
//! // each row ends in one Outcome::{Succeeded { id, created }, Failed(RowError), Unprocessed { why }, Unknown { candidates, .. }}
//! client.insert_records(intents, write, &target, &rows, WriteOptions::default(), SETTLE).await? -> Vec<Outcome>
//! client.write_collection(&target, &rows, WriteOptions::default()).await? -> Vec<Outcome>     // update, upsert, delete
//! client.update_record(&target, id, &row, options), client.delete_record(object, id)
//! client.undelete(&ids), client.empty_recycle_bin(&ids), client.merge(object, master, &losers)
//! client.upload(intents, write, &Upload { .. }, options, SETTLE).await? -> Uploaded { outcome, md5 }
//! row_error.fate() -> problem::Fate
//!
//! error.reaction() -> problem::Reaction      error.reason() -> Reason      error.code() -> &str
//! ```

mod auth;
mod blob;
mod budget;
mod bulk;
mod client;
mod composite;
mod describe;
mod error;
pub mod ingest;
mod limits;
mod many;
pub mod metadata;
mod options;
mod permissions;
mod rest;
mod soql;
mod transport;
pub mod upload;
mod versions;
mod wide;
pub mod write;
mod xml;

pub use auth::{RefreshTokenSink, Sink};
pub use blob::{BLOB_KINDS, BlobKind, BlobReader, BlobSource, BlobSummary};
pub use bulk::{
    BulkEvent, BulkPage, BulkReader, BulkRows, Discovery, JobInfo, JobState, PageDone, QueryJob, ReadOptions,
    ResultPages, Totals, WideJob,
};
pub use client::{Client, Opened};
pub use describe::DescribeCache;
pub use error::{Error, Result};
pub use limits::Limit;
pub use many::CountAsk;
pub use options::{Auth, Clock, ConnectOptions, Environment, RetryPolicy, Timeouts};
pub use permissions::Permissions;
pub use rest::{RestPage, RestQuery};
pub use soql::{Select, is_in, literal};
pub use transport::{CallCounts, CallStats, LATENCY_BOUNDS_MS, Resource};
pub use versions::{NEWEST_TESTED, OLDEST_TESTED, Version};
