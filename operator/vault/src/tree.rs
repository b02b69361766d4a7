//! Trees: blobs under paths, as a snapshot holds an org's metadata and the files of its records.
//!
//! A tree is a blob with the entries in it: paths are as secret as content. Beside it lies a list in the clear of the
//! files that it rests on, whose names say nothing, so that whoever has no key can check, copy and collect them. Both
//! are named by what is in them: a tree that did not change is stored once, however many snapshots hold it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use crate::blob::BlobRef;
use crate::canonical;
use crate::digest;
use crate::error::{Result, VaultError};
use crate::layout::{self, FORMAT_VERSION};
use crate::line::Line;
use crate::manifest::{FileRef, Manifest};
use crate::state::check_version;
use crate::vault::{Vault, from_bytes};

/// One file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TreeEntry {
    /// Its path in the tree, with `/`.
    pub path: String,
    /// Its content.
    pub blob: BlobRef,
}

/// A tree in a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TreeRef {
    /// What it holds: `metadata`, or the object and field whose files they are (`ContentVersion.VersionData`).
    pub name: String,
    /// The entries: canonical JSON of [`TreeEntry`]s, sorted by path.
    pub tree: BlobRef,
    /// The list of the files that it rests on.
    pub list: FileRef,
    /// Entries.
    pub files: u64,
    /// Bytes of their contents.
    pub bytes: u64,
}

/// A list of files, `blobs/lists/<SHA-256 of its bytes>.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListDocument {
    format_version: u32,
    /// `list`
    kind: String,
    vault_id: String,
    line_id: String,
    /// Sorted by path, each once; the tree's own blob is not among them.
    files: Vec<FileRef>,
}

/// Lists of the trees of a snapshot, by path: named by what is in them, so that the next one's are the same.
#[derive(Debug, Default)]
pub(crate) struct TreeLists(HashMap<String, Vec<FileRef>>);

impl ListDocument {
    fn of(vault: &Vault, line: &str, entries: &[TreeEntry]) -> Self {
        let files: BTreeSet<FileRef> = entries.iter().map(|entry| entry.blob.file.clone()).collect();
        Self {
            format_version: FORMAT_VERSION,
            kind: "list".to_owned(),
            vault_id: vault.id().to_owned(),
            line_id: line.to_owned(),
            files: files.into_iter().collect(),
        }
    }
}

impl Line {
    /// Stores a tree under a name, which no other tree of the snapshot may have.
    pub async fn put_tree(&self, name: &str, mut entries: Vec<TreeEntry>) -> Result<TreeRef> {
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        if let Some(twice) = entries.windows(2).find(|pair| pair[0].path == pair[1].path) {
            return Err(VaultError::InvalidName(twice[0].path.clone()));
        }
        let mut blob = self.blob()?;
        blob.write(&canonical::to_vec(&entries)?)?;
        let tree = blob.finish().await?;
        let list = ListDocument::of(self.vault(), self.id(), &entries);
        let bytes = canonical::to_vec(&list)?;
        let sha256 = digest::sha256(&bytes);
        let path = layout::blob_list(self.id(), &sha256);
        let size = bytes.len() as u64;
        if !self.vault().put_once(&path, bytes.into()).await? {
            return Err(VaultError::corrupted(path, "it is not what its name says"));
        }
        Ok(TreeRef {
            name: name.to_owned(),
            tree,
            list: FileRef { path, size, sha256 },
            files: entries.len() as u64,
            bytes: entries.iter().map(|entry| entry.blob.size).sum(),
        })
    }

    /// Stores the list of a tree again, from its entries; false if that does not come to the same.
    pub(crate) async fn put_list_again(&self, tree: &TreeRef) -> Result<bool> {
        let list = ListDocument::of(self.vault(), self.id(), &self.vault().tree(&tree.tree).await?);
        let bytes = canonical::to_vec(&list)?;
        if digest::sha256(&bytes) != tree.list.sha256 {
            return Ok(false);
        }
        self.vault().storage().delete(&tree.list.path).await?;
        self.vault().put_once(&tree.list.path, bytes.into()).await
    }
}

impl Vault {
    /// The entries of a tree.
    pub async fn tree(&self, tree: &BlobRef) -> Result<Vec<TreeEntry>> {
        let bytes = self.blob(tree).await?;
        serde_json::from_slice(&bytes)
            .map_err(|error| VaultError::corrupted(&tree.file.path, format!("it is no tree: {error}")))
    }

    /// The files that a tree's list names; needs no key.
    pub(crate) async fn tree_files(&self, list: &FileRef) -> Result<Vec<FileRef>> {
        let bytes = self.storage().get(&list.path).await?;
        if digest::sha256(&bytes) != list.sha256 {
            return Err(VaultError::corrupted(&list.path, "its digest is not the manifest's"));
        }
        let document: ListDocument = from_bytes(&list.path, &bytes)?;
        check_version(&list.path, document.format_version)?;
        Ok(document.files)
    }

    /// Every file that a snapshot rests on, by path: those that its manifest names, and those of its trees.
    pub async fn files_of(&self, manifest: &Manifest) -> Result<BTreeMap<String, FileRef>> {
        self.files_with(manifest, &mut TreeLists::default()).await
    }

    /// As [`Vault::files_of`], of one snapshot after another: a list that the one before has is not read again.
    pub(crate) async fn files_with(
        &self,
        manifest: &Manifest,
        lists: &mut TreeLists,
    ) -> Result<BTreeMap<String, FileRef>> {
        let mut files: BTreeMap<String, FileRef> =
            manifest.files.iter().map(|file| (file.path.clone(), file.clone())).collect();
        let mut now = HashMap::new();
        for tree in &manifest.trees {
            let listed = match lists.0.remove(&tree.list.path) {
                Some(known) => known,
                None => self.tree_files(&tree.list).await?,
            };
            files.extend(listed.iter().map(|file| (file.path.clone(), file.clone())));
            now.insert(tree.list.path.clone(), listed);
        }
        // What only older snapshots have is let go.
        lists.0 = now;
        Ok(files)
    }
}
