//! Search in trees of files: an org's metadata by paths and text, the files of its records by paths.

use std::collections::{BTreeMap, BTreeSet};

use futures::stream::{self, StreamExt as _};

use super::query::Term;
use super::rows::excerpt;
use super::run::{Hit, Search};
use crate::blob::BlobRef;
use crate::error::Result;

/// The tree whose files are text.
const METADATA: &str = "metadata";
/// Files larger than this are looked at by their paths only.
const MOST: u64 = 8 << 20;
/// Files read at a time.
const IN_FLIGHT: usize = 16;

/// A file of a tree, and the snapshots that have it so.
struct Entry {
    path: String,
    blob: BlobRef,
    snapshots: Vec<u64>,
}

/// Searches the trees of the snapshots.
pub(super) async fn search(search: &mut Search<'_>) -> Result<()> {
    if search.terms.is_empty() {
        return Ok(());
    }
    let names: BTreeSet<String> =
        search.manifests.iter().flat_map(|manifest| &manifest.trees).map(|tree| tree.name.clone()).collect();
    for name in names {
        let mark = format!("/{name}");
        if search.query.wants(&name) && !search.is_past(&mark) && !tree(search, &name, &mark).await? {
            break;
        }
    }
    Ok(())
}

async fn tree(search: &mut Search<'_>, name: &str, mark: &str) -> Result<bool> {
    let entries = entries(search, name).await?;
    let newest = search.manifests.last().map(|manifest| manifest.seq);
    let there: BTreeSet<String> = entries
        .iter()
        .filter(|entry| newest.is_some_and(|newest| entry.snapshots.contains(&newest)))
        .map(|entry| entry.path.clone())
        .collect();
    let from = search.resumed(mark).map_or(0, |(at, ..)| at + 1);
    let (vault, terms) = (search.vault.clone(), search.terms.clone());
    let reads_content = name == METADATA;
    let with_deleted = search.query.include_deleted;
    let wanted: Vec<(usize, Entry)> = entries
        .into_iter()
        .enumerate()
        .skip(from)
        .filter(|(_, entry)| with_deleted || there.contains(&entry.path))
        .collect();
    let mut looked = stream::iter(wanted)
        .map(|(at, entry)| {
            let (vault, terms) = (vault.clone(), terms.clone());
            async move {
                let content = if reads_content && entry.blob.size <= MOST {
                    vault.blob(&entry.blob).await.map(Some)
                } else {
                    Ok(None)
                };
                let found = content.map(|content| {
                    let text = content.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok());
                    found_in(&terms, &entry.path, text.unwrap_or_default())
                });
                (at, entry, found)
            }
        })
        .buffered(IN_FLIGHT);
    while let Some((at, entry, found)) = looked.next().await {
        let fields = match found {
            Ok(Some(fields)) => fields,
            Ok(None) => continue,
            Err(error) => {
                search.unread(&entry.blob.file.path, error)?;
                continue;
            }
        };
        let deleted = !there.contains(&entry.path);
        let last = entry.path.rsplit('/').next().unwrap_or_default().to_owned();
        let snapshots = entry.snapshots;
        let hit = Hit {
            kind: name.to_owned(),
            id: entry.path,
            name: last,
            snapshots,
            deleted,
            fields,
            ..Hit::default()
        };
        if !search.hand_out(hit, (mark.to_owned(), at, 0, 0)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The files of a tree in all snapshots: each content under its path once. Without `--all-versions` of a path only
/// the newest.
async fn entries(search: &mut Search<'_>, name: &str) -> Result<Vec<Entry>> {
    let mut all: BTreeMap<(String, String), Entry> = BTreeMap::new();
    let mut read: Option<(BlobRef, Vec<(String, String)>)> = None;
    for manifest in search.manifests {
        let Some(tree) = manifest.tree(name) else { continue };
        if let Some((_, keys)) = read.as_ref().filter(|(known, _)| *known == tree.tree) {
            for key in keys {
                if let Some(entry) = all.get_mut(key) {
                    entry.snapshots.push(manifest.seq);
                }
            }
            continue;
        }
        let files = match search.vault.tree(&tree.tree).await {
            Ok(files) => files,
            Err(error) => {
                search.unread(&tree.tree.file.path, error)?;
                continue;
            }
        };
        let mut keys = Vec::with_capacity(files.len());
        for file in files {
            let key = (file.path.clone(), file.blob.file.path.clone());
            let entry = all.entry(key.clone()).or_insert_with(|| Entry {
                path: file.path,
                blob: file.blob,
                snapshots: Vec::new(),
            });
            entry.snapshots.push(manifest.seq);
            keys.push(key);
        }
        read = Some((tree.tree.clone(), keys));
    }
    let mut entries: Vec<Entry> = all.into_values().collect();
    if !search.query.all_versions {
        let mut newest: BTreeMap<String, Entry> = BTreeMap::new();
        for entry in entries {
            let newer =
                newest.get(&entry.path).is_none_or(|held| held.snapshots.last() < entry.snapshots.last());
            if newer {
                newest.insert(entry.path.clone(), entry);
            }
        }
        entries = newest.into_values().collect();
    }
    Ok(entries)
}

/// Where path and content have the terms; `None` if one of them is in neither.
fn found_in(terms: &[Term], path: &str, content: &str) -> Option<Vec<(String, String)>> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for term in terms {
        let mut any = false;
        for (field, text) in [("path", path), ("content", content)] {
            if let Some(range) = term.find(text) {
                any = true;
                if !fields.iter().any(|(known, _)| known == field) {
                    fields.push((field.to_owned(), excerpt(text, range)));
                }
            }
        }
        if !any {
            return None;
        }
    }
    Some(fields)
}
