//! A small org in a temporary directory, served for one test, and a plain client.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod deploy;
pub mod jwt;
pub mod loads;
pub mod metadata;

use std::fs;
use std::time::Duration;

use orgkeep_simulator::{Simulator, StartOptions};
use reqwest::{Client, ClientBuilder, Method, Response};
use serde_json::{Value, json};
use tempfile::TempDir;

pub const ORG: &str = r"
name: Acme
limits: {dailyApiRequests: 100000}
users:
  - {username: admin@acme.example, password: secret, profile: System Administrator, permissions: [ApiEnabled, ViewAllData, QueryAllFiles]}
  - {username: blind@acme.example, password: secret, permissions: [ApiEnabled], hiddenFields: [Account.Secret__c], hiddenObjects: [Contact]}
  - {username: noapi@acme.example, password: secret, permissions: []}
connectedApps:
  - {clientId: app, clientSecret: app-secret, flows: [ClientCredentials, JwtBearer, RefreshToken, Password, WebServer, Device], runAs: admin@acme.example, certificate: app.crt, callbackUrls: [http://localhost:1717/OauthRedirect]}
  - {clientId: rotating, clientSecret: app-secret, flows: [RefreshToken, Password], rotateRefreshTokens: true}
  - {clientId: none, clientSecret: app-secret}
";

pub const SCHEMA: &str = r"
objects:
  Account:
    fields:
      Industry: {type: picklist, values: [Energy, Food]}
      AnnualRevenue: {type: currency, precision: 18, scale: 2}
      ParentId: {type: reference, to: [Account], relationship: Parent, children: ChildAccounts}
      Description: {type: textarea, length: 32000}
      Secret__c: {type: string, length: 20}
      Since__c: {type: date}
      Place__c: {type: location}
  Contact:
    fields:
      AccountId: {type: reference, to: [Account], relationship: Account, children: Contacts}
      Birthdate: {type: date}
  Attachment:
    fields:
      Body: {type: base64}
  CaseStatus:
    fields: {}
  ContentDocumentLink:
    system: Link
    nameField: None
    fields:
      ContentDocumentId: {type: string, length: 18}
      LinkedEntityId: {type: string, length: 18}
  Vote:
    nameField: None
    fields:
      ParentId: {type: reference, to: [Account]}
  UserRecordAccess:
    nameField: None
    fields:
      UserId: {type: reference, to: [User]}
      RecordId: {type: string, length: 18}
";

pub const ACCOUNTS: &str = "Id,Name,Industry,AnnualRevenue,ParentId,Description,Secret__c,IsDeleted\n\
    acme,Acme,Energy,1000,,\"two\nlines, and \"\"quotes\"\"\",s1,\n\
    bolt,\"Bolt, Inc.\",Food,123456789012345.67,acme,,s2,\n\
    gone,Gone,,,,,,true\n";

/// A served org.
pub struct Served {
    pub simulator: Simulator,
    pub client: Client,
    pub token: String,
    _directory: TempDir,
}

pub fn directory(files: &[(&str, &str)]) -> TempDir {
    let all = [
        ("org.yaml", ORG),
        ("schema.yaml", SCHEMA),
        ("data/Account.csv", ACCOUNTS),
        ("data/Contact.csv", "Name,AccountId\nAnn,bolt\nBob,\n"),
    ];
    filled(all.iter().chain(files))
}

fn filled<'a>(files: impl Iterator<Item = &'a (&'a str, &'a str)>) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, content) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    directory
}

