//! Where a vault is, as a URL or as options.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

use super::azure::{self, AzureOptions};
use super::disk::System;
use super::gcs::{self, GcsOptions};
use super::s3::S3;
use super::volume::Volume;
use super::{Storage, StorageError, StorageErrorKind};
use crate::error::{Result, VaultError};

/// Where a vault is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A directory.
    Volume(PathBuf),
    /// A bucket, or a prefix in one.
    S3(S3Options),
    /// A container of Azure Blob Storage, or a prefix in one.
    Azure(AzureOptions),
    /// A bucket of Google Cloud Storage, or a prefix in one.
    Gcs(GcsOptions),
}

/// How to reach a bucket.
#[derive(Debug, Clone, Default)]
pub struct S3Options {
    /// Name of the bucket.
    pub bucket: String,
    /// Prefix without slashes at its ends; may be empty.
    pub prefix: String,
    /// Region that requests are signed for; empty: `AWS_REGION`, else `us-east-1`.
    pub region: String,
    /// Server other than AWS.
    pub endpoint: Option<String>,
    /// The bucket stands in the path, not in the host's name.
    pub path_style: bool,
    /// Credentials; `None`: the process's own identity (variables, web identity, instance).
    pub credentials: Option<S3Credentials>,
    /// PEM certificates to trust besides the system's.
    pub ca_bundle: Option<Vec<u8>>,
    /// How long what is put is locked; `None`: not at all.
    pub object_lock: Option<ObjectLock>,
}

/// S3 Object Lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ObjectLock {
    /// Who may lift it.
    pub mode: LockMode,
    /// Its term in days.
    pub days: u32,
}

/// Who may lift a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockMode {
    /// Who has `s3:BypassGovernanceRetention`.
    Governance,
    /// Nobody.
    Compliance,
}

/// Credentials of S3.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: String,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: SecretString,
    /// `AWS_SESSION_TOKEN`, of temporary ones.
    pub session_token: Option<SecretString>,
}

impl Location {
    /// Reads `file:///dir`, `s3://bucket/prefix?endpoint=…&region=…&path_style=true`,
    /// `az://account/container/prefix?endpoint=…` or `gs://bucket/prefix?endpoint=…`.
    pub fn parse(text: &str) -> Result<Self> {
        let url = Url::parse(text).map_err(|error| {
            invalid(format!("{text:?}: {error}; write file:///directory or s3://bucket/prefix?region=…"))
        })?;
        if url.scheme() == "file" {
            return url.to_file_path().map(Self::Volume).map_err(|()| {
                invalid(format!("{text:?} must name a directory of this machine: file:///directory"))
            });
        }
        let Some(variables) = credentials_of(url.scheme()) else {
            let scheme = url.scheme();
            return Err(invalid(format!("scheme {scheme:?} is unknown; known are file, s3, az and gs")));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(format!("credentials do not belong in the URL; set {variables}")));
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        if host.is_empty() {
            return Err(invalid(format!("{text:?} names no bucket")));
        }
        let path = url.path().trim_matches('/');
        match url.scheme() {
            "s3" => s3_options(&url, host, path).map(Self::S3),
            "az" => {
                let (container, prefix) = path.split_once('/').unwrap_or((path, ""));
                if container.is_empty() {
                    return Err(invalid(format!(
                        "{text:?} names no container: az://account/container/prefix"
                    )));
                }
                Ok(Self::Azure(AzureOptions {
                    account: host,
                    container: container.to_owned(),
                    prefix: prefix.to_owned(),
                    endpoint: only_endpoint(&url)?,
                    ..AzureOptions::default()
                }))
            }
            _ => Ok(Self::Gcs(GcsOptions {
                bucket: host,
                prefix: path.to_owned(),
                endpoint: only_endpoint(&url)?,
                ..GcsOptions::default()
            })),
        }
    }

