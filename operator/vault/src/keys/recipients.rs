//! The root key as `vault.json` holds it: wrapped once for each that can open the vault.

use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::Key;
use super::envelope::{Secret, derive, open_secret, seal};
use crate::error::{Result, VaultError};

/// One that can open the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(crate) enum Recipient {
    /// Whoever has 32 bytes.
    #[serde(rename = "key")]
    Key {
        /// Tells keys apart without saying anything of them: hex of 8 derived bytes.
        key_id: String,
        /// `seal(derive(key, vaultId, "root key"), vaultId, root)`.
        wrapped: String,
    },
    /// Whoever has an age identity.
    #[serde(rename = "age")]
    Age {
        /// Public key.
        recipient: String,
        /// An age file with the root key in it, base64.
        wrapped: String,
    },
    /// Whoever a key management service lets use a key.
    #[serde(rename = "kms")]
    Kms {
        /// The key's address.
        key: String,
        /// The root key as the service wrapped it.
        wrapped: String,
    },
}

impl Recipient {
    fn is_kms(&self, id: &str) -> bool {
        matches!(self, Self::Kms { key, .. } if key == id)
    }
}

fn key_id(key: &[u8; 32], vault_id: &str) -> Result<String> {
    Ok(hex::encode(derive(key, vault_id, "key id")?.get(..8).unwrap_or_default()))
}

fn age_recipient(text: &str) -> Result<age::x25519::Recipient> {
    age::x25519::Recipient::from_str(text)
        .map_err(|why| VaultError::InvalidKey(format!("recipient {text:?} is not an age public key: {why}")))
}

fn wrap_for_age(root: &Secret, recipient: &str) -> Result<Recipient> {
    let wrapped = age::encrypt(&age_recipient(recipient)?, root.as_ref())
        .map_err(|error| VaultError::internal(format!("the root key cannot be wrapped: {error}")))?;
    Ok(Recipient::Age { recipient: recipient.to_owned(), wrapped: BASE64.encode(wrapped) })
}

/// Wraps the root key for the key (if it is new) and each recipient that is not yet there; whether any was added.
pub(crate) async fn wrap_missing(
    there: &mut Vec<Recipient>,
    root: &Secret,
    vault_id: &str,
    key: Option<&Key>,
    recipients: &[String],
) -> Result<bool> {
    let before = there.len();
    let mut ages: Vec<String> = recipients.iter().map(|text| text.trim().to_owned()).collect();
    match key {
        Some(Key::Raw(key)) => {
            let id = key_id(key, vault_id)?;
            if !there.iter().any(|r| matches!(r, Recipient::Key { key_id, .. } if *key_id == id)) {
                let wrapped = seal(&derive(key.as_ref(), vault_id, "root key")?, vault_id, root.as_ref())?;
                there.push(Recipient::Key { key_id: id, wrapped });
            }
        }
        Some(Key::Kms(kms)) if there.iter().any(|r| r.is_kms(kms.id())) => {}
        Some(Key::Kms(kms)) => {
            let wrapped = kms.wrap(vault_id, root).await?;
            there.push(Recipient::Kms { key: kms.id().to_owned(), wrapped });
        }
        Some(Key::Age(identity)) => ages.insert(0, identity.to_public().to_string()),
        None => {}
    }
    for recipient in ages {
        if !there.iter().any(|r| matches!(r, Recipient::Age { recipient: known, .. } if *known == recipient))
        {
            there.push(wrap_for_age(root, &recipient)?);
        }
    }
    Ok(there.len() > before)
}

/// The root key, by whichever recipient the key is; `None` if it is none of them.
pub(crate) async fn unwrap_root(
    recipients: &[Recipient],
    vault_id: &str,
    key: &Key,
) -> Result<Option<Secret>> {
    match key {
        Key::Raw(key) => {
            let id = key_id(key, vault_id)?;
            let derived = derive(key.as_ref(), vault_id, "root key")?;
            for recipient in recipients {
                if let Recipient::Key { key_id, wrapped } = recipient
                    && *key_id == id
                    && let Some(root) = open_secret(&derived, vault_id, wrapped)?
                {
                    return Ok(Some(root));
                }
            }
        }
        Key::Kms(kms) => {
            for recipient in recipients {
                if let Recipient::Kms { key, wrapped } = recipient
                    && key == kms.id()
                    && let Some(root) = kms.unwrap(vault_id, wrapped).await?
                {
                    return Ok(Some(root));
                }
            }
        }
        Key::Age(identity) => {
            for recipient in recipients {
                let Recipient::Age { wrapped, .. } = recipient else { continue };
                let Ok(wrapped) = BASE64.decode(wrapped) else { continue };
                let Ok(root) = age::decrypt(identity, &wrapped).map(Zeroizing::new) else { continue };
                if let Ok(root) = <[u8; 32]>::try_from(root.as_slice()) {
                    return Ok(Some(Zeroizing::new(root)));
                }
            }
        }
    }
    Ok(None)
}
