//! The document of an erasure: which files stand in the place of which, signed, put once, numbered without gaps.
//!
//! Manifests stay as they are. Whoever reads one puts the new files in the place of the old ones, number by number.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical;
use crate::digest;
use crate::error::{Result, VaultError};
use crate::keys::{Keyring, verify_signature};
use crate::layout;
use crate::manifest::{FileRef, ParentRef};
use crate::state::check_version;
use crate::tree::TreeRef;

/// Stands before the canonical bytes that are signed.
const DOMAIN: &[u8] = b"orgkeep-redaction-v1\n";

/// A file that is no more, and what stands in its place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The file that manifests name, or that an earlier redaction put there.
    pub old: FileRef,
    /// What stands in its place; absent: nothing was left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<FileRef>,
}

/// A state of an object that is another now; its files are among the [`Replaced`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedState {
    /// API name of the object.
    pub object: String,
    /// The state's path before.
    pub old: String,
    /// Rows that it has now, after deltas are merged.
    pub records: u64,
    /// Rows that went out of it.
    pub erased: u64,
}

/// A tree whose files are others now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplacedTree {
    /// Path of the tree's blob before.
    pub old: String,
    /// The tree now; its name stays what it was.
    pub new: TreeRef,
}

/// What went of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectErased {
    /// API name.
    pub name: String,
    /// Different records of which anything was found.
    pub records: u64,
    /// Rows in all files, deletions among them.
    pub rows: u64,
    /// Files that held any.
    pub files: u64,
}

/// `redactions/<number>.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Redaction {
    /// Version of the layout.
    pub format_version: u32,
    /// `redaction`, or `void` for a number that no erasure will have.
    pub kind: String,
    /// The vault.
    pub vault_id: String,
    /// The line.
    pub line_id: String,
    /// Number in the line, from 1.
    pub number: u64,
    /// The redaction before it, voids included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentRef>,
    /// RFC 3339, UTC.
    pub time: String,
    /// Who erased.
    pub by: String,
    /// Why.
    pub reason: String,
    /// How many ids were to be erased.
    pub ids: u64,
    /// A keyed hash of each, sorted: whoever has the key and an id can tell whether it was erased.
    pub id_hashes: Vec<String>,
    /// Number of the newest snapshot that was looked at.
    pub through: u64,
    /// What went, by object.
    pub objects: Vec<ObjectErased>,
    /// Files, by old path.
    pub files: Vec<Replaced>,
    /// States, by old path.
    pub states: Vec<ReplacedState>,
    /// Trees, by old path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<ReplacedTree>,
    /// Program that wrote it.
    pub written_by: String,
    /// Ed25519, base64, over `orgkeep-redaction-v1\n` and the canonical JSON of all but this.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub signature: String,
    /// `sha256:…` of the stored bytes.
    #[serde(skip)]
    pub digest: String,
}

impl Redaction {
    /// Where it lies.
    pub fn path(&self) -> String {
        layout::redaction(&self.line_id, self.number)
    }

    /// Signs it; the bytes to store.
    pub(crate) fn sign(&mut self, keys: &Keyring) -> Result<Vec<u8>> {
        self.signature.clear();
        self.signature = keys.sign(&[DOMAIN, &canonical::to_vec(self)?].concat())?;
        let bytes = canonical::to_vec(self)?;
        self.digest = digest::named(&bytes);
        Ok(bytes)
    }

    /// Reads and checks a stored document.
    pub(crate) fn read(
        bytes: &[u8],
        vault_id: &str,
        line_id: &str,
        number: u64,
        public: &str,
    ) -> Result<Self> {
        let path = layout::redaction(line_id, number);
        let wrong = |why: &str| VaultError::corrupted(&path, why);
        let mut document: Value = serde_json::from_slice(bytes).map_err(|error| wrong(&error.to_string()))?;
        let version = document.get("formatVersion").and_then(Value::as_u64).unwrap_or_default();
        check_version(&path, u32::try_from(version).unwrap_or(u32::MAX))?;
        let mut redaction: Self =
            serde_json::from_value(document.clone()).map_err(|error| wrong(&error.to_string()))?;
        if canonical::value_to_vec(document.clone())? != bytes {
            return Err(wrong("it is not in the form that it was written in"));
        }
        if let Some(members) = document.as_object_mut() {
            members.shift_remove("signature");
        }
        let signed = [DOMAIN, &canonical::value_to_vec(document)?].concat();
        if !verify_signature(public, &signed, &redaction.signature) {
            return Err(wrong("its signature is not by this vault's key"));
        }
        if redaction.vault_id != vault_id || redaction.line_id != line_id || redaction.number != number {
            return Err(wrong(
                "it belongs to another place: an older one was put there, or one of another line",
            ));
        }
        redaction.digest = digest::named(bytes);
        Ok(redaction)
    }
}
