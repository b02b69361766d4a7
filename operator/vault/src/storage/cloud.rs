//! A container of Azure Blob Storage or a bucket of Google Cloud Storage as a storage, by the crate `object_store`.
//!
//! Every write is conditional, as in S3. Neither store tells a SHA-256 of what it holds: what was uploaded is read
//! back by the vault before it counts.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{
    Certificate, ClientOptions, Error, GetOptions, ObjectStore, ObjectStoreExt, PutMode, PutPayload,
    RetryConfig, UpdateVersion,
};

use orgkeep_core::run::cut_to;

use super::cloud_upload::CloudUpload;
use super::s3::EXPIRED;
use super::{Entry, Storage, StorageError, StorageErrorKind, StorageResult, Upload, Version};
use crate::error::Result;
use crate::pem;

/// Attempts of one request beyond the first, by the library.
const RETRIES: usize = 4;
/// Attempts of a conditional write, which the library does not send again: it cannot know whether it was done.
const WRITE_ATTEMPTS: u32 = 4;

/// The most that is told of an answer, bytes.
const LONGEST_MESSAGE: usize = 400;

/// A container or bucket, or a prefix in one.
#[derive(Debug, Clone)]
pub(super) struct Cloud {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Such as `az://account/container`.
    name: String,
    prefix: String,
}

impl Cloud {
    pub(super) fn new(store: Arc<dyn ObjectStore>, name: String, prefix: &str) -> Self {
        Self { store, name, prefix: prefix.trim_matches('/').to_owned() }
    }

    pub(super) fn key(&self, path: &str) -> StorageResult<Path> {
        let whole = match (self.prefix.as_str(), path.trim_end_matches('/')) {
            ("", path) => path.to_owned(),
            (prefix, "") => prefix.to_owned(),
            (prefix, path) => format!("{prefix}/{path}"),
        };
        Path::parse(&whole)
            .map_err(|error| StorageError::new(StorageErrorKind::NotFound, path, error.to_string()))
    }

    fn path(&self, key: &Path) -> String {
        let key = key.as_ref();
        let inside = key.strip_prefix(&self.prefix).map_or(key, |rest| rest.trim_start_matches('/'));
        inside.to_owned()
    }

    /// A conditional put. An answer that was lost may leave it done: the next try then meets our own bytes, which
    /// the caller compares.
    pub(super) async fn put(&self, path: &str, mode: PutMode, bytes: Bytes) -> StorageResult<Version> {
        let key = self.key(path)?;
        let mut attempt = 1;
        loop {
            let payload = PutPayload::from_bytes(bytes.clone());
            match self.store.put_opts(&key, payload, mode.clone().into()).await {
                Ok(done) => return Ok(version(done.e_tag, done.version)),
                Err(error) => {
                    let error = refusal(path, &error);
                    if error.kind != StorageErrorKind::Unreachable || attempt == WRITE_ATTEMPTS {
                        return Err(error);
                    }
                    tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
                    attempt += 1;
                }
            }
        }
    }

    /// A conditional put whose bytes are read back, as neither store compares a digest: what another byte got into on
    /// its way is replaced, while it is still ours.
    async fn put_proven(&self, path: &str, mode: PutMode, bytes: Bytes) -> StorageResult<Version> {
        let mut ours = self.put(path, mode, bytes.clone()).await?;
        for _ in 0..WRITE_ATTEMPTS {
            match self.read_mutable(path).await? {
                Some((there, _)) if there == bytes => return Ok(ours),
                Some((_, version)) if is_same(&version, &ours) => {
                    let mode = PutMode::Update(expected(&ours));
                    ours = self.put(path, mode, bytes.clone()).await?;
                }
                // Another replaced it since, or removed it.
                _ => return Ok(ours),
            }
        }
        let why = "what is read back is not what was written";
        Err(StorageError::new(StorageErrorKind::Corrupted, path, why))
    }
}

