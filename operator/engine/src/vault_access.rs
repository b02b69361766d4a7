//! From a vault's spec to an open vault: where it is, who can open it, and with which Secrets.

use std::path::{Path, PathBuf};

use orgkeep_api::BackupVaultSpec;
use orgkeep_api::backup_vault::{AccessMode, AzureBlob, Gcs, ObjectLockMode, S3, Volume};
use orgkeep_api::common::{ConfigMapKeyRef, LocalRef};
use orgkeep_api::worker::{
    AZURE_ACCOUNT_KEY, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_SAS_TOKEN, AZURE_TENANT_ID,
    GCS_SERVICE_ACCOUNT_KEY, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_SESSION_TOKEN,
};
use orgkeep_core::reason::Reason;
use orgkeep_vault::{
    Access, AzureCredentials, AzureOptions, GcsOptions, Key, Location, LockMode, ObjectLock, S3Credentials,
    S3Options, Vault, storage,
};
use secrecy::{ExposeSecret as _, SecretString};

use crate::context::Context;
use crate::ending::Ending;
use crate::secrets::{SecretError, SecretSource};

/// Opens a vault for a task that may write; with `probe`, its storage's promises are tried first.
pub(crate) async fn open(
    spec: &BackupVaultSpec,
    signing_key: Option<&str>,
    probe: bool,
    context: &Context,
) -> Result<Vault, Ending> {
    if spec.access_mode == AccessMode::ReadOnly {
        return open_read_only(spec, signing_key, context).await;
    }
    let access = access(spec, signing_key, context.secrets.as_ref())?;
    let storage = location(spec, context)?.open().await?;
    if probe {
        storage::probe(storage.as_ref()).await.map_err(orgkeep_vault::VaultError::from)?;
    }
    Ok(Vault::create_or_open(storage, &access).await?)
}

/// Opens a vault and writes nothing.
pub(crate) async fn open_read_only(
    spec: &BackupVaultSpec,
    signing_key: Option<&str>,
    context: &Context,
) -> Result<Vault, Ending> {
    let access = access(spec, signing_key, context.secrets.as_ref())?;
    let storage = location(spec, context)?.open().await?;
    Ok(Vault::open_read_only(storage, &access).await?)
}

/// Where the vault is.
fn location(spec: &BackupVaultSpec, context: &Context) -> Result<Location, Ending> {
    let secrets = context.secrets.as_ref();
    match (&spec.s3, &spec.azure_blob, &spec.gcs, &spec.volume) {
        (Some(s3), None, None, None) => Ok(Location::S3(s3_options(s3, secrets)?)),
        (None, Some(azure), None, None) => Ok(Location::Azure(azure_options(azure, secrets)?)),
        (None, None, Some(gcs), None) => Ok(Location::Gcs(gcs_options(gcs, secrets)?)),
        (None, None, None, Some(volume)) => Ok(Location::Volume(directory(volume, &context.volume_root))),
        _ => Err(Ending::failed(
            Reason::InvalidObject,
            "exactly one of s3, azureBlob, gcs and volume must be given",
        )),
    }
}

/// The directory on the claim (whose mount is the root), or one of this machine, relative to the YAML's folder.
fn directory(volume: &Volume, root: &Path) -> PathBuf {
    volume.path.as_deref().map_or_else(|| root.to_owned(), |path| root.join(path))
}

fn s3_options(s3: &S3, secrets: &dyn SecretSource) -> Result<S3Options, Ending> {
    let credentials = match &s3.credentials_secret_ref {
        None => None,
        Some(secret) => Some(S3Credentials {
            access_key_id: trimmed(secrets, &secret.name, S3_ACCESS_KEY_ID)?.expose_secret().to_owned(),
            secret_access_key: trimmed(secrets, &secret.name, S3_SECRET_ACCESS_KEY)?,
            // only temporary ones have it
            session_token: optional(secrets, &secret.name, S3_SESSION_TOKEN)?,
        }),
    };
    let ca_bundle = ca_bundle(s3.ca_bundle_ref.as_ref(), secrets)?;
    Ok(S3Options {
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.clone(),
        region: s3.region.clone(),
        endpoint: s3.endpoint.clone(),
        path_style: s3.force_path_style,
        credentials,
        ca_bundle,
        object_lock: s3.object_lock.as_ref().map(|lock| ObjectLock {
            mode: match lock.mode {
                ObjectLockMode::Governance => LockMode::Governance,
                ObjectLockMode::Compliance => LockMode::Compliance,
            },
            // The API server takes 1 to 36,500.
            days: u32::try_from(lock.days).unwrap_or(1).max(1),
        }),
    })
}

fn azure_options(azure: &AzureBlob, secrets: &dyn SecretSource) -> Result<AzureOptions, Ending> {
    let credentials =
        azure.credentials_secret_ref.as_ref().map(|secret| azure_credentials(&secret.name, secrets));
    Ok(AzureOptions {
        account: azure.account.clone(),
        container: azure.container.clone(),
        prefix: azure.prefix.clone(),
        endpoint: azure.endpoint.clone(),
        credentials: credentials.transpose()?,
        ca_bundle: ca_bundle(azure.ca_bundle_ref.as_ref(), secrets)?,
    })
}

