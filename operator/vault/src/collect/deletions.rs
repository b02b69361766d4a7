//! `deletions.json`: which snapshots of a line were retired.
//!
//! A retired snapshot is gone for whoever lists or reads from the moment this says so; its files go later. The chain of
//! manifests may lack those that are named here, and no others: the document is signed by the vault's key.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::canonical;
use crate::error::{Result, VaultError};
use crate::keys::verify_signature;
use crate::layout::{self, FORMAT_VERSION};
use crate::line::Line;
use crate::manifest::ParentRef;
use crate::state::check_version;
use crate::storage::Version;

/// Stands before the canonical bytes that are signed.
const DOMAIN: &[u8] = b"orgkeep-deletions-v1\n";

/// A number of a line whose snapshot was retired, or a void that nobody needs any more.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Retired {
    /// The number.
    pub seq: u64,
    /// `sha256:…` of its manifest's bytes.
    pub digest: String,
    /// The run that made it.
    pub run_id: String,
    /// Whether it is a void.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub void: bool,
    /// What point in time it shows.
    pub time: Timestamp,
    /// Whether nothing was missing from it.
    pub whole: bool,
    /// Why it was retired.
    pub reason: String,
    /// When.
    pub retired_at: Timestamp,
    /// Its files are being deleted: it cannot come back.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub sweeping: bool,
}

/// All numbers up to one, gone with their manifests.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Through {
    /// The last of them.
    pub seq: u64,
    /// The last snapshot among them: the parent that a later one may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<ParentRef>,
}

/// What was retired and freed in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Gone {
    /// Snapshots.
    pub snapshots: u64,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deletions {
    format_version: u32,
    kind: String,
    vault_id: String,
    line_id: String,
    /// What lies before all that is in `retired`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub through: Option<Through>,
    /// Retired numbers above that, lowest first.
    pub retired: Vec<Retired>,
    /// Runs that were closed and whose journals are being deleted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub closing: Vec<String>,
    /// What was deleted.
    pub gone: Gone,
    #[serde(skip_serializing_if = "String::is_empty")]
    signature: String,
}

impl Deletions {
    /// Whether a number was retired.
    pub fn has(&self, seq: u64) -> bool {
        self.through.as_ref().is_some_and(|through| seq <= through.seq) || self.get(seq).is_some()
    }

    /// A number that is named by itself.
    pub fn get(&self, seq: u64) -> Option<&Retired> {
        let at = self.retired.binary_search_by_key(&seq, |retired| retired.seq).ok()?;
        self.retired.get(at)
    }

    /// Retired snapshots, swept or not.
    pub fn snapshots(&self) -> u64 {
        self.gone.snapshots + self.retired.iter().filter(|retired| !retired.void).count() as u64
    }

    pub(super) fn insert(&mut self, retired: Retired) {
        if let Err(at) = self.retired.binary_search_by_key(&retired.seq, |known| known.seq) {
            self.retired.insert(at, retired);
        }
    }

    /// Takes numbers whose manifests are gone out of the list, where all below them are gone, too.
    pub(super) fn fold(&mut self, is_gone: impl Fn(u64) -> bool) {
        let mut through = self.through.take().unwrap_or_default();
        let folded = self
            .retired
            .iter()
            .zip(through.seq + 1..)
            .take_while(|(retired, next)| retired.seq == *next && retired.sweeping && is_gone(retired.seq))
            .count();
        for retired in self.retired.drain(..folded) {
            through.seq = retired.seq;
            if !retired.void {
                self.gone.snapshots += 1;
                through.last = Some(ParentRef { seq: retired.seq, digest: retired.digest });
            }
        }
        self.through = (through.seq > 0).then_some(through);
    }

    fn bytes_to_sign(mut document: Value) -> Result<Vec<u8>> {
        if let Some(members) = document.as_object_mut() {
            members.shift_remove("signature");
        }
        Ok([DOMAIN, &canonical::value_to_vec(document)?].concat())
    }
}

impl Line {
    /// What was retired from the line; nothing where nothing ever was.
    pub async fn deletions(&self) -> Result<Deletions> {
        Ok(self.read_deletions().await?.0)
    }

    pub(crate) async fn read_deletions(&self) -> Result<(Deletions, Option<Version>)> {
        let path = layout::deletions(self.id());
        let vault = self.vault();
        let Some((document, version)) = vault.read_mutable::<Value>(&path).await? else {
            return Ok((Deletions::default(), None));
        };
        let deletions: Deletions = serde_json::from_value(document.clone())
            .map_err(|error| VaultError::corrupted(&path, error.to_string()))?;
        check_version(&path, deletions.format_version)?;
        let signed = Deletions::bytes_to_sign(document)?;
        if !verify_signature(vault.signing_key(), &signed, &deletions.signature) {
            return Err(VaultError::corrupted(path, "its signature is not by this vault's key"));
        }
        if deletions.vault_id != vault.id() || deletions.line_id != self.id() {
            return Err(VaultError::corrupted(path, "it belongs to another place"));
        }
        Ok((deletions, Some(version)))
    }

    pub(super) async fn write_deletions(
        &self,
        mut deletions: Deletions,
        version: Option<&Version>,
    ) -> Result<(Deletions, Option<Version>)> {
        deletions.format_version = FORMAT_VERSION;
        "deletions".clone_into(&mut deletions.kind);
        self.vault().id().clone_into(&mut deletions.vault_id);
        self.id().clone_into(&mut deletions.line_id);
        deletions.signature.clear();
        let document =
            serde_json::to_value(&deletions).map_err(|error| VaultError::internal(error.to_string()))?;
        deletions.signature = self.vault().keys().sign(&Deletions::bytes_to_sign(document)?)?;
        let version = self.vault().replace(&layout::deletions(self.id()), version, &deletions).await?;
        Ok((deletions, Some(version)))
    }
}
