//! From a vault's spec to an open vault: where it is, who can open it, and with which Secrets.

use std::path::{Path, PathBuf};

use orgkeep_api::BackupVaultSpec;
use orgkeep_api::backup_vault::{AccessMode, S3, Volume};
use orgkeep_api::worker::{S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, S3_SESSION_TOKEN};
use orgkeep_core::reason::Reason;
use orgkeep_vault::{Access, Key, Location, S3Credentials, S3Options, Vault, storage};
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
    refuse_promises_not_kept(spec)?;
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

/// A vault that asks for a protection which this version does not give must not look protected.
fn refuse_promises_not_kept(spec: &BackupVaultSpec) -> Result<(), Ending> {
    match spec.s3.as_ref().and_then(|s3| s3.object_lock.as_ref()) {
        None => Ok(()),
        Some(_) => Err(Ending::failed(
            Reason::NotInThisVersion,
            "spec.s3.objectLock is not carried out by this version, and nothing is written as if it were",
        )),
    }
}

/// Where the vault is.
fn location(spec: &BackupVaultSpec, context: &Context) -> Result<Location, Ending> {
    match (&spec.s3, &spec.volume) {
        (Some(s3), None) => Ok(Location::S3(s3_options(s3, context.secrets.as_ref())?)),
        (None, Some(volume)) => Ok(Location::Volume(directory(volume, &context.volume_root))),
        _ => Err(Ending::failed(Reason::InvalidObject, "exactly one of s3 and volume must be given")),
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
            session_token: match trimmed(secrets, &secret.name, S3_SESSION_TOKEN) {
                Ok(token) => Some(token),
                Err(SecretError::KeyNotFound { .. }) => None, // only temporary ones have it
                Err(error) => return Err(error.into()),
            },
        }),
    };
    let ca_bundle =
        s3.ca_bundle_ref.as_ref().map(|bundle| secrets.config(&bundle.name, &bundle.key)).transpose()?;
    Ok(S3Options {
        bucket: s3.bucket.clone(),
        prefix: s3.prefix.clone(),
        region: s3.region.clone(),
        endpoint: s3.endpoint.clone(),
        path_style: s3.force_path_style,
        credentials,
        ca_bundle,
    })
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
    fn an_object_lock_is_refused_and_not_left_out() {
        let spec = |s3: serde_json::Value| -> BackupVaultSpec {
            serde_json::from_value(serde_json::json!({"s3": s3, "encryption": {"disabled": true}})).unwrap()
        };
        assert!(refuse_promises_not_kept(&spec(serde_json::json!({"bucket": "b"}))).is_ok());
        let lock = serde_json::json!({"bucket": "b", "objectLock": {"mode": "Compliance", "days": 30}});
        let refused = refuse_promises_not_kept(&spec(lock)).unwrap_err();
        assert!(refused.to_string().contains("objectLock"), "{refused}");
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
}