/// Whichever of the three kinds the Secret has; the account's key is asked for if it has none.
fn azure_credentials(name: &str, secrets: &dyn SecretSource) -> Result<AzureCredentials, Ending> {
    if let Some(token) = optional(secrets, name, AZURE_SAS_TOKEN)? {
        return Ok(AzureCredentials::SasToken(token));
    }
    if let Some(client_secret) = optional(secrets, name, AZURE_CLIENT_SECRET)? {
        return Ok(AzureCredentials::ClientSecret {
            tenant_id: trimmed(secrets, name, AZURE_TENANT_ID)?.expose_secret().to_owned(),
            client_id: trimmed(secrets, name, AZURE_CLIENT_ID)?.expose_secret().to_owned(),
            client_secret,
        });
    }
    Ok(AzureCredentials::AccountKey(trimmed(secrets, name, AZURE_ACCOUNT_KEY)?))
}

fn gcs_options(gcs: &Gcs, secrets: &dyn SecretSource) -> Result<GcsOptions, Ending> {
    let key = |secret: &LocalRef| trimmed(secrets, &secret.name, GCS_SERVICE_ACCOUNT_KEY);
    Ok(GcsOptions {
        bucket: gcs.bucket.clone(),
        prefix: gcs.prefix.clone(),
        endpoint: gcs.endpoint.clone(),
        credentials: gcs.credentials_secret_ref.as_ref().map(key).transpose()?,
        ca_bundle: ca_bundle(gcs.ca_bundle_ref.as_ref(), secrets)?,
    })
}

fn ca_bundle(
    bundle: Option<&ConfigMapKeyRef>,
    secrets: &dyn SecretSource,
) -> Result<Option<Vec<u8>>, SecretError> {
    bundle.map(|bundle| secrets.config(&bundle.name, &bundle.key)).transpose()
}

fn access(
    spec: &BackupVaultSpec,
    signing_key: Option<&str>,
    secrets: &dyn SecretSource,
) -> Result<Access, Ending> {
    let key = match &spec.encryption.key_secret_ref {
        None => None,
        Some(secret) => Some(Key::parse(trimmed(secrets, &secret.name, &secret.key)?.expose_secret())?),
    };
    Ok(Access {
        key,
        recipients: spec.encryption.recipients.clone(),
        signing_key: signing_key.map(str::to_owned),
    })
}

/// The same for a key that may be left out.
fn optional(secrets: &dyn SecretSource, name: &str, key: &str) -> Result<Option<SecretString>, SecretError> {
    match trimmed(secrets, name, key) {
        Ok(value) => Ok(Some(value)),
        Err(SecretError::KeyNotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A secret without the line end that `echo` and editors leave behind.
fn trimmed(secrets: &dyn SecretSource, name: &str, key: &str) -> Result<SecretString, SecretError> {
    Ok(SecretString::from(secrets.secret(name, key)?.expose_secret().trim()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::InlineSecrets;

    #[test]
    fn volumes_lie_below_the_root() {
        let volume = |path: Option<&str>| Volume { claim_name: None, path: path.map(str::to_owned) };
        let root = Path::new("/vault");
        assert_eq!(directory(&volume(None), root), root);
        assert_eq!(directory(&volume(Some("a/b")), root), Path::new("/vault/a/b"));
        assert_eq!(directory(&volume(Some("/srv/v")), root), Path::new("/srv/v"));
    }

    #[test]
    fn an_object_lock_is_carried_over() {
        let lock = |mode: &str| {
            let s3 = serde_json::json!({"bucket": "b", "objectLock": {"mode": mode, "days": 30}});
            let s3: S3 = serde_json::from_value(s3).unwrap();
            s3_options(&s3, &InlineSecrets::default()).unwrap().object_lock
        };
        assert_eq!(lock("Compliance"), Some(ObjectLock { mode: LockMode::Compliance, days: 30 }));
        assert_eq!(lock("Governance"), Some(ObjectLock { mode: LockMode::Governance, days: 30 }));
    }

    #[test]
    fn credentials_without_a_session_token_are_whole() {
        let s3: S3 = serde_json::from_value(serde_json::json!({
            "bucket": "acme-backups", "credentialsSecretRef": {"name": "s3"}
        }))
        .unwrap();
        let mut secrets = InlineSecrets::default();
        let text = |text: &str| SecretString::from(text);
        secrets.add_secret("s3", [(S3_ACCESS_KEY_ID.to_owned(), text("a\n"))]);
        let missing = s3_options(&s3, &secrets).unwrap_err();
        assert!(missing.to_string().contains(S3_SECRET_ACCESS_KEY), "{missing}");
        secrets.add_secret("s3", [(S3_SECRET_ACCESS_KEY.to_owned(), text("b"))]);
        let credentials = s3_options(&s3, &secrets).unwrap().credentials.unwrap();
        assert_eq!(credentials.access_key_id, "a");
        assert!(credentials.session_token.is_none());
    }

    #[test]
    fn credentials_of_azure_are_whichever_the_secret_has() {
        let text = |text: &str| SecretString::from(text);
        let kind = |keys: &[&str]| {
            let mut secrets = InlineSecrets::default();
            secrets.add_secret("az", keys.iter().map(|key| ((*key).to_owned(), text("x"))));
            azure_credentials("az", &secrets)
        };
        assert!(matches!(kind(&[AZURE_ACCOUNT_KEY]), Ok(AzureCredentials::AccountKey(_))));
        assert!(matches!(kind(&[AZURE_SAS_TOKEN]), Ok(AzureCredentials::SasToken(_))));
        let app = kind(&[AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET]);
        assert!(matches!(app, Ok(AzureCredentials::ClientSecret { .. })));
        let missing = kind(&[AZURE_CLIENT_SECRET]).unwrap_err();
        assert!(missing.to_string().contains(AZURE_TENANT_ID), "{missing}");
        let none = kind(&["password"]).unwrap_err();
        assert!(none.to_string().contains(AZURE_ACCOUNT_KEY), "{none}");
    }
}
