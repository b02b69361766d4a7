//! A container of Azure Blob Storage.

use std::sync::Arc;

use object_store::azure::MicrosoftAzureBuilder;
use secrecy::{ExposeSecret, SecretString};

use super::cloud::{Cloud, client_options, refusal, retries};
use crate::error::Result;

/// How to reach a container.
#[derive(Debug, Clone, Default)]
pub struct AzureOptions {
    /// Name of the storage account.
    pub account: String,
    /// Name of the container.
    pub container: String,
    /// Prefix without slashes at its ends; may be empty.
    pub prefix: String,
    /// Server other than `https://<account>.blob.core.windows.net`, with the account in its path if it wants that.
    pub endpoint: Option<String>,
    /// Credentials; `None`: the process's own identity (`AZURE_*` variables, workload identity, machine).
    pub credentials: Option<AzureCredentials>,
    /// PEM certificates to trust besides the system's.
    pub ca_bundle: Option<Vec<u8>>,
}

/// Credentials of Azure Blob Storage.
#[derive(Debug, Clone)]
pub enum AzureCredentials {
    /// A key of the account.
    AccountKey(SecretString),
    /// A shared access signature, with or without its question mark.
    SasToken(SecretString),
    /// An app of Entra ID.
    ClientSecret {
        /// Directory (tenant) id.
        tenant_id: String,
        /// Application (client) id.
        client_id: String,
        /// Its secret.
        client_secret: SecretString,
    },
}

/// The container as a storage; nothing is sent yet.
pub(super) fn connect(options: &AzureOptions) -> Result<Cloud> {
    let name = format!("az://{}/{}", options.account, options.container);
    let http = options.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://"));
    let builder = match &options.credentials {
        None => MicrosoftAzureBuilder::from_env(),
        Some(AzureCredentials::AccountKey(key)) => {
            MicrosoftAzureBuilder::new().with_access_key(key.expose_secret().trim())
        }
        Some(AzureCredentials::SasToken(token)) => {
            let token = token.expose_secret().trim().trim_start_matches('?');
            let pairs: Vec<(String, String)> =
                url::form_urlencoded::parse(token.as_bytes()).into_owned().collect();
            MicrosoftAzureBuilder::new().with_sas_authorization(pairs)
        }
        Some(AzureCredentials::ClientSecret { tenant_id, client_id, client_secret }) => {
            MicrosoftAzureBuilder::new().with_client_secret_authorization(
                client_id.trim(),
                client_secret.expose_secret().trim(),
                tenant_id.trim(),
            )
        }
    };
    let mut builder = builder
        .with_account(&options.account)
        .with_container_name(&options.container)
        .with_client_options(client_options(&name, http, options.ca_bundle.as_deref())?)
        .with_allow_http(http)
        .with_retry(retries());
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_endpoint(endpoint.clone());
    }
    let store = builder.build().map_err(|error| refusal(&name, &error))?;
    Ok(Cloud::new(Arc::new(store), name, &options.prefix))
}
