//! A bucket of Google Cloud Storage.

use std::sync::Arc;

use object_store::gcp::GoogleCloudStorageBuilder;
use secrecy::{ExposeSecret, SecretString};

use super::cloud::{Cloud, client_options, refusal, retries};
use crate::error::Result;

/// How to reach a bucket.
#[derive(Debug, Clone, Default)]
pub struct GcsOptions {
    /// Name of the bucket.
    pub bucket: String,
    /// Prefix without slashes at its ends; may be empty.
    pub prefix: String,
    /// Server other than `https://storage.googleapis.com`.
    pub endpoint: Option<String>,
    /// The key of a service account, as the JSON that Google hands out; `None`: the process's own identity
    /// (`GOOGLE_APPLICATION_CREDENTIALS`, workload identity, machine).
    pub credentials: Option<SecretString>,
    /// PEM certificates to trust besides the system's.
    pub ca_bundle: Option<Vec<u8>>,
}

/// The bucket as a storage; nothing is sent yet.
pub(super) fn connect(options: &GcsOptions) -> Result<Cloud> {
    let name = format!("gs://{}", options.bucket);
    let http = options.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let mut builder = match &options.credentials {
        None => GoogleCloudStorageBuilder::from_env(),
        Some(key) => GoogleCloudStorageBuilder::new().with_service_account_key(key.expose_secret().trim()),
    };
    builder = builder
        .with_bucket_name(&options.bucket)
        .with_client_options(client_options(&name, http, options.ca_bundle.as_deref())?)
        .with_retry(retries());
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_base_url(endpoint.trim_end_matches('/'));
    }
    let store = builder.build().map_err(|error| refusal(&name, &error))?;
    Ok(Cloud::new(Arc::new(store), name, &options.prefix))
}
