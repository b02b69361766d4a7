//! A vault: made once, opened with a key, and what everything in it shares.

use std::sync::Arc;

use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::canonical;
use crate::digest::Running;
use crate::erase::Cache;
use crate::error::{Result, VaultError};
use crate::keys::envelope::random;
use crate::keys::{Access, DataKey, Key, Keyring, Recipient, unwrap_root, wrap_missing};
use crate::layout::{self, FORMAT_VERSION, VAULT};
use crate::manifest::{FileRef, Manifest};
use crate::state::{IdRange, Part, State, check_version};
use crate::storage::{Storage, StorageError, StorageErrorKind, Version};

/// Tries at a document that others write at the same time.
pub(crate) const TRIES: usize = 5;
/// Bytes read at a time when a file is compared with its digest.
const CHUNK: u64 = 8 << 20;
/// Member of a document that holds its check sum.
const CHECK: &str = "check";
/// Word for vaults with encryption in `vault.json`.
const ENCRYPTED: &str = "AES-256-GCM";
/// Word for vaults without.
const CLEAR: &str = "none";

/// `vault.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VaultDocument {
    pub(crate) format_version: u32,
    pub(crate) kind: String,
    pub(crate) vault_id: String,
    pub(crate) created_at: String,
    pub(crate) encryption: String,
    /// Public half, base64.
    pub(crate) signing_key: String,
    /// Private half: sealed by the root key, or in the clear where nothing is encrypted.
    pub(crate) signing_key_private: String,
    pub(crate) recipients: Vec<Recipient>,
}

/// An opened vault. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Vault(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    storage: Arc<dyn Storage>,
    id: String,
    public: String,
    recovery_recipients: u32,
    keys: Keyring,
    writable: bool,
    overlays: Cache,
}

