//! A bucket as a storage, by aws-sdk-s3 with rustls and `ring`.
//!
//! Every write is conditional and carries its SHA-256, which the store compares. A store that ignores conditions
//! is found by the probe, one that ignores digests by the reading back of what it did not confirm.

use std::ops::Range;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Credentials};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use secrecy::ExposeSecret;

use super::s3_upload::S3Upload;
use super::{
    Entry, ObjectLock, S3Options, Storage, StorageError, StorageErrorKind, StorageResult, Upload, Version,
};
use crate::aws;
use crate::error::Result;

/// Attempts of one request, the first included.
const ATTEMPTS: u32 = 5;
/// Attempts of a read whose body broke off, and of a conditional write that met another in flight.
const OWN_ATTEMPTS: u32 = 4;

/// A bucket, or a prefix in one.
#[derive(Debug, Clone)]
pub(super) struct S3 {
    pub(super) client: Client,
    pub(super) bucket: String,
    pub(super) lock: Option<ObjectLock>,
    prefix: String,
}

impl S3 {
    pub(super) async fn connect(options: &S3Options) -> Result<Self> {
        let http =
            aws::http_client(options.endpoint.as_deref(), options.ca_bundle.as_deref()).map_err(|why| {
                StorageError::new(StorageErrorKind::Unreachable, format!("s3://{}", options.bucket), why)
            })?;
        let region = aws::region(&options.region);
        let builder = match &options.credentials {
            Some(given) => {
                let credentials = Credentials::new(
                    given.access_key_id.trim(),
                    given.secret_access_key.expose_secret().trim(),
                    given.session_token.as_ref().map(|token| token.expose_secret().trim().to_owned()),
                    None,
                    "orgkeep",
                );
                aws_sdk_s3::config::Builder::new()
                    .behavior_version(BehaviorVersion::latest())
                    .credentials_provider(credentials)
                    .http_client(http)
                    .region(region)
            }
            None => {
                let found = aws_config::defaults(BehaviorVersion::latest())
                    .http_client(http)
                    .region(region)
                    .load()
                    .await;
                aws_sdk_s3::config::Builder::from(&found)
            }
        };
        let mut builder = builder
            .force_path_style(options.path_style)
            .retry_config(
                RetryConfig::standard().with_max_attempts(ATTEMPTS).with_max_backoff(Duration::from_secs(8)),
            )
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(Duration::from_secs(5))
                    .read_timeout(Duration::from_secs(30))
                    .operation_attempt_timeout(Duration::from_secs(180))
                    .build(),
            );
        if let Some(endpoint) = &options.endpoint {
            builder = builder.endpoint_url(endpoint);
        }
        Ok(Self {
            client: Client::from_conf(builder.build()),
            bucket: options.bucket.clone(),
            lock: options.object_lock,
            prefix: if options.prefix.is_empty() { String::new() } else { format!("{}/", options.prefix) },
        })
    }

    pub(super) fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }

    fn path<'a>(&self, key: &'a str) -> &'a str {
        key.strip_prefix(&self.prefix).unwrap_or(key)
    }

    async fn read(&self, path: &str, range: Option<Range<u64>>) -> StorageResult<(Bytes, String)> {
        let mut attempt = 1;
        loop {
            let request = self.client.get_object().bucket(&self.bucket).key(self.key(path));
            let request = match &range {
                Some(range) => {
                    request.range(format!("bytes={}-{}", range.start, range.end.saturating_sub(1)))
                }
                None => request,
            };
            let answer = request.send().await.map_err(|error| refusal(path, &error))?;
            let etag = answer.e_tag().unwrap_or_default().to_owned();
            match answer.body.collect().await {
                Ok(body) => return Ok((body.into_bytes(), etag)),
                Err(_) if attempt < OWN_ATTEMPTS => attempt += 1,
                Err(error) => {
                    return Err(StorageError::new(
                        StorageErrorKind::Unreachable,
                        path,
                        format!("the answer broke off: {}", aws::causes(&error)),
                    ));
                }
            }
        }
    }

    /// A conditional put; `None` is `If-None-Match: *`. Says the new ETag, and whether the store confirmed the
    /// digest.
    pub(super) async fn put(
        &self,
        path: &str,
        expected: Option<&Version>,
        bytes: Bytes,
    ) -> StorageResult<(Version, bool)> {
        let digest = sha256_base64(&bytes);
        let mut attempt = 1;
        loop {
            let (mode, until) = self.lock_of(path);
            let request = self
                .client
                .put_object()
                .bucket(&self.bucket)
                .key(self.key(path))
                .set_object_lock_mode(mode)
                .set_object_lock_retain_until_date(until)
                .checksum_sha256(&digest)
                .body(ByteStream::from(bytes.clone()));
            let request = match expected {
                None => request.if_none_match("*"),
                Some(version) => request.if_match(&version.0),
            };
            match request.send().await {
                Ok(answer) => {
                    let confirmed = answer.checksum_sha256() == Some(digest.as_str());
                    return Ok((Version(answer.e_tag().unwrap_or_default().to_owned()), confirmed));
                }
                // 409: another conditional write is in flight; who won is known in a moment.
                Err(error) if status(&error) == Some(409) && attempt < OWN_ATTEMPTS => {
                    tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
                    attempt += 1;
                }
                Err(error) => {
                    let error = refusal(path, &error);
                    // Another byte arrived than was sent: nothing was stored, and the next try may fare better.
                    if error.kind != StorageErrorKind::Corrupted || attempt >= OWN_ATTEMPTS {
                        return Err(error);
                    }
                    attempt += 1;
                }
            }
        }
    }

    /// A listing that is not found has no bucket.
    fn unlisted<E>(&self, prefix: &str, error: &SdkError<E>) -> StorageError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let path = if prefix.is_empty() { self.describe() } else { prefix.to_owned() };
        let error = refusal(&path, error);
        match error.kind {
            StorageErrorKind::NotFound => StorageError { kind: StorageErrorKind::BucketNotFound, ..error },
            _ => error,
        }
    }

    async fn pages(
        &self,
        prefix: String,
        token: Option<String>,
    ) -> StorageResult<(Vec<Entry>, Option<String>)> {
        let answer = self
            .client
            .list_objects_v2()
            .bucket(&self.bucket)
            .prefix(self.key(&prefix))
            .set_continuation_token(token)
            .send()
            .await
            .map_err(|error| self.unlisted(&prefix, &error))?;
        let entries = answer
            .contents()
            .iter()
            .filter_map(|object| {
                let size = object.size().and_then(|size| u64::try_from(size).ok())?;
                Some(Entry { path: self.path(object.key()?).to_owned(), size })
            })
            .collect();
        let more = answer.is_truncated().unwrap_or(false);
        Ok((entries, answer.next_continuation_token().filter(|_| more).map(str::to_owned)))
    }
}

