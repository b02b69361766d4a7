//! Who can open a vault: told, added, removed. Only `vault.json` changes: the root key stays what it is.
//!
//! Whoever could open the vault before may have kept the root key; one that leaked is of no use only against a vault
//! that was written anew.

use std::sync::Arc;

use serde::Serialize;

use crate::error::{Result, VaultError};
use crate::keys::{Access, Key, Recipient, unwrap_root, wrap_missing};
use crate::layout::VAULT;
use crate::storage::{Storage, StorageErrorKind};
use crate::vault::{TRIES, Vault, VaultDocument, read_document, to_bytes};

/// One that can open a vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RecipientInfo {
    /// `key`, `age` or `kms`.
    pub kind: String,
    /// What [`Rekey::remove`] names it by: the key's id, the `age1…` public key, or the address of a
    /// key of a key management service.
    pub id: String,
}

/// A change of who can open a vault.
#[derive(Debug, Clone, Default)]
pub struct Rekey {
    /// A key that shall open it.
    pub add_key: Option<Key>,
    /// `age1…` public keys that shall, too.
    pub add_recipients: Vec<String>,
    /// Ids of keys, `age1…` public keys and addresses of keys that shall not any more.
    pub remove: Vec<String>,
}

impl Recipient {
    fn info(&self) -> RecipientInfo {
        let (kind, id) = match self {
            Self::Key { key_id, .. } => ("key", key_id),
            Self::Age { recipient, .. } => ("age", recipient),
            Self::Kms { key, .. } => ("kms", key),
        };
        RecipientInfo { kind: kind.to_owned(), id: id.clone() }
    }
}

impl Vault {
    /// Who can open the vault; needs no key.
    pub async fn recipients(storage: &Arc<dyn Storage>) -> Result<Vec<RecipientInfo>> {
        let document = match storage.read_mutable(VAULT).await? {
            Some((bytes, _)) => read_document(&bytes)?,
            None => return Err(VaultError::NoVault(storage.describe())),
        };
        Ok(document.recipients.iter().map(Recipient::info).collect())
    }

    /// Changes who can open the vault, with a key that does; who can then. Nothing is written if the key does not open
    /// it, if one to be removed is none of its recipients, or if nobody were left whose key was seen to open it.
    pub async fn rekey(
        storage: &Arc<dyn Storage>,
        access: &Access,
        rekey: &Rekey,
    ) -> Result<Vec<RecipientInfo>> {
        for _ in 0..TRIES {
            let Some((bytes, version)) = storage.read_mutable(VAULT).await? else {
                return Err(VaultError::NoVault(storage.describe()));
            };
            let mut document = read_document(&bytes)?;
            change(&mut document, access, rekey).await?;
            match storage.replace_if_match(VAULT, Some(&version), to_bytes(VAULT, &document)?).await {
                Ok(_) => {
                    let recipients: Vec<_> = document.recipients.iter().map(Recipient::info).collect();
                    tracing::info!(vault = document.vault_id, recipients = recipients.len(), "rekeyed");
                    return Ok(recipients);
                }
                Err(error) if error.kind == StorageErrorKind::Conflict => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(VaultError::internal("others keep changing the vault's document"))
    }
}

async fn change(document: &mut VaultDocument, access: &Access, rekey: &Rekey) -> Result<()> {
    let id = document.vault_id.clone();
    let wrong = |why: &str| VaultError::WrongKey { vault: id.clone(), why: why.to_owned() };
    let key = access.key.as_ref().ok_or_else(|| wrong("no key was given"))?;
    if document.recipients.is_empty() {
        return Err(wrong("the vault was made without encryption"));
    }
    let root = unwrap_root(&document.recipients, &id, key)
        .await?
        .ok_or_else(|| wrong("it is none of the vault's recipients"))?;
    wrap_missing(&mut document.recipients, &root, &id, rekey.add_key.as_ref(), &rekey.add_recipients).await?;
    for gone in &rekey.remove {
        let gone = gone.trim();
        let before = document.recipients.len();
        document.recipients.retain(|recipient| recipient.info().id != gone);
        if document.recipients.len() == before {
            return Err(VaultError::InvalidKey(format!("{gone:?} is none of the vault's recipients")));
        }
    }
    // What was wrapped is opened again before it counts: with the new key, or with the one that is to stay.
    let mut opens = match &rekey.add_key {
        Some(key) => unwrap_root(&document.recipients, &id, key).await?,
        None => None,
    };
    if opens.is_none() {
        opens = unwrap_root(&document.recipients, &id, key).await?;
    }
    match opens {
        Some(opened) if *opened == *root => Ok(()),
        _ => Err(VaultError::InvalidKey(
            "neither the key given nor the one to be added would open the vault any more".to_owned(),
        )),
    }
}
