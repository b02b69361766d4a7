//! A simulated org for the tests of writing, faults at chosen calls, and the ledger that is asked in the end: how many
//! rows of a run are there, how often.

// The lint's exception for tests does not reach what tests share; each test file uses its part.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use futures::Stream;
use futures::future::BoxFuture;
use orgkeep_salesforce::write::{Cell, Column, Entry, InputRow, Intents, MemoryIntents, Operation, Target};
use orgkeep_salesforce::{
    Auth, Client, ConnectOptions, Environment, Error, Result, RetryPolicy, Select, literal,
};
use orgkeep_simulator::{Simulator, StartOptions};
use serde_json::{Value, json};
use tempfile::TempDir;

const ORG: &str = "
name: Acme
limits: {dailyApiRequests: 10000000}
users:
  - {username: admin@acme.example, password: secret, profile: System Administrator, permissions: [ApiEnabled, ViewAllData, ModifyAllData, QueryAllFiles, BulkApiHardDelete]}
connectedApps:
  - {clientId: app, clientSecret: app-secret, flows: [ClientCredentials], runAs: admin@acme.example}
";

const SCHEMA: &str = "
objects:
  Account:
    fields:
      Key__c: {type: string, length: 40, externalId: true, unique: true}
      Tag__c: {type: string, length: 40}
      Description: {type: textarea, length: 32000}
      AnnualRevenue: {type: currency, precision: 18, scale: 2}
  Contact:
    fields:
      AccountId: {type: reference, to: [Account], relationship: Account, children: Contacts}
      Tag__c: {type: string, length: 40}
  CaseStatus:
    fields: {}
  ContentVersion: {}
  ContentDocument: {}
  Attachment: {}
  Document: {}
";

/// The org.
pub(crate) struct Bed {
    pub simulator: Simulator,
    http: reqwest::Client,
    _directory: TempDir,
}

impl Bed {
    pub(crate) async fn start() -> Self {
        Self::start_as(&[]).await
    }

    /// With facts that nobody could confirm in the form that is named.
    pub(crate) async fn start_as(facts: &[&str]) -> Self {
        Self::start_with(facts, "").await
    }

    /// With further limits of the org, such as how long rows are locked.
    pub(crate) async fn start_with(facts: &[&str], limits: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let org = ORG.replace("dailyApiRequests: 10000000", &format!("dailyApiRequests: 10000000{limits}"));
        for (name, content) in [("org.yaml", org.as_str()), ("schema.yaml", SCHEMA)] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        let mut options = StartOptions::org(directory.path());
        options.bulk_job = Duration::from_millis(10);
        for fact in facts {
            options.facts.set(fact).unwrap();
        }
        let _ = rustls::crypto::ring::default_provider().install_default();
        Self {
            simulator: Simulator::start(options).await.unwrap(),
            http: reqwest::Client::new(),
            _directory: directory,
        }
    }

    /// A new connection, as a new process makes one; it loses no time between tries.
    pub(crate) async fn connect(&self) -> Client {
        let auth = Auth::ClientCredentials {
            client_id: "app".to_owned(),
            client_secret: "app-secret".to_owned().into(),
        };
        let url = self.simulator.address.parse().unwrap();
        let mut options = ConnectOptions::new(url, Environment::Production, auth);
        options.allow_http = true;
        options.count_lag = Duration::ZERO;
        options.retry = RetryPolicy {
            tries: 5,
            base: Duration::from_millis(20),
            cap: Duration::from_millis(300),
            total: Duration::from_secs(60),
        };
        Client::connect(options).await.unwrap()
    }

    /// Faults from now on; their calls are counted from 1.
    pub(crate) async fn faults(&self, faults: Value) {
        let url = format!("{}/_simulator/faults", self.simulator.address);
        let body = json!({ "seed": 7, "faults": faults }).to_string();
        let answer = self.http.put(url).body(body).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    pub(crate) async fn no_faults(&self) {
        let url = format!("{}/_simulator/faults", self.simulator.address);
        self.http.delete(url).send().await.unwrap();
    }

    /// Times that the faults have fired.
    pub(crate) async fn fired(&self) -> u64 {
        let url = format!("{}/_simulator/faults", self.simulator.address);
        let answer = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let faults = answer["faults"].as_array().unwrap();
        faults.iter().map(|fault| fault["fired"].as_u64().expect("a count")).sum()
    }

    /// The values of a column of rows with a tag, with how many rows have each.
    pub(crate) async fn counts(&self, object: &str, column: &str, tag: &str) -> BTreeMap<String, u64> {
        let client = self.connect().await;
        let select = Select::new(object, &["Id", column]).filter(format!("Tag__c = {}", literal(tag)));
        let mut query = client.query(&select, false);
        let mut counts = BTreeMap::new();
        while let Some(page) = query.next_page().await.unwrap() {
            for row in page.rows {
                *counts.entry(row[1].clone().unwrap_or_default()).or_default() += 1;
            }
        }
        counts
    }
}

/// Rows more than once, and rows not at all.
pub(crate) fn duplicates_and_missing(counts: &BTreeMap<String, u64>, wanted: &[String]) -> (u64, u64) {
    let duplicates = counts.values().map(|count| count - 1).sum();
    let missing = wanted.iter().filter(|name| !counts.contains_key(*name)).count() as u64;
    (duplicates, missing)
}

pub(crate) fn text(text: impl Into<String>) -> Cell {
    Cell::Text(text.into())
}

/// Accounts to be made: without a unique field, so that the org would take a second one.
pub(crate) fn accounts() -> Target {
    let columns = ["Name", "Tag__c", "AnnualRevenue"].map(Column::text).to_vec();
    Target::new("Account", Operation::Insert, columns)
}

/// Rows of [`accounts`], and their names.
pub(crate) fn account_rows(tag: &str, count: usize) -> (Vec<InputRow>, Vec<String>) {
    let names: Vec<String> = (0..count).map(|at| format!("{tag} {at}")).collect();
    let row = |(at, name): (usize, &String)| InputRow {
        key: format!("{tag}/{at}"),
        cells: vec![text(name.clone()), text(tag), if at % 3 == 0 { Cell::Absent } else { text("10.5") }],
    };
    (names.iter().enumerate().map(row).collect(), names)
}

pub(crate) fn stream(rows: &[InputRow]) -> impl Stream<Item = Result<InputRow>> + Send + 'static {
    let rows = rows.to_vec();
    futures::stream::iter(rows.into_iter().map(Ok))
}

/// A journal that dies at its n-th line: before the line is written, or after.
pub(crate) struct Dying {
    pub inner: MemoryIntents,
    pub left: std::sync::atomic::AtomicI64,
    pub after: bool,
}

impl Intents for Dying {
    fn append(&self, entry: Entry) -> BoxFuture<'_, Result<()>> {
        let left = self.left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        let dead = || Error::JournalWrong { detail: "killed on purpose".to_owned() };
        Box::pin(async move {
            if left > 1 {
                return self.inner.append(entry).await;
            }
            if left == 1 && self.after {
                self.inner.append(entry).await?;
            }
            Err(dead())
        })
    }

    fn load(&self) -> BoxFuture<'_, Result<Vec<Entry>>> {
        self.inner.load()
    }
}

/// A journal that is kept over a kill.
pub(crate) fn journal() -> (MemoryIntents, Arc<dyn Intents>) {
    let journal = MemoryIntents::default();
    (journal.clone(), Arc::new(journal))
}