    /// The storage there. A directory is made if it is not there; nothing is written to a bucket.
    pub async fn open(&self) -> Result<Arc<dyn Storage>> {
        match self {
            Self::Volume(directory) => {
                if directory.as_os_str().is_empty() {
                    return Err(VaultError::InvalidLocation("the directory has no name".to_owned()));
                }
                Ok(Arc::new(Volume::new(directory.clone(), Arc::new(System))))
            }
            Self::S3(options) => {
                if options.endpoint.as_deref().is_some_and(|endpoint| Url::parse(endpoint).is_err()) {
                    return Err(StorageError::new(
                        StorageErrorKind::Unreachable,
                        format!("s3://{}", options.bucket),
                        "the endpoint is not a URL",
                    )
                    .into());
                }
                Ok(Arc::new(S3::connect(options).await?))
            }
            Self::Azure(options) => Ok(Arc::new(azure::connect(options)?)),
            Self::Gcs(options) => Ok(Arc::new(gcs::connect(options)?)),
        }
    }
}

fn invalid(why: String) -> VaultError {
    VaultError::InvalidLocation(why)
}

/// The variables that credentials of a scheme come from.
fn credentials_of(scheme: &str) -> Option<&'static str> {
    match scheme {
        "s3" => Some("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        "az" => Some("AZURE_STORAGE_ACCOUNT_KEY"),
        "gs" => Some("GOOGLE_APPLICATION_CREDENTIALS"),
        _ => None,
    }
}

fn only_endpoint(url: &Url) -> Result<Option<String>> {
    let mut endpoint = None;
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "endpoint" => endpoint = Some(value.into_owned()),
            other => return Err(invalid(format!("unknown parameter {other:?}; known is endpoint"))),
        }
    }
    Ok(endpoint)
}

fn s3_options(url: &Url, bucket: String, prefix: &str) -> Result<S3Options> {
    let mut options = S3Options { bucket, prefix: prefix.to_owned(), ..S3Options::default() };
    for (key, value) in url.query_pairs() {
        match key.as_ref() {
            "endpoint" => options.endpoint = Some(value.into_owned()),
            "region" => options.region = value.into_owned(),
            "path_style" => {
                options.path_style = match value.as_ref() {
                    "true" | "1" | "" => true,
                    "false" | "0" => false,
                    other => return Err(invalid(format!("path_style={other:?} is neither true nor false"))),
                };
            }
            other => {
                return Err(invalid(format!(
                    "unknown parameter {other:?}; known are endpoint, region, path_style"
                )));
            }
        }
    }
    Ok(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_both_kinds_are_read() {
        let Location::Volume(dir) = Location::parse("file:///var/vault%201").unwrap() else { panic!() };
        assert_eq!(dir, PathBuf::from("/var/vault 1"));
        let url = "s3://bucket/a/b/?endpoint=http://127.0.0.1:8333&region=eu-central-1&path_style=true";
        let Location::S3(options) = Location::parse(url).unwrap() else { panic!() };
        assert_eq!((options.bucket.as_str(), options.prefix.as_str()), ("bucket", "a/b"));
        assert_eq!(options.endpoint.as_deref(), Some("http://127.0.0.1:8333"));
        assert!(options.path_style);
        let Location::Azure(azure) = Location::parse("az://acme/backups/a/b").unwrap() else { panic!() };
        assert_eq!((&*azure.account, &*azure.container, &*azure.prefix), ("acme", "backups", "a/b"));
        let Location::Gcs(gcs) = Location::parse("gs://bucket?endpoint=http://127.0.0.1:4443").unwrap()
        else {
            panic!()
        };
        assert_eq!((&*gcs.bucket, &*gcs.prefix), ("bucket", ""));
        assert_eq!(gcs.endpoint.as_deref(), Some("http://127.0.0.1:4443"));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("/var/vault", "file:///directory"),
            ("s3://?region=x", "bucket"),
            ("s3://b?regoin=x", "regoin"),
            ("s3://k:s@b/", "AWS_ACCESS_KEY_ID"),
            ("ftp://b", "file, s3, az and gs"),
            ("az://account", "container"),
            ("gs://b?region=x", "region"),
            ("s3://b?path_style=maybe", "path_style"),
        ] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
