//! What the tests of backups share: a small org with faults on demand, and a look at what was stored.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test file uses its part

pub mod org;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use orgkeep_api::worker::{BackupTask, Task};
use orgkeep_core::run::Outcome;
use orgkeep_engine::progress::Tracker;
use orgkeep_engine::secrets::InlineSecrets;
use orgkeep_engine::serve::ResultSlot;
use orgkeep_engine::{Context, task};
use orgkeep_vault::{Access, Key, Location, Vault, VaultError};
use secrecy::SecretString;
use serde_json::json;
use tokio_util::sync::CancellationToken;

pub const KEY: &str = "b3Jna2VlcC1xdWlja3N0YXJ0LWRlbW8ta2V5LTMyYiE=";

/// A folder with a vault, and an org.
pub struct Bed {
    pub folder: tempfile::TempDir,
    pub org: org::Org,
}

impl Bed {
    pub async fn new(objects: Vec<org::Object>) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), org: org::Org::start(objects).await }
    }

    pub fn task(&self, run_id: &str) -> BackupTask {
        serde_json::from_value(json!({
            "cluster": "local", "namespace": "default", "backupName": "acme", "snapshotName": "acme-1",
            "runId": run_id, "attempt": 1,
            "connectionName": "acme",
            "connection": {
                "environment": "Production", "loginUrl": self.org.url, "insecure": true,
                "auth": {"clientCredentials": {"clientId": "x", "clientSecretRef": {"name": "acme", "key": "secret"}}}
            },
            "vaultName": "main",
            "vault": {"volume": {"path": "vault"}, "encryption": {"keySecretRef": {"name": "vault", "key": "key"}}},
            "mode": "Auto", "scope": {}, "search": {}, "fullEveryDays": 30, "callsInFlight": 8
        }))
        .unwrap()
    }

    pub fn context(&self) -> Context {
        let mut secrets = InlineSecrets::default();
        secrets.add_secret("acme", [("secret".to_owned(), SecretString::from("t0p"))]);
        secrets.add_secret("vault", [("key".to_owned(), SecretString::from(KEY))]);
        Context {
            secrets: Arc::new(secrets),
            volume_root: self.folder.path().into(),
            tracker: Tracker::default(),
            result: ResultSlot::default(),
            cancel: CancellationToken::new(),
            index: 0,
            holder: "test".to_owned(),
        }
    }

    pub async fn run(&self, task: BackupTask) -> Outcome {
        task::carry_out(&Task::Backup(Box::new(task)), 1, &self.context()).await
    }

    pub fn vault_folder(&self) -> PathBuf {
        self.folder.path().join("vault")
    }

    pub async fn open(&self) -> Result<Vault, VaultError> {
        open(&self.vault_folder()).await
    }

    /// All rows of an object in the newest snapshot, as CSV cells.
    pub async fn rows(&self, object: &str) -> Vec<Vec<Option<String>>> {
        let vault = self.open().await.unwrap();
        let manifest = vault.find_snapshot("latest").await.unwrap();
        let mut reader = vault.rows(&manifest, object, None).await.unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut rows = Vec::new();
            while let Some(row) = reader.next().unwrap() {
                rows.push(row.texts().unwrap());
            }
            rows
        });
        read.await.unwrap()
    }

    /// Every byte of the vault against its manifests.
    pub async fn verify(&self) {
        let vault = self.open().await.unwrap();
        let options = orgkeep_vault::verify::Options { full: true, ..Default::default() };
        let report = orgkeep_vault::verify::verify(&vault, &options).await.unwrap();
        assert!(report.is_good(), "{:?}", report.problems);
    }
}

pub async fn open(folder: &Path) -> Result<Vault, VaultError> {
    let storage = Location::Volume(folder.into()).open().await?;
    Vault::open_read_only(storage, &Access { key: Some(Key::parse(KEY)?), ..Access::default() }).await
}