/// The time as documents write it.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Vault {
    /// Opens the vault there, or makes one. Recipients that it does not have yet are added.
    pub async fn create_or_open(storage: Arc<dyn Storage>, access: &Access) -> Result<Self> {
        for _ in 0..TRIES {
            let result = match storage.read_mutable(VAULT).await? {
                Some((bytes, version)) => Self::open_writable(&storage, access, &bytes, &version).await,
                None => Self::create(&storage, access).await,
            };
            match result {
                Err(VaultError::Storage(error)) if error.kind == StorageErrorKind::Conflict => {}
                other => return other,
            }
        }
        Err(StorageError::new(StorageErrorKind::Unreachable, VAULT, "others keep changing it").into())
    }

    /// Opens the vault there, and writes nothing. Without a key an encrypted vault can be listed and verified by
    /// signatures and digests; what needs the key says `WrongKey` then.
    pub async fn open_read_only(storage: Arc<dyn Storage>, access: &Access) -> Result<Self> {
        let Some((bytes, _)) = storage.read_mutable(VAULT).await? else {
            return Err(VaultError::NoVault(storage.describe()));
        };
        let document = read_document(&bytes)?;
        Self::open(storage, access, &document, false).await
    }

    async fn create(storage: &Arc<dyn Storage>, access: &Access) -> Result<Self> {
        if !storage.list_folders(layout::LINES).await?.is_empty() {
            return Err(VaultError::corrupted(VAULT, "it is missing, though there are lines"));
        }
        if let Some(pinned) = &access.signing_key {
            return Err(VaultError::corrupted(
                VAULT,
                format!("it is missing, though a vault with signing key {pinned} was here"),
            ));
        }
        if access.key.is_none() && !access.recipients.is_empty() {
            return Err(VaultError::InvalidKey("recipients need an encryption key".to_owned()));
        }
        let vault_id = format!("v-{}", hex::encode(random::<8>()?));
        let mut recipients = Vec::new();
        let root = match &access.key {
            Some(key) => {
                let root = Zeroizing::new(random::<32>()?);
                wrap_missing(&mut recipients, &root, &vault_id, Some(key), &access.recipients).await?;
                Some(root)
            }
            None => None,
        };
        let (keys, signing_key_private) = Keyring::create(&vault_id, root)?;
        let document = VaultDocument {
            format_version: FORMAT_VERSION,
            kind: "vault".to_owned(),
            vault_id,
            created_at: now(),
            encryption: if access.key.is_some() { ENCRYPTED } else { CLEAR }.to_owned(),
            signing_key: keys.public().unwrap_or_default(),
            signing_key_private,
            recipients,
        };
        storage.replace_if_match(VAULT, None, to_bytes(VAULT, &document)?).await?;
        tracing::info!(vault = document.vault_id, at = storage.describe(), "made a vault");
        Self::open(Arc::clone(storage), access, &document, true).await
    }

    async fn open_writable(
        storage: &Arc<dyn Storage>,
        access: &Access,
        bytes: &[u8],
        version: &Version,
    ) -> Result<Self> {
        let mut document = read_document(bytes)?;
        let vault = Self::open(Arc::clone(storage), access, &document, true).await?;
        let Some(root) = vault.0.keys.root() else { return Ok(vault) };
        let id = document.vault_id.clone();
        if wrap_missing(&mut document.recipients, root, &id, None, &access.recipients).await? {
            storage.replace_if_match(VAULT, Some(version), to_bytes(VAULT, &document)?).await?;
            tracing::info!(vault = id, recipients = document.recipients.len(), "added recipients");
            return Self::open(Arc::clone(storage), access, &document, true).await;
        }
        Ok(vault)
    }

    async fn open(
        storage: Arc<dyn Storage>,
        access: &Access,
        document: &VaultDocument,
        writable: bool,
    ) -> Result<Self> {
        let wrong =
            |why: &str| VaultError::WrongKey { vault: document.vault_id.clone(), why: why.to_owned() };
        let root = match (&access.key, document.encryption.as_str()) {
            (None, CLEAR) => None,
            (Some(key), ENCRYPTED) => Some(
                unwrap_root(&document.recipients, &document.vault_id, key)
                    .await?
                    .ok_or_else(|| wrong("it is none of the vault's recipients"))?,
            ),
            (None, ENCRYPTED) if writable => {
                return Err(wrong("the vault is encrypted, and no key was given"));
            }
            (None, ENCRYPTED) => None,
            (Some(_), CLEAR) => return Err(wrong("the vault was made without encryption")),
            (_, other) => {
                return Err(VaultError::corrupted(VAULT, format!("encryption {other:?} is unknown")));
            }
        };
        let keys = if root.is_none() && document.encryption == ENCRYPTED {
            Keyring::without_key(&document.vault_id)
        } else {
            Keyring::open(&document.vault_id, root, &document.signing_key_private)?
                .ok_or_else(|| VaultError::corrupted(VAULT, "its signing key does not open"))?
        };
        if keys.public().is_some_and(|public| public != document.signing_key) {
            return Err(VaultError::corrupted(VAULT, "the halves of its signing key do not belong together"));
        }
        if let Some(pinned) = &access.signing_key
            && *pinned != document.signing_key
        {
            return Err(VaultError::corrupted(
                VAULT,
                format!("its signing key is {}, it was {pinned} before", document.signing_key),
            ));
        }
        // what opens it without the cluster: a key of a service does, whoever asks
        let ages = document.recipients.iter().filter(|r| !matches!(r, Recipient::Key { .. })).count();
        let own = usize::from(matches!(access.key, Some(Key::Age(_))));
        Ok(Self(Arc::new(Inner {
            storage,
            id: document.vault_id.clone(),
            public: document.signing_key.clone(),
            recovery_recipients: u32::try_from(ages.saturating_sub(own)).unwrap_or(u32::MAX),
            keys,
            writable,
            overlays: Cache::default(),
        })))
    }

    /// The id that was minted when the vault was made.
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// Public half of the key that signs manifests, base64.
    pub fn signing_key(&self) -> &str {
        &self.0.public
    }

    /// age recipients besides the key that opened it, and keys of key management services.
    pub fn recovery_recipients(&self) -> u32 {
        self.0.recovery_recipients
    }

    /// Whether what is written is encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.0.keys.root().is_some() || !self.can_open()
    }

    /// Whether rows can be read: false where an encrypted vault was opened without a key.
    pub fn can_open(&self) -> bool {
        self.0.keys.can_open()
    }

    /// The storage below.
    pub fn storage(&self) -> &Arc<dyn Storage> {
        &self.0.storage
    }

    pub(crate) fn overlays(&self) -> &Cache {
        &self.0.overlays
    }

    pub(crate) fn keys(&self) -> &Keyring {
        &self.0.keys
    }

    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.0.writable { Ok(()) } else { Err(VaultError::ReadOnly) }
    }

    /// The key of a part.
    pub fn open_key(&self, part: &Part) -> Result<DataKey> {
        self.keys().open_data_key(&part.path, &part.wrapped_key)
    }

    /// The least and the greatest Id of a part, if they were noted.
    pub fn ids(&self, part: &Part) -> Result<Option<IdRange>> {
        part.open_ids(&self.open_key(part)?)
    }

    /// The state of an object at a snapshot, compared with the manifest's digest.
    pub async fn state(&self, manifest: &Manifest, object: &str) -> Result<State> {
        let file = manifest.object(object).and_then(|entry| entry.state.as_ref()).ok_or_else(|| {
            VaultError::ObjectNotFound {
                snapshot: format!("{}/{}", manifest.line_id, manifest.seq),
                object: object.to_owned(),
            }
        })?;
        self.read_state(file).await
    }

    /// A state; one that was erased from after its manifest was read is read as it is now.
    pub(crate) async fn read_state(&self, file: &FileRef) -> Result<State> {
        let bytes = match self.0.storage.get(&file.path).await {
            Err(error) if error.is_not_found() => {
                let line = file.path.split('/').nth(1).unwrap_or_default();
                return match self.overlay_now(line).await?.file(file)? {
                    Some(now) if now != *file => Box::pin(self.read_state(&now)).await,
                    _ => Err(error.into()),
                };
            }
            other => other?,
        };
        if crate::digest::sha256(&bytes) != file.sha256 {
            return Err(VaultError::corrupted(&file.path, "its digest is not the manifest's"));
        }
        let mut state: State = from_bytes(&file.path, &bytes)?;
        state.check(&file.path)?;
        state.file = file.clone();
        Ok(state)
    }

    /// A document that is put once; `None` if it is not there.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<Option<T>> {
        match self.0.storage.get(path).await {
            Ok(bytes) => from_bytes(path, &bytes).map(Some),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a file once; false if another one is there. One with the same bytes is ours: the answer to an earlier
    /// try was lost.
    pub(crate) async fn put_once(&self, path: &str, bytes: Bytes) -> Result<bool> {
        self.check_writable()?;
        match self.0.storage.put_if_absent(path, bytes.clone()).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
                Ok(self.0.storage.get(path).await? == bytes)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Puts a document once, and says the one that is there then.
    pub(crate) async fn put_or_read<T>(&self, path: &str, document: &T) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        let bytes = to_bytes(path, document)?;
        if self.put_once(path, bytes.clone()).await? {
            return from_bytes(path, &bytes);
        }
        self.read(path).await?.ok_or_else(|| VaultError::corrupted(path, "it was there, and is gone"))
    }

    /// Replaces a mutable document that still has that version.
    pub(crate) async fn replace<T: Serialize>(
        &self,
        path: &str,
        expected: Option<&Version>,
        document: &T,
    ) -> Result<Version> {
        self.check_writable()?;
        Ok(self.0.storage.replace_if_match(path, expected, to_bytes(path, document)?).await?)
    }

    /// Reads a mutable document.
    pub(crate) async fn read_mutable<T: DeserializeOwned>(&self, path: &str) -> Result<Option<(T, Version)>> {
        match self.0.storage.read_mutable(path).await? {
            Some((bytes, version)) => Ok(Some((from_bytes(path, &bytes)?, version))),
            None => Ok(None),
        }
    }

    /// Whether a file is what it should be; the words of what is wrong.
    pub(crate) async fn compare_digest(&self, file: &FileRef) -> Result<Option<String>> {
        compare_digest(&self.0.storage, file).await
    }
}

