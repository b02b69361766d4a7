//! The manifest: what one snapshot holds, signed, chained to its parent, without values of records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orgkeep_core::ledger::ObjectLedger;
use orgkeep_core::run::{Completeness, Counts, Failure, OrgFacts};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical;
use crate::change::ChangeCounts;
use crate::digest;
use crate::error::{Result, VaultError};
use crate::keys::{Keyring, verify_signature};
use crate::layout;
use crate::line::Owner;
use crate::state::{StateRef, check_version};
use crate::tree::TreeRef;

/// Stands before the canonical bytes that are signed.
const DOMAIN: &[u8] = b"orgkeep-manifest-v1\n";

/// A file that belongs to a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileRef {
    /// Path in the vault.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Hex of the SHA-256 of its bytes.
    pub sha256: String,
}

/// The snapshot before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ParentRef {
    /// Its number.
    pub seq: u64,
    /// `sha256:…` of its manifest's bytes.
    pub digest: String,
}

/// One object in a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ObjectEntry {
    /// API name.
    pub name: String,
    /// Its state; absent when nothing of it could be captured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<FileRef>,
    /// Rows, after deltas are merged.
    pub records: u64,
    /// Rows new since the parent; absent when not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    /// Rows changed since the parent; absent when not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<u64>,
    /// Rows gone since the parent; absent when not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// Rows of which only formulas or roll-ups moved; absent when not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recalculated: Option<u64>,
    /// Counts by the user who last changed the record, JSON `{Id: {added, updated, …}}`, sealed; see
    /// [`crate::Vault::users`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_users: Option<String>,
    /// The same in a vault without encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users: Option<BTreeMap<String, ChangeCounts>>,
    /// `sha256:…` of the schema's canonical JSON.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema_digest: String,
    /// What was counted at each station.
    pub ledger: ObjectLedger,
    /// Whether the stations agree.
    pub proven: bool,
    /// Why the object is incomplete, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Files of the state, for the manifest's list.
    #[serde(skip)]
    pub(crate) parts: Vec<FileRef>,
    /// Bytes that the run added.
    #[serde(skip)]
    pub(crate) new_bytes: u64,
}

impl ObjectEntry {
    /// An object whose state stands; `proven` follows from the ledger.
    pub fn new(state: StateRef, ledger: ObjectLedger) -> Self {
        let changes = state.changes.unwrap_or_default();
        let counts = changes.counts;
        Self {
            added: counts.map(|counts| counts.added),
            updated: counts.map(|counts| counts.updated),
            deleted: counts.map(|counts| counts.deleted),
            recalculated: counts.map(|counts| counts.recalculated),
            sealed_users: changes.sealed_users,
            users: changes.users,
            name: state.object,
            state: Some(state.file),
            records: state.rows,
            schema_digest: state.schema_digest,
            proven: ledger.verdict() == orgkeep_core::ledger::Verdict::Proven,
            ledger,
            parts: state.parts,
            new_bytes: state.new_bytes,
            ..Self::default()
        }
    }

    /// An object of which nothing was captured.
    pub fn failed(name: impl Into<String>, failure: Failure) -> Self {
        Self { name: name.into(), failure: Some(failure), ..Self::default() }
    }
}

/// What all snapshots of a line hold, up to this one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Totals {
    /// Snapshots.
    pub snapshots: u64,
    /// Bytes of their files.
    pub bytes: u64,
}

/// A snapshot's document, `snapshots/<seq>.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Manifest {
    /// Version of the layout.
    pub format_version: u32,
    /// `snapshot`, or `void` for a number that no snapshot will have.
    pub kind: String,
    /// The vault.
    pub vault_id: String,
    /// The line.
    pub line_id: String,
    /// Number in the line.
    pub seq: u64,
    /// The snapshot before it; voids are skipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<ParentRef>,
    /// Run that made it.
    pub run_id: String,
    /// Attempt of that run.
    pub attempt: u32,
    /// Whose line it was.
    pub owner: Owner,
    /// Name of the Snapshot object that the run was for.
    pub snapshot_name: String,
    /// `Succeeded` or `PartiallySucceeded`.
    pub phase: String,
    /// RFC 3339, UTC.
    pub start_time: String,
    /// RFC 3339, UTC.
    pub completion_time: String,
    /// The org.
    pub org: OrgFacts,
    /// What was counted.
    pub counts: Counts,
    /// Expected against captured.
    pub completeness: Completeness,
    /// Calls made to the org.
    pub api_calls: u64,
    /// Bytes of the files that this snapshot added.
    pub size_bytes: u64,
    /// What the line holds up to here.
    pub totals: Totals,
    /// The objects, by name.
    pub objects: Vec<ObjectEntry>,
    /// Trees of files, by name; absent where there are none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trees: Vec<TreeRef>,
    /// Every file that it rests on, by path: states, the parts that they name, trees and their lists. What those lists
    /// name is not repeated here.
    pub files: Vec<FileRef>,
    /// The newest redaction when it was made; absent where nothing had been erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redaction: Option<ParentRef>,
    /// Program that wrote it.
    pub written_by: String,
    /// Ed25519, base64, over `orgkeep-manifest-v1\n` and the canonical JSON of all but this.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub signature: String,
    /// `sha256:…` of the document's stored bytes.
    #[serde(skip)]
    pub digest: String,
    /// Numbers of the redactions that changed its files since it was made.
    #[serde(skip)]
    pub redactions: Vec<u64>,
    /// Keyed hashes of ids that were erased from the line.
    #[serde(skip)]
    pub(crate) erased: Arc<BTreeSet<String>>,
}

impl Manifest {
    /// The snapshot's id in its line.
    pub fn snapshot_id(&self) -> String {
        self.seq.to_string()
    }

    /// A tree, by its name.
    pub fn tree(&self, name: &str) -> Option<&TreeRef> {
        self.trees.iter().find(|tree| tree.name == name)
    }

    /// An object, by its API name in any case.
    pub fn object(&self, name: &str) -> Option<&ObjectEntry> {
        self.objects.iter().find(|object| object.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn is_void(&self) -> bool {
        self.kind == "void"
    }

    /// Where the document lies.
    pub fn path(&self) -> String {
        layout::snapshot(&self.line_id, self.seq)
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
    pub(crate) fn read(bytes: &[u8], vault_id: &str, line_id: &str, seq: u64, public: &str) -> Result<Self> {
        let path = layout::snapshot(line_id, seq);
        let mut document: Value =
            serde_json::from_slice(bytes).map_err(|error| VaultError::corrupted(&path, error.to_string()))?;
        let version = document.get("formatVersion").and_then(Value::as_u64).unwrap_or_default();
        check_version(&path, u32::try_from(version).unwrap_or(u32::MAX))?;
        let mut manifest: Self = serde_json::from_value(document.clone())
            .map_err(|error| VaultError::corrupted(&path, error.to_string()))?;
        if canonical::value_to_vec(document.clone())? != bytes {
            return Err(VaultError::corrupted(&path, "it is not in the form that it was written in"));
        }
        // The signature is of what is stored, known to this version or not.
        if let Some(map) = document.as_object_mut() {
            map.shift_remove("signature");
        }
        let signed = [DOMAIN, &canonical::value_to_vec(document)?].concat();
        if !verify_signature(public, &signed, &manifest.signature) {
            return Err(VaultError::corrupted(path, "its signature is not by this vault's key"));
        }
        if manifest.vault_id != vault_id || manifest.line_id != line_id || manifest.seq != seq {
            return Err(VaultError::corrupted(path, "it belongs to another place"));
        }
        manifest.digest = digest::named(bytes);
        Ok(manifest)
    }
}
