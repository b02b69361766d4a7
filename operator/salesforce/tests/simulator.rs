//! The client against the simulated org, which shares no code with it: what the two agree on is what both read in
//! Salesforce's documents and recordings.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use orgkeep_core::problem::Reaction;
use orgkeep_salesforce::{
    Auth, BlobSource, BulkEvent, Client, ConnectOptions, CountAsk, DescribeCache, Discovery, Environment,
    Opened, ReadOptions, RefreshTokenSink, Resource, Select, Sink,
};
use orgkeep_simulator::{Simulator, StartOptions};
use secrecy::{ExposeSecret as _, SecretString};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// The key that the simulator's own tests use; it opens nothing.
const KEY: &str = include_str!("../../../tests/simulator/tests/data/app.key");
const CERTIFICATE: &str = include_str!("../../../tests/simulator/tests/data/app.crt");

const ORG: &str = "
name: Acme
limits: {dailyApiRequests: 100000}
users:
  - {username: admin@acme.example, password: secret, profile: System Administrator, permissions: [ApiEnabled, ViewAllData, QueryAllFiles]}
connectedApps:
  - {clientId: app, clientSecret: app-secret, flows: [ClientCredentials, JwtBearer], runAs: admin@acme.example, certificate: app.crt}
  - {clientId: rotating, clientSecret: app-secret, flows: [RefreshToken], rotateRefreshTokens: true}
";

const SCHEMA: &str = "
objects:
  Account:
    fields:
      AnnualRevenue: {type: currency, precision: 18, scale: 2}
      Description: {type: textarea, length: 32000}
  Contact: {fields: {}}
  ContentVersion: {}
  CaseStatus: {fields: {}}
";

const ACCOUNTS: &str = "Name,AnnualRevenue,Description\n\
    \"Bolt, Inc.\",1234567890123456.78,\"two\nlines, and \"\"quotes\"\"\"\n\
    Acme,,\n";

struct Bed {
    simulator: Simulator,
    _directory: TempDir,
}

impl Bed {
    async fn start(scale: &[(&str, u64)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let wide: String = (0..420).fold(String::new(), |text, n| {
            format!(
                "{text}      A_Custom_Field_With_Rather_A_Long_Name_{n}__c: {{type: string, length: 40}}\n"
            )
        });
        let schema = format!("{SCHEMA}  Wide__c:\n    fields:\n{wide}");
        for (name, content) in [
            ("org.yaml", ORG),
            ("app.crt", CERTIFICATE),
            ("schema.yaml", &schema),
            ("data/Account.csv", ACCOUNTS),
            ("data/ContentVersion.csv", "Title,PathOnClient,VersionData\nLogo,logo.png,logo.png\n"),
        ] {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        fs::create_dir_all(directory.path().join("files")).unwrap();
        fs::write(directory.path().join("files/logo.png"), logo()).unwrap();
        let mut options = StartOptions::org(directory.path());
        options.scale = scale.iter().map(|(object, rows)| ((*object).to_owned(), *rows)).collect();
        options.bulk_job = Duration::from_millis(100);
        Self { simulator: Simulator::start(options).await.unwrap(), _directory: directory }
    }

    fn options(&self, auth: Auth) -> ConnectOptions {
        let mut options =
            ConnectOptions::new(self.simulator.address.parse().unwrap(), Environment::Production, auth);
        options.allow_http = true;
        options
    }

    async fn client(&self) -> Client {
        let auth = Auth::ClientCredentials {
            client_id: "app".to_owned(),
            client_secret: "app-secret".to_owned().into(),
        };
        Client::connect(self.options(auth)).await.unwrap()
    }
}

fn logo() -> Vec<u8> {
    (0..100_000_u32).flat_map(u32::to_be_bytes).collect()
}

async fn rows(client: &Client, select: &Select) -> Vec<Vec<Option<String>>> {
    let mut query = client.query(select, false);
    let mut rows = Vec::new();
    while let Some(page) = query.next_page().await.unwrap() {
        rows.extend(page.rows);
    }
    rows
}

/// Keeps the last token.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<String>>>);

impl RefreshTokenSink for Memory {
    fn keep(&self, token: SecretString) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move {
            self.0.lock().unwrap().push(token.expose_secret().to_owned());
            Ok(())
        })
    }
}