/// What every request of either store is sent with.
pub(super) fn client_options(
    name: &str,
    allow_http: bool,
    ca_bundle: Option<&[u8]>,
) -> Result<ClientOptions> {
    // Somebody else may have chosen already, and then that is it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut options = ClientOptions::new()
        .with_allow_http(allow_http)
        .with_connect_timeout(Duration::from_secs(5))
        .with_read_timeout(Duration::from_secs(30))
        .with_timeout(Duration::from_secs(180));
    if let Some(bundle) = ca_bundle {
        let unusable = |why: String| StorageError::new(StorageErrorKind::Unreachable, name, why);
        pem::check(bundle).map_err(unusable)?;
        let certificates =
            Certificate::from_pem_bundle(bundle).map_err(|error| unusable(error.to_string()))?;
        for certificate in certificates {
            options = options.with_root_certificate(certificate);
        }
    }
    Ok(options)
}

pub(super) fn retries() -> RetryConfig {
    RetryConfig { max_retries: RETRIES, retry_timeout: Duration::from_secs(60), ..RetryConfig::default() }
}

/// Azure tells versions by ETag, Google by the number of a generation; a replace wants what its store tells.
fn version(e_tag: Option<String>, generation: Option<String>) -> Version {
    Version(format!("{}\n{}", e_tag.unwrap_or_default(), generation.unwrap_or_default()))
}

/// Whether two versions are one: by generation where both tell it, else by ETag, quoted or not.
fn is_same(one: &Version, other: &Version) -> bool {
    let (one, other) = (expected(one), expected(other));
    match (&one.version, &other.version) {
        (Some(one), Some(other)) => one == other,
        _ => {
            let bare =
                |e_tag: &Option<String>| e_tag.as_deref().map(|text| text.trim_matches('"').to_owned());
            bare(&one.e_tag) == bare(&other.e_tag)
        }
    }
}

fn expected(version: &Version) -> UpdateVersion {
    let (e_tag, generation) = version.0.split_once('\n').unwrap_or((version.0.as_str(), ""));
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    UpdateVersion { e_tag: some(e_tag), version: some(generation) }
}

/// What a refused listing means: one that is not found has no bucket.
fn unlisted(path: &str, error: &Error) -> StorageError {
    let error = refusal(path, error);
    match error.kind {
        StorageErrorKind::NotFound => StorageError { kind: StorageErrorKind::BucketNotFound, ..error },
        _ => error,
    }
}

/// What a refusal means here: by the code that the store gives, else by the library's kind, else by the status.
pub(super) fn refusal(path: &str, error: &Error) -> StorageError {
    let said = words(error);
    let kind = match code(&said).and_then(kind_of) {
        Some(kind) => kind,
        None => match error {
            Error::NotFound { .. } => StorageErrorKind::NotFound,
            Error::AlreadyExists { .. } => StorageErrorKind::AlreadyExists,
            Error::Precondition { .. } => StorageErrorKind::Conflict,
            Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StorageErrorKind::AccessDenied,
            Error::NotSupported { .. } | Error::NotImplemented { .. } => {
                StorageErrorKind::ConditionalWritesUnsupported
            }
            // Refused listings and tokens come with no kind of their own.
            _ => match status(&said) {
                Some(404) => StorageErrorKind::NotFound,
                Some(401 | 403) => StorageErrorKind::AccessDenied,
                Some(507) => StorageErrorKind::Full,
                _ => StorageErrorKind::Unreachable,
            },
        },
    };
    let said = if kind == StorageErrorKind::AccessDenied && has_expired(&said) {
        format!("{EXPIRED} ({said})")
    } else {
        said
    };
    StorageError::new(kind, path, cut_to(&said, LONGEST_MESSAGE))
}

