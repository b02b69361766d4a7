//! The state of an object at a snapshot: the files that make it up, and the schema that they were written by.

use std::collections::BTreeMap;

use orgkeep_core::schema::ObjectSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::change::Changes;
use crate::error::{Result, VaultError};
use crate::keys::DataKey;
use crate::layout::FORMAT_VERSION;
use crate::manifest::FileRef;

/// Which rows a file holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PartKind {
    /// The rows of a range of keys as they were.
    #[default]
    Base,
    /// Changes on top of the base and earlier deltas.
    Delta,
}

/// The least and the greatest Id in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// Least, by the bytes of the 18 characters.
    pub min: String,
    /// Greatest.
    pub max: String,
}

/// The last bytes of a Parquet file: footer, its length, magic number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FooterRef {
    /// How many bytes.
    pub size: u64,
    /// Hex of their SHA-256.
    pub sha256: String,
}

impl FooterRef {
    /// Of a whole file; `None` if it is none of Parquet.
    pub(crate) fn of(file: &[u8]) -> Option<Self> {
        let (rest, _magic) = file.split_last_chunk::<4>()?;
        let (rest, length) = rest.split_last_chunk::<4>()?;
        let footer = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
        let end = file.get(footer..)?;
        Some(Self { size: end.len() as u64, sha256: crate::digest::sha256(end) })
    }
}

/// One Parquet file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Part {
    /// Path in the vault.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// Hex of the SHA-256 of its bytes.
    pub sha256: String,
    /// Rows in it.
    pub rows: u64,
    /// Base or delta.
    pub kind: PartKind,
    /// Its end with the whole footer, so that its columns can be read without reading all of it; absent where it
    /// was not noted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub footer: Option<FooterRef>,
    /// `sha256:…` of the schema that it was written by; empty: the state's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub schema_digest: String,
    /// Its data key as the vault wraps it; empty without encryption.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wrapped_key: String,
    /// Least and greatest Id as JSON `{"min", "max"}`, sealed with the data key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sealed_ids: Option<String>,
    /// The same in a vault without encryption.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ids: Option<IdRange>,
    /// The index of its words, beside it; absent where there is none: a search reads the rows then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<FileRef>,
}

impl Part {
    /// Notes the range of Ids, sealed if the vault is encrypted.
    pub(crate) fn set_ids(&mut self, key: &DataKey, ids: Option<IdRange>) -> Result<()> {
        let Some(ids) = ids else { return Ok(()) };
        let text = Zeroizing::new(serde_json::to_vec(&ids).map_err(|e| VaultError::internal(e.to_string()))?);
        match key.seal_value(&self.path, &text)? {
            Some(sealed) => self.sealed_ids = Some(sealed),
            None => self.ids = Some(ids),
        }
        Ok(())
    }

    /// The range of Ids, if one was noted.
    pub(crate) fn open_ids(&self, key: &DataKey) -> Result<Option<IdRange>> {
        let Some(sealed) = &self.sealed_ids else { return Ok(self.ids.clone()) };
        let opened = key.open_value(&self.path, sealed)?;
        serde_json::from_slice(&opened)
            .map(Some)
            .map_err(|_| VaultError::corrupted(&self.path, "its range of Ids is not one"))
    }

    /// The file of its rows, as a manifest names it.
    pub fn file(&self) -> FileRef {
        FileRef { path: self.path.clone(), size: self.size, sha256: self.sha256.clone() }
    }

    /// All that it rests on: the file of its rows, and the index of its words where it has one.
    pub fn files(&self) -> impl Iterator<Item = FileRef> + '_ {
        std::iter::once(self.file()).chain(self.index.clone())
    }
}

/// The files that make up an object, base first, then deltas in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    /// Version of the layout.
    pub format_version: u32,
    /// Always `state`.
    pub kind: String,
    /// The vault.
    pub vault_id: String,
    /// The line.
    pub line_id: String,
    /// API name of the object.
    pub object: String,
    /// Run that wrote this state.
    pub run_id: String,
    /// Attempt of that run.
    pub attempt: u32,
    /// Rows, after deltas are merged.
    pub rows: u64,
    /// The object's schema: every field that was queried, in this order; what is not in here was not queried.
    pub schema: ObjectSchema,
    /// `sha256:…` of the schema's canonical JSON.
    pub schema_digest: String,
    /// Schemas that parts were written by, by their digests, where they are not the state's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub former_schemas: BTreeMap<String, ObjectSchema>,
    /// The files.
    pub parts: Vec<Part>,
    /// Where it was read from.
    #[serde(skip)]
    pub file: FileRef,
}

impl State {
    /// The schema that a part was written by: a field that is not in it was not queried for the part's rows.
    pub fn schema_of(&self, part: &Part) -> Option<&ObjectSchema> {
        if part.schema_digest.is_empty() || part.schema_digest == self.schema_digest {
            return Some(&self.schema);
        }
        self.former_schemas.get(&part.schema_digest)
    }

    pub(crate) fn check(&self, path: &str) -> Result<()> {
        check_version(path, self.format_version)?;
        if self.kind != "state" {
            return Err(VaultError::corrupted(path, format!("it is a {:?}, not a state", self.kind)));
        }
        Ok(())
    }
}

/// Refuses what a newer version wrote.
pub(crate) fn check_version(file: &str, found: u32) -> Result<()> {
    if found > FORMAT_VERSION {
        return Err(VaultError::FormatUnsupported { file: file.to_owned(), found, known: FORMAT_VERSION });
    }
    Ok(())
}

/// A state that stands, with what a manifest has to say of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateRef {
    /// The object.
    pub object: String,
    /// The state's file.
    pub file: FileRef,
    /// Rows.
    pub rows: u64,
    /// `sha256:…` of the schema.
    pub schema_digest: String,
    /// The parts that it names, with their indexes.
    pub parts: Vec<FileRef>,
    /// Bytes of the state and of those parts that this run wrote.
    pub new_bytes: u64,
    /// What changed since the parent; absent when not compared.
    pub changes: Option<Changes>,
}
