//! A vault copied to another place: the same vault, byte by byte, with the same history and the same keys.
//!
//! The files of a snapshot go first and its manifest last, so a copy that was cut shows less history and never a
//! snapshot without its files; run again, it goes on. Every file is held against the signed manifest's digest on its
//! way. No key is needed: what is encrypted stays so. Journals, leases and what no manifest names are not copied.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde::Serialize;

use crate::digest::Running;
use crate::error::{Result, VaultError};
use crate::keys::{Access, wrap_missing};
use crate::layout::{self, LINES, VAULT};
use crate::manifest::{FileRef, Manifest};
use crate::storage::{Storage, StorageErrorKind};
use crate::tree::TreeLists;
use crate::vault::{Vault, compare_digest, read_document, to_bytes};

/// Files on their way at a time.
const IN_FLIGHT: usize = 4;
/// Bytes read at a time.
const CHUNK: u64 = 8 << 20;

/// What a copy did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Copied {
    /// Lines of history.
    pub lines: u64,
    /// Snapshots that are there now and were not before.
    pub snapshots: u64,
    /// Snapshots that were there.
    pub present: u64,
    /// Files copied.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Copies a vault, or what a copy of it lacks; `told` hears how far it is after each file and snapshot.
///
/// A place that holds another vault is refused, and so is one that was written to since: a copy continues one history.
pub async fn copy(from: &Vault, to: &Arc<dyn Storage>, told: impl Fn(&Copied)) -> Result<Copied> {
    copy_for(from, to, None, told).await
}

/// As [`copy`], for others than those who can open the source: only this key and these recipients open the copy.
///
/// The source must have been opened with a key. The root key below is the same: files need not be encrypted anew.
pub async fn copy_for(
    from: &Vault,
    to: &Arc<dyn Storage>,
    access: Option<&Access>,
    told: impl Fn(&Copied),
) -> Result<Copied> {
    let mut copied = Copied::default();
    vault_document(from, to, access).await?;
    let mut lines = from.storage().list_folders(LINES).await?;
    lines.sort();
    for id in lines {
        line(from, to, &id, &mut copied, &told).await?;
        copied.lines += 1;
    }
    Ok(copied)
}

/// Copies a line: its files, then its redactions, then its manifests, in that order wherever one rests on another.
async fn line(
    from: &Vault,
    to: &Arc<dyn Storage>,
    id: &str,
    copied: &mut Copied,
    told: &impl Fn(&Copied),
) -> Result<()> {
    let here = from.line(id).await?;
    no_more_than(to, id, here.numbers().await?.last().copied()).await?;
    let numbers = here.standing().await?;
    for document in layout::documents(id) {
        if to.read_mutable(&document).await?.is_none() {
            mutable(from.storage(), to, &document).await?;
        }
    }
    let redactions = lacking(from.storage(), to, &layout::redactions(id)).await?;
    if !redactions.is_empty() {
        // Snapshots that the copy has may rest on files that only a redaction names.
        let (mut known, mut lists, mut rests) = (HashSet::new(), TreeLists::default(), HashSet::new());
        for &seq in &numbers {
            let (_, manifest) = read(from, id, seq).await?;
            known = files(from, to, &manifest, &known, &mut lists, copied, told).await?;
            rests.extend(known.iter().cloned());
        }
        for path in redactions {
            let bytes = from.storage().get(&path).await?;
            once(to, &path, bytes).await?;
        }
        // Only now: until then the copy's snapshots rest on them.
        for redaction in from.redactions(id).await? {
            for old in redaction.files.iter().map(|file| &file.old.path).filter(|path| !rests.contains(*path))
            {
                to.delete(old).await?;
            }
        }
    }
    // What was retired is not copied: the copy may lack it from now on.
    mutable(from.storage(), to, &layout::deletions(id)).await?;
    // What the snapshot before has is there: most files are shared between neighbours.
    let (mut known, mut lists) = (HashSet::new(), TreeLists::default());
    for &seq in &numbers {
        let (bytes, manifest) = read(from, id, seq).await?;
        known = files(from, to, &manifest, &known, &mut lists, copied, told).await?;
        let snapshots = u64::from(!manifest.is_void());
        if once(to, &manifest.path(), bytes).await? {
            copied.snapshots += snapshots;
        } else {
            copied.present += snapshots;
        }
        told(copied);
    }
    // Only now that it is known to be the same history: who it belongs to may have changed.
    for document in layout::documents(id) {
        mutable(from.storage(), to, &document).await?;
    }
    Ok(())
}