/// Reads a file back in pieces and compares it with what it should be; the words of what is wrong.
pub(crate) async fn compare_digest(storage: &Arc<dyn Storage>, file: &FileRef) -> Result<Option<String>> {
    let mut running = Running::new();
    let mut at = 0;
    while at < file.size {
        let end = (at + CHUNK).min(file.size);
        let bytes = storage.get_range(&file.path, at..end).await?;
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        running.update(&bytes);
    }
    let (size, sha256) = running.finish();
    Ok(if size != file.size {
        Some(format!("it has {size} bytes, {} were written", file.size))
    } else if sha256 != file.sha256 {
        Some("its SHA-256 is not that of what was written".to_owned())
    } else {
        None
    })
}

pub(crate) fn read_document(bytes: &[u8]) -> Result<VaultDocument> {
    // The version first: a newer document need not have the fields of this one.
    let head: serde_json::Value = from_bytes(VAULT, bytes)?;
    let version = head.get("formatVersion").and_then(serde_json::Value::as_u64);
    let version = version.ok_or_else(|| VaultError::corrupted(VAULT, "it has no format version"))?;
    check_version(VAULT, u32::try_from(version).unwrap_or(u32::MAX))?;
    from_bytes(VAULT, bytes)
}

/// Canonical bytes of a document with its check sum in it, so that a bit that flips in it is told, and a file that
/// stands in the place of another.
pub(crate) fn to_bytes<T: Serialize>(path: &str, document: &T) -> Result<Bytes> {
    let mut value =
        serde_json::to_value(document).map_err(|error| VaultError::internal(error.to_string()))?;
    if value.is_object() {
        let sum = check_sum(path, value.clone())?;
        if let Some(members) = value.as_object_mut() {
            members.insert(CHECK.to_owned(), sum.into());
        }
    }
    canonical::value_to_vec(value).map(Bytes::from)
}