#[tokio::test]
async fn every_way_to_sign_in() {
    let bed = Bed::start(&[]).await;
    assert_eq!(bed.client().await.org().name, "Acme");
    let jwt = Auth::JwtBearer {
        client_id: "app".to_owned(),
        username: "admin@acme.example".to_owned(),
        private_key: KEY.to_owned().into(),
    };
    let client = Client::connect(bed.options(jwt)).await.unwrap();
    assert_eq!(client.permissions().await.unwrap().missing(), Vec::<&str>::new());
    // A session that ends is renewed.
    bed.simulator.end_sessions();
    client.describe("Account").await.unwrap();
}

#[tokio::test]
async fn a_rotating_app_is_signed_in_to_run_after_run() {
    let bed = Bed::start(&[]).await;
    let memory = Memory::default();
    let mut token = bed.simulator.refresh_token("rotating", "admin@acme.example").unwrap();
    for run in 1..=2 {
        let auth = Auth::RefreshToken {
            client_id: "rotating".to_owned(),
            client_secret: Some("app-secret".to_owned().into()),
            refresh_token: token.clone().into(),
        };
        let mut options = bed.options(auth.clone());
        options.refresh_token_sink = Some(Sink::new(memory.clone()));
        let client = Client::connect(options).await.unwrap();
        bed.simulator.end_sessions();
        client.describe("Account").await.unwrap();
        let kept = memory.0.lock().unwrap().clone();
        assert_eq!(kept.len(), 2 * run);
        token.clone_from(kept.last().unwrap());
        let error = Client::connect(bed.options(auth)).await.unwrap_err();
        assert_eq!(error.code(), "invalid_grant");
    }
}

#[tokio::test]
async fn describes_counts_and_queries_in_few_calls() {
    let bed = Bed::start(&[("Contact", 30)]).await;
    let client = bed.client().await;
    let names: Vec<String> = ["Account", "Contact", "Wide__c", "NoSuch__c", "ContentVersion", "CaseStatus"]
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut cache = DescribeCache::default();
    let schemas = client.describe_many(&names, &mut cache).await.unwrap();
    assert_eq!(schemas[3].as_ref().unwrap_err().reaction(), Reaction::GiveUpObject);
    for (name, schema) in names.iter().zip(&schemas).filter(|(name, _)| *name != "NoSuch__c") {
        assert_eq!(*schema.as_ref().unwrap(), client.describe(name).await.unwrap());
    }
    let again = client.describe_many(&names, &mut cache).await.unwrap();
    assert_eq!(again[0], schemas[0]);
    assert_eq!(client.calls().by_resource[&Resource::Composite].calls, 2);

    let ask = |object: &str| CountAsk { object: object.to_owned(), all: true, condition: None };
    let asks: Vec<CountAsk> = names.iter().map(|name| ask(name)).collect();
    let before = client.calls().api_calls();
    let counts = client.count_many(&asks).await.unwrap();
    assert_eq!(client.calls().api_calls() - before, 2);
    assert_eq!((counts[0].as_ref(), counts[1].as_ref()), (Ok(&2), Ok(&30)));
    assert_eq!(counts[3].as_ref().unwrap_err().code(), "INVALID_TYPE");

    let select = Select::of(schemas[0].as_ref().unwrap());
    let mut packed = client.query_many(&[(select.clone(), false)]).await.unwrap();
    let page = packed.remove(0).unwrap().next_page().await.unwrap().unwrap();
    assert_eq!(page.rows, rows(&client, &select).await);
    let revenue = select.columns().iter().position(|column| column == "AnnualRevenue").unwrap();
    let revenues: BTreeSet<_> = page.rows.iter().map(|row| row[revenue].as_deref()).collect();
    assert_eq!(revenues, BTreeSet::from([None, Some("1234567890123456.78")]));
}