/// A manifest, and its bytes.
async fn read(from: &Vault, line: &str, seq: u64) -> Result<(Bytes, Manifest)> {
    let bytes = from.storage().get(&layout::snapshot(line, seq)).await?;
    let manifest = Manifest::read(&bytes, from.id(), line, seq, from.signing_key())?;
    let manifest = from.redacted(manifest).await?;
    Ok((bytes, manifest))
}

/// Copies the files of a snapshot, but for those that are known to be there; all that it rests on.
async fn files(
    from: &Vault,
    to: &Arc<dyn Storage>,
    manifest: &Manifest,
    known: &HashSet<String>,
    lists: &mut TreeLists,
    copied: &mut Copied,
    told: &impl Fn(&Copied),
) -> Result<HashSet<String>> {
    let all = from.files_with(manifest, lists).await?;
    let wanted: Vec<&FileRef> = all.values().filter(|file| !known.contains(&file.path)).collect();
    let mut files = stream::iter(wanted)
        .map(|file| async move { Ok::<_, VaultError>((one(from, to, file).await?, file.size)) })
        .buffer_unordered(IN_FLIGHT);
    while let Some((was_copied, size)) = files.try_next().await? {
        if was_copied {
            copied.files += 1;
            copied.bytes += size;
            told(copied);
        }
    }
    drop(files);
    Ok(all.into_keys().collect())
}

/// Files of a folder that the copy lacks, in the order of their names.
async fn lacking(from: &Arc<dyn Storage>, to: &Arc<dyn Storage>, folder: &str) -> Result<Vec<String>> {
    let there: HashSet<String> = to.list(folder).map_ok(|entry| entry.path).try_collect().await?;
    let here: Vec<String> = from.list(folder).map_ok(|entry| entry.path).try_collect().await?;
    let mut lacking: Vec<String> = here.into_iter().filter(|path| !there.contains(path)).collect();
    lacking.sort();
    Ok(lacking)
}

