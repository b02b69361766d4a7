//! Where a vault is, as a URL or as options.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::SecretString;
use url::Url;

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
    /// Reads `file:///dir` or `s3://bucket/prefix?endpoint=…&region=…&path_style=true`.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |why: String| VaultError::InvalidLocation(why);
        let url = Url::parse(text).map_err(|error| {
            invalid(format!("{text:?}: {error}; write file:///directory or s3://bucket/prefix?region=…"))
        })?;
        match url.scheme() {
            "file" => url.to_file_path().map(Self::Volume).map_err(|()| {
                invalid(format!("{text:?} must name a directory of this machine: file:///directory"))
            }),
            "s3" => {
                if !url.username().is_empty() || url.password().is_some() {
                    return Err(invalid(
                        "credentials do not belong in the URL; set AWS_ACCESS_KEY_ID and \
                                        AWS_SECRET_ACCESS_KEY"
                            .to_owned(),
                    ));
                }
                let bucket = url.host_str().unwrap_or_default().to_owned();
                if bucket.is_empty() {
                    return Err(invalid(format!("{text:?} names no bucket")));
                }
                let mut options = S3Options {
                    bucket,
                    prefix: url.path().trim_matches('/').to_owned(),
                    ..S3Options::default()
                };
                for (key, value) in url.query_pairs() {
                    match key.as_ref() {
                        "endpoint" => options.endpoint = Some(value.into_owned()),
                        "region" => options.region = value.into_owned(),
                        "path_style" => {
                            options.path_style = match value.as_ref() {
                                "true" | "1" | "" => true,
                                "false" | "0" => false,
                                other => {
                                    return Err(invalid(format!(
                                        "path_style={other:?} is neither true nor false"
                                    )));
                                }
                            };
                        }
                        other => {
                            return Err(invalid(format!(
                                "unknown parameter {other:?}; known are endpoint, region, path_style"
                            )));
                        }
                    }
                }
                Ok(Self::S3(options))
            }
            other => Err(invalid(format!("scheme {other:?} is unknown; this version knows file and s3"))),
        }
    }

    /// The storage there. A directory is made if it is not there; nothing is written to a bucket.
    pub async fn open(&self) -> Result<Arc<dyn Storage>> {
        match self {
            Self::Volume(directory) => {
                if directory.as_os_str().is_empty() {
                    return Err(VaultError::InvalidLocation("the directory has no name".to_owned()));
                }
                Ok(Arc::new(Volume::new(directory.clone())))
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
        }
    }
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
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, word) in [
            ("/var/vault", "file:///directory"),
            ("s3://?region=x", "bucket"),
            ("s3://b?regoin=x", "regoin"),
            ("s3://k:s@b/", "AWS_ACCESS_KEY_ID"),
            ("gs://b", "file and s3"),
            ("s3://b?path_style=maybe", "path_style"),
        ] {
            let error = Location::parse(text).unwrap_err().to_string();
            assert!(error.contains(word), "{error}");
        }
    }
}