/// Reads a document, and holds it against its check sum where it has one.
pub(crate) fn from_bytes<T: DeserializeOwned>(path: &str, bytes: &[u8]) -> Result<T> {
    let wrong = |why: &str| VaultError::corrupted(path, why);
    let mut value: serde_json::Value =
        serde_json::from_slice(bytes).map_err(|error| VaultError::corrupted(path, error.to_string()))?;
    if let Some(members) = value.as_object_mut() {
        // Documents of before there were check sums have none; one whose name was hit is still one.
        let name =
            if members.contains_key(CHECK) { Some(CHECK.to_owned()) } else { hidden_check(path, members)? };
        let stored = name.as_deref().and_then(|name| members.shift_remove(name));
        if name.as_deref().is_some_and(|name| name != CHECK) {
            return Err(wrong("its check sum has another name"));
        }
        if let Some(stored) = stored {
            if stored.as_str() != Some(check_sum(path, value.clone())?.as_str()) {
                return Err(wrong("it does not come to its check sum"));
            }
            let mut whole = value.clone();
            if let Some(members) = whole.as_object_mut() {
                members.insert(CHECK.to_owned(), stored);
            }
            if canonical::value_to_vec(whole)? != bytes {
                return Err(wrong("it is not in the form that it was written in"));
            }
        }
    }
    serde_json::from_value(value).map_err(|error| VaultError::corrupted(path, error.to_string()))
}

/// `sha256:…` of the path, a line feed, and the canonical form: so a document tells that it was moved, too.
fn check_sum(path: &str, document: serde_json::Value) -> Result<String> {
    Ok(crate::digest::named(&[path.as_bytes(), b"\n", &canonical::value_to_vec(document)?].concat()))
}

/// A member that is the check sum of all others.
fn hidden_check(path: &str, members: &serde_json::Map<String, serde_json::Value>) -> Result<Option<String>> {
    for (name, value) in members {
        if value.as_str().is_some_and(|text| text.starts_with("sha256:")) {
            let mut others = members.clone();
            others.shift_remove(name);
            if value.as_str() == Some(check_sum(path, others.into())?.as_str()) {
                return Ok(Some(name.clone()));
            }
        }
    }
    Ok(None)
}
