//! The keys of an opened vault.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use super::DataKey;
use super::envelope::{Secret, derive, open, open_secret, random, seal};
use crate::error::{Result, VaultError};

/// Root key and signing key of an opened vault.
pub(crate) struct Keyring {
    vault_id: String,
    root: Option<Secret>,
    /// None for who has no key and only looks.
    signer: Option<Ed25519KeyPair>,
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyring").field("vault_id", &self.vault_id).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Keys of a new vault, and the private signing key as `vault.json` holds it.
    pub(crate) fn create(vault_id: &str, root: Option<Secret>) -> Result<(Self, String)> {
        let seed: Secret = Zeroizing::new(random()?);
        let stored = match &root {
            Some(root) => seal(&derive(root.as_ref(), vault_id, "signing key")?, vault_id, seed.as_ref())?,
            None => BASE64.encode(seed.as_slice()),
        };
        Ok((Self { vault_id: vault_id.to_owned(), root, signer: Some(signer(&seed)?) }, stored))
    }

    /// Keys of a vault that exists; `None` if the private signing key does not open.
    pub(crate) fn open(vault_id: &str, root: Option<Secret>, stored: &str) -> Result<Option<Self>> {
        let seed = match &root {
            Some(root) => open_secret(&derive(root.as_ref(), vault_id, "signing key")?, vault_id, stored)?,
            None => BASE64
                .decode(stored)
                .ok()
                .and_then(|seed| <[u8; 32]>::try_from(seed.as_slice()).ok())
                .map(Zeroizing::new),
        };
        let Some(seed) = seed else { return Ok(None) };
        Ok(Some(Self { vault_id: vault_id.to_owned(), root, signer: Some(signer(&seed)?) }))
    }

    /// For who has no key: manifests and states can be read and checked, rows cannot.
    pub(crate) fn without_key(vault_id: &str) -> Self {
        Self { vault_id: vault_id.to_owned(), root: None, signer: None }
    }

    /// Whether what was written with the vault's keys can be opened.
    pub(crate) fn can_open(&self) -> bool {
        self.signer.is_some()
    }

    pub(crate) fn root(&self) -> Option<&Secret> {
        self.root.as_ref()
    }

    pub(crate) fn public(&self) -> Option<String> {
        self.signer.as_ref().map(|signer| BASE64.encode(signer.public_key().as_ref()))
    }

    pub(crate) fn sign(&self, bytes: &[u8]) -> Result<String> {
        let signer = self.signer.as_ref().ok_or(VaultError::ReadOnly)?;
        Ok(BASE64.encode(signer.sign(bytes).as_ref()))
    }

