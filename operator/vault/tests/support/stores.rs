//! The stores that tests run on: a directory always, and every server that the environment names.
//!
//! `ORGKEEP_TEST_S3_ENDPOINT` (SeaweedFS, `tests/s3.sh`), `ORGKEEP_TEST_VERSITY_ENDPOINT` (`tests/versity.sh`),
//! `ORGKEEP_TEST_AZURE_ENDPOINT` and `ORGKEEP_TEST_GCS_ENDPOINT` (`tests/clouds.sh`). One that is not there is skipped
//! and said; `ORGKEEP_TEST_STORES` lists those that have to be there (`tests/run.sh unit` sets it).
#![allow(dead_code, missing_docs, unreachable_pub)] // each test binary uses its part

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use orgkeep_vault::storage::Storage;
use orgkeep_vault::{AzureCredentials, AzureOptions, GcsOptions, Location, S3Credentials, S3Options};

/// Azurite's own account, in its documentation.
pub const AZURITE_ACCOUNT: &str = "devstoreaccount1";
pub const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// Kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Volume,
    SeaweedFs,
    Versity,
    Azurite,
    FakeGcs,
}

pub const KINDS: [Kind; 5] = [Kind::Volume, Kind::SeaweedFs, Kind::Versity, Kind::Azurite, Kind::FakeGcs];

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Volume => "volume",
            Self::SeaweedFs => "seaweedfs",
            Self::Versity => "versitygw",
            Self::Azurite => "azurite",
            Self::FakeGcs => "fake-gcs",
        }
    }

    fn variable(self) -> Option<&'static str> {
        match self {
            Self::Volume => None,
            Self::SeaweedFs => Some("ORGKEEP_TEST_S3_ENDPOINT"),
            Self::Versity => Some("ORGKEEP_TEST_VERSITY_ENDPOINT"),
            Self::Azurite => Some("ORGKEEP_TEST_AZURE_ENDPOINT"),
            Self::FakeGcs => Some("ORGKEEP_TEST_GCS_ENDPOINT"),
        }
    }

    /// Where its server is; `None` of a volume, and where none was started.
    pub fn endpoint(self) -> Option<String> {
        std::env::var(self.variable()?).ok().filter(|endpoint| !endpoint.is_empty())
    }

    /// A place of its own there, by this endpoint.
    pub fn at(self, endpoint: &str, prefix: &str) -> Location {
        let variable = |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
        let prefix = unique(prefix);
        let endpoint = Some(endpoint.to_owned());
        match self {
            Self::Volume => panic!("a volume has no endpoint"),
            Self::SeaweedFs | Self::Versity => Location::S3(S3Options {
                bucket: variable("ORGKEEP_TEST_S3_BUCKET", "orgkeep"),
                prefix,
                endpoint,
                path_style: true,
                credentials: Some(S3Credentials {
                    access_key_id: variable("AWS_ACCESS_KEY_ID", "test"),
                    secret_access_key: variable("AWS_SECRET_ACCESS_KEY", "testtest").into(),
                    session_token: None,
                }),
                ca_bundle: std::env::var_os("ORGKEEP_TEST_S3_CA").map(|path| std::fs::read(path).unwrap()),
                ..S3Options::default()
            }),
            Self::Azurite => Location::Azure(AzureOptions {
                account: AZURITE_ACCOUNT.into(),
                container: "orgkeep".into(),
                prefix,
                endpoint,
                credentials: Some(AzureCredentials::AccountKey(AZURITE_KEY.to_owned().into())),
                ca_bundle: None,
            }),
            Self::FakeGcs => Location::Gcs(GcsOptions {
                bucket: "orgkeep".into(),
                prefix,
                // A server without sign-in, as the library has it.
                credentials: Some(
                    serde_json::json!({
                        "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": "",
                        "gcs_base_url": endpoint,
                    })
                    .to_string()
                    .into(),
                ),
                endpoint,
                ca_bundle: None,
            }),
        }
    }

    /// A place of its own there; `None` where its server was not started.
    pub fn location(self, prefix: &str) -> Option<Location> {
        match self {
            Self::Volume => Some(Location::Volume(scratch().join(unique(prefix)))),
            server => server.endpoint().map(|endpoint| server.at(&endpoint, prefix)),
        }
    }
}

/// The same place by another endpoint, such as that of a proxy.
pub fn by(location: &Location, endpoint: &str) -> Location {
    let mut location = location.clone();
    match &mut location {
        Location::Volume(_) => {}
        Location::S3(options) => options.endpoint = Some(endpoint.to_owned()),
        Location::Azure(options) => options.endpoint = Some(endpoint.to_owned()),
        Location::Gcs(options) => {
            options.endpoint = Some(endpoint.to_owned());
            let key = serde_json::json!({
                "disable_oauth": true, "client_email": "", "private_key": "", "private_key_id": "",
                "gcs_base_url": endpoint,
            });
            options.credentials = Some(key.to_string().into());
        }
    }
    location
}

fn unique(prefix: &str) -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    format!("{prefix}-{}-{}", now.as_nanos(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A directory that goes with the target folder; what tests leave there is small.
fn scratch() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("stores")
}

/// A store of a test, empty.
#[derive(Debug)]
pub struct Store {
    pub kind: Kind,
    pub location: Location,
    pub storage: Arc<dyn Storage>,
}

impl Drop for Store {
    fn drop(&mut self) {
        if let Location::Volume(directory) = &self.location {
            let _ = std::fs::remove_dir_all(directory);
        }
    }
}

/// A place of its own on every store that is there.
pub async fn stores(prefix: &str) -> Vec<Store> {
    let wanted = std::env::var("ORGKEEP_TEST_STORES").unwrap_or_default();
    let mut found = Vec::new();
    for kind in KINDS {
        match kind.location(prefix) {
            Some(location) => {
                let storage = location.open().await.unwrap();
                found.push(Store { kind, location, storage });
            }
            None => {
                let name = kind.name();
                assert!(
                    !wanted.split_whitespace().any(|one| one == name),
                    "{name} is to be there and is not"
                );
                eprintln!("skipped on {name}: its server was not started");
            }
        }
    }
    found
}