/// An error with its causes, each once, on one line, without the signature of a shared access signature.
fn words(error: &Error) -> String {
    let mut said = error.to_string();
    let mut next = std::error::Error::source(error);
    while let Some(cause) = next {
        let text = cause.to_string();
        if !said.contains(&text) {
            said = format!("{said}: {text}");
        }
        next = cause.source();
    }
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = said.split("sig=");
    let mut clean = parts.next().unwrap_or_default().to_owned();
    for rest in parts {
        clean.push_str("sig=…");
        let end = rest.find(['&', ' ', '"', ')', '\'', '<']).unwrap_or(rest.len());
        clean.push_str(rest.get(end..).unwrap_or_default());
    }
    clean
}

/// The code in an answer: XML's `<Code>` of either store, `reason` of Google's JSON, `error` of a token's server.
fn code(said: &str) -> Option<&str> {
    if let Some((_, rest)) = said.split_once("<Code>") {
        return rest.split_once('<').map(|(code, _)| code.trim());
    }
    ["\"reason\":", "\"error\":"].iter().find_map(|key| {
        let value = said.split_once(key)?.1.trim_start().strip_prefix('"')?;
        value.split_once('"').map(|(code, _)| code)
    })
}

/// What a code means, if the library's kind or the status does not say it as well.
fn kind_of(code: &str) -> Option<StorageErrorKind> {
    Some(match code {
        "ContainerNotFound" | "ContainerBeingDeleted" | "NoSuchBucket" => StorageErrorKind::BucketNotFound,
        "BlobNotFound" | "NoSuchKey" => StorageErrorKind::NotFound,
        "AuthenticationFailed"
        | "AuthorizationFailure"
        | "AuthorizationPermissionMismatch"
        | "AuthorizationProtocolMismatch"
        | "AuthorizationResourceTypeMismatch"
        | "AuthorizationServiceMismatch"
        | "AuthorizationSourceIPMismatch"
        | "AccountIsDisabled"
        | "BlobImmutableDueToPolicy"
        | "InsufficientAccountPermissions"
        | "InvalidAuthenticationInfo"
        | "KeyBasedAuthenticationNotPermitted"
        | "NoAuthenticationInformation"
        | "PublicAccessNotPermitted"
        | "AccessDenied"
        | "AuthenticationRequired"
        | "ExpiredToken"
        | "InvalidSecurity"
        | "SignatureDoesNotMatch"
        | "authError"
        | "forbidden"
        | "invalid_client"
        | "invalid_grant"
        | "unauthorized_client" => StorageErrorKind::AccessDenied,
        "AccountIsFull" | "InsufficientStorage" | "QuotaExceeded" | "quotaExceeded" => StorageErrorKind::Full,
        "BadDigest" | "Crc64Mismatch" | "Md5Mismatch" => StorageErrorKind::Corrupted,
        // Google says 403 or 429 to who is too quick.
        "InternalError"
        | "OperationTimedOut"
        | "ServerBusy"
        | "SlowDown"
        | "backendError"
        | "rateLimitExceeded"
        | "userRateLimitExceeded" => StorageErrorKind::Unreachable,
        _ => return None,
    })
}

/// Whether credentials were good once: an expired shared access signature, token, or secret of an app.
fn has_expired(said: &str) -> bool {
    ["ExpiredToken", "not valid in the specified time frame", "AADSTS7000222", "has expired", "is expired"]
        .iter()
        .any(|word| said.contains(word))
}

/// The status that a message of the library tells.
fn status(said: &str) -> Option<u16> {
    let (_, rest) = said.split_once("status code: ")?;
    rest.get(..3)?.parse().ok()
}

#[async_trait]
impl Storage for Cloud {
    fn describe(&self) -> String {
        if self.prefix.is_empty() { self.name.clone() } else { format!("{}/{}", self.name, self.prefix) }
    }

    async fn get(&self, path: &str) -> StorageResult<Bytes> {
        let answer = self.store.get(&self.key(path)?).await.map_err(|error| refusal(path, &error))?;
        answer.bytes().await.map_err(|error| refusal(path, &error))
    }

