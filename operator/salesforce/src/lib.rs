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
//! error.reaction() -> problem::Reaction      error.reason() -> Reason      error.code() -> &str
//! ```

mod auth;
mod budget;
mod bulk;
mod client;
mod describe;
mod error;
mod limits;
mod options;
mod permissions;
mod rest;
mod soql;
mod transport;
mod versions;

pub use bulk::{BulkPage, JobInfo, JobState, QueryJob, ResultPages};
pub use client::Client;
pub use error::{Error, Result};
pub use options::{Auth, Clock, ConnectOptions, Environment, RetryPolicy, Timeouts};
pub use permissions::Permissions;
pub use rest::{RestPage, RestQuery};
pub use soql::{Select, literal};
pub use transport::{CallCounts, CallStats, Resource};
pub use versions::{NEWEST_TESTED, OLDEST_TESTED, Version};