#[tokio::test]
async fn a_file_is_what_its_record_says() {
    let bed = Bed::start(&[]).await;
    let client = bed.client().await;
    let select = Select::new("ContentVersion", &["Id", "ContentSize", "Checksum"]);
    let row: Vec<String> = rows(&client, &select).await.remove(0).into_iter().flatten().collect();
    let source = BlobSource::new("ContentVersion", &row[0], "VersionData")
        .length(row[1].parse().unwrap())
        .md5(&row[2]);
    let mut blob = client.blob(source);
    let mut bytes = Vec::new();
    while let Some(piece) = blob.next_chunk().await.unwrap() {
        bytes.extend_from_slice(&piece);
    }
    assert_eq!(bytes, logo());
    let summary = blob.summary().unwrap();
    assert!(summary.length_proven && summary.md5_proven);
}

#[tokio::test]
async fn a_job_is_read_by_chain_and_by_list_and_from_its_middle() {
    let bed = Bed::start(&[("Account", 9_000)]).await;
    let client = bed.client().await;
    let select = Select::new("Account", &["Id", "Name", "Description"]);
    let cancel = CancellationToken::new();
    let Opened::Bulk(job, info) = client.open_query(&select, false, &cancel, None).await.unwrap() else {
        panic!("by REST")
    };
    let total = client.count("Account", false, None).await.unwrap();
    assert_eq!(info.number_records_processed, Some(total));
    let mut texts = Vec::new();
    for options in [
        ReadOptions { max_records: Some(1_000), ..ReadOptions::default() },
        ReadOptions { max_records: Some(1_000), parallel: 1, memory: 1, ..ReadOptions::default() },
        ReadOptions { discovery: Discovery::ResultPages, ..ReadOptions::default() },
    ] {
        let mut reader = job.read(options, info.number_records_processed);
        let mut text = Vec::new();
        while let Some(event) = reader.next().await.unwrap() {
            if let BulkEvent::Csv(piece) = event {
                text.extend_from_slice(&piece);
            }
        }
        assert_eq!(reader.totals().rows, total);
        texts.push((reader.totals().pages, text));
    }
    assert_eq!(texts[0], texts[1]);
    assert!(texts[0].0 >= 9 && texts[2].0 >= 1);
    assert!(matches!(
        client.open_query(&Select::new("CaseStatus", &["Id"]), false, &cancel, None).await.unwrap(),
        Opened::Rest(..)
    ));
    job.delete().await.unwrap();
}

#[tokio::test]
async fn a_wide_object_is_the_same_by_rest_in_parts_and_by_bulk_in_jobs() {
    let bed = Bed::start(&[("Wide__c", 60)]).await;
    let client = bed.client().await;
    let select = Select::of(&client.describe("Wide__c").await.unwrap());
    let mut by_rest = rows(&client, &select).await;
    assert!(client.calls().by_resource[&Resource::Query].calls > 2);
    let wide = client.create_wide_job(&select, false, Some(150)).await.unwrap();
    assert_eq!(wide.jobs().count(), 3);
    let options = ReadOptions { max_records: Some(25), ..ReadOptions::default() };
    let mut joined = wide.read(&options, &CancellationToken::new(), None).await.unwrap();
    let mut by_bulk = Vec::new();
    while let Some(rows) = joined.next_rows().await.unwrap() {
        by_bulk.extend(rows);
    }
    wide.delete().await;
    let stamps = |rows: &mut Vec<Vec<Option<String>>>| {
        for cell in rows.iter_mut().flatten().flatten() {
            *cell = cell.replace(".000+0000", ".000Z");
        }
        rows.sort_unstable();
    };
    stamps(&mut by_rest);
    stamps(&mut by_bulk);
    assert_eq!(by_rest.len(), 60);
    assert_eq!(by_rest, by_bulk);
}