    /// Name of a blob by the SHA-256 of its content; without encryption that itself.
    pub(crate) fn blob_name(&self, content: &[u8]) -> Result<String> {
        let Some(root) = &self.root else { return Ok(hex::encode(content)) };
        let key = derive(root.as_ref(), &self.vault_id, "blob names")?;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_ref());
        Ok(hex::encode(ring::hmac::sign(&key, content)))
    }

    /// Keyed hash of a record id, by which a redaction tells what was erased without telling it. Without encryption
    /// there is no key: the hash of the vault's id and the record's, which whoever has either can make.
    pub(crate) fn id_hash(&self, id: &str) -> Result<String> {
        let Some(root) = &self.root else {
            return Ok(crate::digest::sha256(format!("{}\n{id}", self.vault_id).as_bytes()));
        };
        let key = derive(root.as_ref(), &self.vault_id, "erased ids")?;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_ref());
        Ok(hex::encode(ring::hmac::sign(&key, id.as_bytes())))
    }

    /// Key of a blob by its name; `None` without encryption.
    pub(crate) fn blob_key(&self, name: &str) -> Result<Option<Secret>> {
        match &self.root {
            Some(root) => derive(root.as_ref(), &self.vault_id, &format!("blob {name}")).map(Some),
            None if self.can_open() => Ok(None),
            None => {
                let why = "the vault is encrypted, and no key was given".to_owned();
                Err(VaultError::WrongKey { vault: self.vault_id.clone(), why })
            }
        }
    }

    /// A new data key.
    pub(crate) fn new_data_key(&self) -> Result<DataKey> {
        let Some(root) = &self.root else {
            return Ok(DataKey { secret: None, wrapped: String::new(), vault_id: self.vault_id.clone() });
        };
        let secret: Secret = Zeroizing::new(random()?);
        let wrapped =
            seal(&derive(root.as_ref(), &self.vault_id, "data keys")?, &self.vault_id, secret.as_ref())?;
        Ok(DataKey { secret: Some(secret), wrapped, vault_id: self.vault_id.clone() })
    }

    /// Seals a value that stands in a manifest; `None` in a vault without encryption.
    pub(crate) fn seal_for_manifest(&self, bound_to: &str, value: &[u8]) -> Result<Option<String>> {
        let Some(root) = &self.root else { return Ok(None) };
        Ok(Some(seal(&derive(root.as_ref(), &self.vault_id, "manifest values")?, bound_to, value)?))
    }

    /// Opens one.
    pub(crate) fn open_of_manifest(&self, bound_to: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>> {
        let Some(root) = &self.root else {
            let why = "no key was given".to_owned();
            return Err(VaultError::WrongKey { vault: self.vault_id.clone(), why });
        };
        open(&derive(root.as_ref(), &self.vault_id, "manifest values")?, bound_to, sealed)?
            .ok_or_else(|| VaultError::corrupted(bound_to, "a sealed value of it does not open"))
    }

    /// A data key as a state names it.
    pub(crate) fn open_data_key(&self, file: &str, wrapped: &str) -> Result<DataKey> {
        let secret = match (&self.root, wrapped.is_empty()) {
            (None, true) => None,
            (Some(root), false) => Some(
                open_secret(&derive(root.as_ref(), &self.vault_id, "data keys")?, &self.vault_id, wrapped)?
                    .ok_or_else(|| VaultError::corrupted(file, "its data key does not open"))?,
            ),
            (Some(_), true) => return Err(VaultError::corrupted(file, "it names no data key")),
            (None, false) if !self.can_open() => {
                let why = "the vault is encrypted, and no key was given".to_owned();
                return Err(VaultError::WrongKey { vault: self.vault_id.clone(), why });
            }
            (None, false) => {
                return Err(VaultError::corrupted(file, "encrypted, in a vault without encryption"));
            }
        };
        Ok(DataKey { secret, wrapped: wrapped.to_owned(), vault_id: self.vault_id.clone() })
    }
}

impl DataKey {
    /// Seals a value that belongs to a file.
    pub(crate) fn seal_value(&self, file: &str, value: &[u8]) -> Result<Option<String>> {
        let Some(secret) = &self.secret else { return Ok(None) };
        Ok(Some(seal(&derive(secret.as_ref(), &self.vault_id, "values")?, file, value)?))
    }

    /// Key of the index at this path; `None` in a vault without encryption.
    pub(crate) fn terms_key(&self, path: &str) -> Result<Option<Secret>> {
        let Some(secret) = &self.secret else { return Ok(None) };
        derive(secret.as_ref(), &self.vault_id, &format!("terms {path}")).map(Some)
    }

    /// Opens a value that belongs to a file.
    pub(crate) fn open_value(&self, file: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>> {
        let Some(secret) = &self.secret else {
            return Err(VaultError::corrupted(file, "a sealed value, and no key"));
        };
        open(&derive(secret.as_ref(), &self.vault_id, "values")?, file, sealed)?
            .ok_or_else(|| VaultError::corrupted(file, "a sealed value does not open"))
    }
}

fn signer(seed: &Secret) -> Result<Ed25519KeyPair> {
    Ed25519KeyPair::from_seed_unchecked(seed.as_ref())
        .map_err(|_| VaultError::internal("the signing key is not one of Ed25519"))
}

/// Whether a signature is of these bytes by this public key (both base64).
pub(crate) fn verify_signature(public: &str, bytes: &[u8], signature: &str) -> bool {
    let (Ok(public), Ok(signature)) = (BASE64.decode(public), BASE64.decode(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, public).verify(bytes, &signature).is_ok()
}