pub(super) fn sha256_base64(bytes: &[u8]) -> String {
    BASE64.encode(ring::digest::digest(&ring::digest::SHA256, bytes))
}

fn status<E>(error: &SdkError<E>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

/// Said before the storage's own words when credentials were good once.
pub(super) const EXPIRED: &str = "the credentials have expired: renew them, and it goes on from where it was";

/// What a code of S3, or else a status, means here.
fn kind_of(code: &str, status: Option<u16>) -> StorageErrorKind {
    match (code, status) {
        ("NoSuchBucket", _) => StorageErrorKind::BucketNotFound,
        // Ceph's, MinIO's and versitygw's word for it come with 403, 507 and 500
        ("QuotaExceeded" | "XMinioStorageFull" | "InsufficientStorage" | "InsufficientCapacity", _)
        | (_, Some(507)) => StorageErrorKind::Full,
        ("PreconditionFailed", _) | (_, Some(409 | 412)) => StorageErrorKind::Conflict,
        ("NoSuchKey" | "NotFound" | "NoSuchUpload", _) | (_, Some(404)) => StorageErrorKind::NotFound,
        ("BadDigest" | "XAmzContentChecksumMismatch" | "XAmzContentSHA256Mismatch" | "InvalidDigest", _) => {
            StorageErrorKind::Corrupted
        }
        ("NotImplemented", _) | (_, Some(501)) => StorageErrorKind::ConditionalWritesUnsupported,
        (
            "AccessDenied"
            | "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "AuthorizationHeaderMalformed",
            _,
        )
        | (_, Some(401 | 403)) => StorageErrorKind::AccessDenied,
        _ => StorageErrorKind::Unreachable,
    }
}

/// What a refusal of S3 means here.
pub(super) fn refusal<E>(path: &str, error: &SdkError<E>) -> StorageError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or_default();
    let said = error.message().unwrap_or_default();
    let kind = kind_of(code, status(error));
    let message = match (code.is_empty(), said.is_empty()) {
        (false, _) if matches!(code, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => {
            format!("{EXPIRED} ({code}: {said})")
        }
        (false, false) => format!("{code}: {said}"),
        (false, true) => code.to_owned(),
        _ => aws::causes(error),
    };
    // So it ends when no provider has credentials, before anything is sent.
    if status(error).is_none() && format!("{}", DisplayErrorContext(error)).contains("CredentialsNotLoaded") {
        return StorageError::new(StorageErrorKind::AccessDenied, path, "there are no credentials for S3");
    }
    StorageError::new(kind, path, message)
}

#[async_trait]
impl Storage for S3 {
    fn describe(&self) -> String {
        format!("s3://{}/{}", self.bucket, self.prefix.trim_end_matches('/'))
    }

    async fn get(&self, path: &str) -> StorageResult<Bytes> {
        Ok(self.read(path, None).await?.0)
    }

    async fn get_range(&self, path: &str, range: Range<u64>) -> StorageResult<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        Ok(self.read(path, Some(range)).await?.0)
    }

    async fn head(&self, path: &str) -> StorageResult<u64> {
        let answer = self
            .client
            .head_object()
            .bucket(&self.bucket)
            .key(self.key(path))
            .send()
            .await
            .map_err(|error| refusal(path, &error))?;
        Ok(answer.content_length().and_then(|size| u64::try_from(size).ok()).unwrap_or_default())
    }

    async fn put_if_absent(&self, path: &str, bytes: Bytes) -> StorageResult<()> {
        match self.put(path, None, bytes).await {
            Ok(_) => Ok(()),
            Err(error) if error.kind == StorageErrorKind::Conflict => {
                Err(StorageError { kind: StorageErrorKind::AlreadyExists, ..error })
            }
            Err(error) => Err(error),
        }
    }

    async fn upload(&self, path: &str) -> StorageResult<Box<dyn Upload>> {
        Ok(Box::new(S3Upload::new(self.clone(), path)))
    }

    async fn read_mutable(&self, path: &str) -> StorageResult<Option<(Bytes, Version)>> {
        match self.read(path, None).await {
            Ok((bytes, etag)) => Ok(Some((bytes, Version(etag)))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn replace_if_match(
        &self,
        path: &str,
        expected: Option<&Version>,
        bytes: Bytes,
    ) -> StorageResult<Version> {
        match self.put(path, expected, bytes.clone()).await {
            Ok((version, _)) => Ok(version),
            // Ours, if the answer to an earlier try was lost on its way: then the bytes are those that we sent.
            Err(error) if error.kind == StorageErrorKind::Conflict => match self.read_mutable(path).await? {
                Some((there, version)) if there == bytes => Ok(version),
                _ => Err(error),
            },
            // If-Match on what is not there.
            Err(error) if error.is_not_found() => {
                Err(StorageError { kind: StorageErrorKind::Conflict, ..error })
            }
            Err(error) => Err(error),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, StorageResult<Entry>> {
        let prefix = prefix.to_owned();
        stream::unfold(Some(None), move |state: Option<Option<String>>| {
            let prefix = prefix.clone();
            async move {
                let token = state?;
                let (found, next) = match self.pages(prefix, token).await {
                    Ok((entries, next)) => (entries.into_iter().map(Ok).collect(), next.map(Some)),
                    Err(error) => (vec![Err(error)], None),
                };
                Some((stream::iter(found), next))
            }
        })
        .flatten()
        .boxed()
    }

    async fn list_folders(&self, folder: &str) -> StorageResult<Vec<String>> {
        let below = match folder.trim_end_matches('/') {
            "" => self.prefix.clone(),
            folder => format!("{}/", self.key(folder)),
        };
        let (mut names, mut token) = (Vec::new(), None);
        loop {
            let answer = self
                .client
                .list_objects_v2()
                .bucket(&self.bucket)
                .prefix(&below)
                .delimiter("/")
                .set_continuation_token(token)
                .send()
                .await
                .map_err(|error| self.unlisted(folder, &error))?;
            names.extend(answer.common_prefixes().iter().filter_map(|common| {
                Some(common.prefix()?.strip_prefix(&below)?.trim_end_matches('/').to_owned())
            }));
            token = answer.next_continuation_token().map(str::to_owned);
            if token.is_none() || !answer.is_truncated().unwrap_or(false) {
                return Ok(names);
            }
        }
    }

    async fn delete(&self, path: &str) -> StorageResult<()> {
        match self.client.delete_object().bucket(&self.bucket).key(self.key(path)).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let error = refusal(path, &error);
                if error.is_not_found() { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn delete_mutable(&self, path: &str) -> StorageResult<()> {
        self.delete(path).await
    }

    async fn check_lock(&self) -> StorageResult<()> {
        Self::check_lock(self).await
    }

    fn locks(&self) -> bool {
        self.lock.is_some()
    }

    async fn extend_lock(&self, path: &str) -> StorageResult<bool> {
        Self::extend_lock(self, path).await
    }

    async fn locked_until(&self, path: &str) -> StorageResult<Option<jiff::Timestamp>> {
        Self::locked_until(self, path).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_counts_before_the_status_that_it_comes_with() {
        for (code, status, kind) in [
            ("QuotaExceeded", 403, StorageErrorKind::Full),
            ("XMinioStorageFull", 507, StorageErrorKind::Full),
            ("", 507, StorageErrorKind::Full),
            ("ExpiredToken", 400, StorageErrorKind::AccessDenied),
            ("", 403, StorageErrorKind::AccessDenied),
            ("NoSuchBucket", 404, StorageErrorKind::BucketNotFound),
            ("NoSuchKey", 404, StorageErrorKind::NotFound),
            ("OperationAborted", 409, StorageErrorKind::Conflict),
            ("BadDigest", 400, StorageErrorKind::Corrupted),
            ("SlowDown", 503, StorageErrorKind::Unreachable),
            ("InternalError", 500, StorageErrorKind::Unreachable),
        ] {
            assert_eq!(kind_of(code, Some(status)), kind, "{code} {status}");
        }
    }
}
