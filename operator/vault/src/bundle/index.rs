//! `bundle.json`: what is in a bundle and what it rests on, signed.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{BundleError, Bundled, Result};
use crate::canonical;
use crate::keys::{Keyring, verify_signature};
use crate::layout::{self, FORMAT_VERSION, LINES, VAULT};
use crate::manifest::FileRef;
use crate::state::check_version;

/// Name of the first member.
pub(super) const INDEX: &str = "bundle.json";
/// Stands before the canonical bytes that are signed.
const DOMAIN: &[u8] = b"orgkeep-bundle-v1\n";

/// What a member is, in the order in which members come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Kind {
    /// A document that changes: `vault.json`, `line.json`, holds and deletions.
    Document,
    /// A file that snapshots rest on.
    File,
    /// A redaction.
    Redaction,
    /// A snapshot, or a void.
    Manifest,
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Member {
    pub(super) kind: Kind,
    #[serde(flatten)]
    pub(super) file: FileRef,
}

/// A snapshot that must be there already.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Need {
    pub(super) line_id: String,
    pub(super) seq: u64,
    /// Hex of the SHA-256 of its manifest.
    pub(super) sha256: String,
}

/// The document.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Index {
    pub(super) format_version: u32,
    /// `bundle`
    pub(super) kind: String,
    pub(super) bundle_id: String,
    pub(super) vault_id: String,
    /// Public half, base64.
    pub(super) signing_key: String,
    pub(super) created_at: String,
    pub(super) written_by: String,
    pub(super) needs: Vec<Need>,
    pub(super) members: Vec<Member>,
    /// Ed25519, base64, over `orgkeep-bundle-v1\n` and the canonical JSON of all but this.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) signature: String,
}

impl Index {
    /// Signs it; its bytes.
    pub(super) fn sign(&mut self, keys: &Keyring) -> Result<Vec<u8>> {
        self.signature.clear();
        self.signature = keys.sign(&[DOMAIN, &canonical::to_vec(self)?].concat())?;
        Ok(canonical::to_vec(self)?)
    }

    /// Reads and checks it: signed by the key that it names, with members of a vault alone, each once and in order.
    pub(super) fn read(bytes: &[u8]) -> Result<Self> {
        let wrong = |why: String| BundleError::altered(INDEX, why);
        let mut value: Value = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
        let version = value.get("formatVersion").and_then(Value::as_u64).unwrap_or_default();
        check_version(INDEX, u32::try_from(version).unwrap_or(u32::MAX))?;
        let index: Self = serde_json::from_value(value.clone()).map_err(|error| wrong(error.to_string()))?;
        if index.kind != "bundle" || index.format_version != FORMAT_VERSION {
            return Err(wrong(format!("it is a {:?}", index.kind)));
        }
        if let Some(map) = value.as_object_mut() {
            map.shift_remove("signature");
        }
        let signed = [DOMAIN, &canonical::value_to_vec(value)?].concat();
        if !verify_signature(&index.signing_key, &signed, &index.signature) {
            return Err(wrong("its signature is not by the key that it names".to_owned()));
        }
        let mut known = BTreeSet::new();
        for member in &index.members {
            if kind_of(&member.file.path) != Some(member.kind) {
                return Err(wrong(format!(
                    "it names {:?}, which has no place in a bundle",
                    member.file.path
                )));
            }
            if !known.insert(&member.file.path) {
                return Err(wrong(format!("it names {} twice", member.file.path)));
            }
        }
        if index.members.windows(2).any(|pair| pair[0].kind > pair[1].kind) {
            return Err(wrong("its members are not in order".to_owned()));
        }
        Ok(index)
    }

    /// What there is to tell of it.
    pub(super) fn told(&self) -> Bundled {
        let lines: BTreeSet<&str> =
            self.members.iter().filter_map(|member| line_of(&member.file.path)).collect();
        Bundled {
            bundle_id: self.bundle_id.clone(),
            vault_id: self.vault_id.clone(),
            signing_key: self.signing_key.clone(),
            lines: lines.len() as u64,
            needs: self.needs.iter().map(|need| format!("{}/{}", need.line_id, need.seq)).collect(),
            ..Bundled::default()
        }
    }
}

/// The line of a path.
pub(super) fn line_of(path: &str) -> Option<&str> {
    path.strip_prefix(LINES)?.strip_prefix('/')?.split('/').next()
}

/// What a path may be in a bundle; `None`: it has no place in one.
pub(super) fn kind_of(path: &str) -> Option<Kind> {
    if path == VAULT {
        return Some(Kind::Document);
    }
    let mut steps = path.split('/');
    if steps.next() != Some(LINES) {
        return None;
    }
    let steps: Vec<&str> = steps.collect();
    if steps.iter().any(|step| layout::name(step).is_err()) {
        return None;
    }
    match steps.as_slice() {
        [_, "line.json" | "holds.json" | "deletions.json"] => Some(Kind::Document),
        [_, "objects" | "blobs", _, ..] => Some(Kind::File),
        [_, "redactions", _] => Some(Kind::Redaction),
        [_, "snapshots", _] => layout::seq_of(path).map(|_| Kind::Manifest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_vault_is_made_of_has_a_place() {
        for (path, kind) in [
            ("vault.json", Some(Kind::Document)),
            ("lines/l-1/line.json", Some(Kind::Document)),
            ("lines/l-1/objects/Account/run-1.1/0001.parquet", Some(Kind::File)),
            ("lines/l-1/blobs/ab/abcd", Some(Kind::File)),
            ("lines/l-1/redactions/1.json", Some(Kind::Redaction)),
            ("lines/l-1/snapshots/0000000001.json", Some(Kind::Manifest)),
            ("lines/l-1/snapshots/1.json", None),
            ("lines/l-1/lease.json", None),
            ("lines/l-1/runs/r/plan.json", None),
            ("lines/../vault.json", None),
            ("lines/l-1/objects/../../x", None),
            ("/etc/passwd", None),
            ("lines//objects/a", None),
            ("lines/l-1/objects/", None),
            (".tmp/x", None),
        ] {
            assert_eq!(kind_of(path), kind, "{path}");
        }
    }
}