    async fn get_range(&self, path: &str, range: Range<u64>) -> StorageResult<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        self.store.get_range(&self.key(path)?, range).await.map_err(|error| refusal(path, &error))
    }

    async fn head(&self, path: &str) -> StorageResult<u64> {
        self.store.head(&self.key(path)?).await.map(|meta| meta.size).map_err(|error| refusal(path, &error))
    }

    async fn put_if_absent(&self, path: &str, bytes: Bytes) -> StorageResult<()> {
        self.put_proven(path, PutMode::Create, bytes).await.map(drop)
    }

    async fn upload(&self, path: &str) -> StorageResult<Box<dyn Upload>> {
        Ok(Box::new(CloudUpload::new(self.clone(), path)))
    }

    async fn read_mutable(&self, path: &str) -> StorageResult<Option<(Bytes, Version)>> {
        let answer = match self.store.get_opts(&self.key(path)?, GetOptions::default()).await {
            Ok(answer) => answer,
            Err(error) => {
                let error = refusal(path, &error);
                return if error.is_not_found() { Ok(None) } else { Err(error) };
            }
        };
        let version = version(answer.meta.e_tag.clone(), answer.meta.version.clone());
        let bytes = answer.bytes().await.map_err(|error| refusal(path, &error))?;
        Ok(Some((bytes, version)))
    }

    async fn replace_if_match(
        &self,
        path: &str,
        old: Option<&Version>,
        bytes: Bytes,
    ) -> StorageResult<Version> {
        let mode = old.map_or(PutMode::Create, |version| PutMode::Update(expected(version)));
        let error = match self.put_proven(path, mode, bytes.clone()).await {
            Ok(version) => return Ok(version),
            Err(error) => error,
        };
        match error.kind {
            // Ours, if the answer to an earlier try was lost on its way: then the bytes are those that we sent.
            StorageErrorKind::Conflict | StorageErrorKind::AlreadyExists => {
                match self.read_mutable(path).await? {
                    Some((there, version)) if there == bytes => Ok(version),
                    _ => Err(StorageError { kind: StorageErrorKind::Conflict, ..error }),
                }
            }
            // A condition on what is not there.
            StorageErrorKind::NotFound if old.is_some() => {
                Err(StorageError { kind: StorageErrorKind::Conflict, ..error })
            }
            _ => Err(error),
        }
    }

    fn list(&self, prefix: &str) -> BoxStream<'_, StorageResult<Entry>> {
        // The library lists folders: what the prefix says beyond its last slash is looked at here.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        let key = match self.key(folder) {
            Ok(key) => key,
            Err(error) => return futures::stream::iter([Err(error)]).boxed(),
        };
        let prefix = prefix.to_owned();
        self.store
            .list(Some(&key))
            .map(move |found| match found {
                Ok(meta) => Ok(Entry { path: self.path(&meta.location), size: meta.size }),
                Err(error) => Err(unlisted(&self.describe(), &error)),
            })
            .try_filter(move |entry| std::future::ready(entry.path.starts_with(&prefix)))
            .boxed()
    }

    async fn list_folders(&self, folder: &str) -> StorageResult<Vec<String>> {
        let key = self.key(folder)?;
        let found = self
            .store
            .list_with_delimiter(Some(&key))
            .await
            .map_err(|error| unlisted(if folder.is_empty() { &self.name } else { folder }, &error))?;
        Ok(found.common_prefixes.iter().filter_map(|prefix| Some(prefix.filename()?.to_owned())).collect())
    }

    async fn delete(&self, path: &str) -> StorageResult<()> {
        match self.store.delete(&self.key(path)?).await {
            Ok(()) => Ok(()),
            Err(error) => {
                let error = refusal(path, &error);
                if error.is_not_found() { Ok(()) } else { Err(error) }
            }
        }
    }

    async fn delete_mutable(&self, path: &str) -> StorageResult<()> {
        self.delete(path).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_without_a_kind_is_told_by_its_status() {
        let kind =
            |said: &'static str| refusal("p", &Error::Generic { store: "GCS", source: said.into() }).kind;
        assert_eq!(kind("non-2xx status code: 404 Not Found: <x/>"), StorageErrorKind::NotFound);
        assert_eq!(kind("non-2xx status code: 403 Forbidden"), StorageErrorKind::AccessDenied);
        assert_eq!(kind("non-2xx status code: 503 Busy"), StorageErrorKind::Unreachable);
        assert_eq!(kind("non-2xx status code: 507 Insufficient Storage"), StorageErrorKind::Full);
        assert_eq!(kind("non-2xx status code: 400 Bad Request"), StorageErrorKind::Unreachable);
        assert_eq!(kind("connection refused"), StorageErrorKind::Unreachable);
    }

    #[test]
    fn the_stores_own_codes_count_first() {
        for (status, body, kind) in [
            (400, "<Error><Code>InvalidAuthenticationInfo</Code></Error>", StorageErrorKind::AccessDenied),
            (400, "<Error><Code>InvalidHeaderValue</Code></Error>", StorageErrorKind::Unreachable),
            (403, "<Code>AuthorizationPermissionMismatch</Code>", StorageErrorKind::AccessDenied),
            (404, "<Code>ContainerNotFound</Code>", StorageErrorKind::BucketNotFound),
            (409, "<Code>ContainerBeingDeleted</Code>", StorageErrorKind::BucketNotFound),
            (400, "<Code>Md5Mismatch</Code>", StorageErrorKind::Corrupted),
            (503, "<Code>ServerBusy</Code>", StorageErrorKind::Unreachable),
            (403, "{\"errors\": [{\"reason\": \"rateLimitExceeded\"}]}", StorageErrorKind::Unreachable),
            (403, "{\"errors\": [{\"reason\":\"quotaExceeded\"}]}", StorageErrorKind::Full),
            (400, "{\"error\":\"invalid_grant\"}", StorageErrorKind::AccessDenied),
            (409, "<Code>AccountIsFull</Code>", StorageErrorKind::Full),
        ] {
            let said = format!("Server returned non-2xx status code: {status} Word: {body}");
            let error = Error::Generic { store: "x", source: said.into() };
            assert_eq!(refusal("p", &error).kind, kind, "{body}");
        }
    }

    #[test]
    fn expired_credentials_are_told_as_such_and_a_signature_is_not_told() {
        let said = "GET http://h/c/b?se=2020&sig=c2VjcmV0&sp=r in 1s: status code: 403 Forbidden: \
            <Code>AuthenticationFailed</Code><AuthenticationErrorDetail>Signature not valid in the specified time \
            frame: Start [a] - Expiry [b]</AuthenticationErrorDetail>";
        let error = refusal("p", &Error::PermissionDenied { path: "p".into(), source: said.into() });
        assert_eq!(error.kind, StorageErrorKind::AccessDenied);
        assert!(error.message.starts_with(EXPIRED), "{error}");
        assert!(!error.message.contains("c2VjcmV0") && error.message.contains("sig=…&sp=r"), "{error}");
    }

    #[test]
    fn a_version_is_what_either_store_tells() {
        let of = |e_tag: Option<&str>, generation: Option<&str>| {
            expected(&version(e_tag.map(str::to_owned), generation.map(str::to_owned)))
        };
        let azure = of(Some("\"0x8D\""), None);
        assert_eq!((azure.e_tag.as_deref(), azure.version.as_deref()), (Some("\"0x8D\""), None));
        let google = of(Some("e"), Some("17"));
        assert_eq!((google.e_tag.as_deref(), google.version.as_deref()), (Some("e"), Some("17")));
    }
}