/// Puts what never changes; whether it was not there.
async fn once(to: &Arc<dyn Storage>, path: &str, bytes: Bytes) -> Result<bool> {
    match to.put_if_absent(path, bytes.clone()).await {
        Ok(()) => Ok(true),
        Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
            if to.get(path).await? != bytes {
                return Err(diverged(to, path));
            }
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Makes the copy the same vault, or sees that it is.
async fn vault_document(from: &Vault, to: &Arc<dyn Storage>, access: Option<&Access>) -> Result<()> {
    let Some((there, _)) = to.read_mutable(VAULT).await? else {
        if !to.list_folders(LINES).await?.is_empty() {
            return Err(VaultError::corrupted(VAULT, format!("{} has lines and no vault", to.describe())));
        }
        let (bytes, _) = from
            .storage()
            .read_mutable(VAULT)
            .await?
            .ok_or_else(|| VaultError::NoVault(from.storage().describe()))?;
        let bytes = match access {
            Some(access) => for_others(from, &bytes, access).await?,
            None => bytes,
        };
        to.replace_if_match(VAULT, None, bytes).await?;
        return Ok(());
    };
    let there = read_document(&there)?;
    if there.vault_id != from.id() || there.signing_key != from.signing_key() {
        return Err(VaultError::InvalidLocation(format!(
            "{} holds another vault ({}); copy to an empty place",
            to.describe(),
            there.vault_id
        )));
    }
    if let Some(access) = access.filter(|access| access.key.is_some()) {
        // Whoever it is for now must be able to open what was made for somebody before.
        Vault::open_read_only(Arc::clone(to), access).await?;
    }
    Ok(())
}

/// The vault's document with the root key wrapped for others alone.
async fn for_others(from: &Vault, bytes: &Bytes, access: &Access) -> Result<Bytes> {
    let Some(root) = from.keys().root() else {
        let why = "a copy for another key is made with a key that opens the vault".to_owned();
        return Err(VaultError::WrongKey { vault: from.id().to_owned(), why });
    };
    let mut document = read_document(bytes)?;
    document.recipients.clear();
    let (key, recipients) = (access.key.as_ref(), &access.recipients);
    if !wrap_missing(&mut document.recipients, root, from.id(), key, recipients).await? {
        return Err(VaultError::InvalidKey(
            "nobody could open the copy: name a key or a recipient".to_owned(),
        ));
    }
    to_bytes(VAULT, &document)
}

/// A mutable document as it is now.
async fn mutable(from: &Arc<dyn Storage>, to: &Arc<dyn Storage>, path: &str) -> Result<()> {
    let Some((bytes, _)) = from.read_mutable(path).await? else { return Ok(()) };
    match to.read_mutable(path).await? {
        Some((there, _)) if there == bytes => Ok(()),
        there => {
            to.replace_if_match(path, there.as_ref().map(|(_, version)| version), bytes).await?;
            Ok(())
        }
    }
}

/// Copies one file, unless it is there; whether it did.
async fn one(from: &Vault, to: &Arc<dyn Storage>, file: &FileRef) -> Result<bool> {
    match to.head(&file.path).await {
        Ok(size) if size == file.size => return Ok(false),
        Ok(size) => {
            let why = format!("it has {size} bytes in {}, not {}", to.describe(), file.size);
            return Err(VaultError::corrupted(&file.path, why));
        }
        Err(error) if error.is_not_found() => {}
        Err(error) => return Err(error.into()),
    }
    let mut upload = to.upload(&file.path).await?;
    let mut running = Running::new();
    let mut at = 0;
    while at < file.size {
        let bytes = from.storage().get_range(&file.path, at..(at + CHUNK).min(file.size)).await?;
        if bytes.is_empty() {
            break;
        }
        at += bytes.len() as u64;
        running.update(&bytes);
        upload.write(bytes).await?;
    }
    let (size, sha256) = running.finish();
    if (size, &sha256) != (file.size, &file.sha256) {
        // Dropped without its end, the upload never was.
        return Err(VaultError::corrupted(&file.path, "it is not what the manifest says; verify the vault"));
    }
    let compared = match upload.finish().await {
        Ok(stored) => stored.compared,
        // Another copy was faster: what it left counts, if it is this.
        Err(error) if error.kind == StorageErrorKind::AlreadyExists => false,
        Err(error) => return Err(error.into()),
    };
    if !compared && let Some(why) = compare_digest(to, file).await? {
        return Err(VaultError::corrupted(&file.path, format!("in {}: {why}", to.describe())));
    }
    Ok(true)
}

/// A snapshot that only the copy has was written there.
async fn no_more_than(to: &Arc<dyn Storage>, line: &str, last: Option<u64>) -> Result<()> {
    let mut there = to.list(&layout::snapshots(line));
    while let Some(entry) = there.try_next().await? {
        if layout::seq_of(&entry.path).is_some_and(|seq| last.is_none_or(|last| seq > last)) {
            return Err(diverged(to, &entry.path));
        }
    }
    Ok(())
}

fn diverged(to: &Arc<dyn Storage>, path: &str) -> VaultError {
    VaultError::corrupted(
        path,
        format!("{} was written to by itself: the two are no longer one history", to.describe()),
    )
}