/// A builder of clients; reqwest comes without a provider of ciphers.
pub fn client() -> ClientBuilder {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

/// Serves the small org with files in place of its own, and rows added.
pub async fn serve_with(files: &[(&str, &str)], scale: &[(&str, u64)]) -> Served {
    serve_as(files, scale, |_| {}).await
}

/// The same with other options.
pub async fn serve_as(
    files: &[(&str, &str)],
    scale: &[(&str, u64)],
    change: impl FnOnce(&mut StartOptions),
) -> Served {
    let mut served = serve_directory(directory(files), scale, change).await;
    served.token = served.sign_in("admin@acme.example").await;
    served
}

/// The same, nobody signed in.
pub async fn serve_unsigned(files: &[(&str, &str)]) -> Served {
    serve_directory(directory(files), &[], |_| {}).await
}

/// Serves an org with the settings of the small one and these files alone.
pub async fn serve_only(files: &[(&str, &str)]) -> Served {
    let settings =
        ORG.replace("hiddenFields: [Account.Secret__c], hiddenObjects: [Contact]", "hiddenFields: []");
    let directory = filled([("org.yaml", settings.as_str())].iter().chain(files));
    let mut served = serve_directory(directory, &[], |_| {}).await;
    served.token = served.sign_in("admin@acme.example").await;
    served
}

async fn serve_directory(
    directory: TempDir,
    scale: &[(&str, u64)],
    change: impl FnOnce(&mut StartOptions),
) -> Served {
    let mut options = StartOptions::org(directory.path());
    options.scale = scale.iter().map(|(object, rows)| ((*object).to_owned(), *rows)).collect();
    options.bulk_job = Duration::from_millis(150);
    change(&mut options);
    let simulator = Simulator::start(options).await.unwrap();
    let client = client().build().unwrap();
    Served { simulator, client, token: String::new(), _directory: directory }
}

pub async fn serve() -> Served {
    serve_with(&[], &[]).await
}

impl Served {
    pub async fn oauth(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/services/oauth2/token", self.simulator.address);
        let answer = self.client.post(url).form(form).send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap())
    }

    /// A token of a user.
    pub async fn sign_in(&self, user: &str) -> String {
        let form = [
            ("grant_type", "password"),
            ("client_id", "app"),
            ("client_secret", "app-secret"),
            ("username", user),
            ("password", "secret"),
        ];
        let (status, answer) = self.oauth(&form).await;
        assert_eq!(status, 200, "{answer}");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    pub async fn send(&self, method: Method, token: &str, path: &str, body: Option<Value>) -> Response {
        let mut request =
            self.client.request(method, format!("{}{path}", self.simulator.address)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        request.send().await.unwrap()
    }

    pub async fn get(&self, path: &str) -> Response {
        self.send(Method::GET, &self.token, path, None).await
    }

    pub async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    pub async fn query(&self, soql: &str) -> Response {
        self.query_as(&self.token, soql).await
    }

    pub async fn query_as(&self, token: &str, soql: &str) -> Response {
        let query = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect::<String>();
        self.send(Method::GET, token, &format!("/services/data/v62.0/query?q={query}"), None).await
    }

    pub async fn create_job(&self, soql: &str) -> Response {
        let body = json!({"operation": "query", "query": soql});
        self.send(Method::POST, &self.token, "/services/data/v62.0/jobs/query", Some(body)).await
    }

    /// Creates a job; its path.
    pub async fn job(&self, soql: &str) -> String {
        let answer = self.create_job(soql).await;
        assert_eq!(answer.status(), 200);
        let job: Value = answer.json().await.unwrap();
        assert_eq!(job["state"], "UploadComplete");
        assert_eq!(job["apiVersion"].to_string(), "62.0");
        format!("/services/data/v62.0/jobs/query/{}", job["id"].as_str().unwrap())
    }

    /// Creates a job and waits for its end; its path.
    pub async fn complete_job(&self, soql: &str) -> String {
        let path = self.job(soql).await;
        loop {
            let info = self.json(&path).await;
            if info["state"] == "JobComplete" {
                return path;
            }
            assert!(info["state"] == "UploadComplete" || info["state"] == "InProgress", "{info}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Holds an answer against a status and an error code in a JSON array.
pub async fn refused(answer: Response, status: u16, code: &str) -> String {
    let found = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("not JSON: {text}"));
    assert_eq!((found, body[0]["errorCode"].as_str()), (status, Some(code)), "{text}");
    assert_eq!(body.as_array().unwrap().len(), 1);
    body[0]["message"].as_str().unwrap().to_owned()
}
