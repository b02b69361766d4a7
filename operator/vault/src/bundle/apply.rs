//! Applies a bundle: read once from its beginning to its end, every member held against the signed index.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;

use super::index::{INDEX, Index, Kind, Member, Need, line_of};
use super::tar::Archive;
use super::{BundleError, Bundled, Result};
use crate::digest::{self, Running};
use crate::error::VaultError;
use crate::keys::Access;
use crate::layout::{self, LINES, VAULT};
use crate::manifest::{FileRef, Manifest};
use crate::storage::{Storage, StorageErrorKind};
use crate::tree::TreeLists;
use crate::vault::{Vault, compare_digest, read_document};

/// Bytes read at a time.
const CHUNK: usize = 4 << 20;
/// A document or a manifest has fewer bytes.
const MOST_DOCUMENT: u64 = 1 << 30;

/// Applies a bundle to a vault, or to an empty place, which becomes one. A key is not needed.
///
/// `signing_key`: the vault's public key, base64, if it is known; for an empty place it is the only guard against a
/// bundle that somebody else made.
pub async fn apply<R: Read + Send + 'static>(
    input: R,
    target: &Arc<dyn Storage>,
    signing_key: Option<String>,
    told: impl Fn(&Bundled) + Send + 'static,
) -> Result<Bundled> {
    let (target, runtime) = (Arc::clone(target), Handle::current());
    let applied = tokio::task::spawn_blocking(move || {
        let mut archive = Archive::new(input);
        let index = first(&mut archive, signing_key.as_deref())?;
        let mut site = runtime.block_on(Site::open(target, index, runtime.clone()))?;
        let members = std::mem::take(&mut site.index.members);
        let redactions = members.iter().filter(|member| member.kind == Kind::Redaction);
        site.redacted =
            redactions.filter_map(|member| line_of(&member.file.path).map(str::to_owned)).collect();
        for member in &members {
            expect(&mut archive, member)?;
            site.take(member, &mut archive)?;
            told(&site.done);
        }
        runtime.block_on(site.finish())
    });
    applied.await.map_err(|error| BundleError::Internal(error.to_string()))?
}

/// Reads a bundle and holds it against its index, without a vault.
pub async fn verify<R: Read + Send + 'static>(input: R, signing_key: Option<String>) -> Result<Bundled> {
    let verified = tokio::task::spawn_blocking(move || -> Result<Bundled> {
        let mut archive = Archive::new(input);
        let index = first(&mut archive, signing_key.as_deref())?;
        let mut done = index.told();
        for member in &index.members {
            expect(&mut archive, member)?;
            if member.kind == Kind::Manifest {
                let bytes = whole(&mut archive, member)?;
                manifest(&index, member, &bytes)?;
                done.snapshots += 1;
            } else {
                each(&mut archive, member, |_| Ok(()))?;
            }
            done.files += u64::from(member.kind == Kind::File);
            done.bytes += member.file.size;
        }
        if let Some((path, _)) = archive.next()? {
            return Err(BundleError::altered(&path, "the index does not name it"));
        }
        Ok(done)
    });
    verified.await.map_err(|error| BundleError::Internal(error.to_string()))?
}

/// The index, which comes first.
fn first<R: Read>(archive: &mut Archive<R>, signing_key: Option<&str>) -> Result<Index> {
    match archive.next()? {
        Some((path, size)) if path == INDEX && size <= MOST_DOCUMENT => {}
        _ => return Err(BundleError::altered(INDEX, "it does not come first; this is no bundle")),
    }
    let index = Index::read(&archive.all()?)?;
    match signing_key {
        Some(known) if known != index.signing_key => Err(BundleError::OtherVault(format!(
            "the bundle is signed by {}, not by {known}",
            index.signing_key
        ))),
        _ => Ok(index),
    }
}

/// The member that the index says comes next.
fn expect<R: Read>(archive: &mut Archive<R>, member: &Member) -> Result<()> {
    let path = &member.file.path;
    match archive.next()? {
        Some((found, size)) if found == *path && size == member.file.size => Ok(()),
        Some((found, size)) => {
            let why = format!("{found:?} with {size} bytes stands in its place");
            Err(BundleError::altered(path, why))
        }
        None => Err(BundleError::altered(path, "it is missing")),
    }
}

/// Gives the bytes of a member piece by piece; fails at its end if they are not those of the index.
fn each<R: Read>(
    archive: &mut Archive<R>,
    member: &Member,
    mut piece: impl FnMut(Bytes) -> Result<()>,
) -> Result<()> {
    let mut running = Running::new();
    loop {
        let bytes = archive.read(CHUNK)?;
        if bytes.is_empty() {
            break;
        }
        running.update(&bytes);
        piece(bytes.into())?;
    }
    if running.finish() != (member.file.size, member.file.sha256.clone()) {
        return Err(BundleError::altered(&member.file.path, "its SHA-256 is not that of the index"));
    }
    Ok(())
}

fn whole<R: Read>(archive: &mut Archive<R>, member: &Member) -> Result<Bytes> {
    if member.file.size > MOST_DOCUMENT {
        return Err(BundleError::altered(&member.file.path, "it is too large for a document"));
    }
    let mut all = Vec::new();
    each(archive, member, |bytes| {
        all.extend_from_slice(&bytes);
        Ok(())
    })?;
    Ok(all.into())
}

fn manifest(index: &Index, member: &Member, bytes: &[u8]) -> Result<Manifest> {
    let path = &member.file.path;
    let place = line_of(path).zip(layout::seq_of(path));
    let (line, seq) = place.ok_or_else(|| BundleError::altered(path, "it is no manifest's path"))?;
    Ok(Manifest::read(bytes, &index.vault_id, line, seq, &index.signing_key)?)
}

/// Where a bundle is applied.
struct Site {
    target: Arc<dyn Storage>,
    runtime: Handle,
    index: Index,
    done: Bundled,
    /// Whether there was a vault before.
    was_there: bool,
    /// Documents that change, until files and manifests stand.
    documents: BTreeMap<String, Bytes>,
    /// The vault, once it is one.
    vault: Option<Vault>,
    /// Files that are known to be there: of the bundle, and of the manifest before.
    there: BTreeSet<String>,
    lists: TreeLists,
    /// Lines that the bundle has redactions of.
    redacted: BTreeSet<String>,
    /// Lines whose last snapshot in the bundle was not there.
    ahead: BTreeSet<String>,
}

impl Site {
    /// Sees that the bundle belongs there and that nothing is missing in between.
    async fn open(target: Arc<dyn Storage>, index: Index, runtime: Handle) -> Result<Self> {
        let was_there = match target.read_mutable(VAULT).await? {
            Some((bytes, _)) => {
                let document = read_document(&bytes)?;
                if document.vault_id != index.vault_id || document.signing_key != index.signing_key {
                    return Err(BundleError::OtherVault(format!(
                        "{} holds vault {}, the bundle is of vault {}; apply it to that one, or to an empty place",
                        target.describe(),
                        document.vault_id,
                        index.vault_id
                    )));
                }
                true
            }
            None if !target.list_folders(LINES).await?.is_empty() => {
                let why = format!("{} has lines and no vault", target.describe());
                return Err(VaultError::corrupted(VAULT, why).into());
            }
            None => false,
        };
        let mut site = Self {
            done: index.told(),
            target,
            runtime,
            index,
            was_there,
            documents: BTreeMap::new(),
            vault: None,
            there: BTreeSet::new(),
            lists: TreeLists::default(),
            redacted: BTreeSet::new(),
            ahead: BTreeSet::new(),
        };
        for need in site.index.needs.clone() {
            site.need(&need).await?;
        }
        let mut last = BTreeMap::new();
        for member in site.index.members.iter().filter(|member| member.kind == Kind::Manifest) {
            if let Some(line) = line_of(&member.file.path) {
                last.insert(line.to_owned(), member.file.path.clone());
            }
        }
        for (line, path) in last {
            match site.target.head(&path).await {
                Ok(_) => {}
                Err(error) if error.is_not_found() => drop(site.ahead.insert(line)),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(site)
    }

    /// Sees that a snapshot is there, and which files it rests on.
    async fn need(&mut self, need: &Need) -> Result<()> {
        let gap = |why: &str| BundleError::Gap {
            needs: format!("{}/{}", need.line_id, need.seq),
            target: self.target.describe(),
            why: why.to_owned(),
        };
        let bytes = match self.target.get(&layout::snapshot(&need.line_id, need.seq)).await {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => {
                return Err(gap(
                    "apply the bundles before this one first, or make one with an earlier --since",
                ));
            }
            Err(error) => return Err(error.into()),
        };
        if digest::sha256(&bytes) != need.sha256 {
            return Err(gap("another one is in its place: the two are no longer one history"));
        }
        let manifest =
            Manifest::read(&bytes, &self.index.vault_id, &need.line_id, need.seq, &self.index.signing_key)?;
        let vault = Vault::open_read_only(Arc::clone(&self.target), &Access::default()).await?;
        let manifest = vault.redacted(manifest).await?;
        self.there.extend(vault.files_of(&manifest).await?.into_keys());
        Ok(())
    }

    fn take<R: Read>(&mut self, member: &Member, archive: &mut Archive<R>) -> Result<()> {
        let path = &member.file.path;
        self.done.bytes += member.file.size;
        match member.kind {
            Kind::Document => {
                let bytes = whole(archive, member)?;
                if path == VAULT && !self.was_there {
                    // A vault without snapshots, so that whoever goes on finds out whose files these are.
                    self.runtime.clone().block_on(self.vault_document(&bytes))?;
                }
                self.documents.insert(path.clone(), bytes);
            }
            Kind::File => {
                if self.file(member, archive)? {
                    self.done.files += 1;
                }
                self.there.insert(path.clone());
            }
            Kind::Redaction => {
                let bytes = whole(archive, member)?;
                self.runtime.clone().block_on(async {
                    self.begin().await?;
                    self.put_once(path, bytes).await
                })?;
            }
            Kind::Manifest => {
                let bytes = whole(archive, member)?;
                let manifest = manifest(&self.index, member, &bytes)?;
                self.runtime.clone().block_on(self.manifest(&manifest, bytes))?;
            }
        }
        Ok(())
    }

    /// Stores a file unless it is there; whether it did. What is not what the index says is not stored.
    fn file<R: Read>(&self, member: &Member, archive: &mut Archive<R>) -> Result<bool> {
        let file = &member.file;
        let runtime = &self.runtime;
        match runtime.block_on(self.target.head(&file.path)) {
            Ok(size) if size == file.size => {
                each(archive, member, |_| Ok(()))?;
                return Ok(false);
            }
            Ok(size) => {
                let why = format!("it has {size} bytes in {}, not {}", self.target.describe(), file.size);
                return Err(VaultError::corrupted(&file.path, why).into());
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
        let mut upload = runtime.block_on(self.target.upload(&file.path))?;
        // Dropped without its end, the upload never was.
        each(archive, member, |bytes| Ok(runtime.block_on(upload.write(bytes))?))?;
        let compared = match runtime.block_on(upload.finish()) {
            Ok(stored) => stored.compared,
            // Another apply was faster: what it left counts, if it is this.
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => false,
            Err(error) => return Err(error.into()),
        };
        if !compared && let Some(why) = runtime.block_on(compare_digest(&self.target, file))? {
            let why = format!("in {}: {why}", self.target.describe());
            return Err(VaultError::corrupted(&file.path, why).into());
        }
        Ok(true)
    }

    /// Makes an empty place the vault of the bundle.
    async fn vault_document(&self, bytes: &Bytes) -> Result<()> {
        let document = read_document(bytes)?;
        if document.vault_id != self.index.vault_id || document.signing_key != self.index.signing_key {
            return Err(BundleError::altered(VAULT, "it is not of the vault that the index names"));
        }
        self.target.replace_if_match(VAULT, None, bytes.clone()).await?;
        Ok(())
    }

    /// Makes the lines be, once all files stand.
    async fn begin(&mut self) -> Result<&Vault> {
        if self.vault.is_none() {
            for (path, bytes) in self.documents.iter().filter(|(path, _)| *path != VAULT) {
                // Whose a line is follows at the end; what it may lack is told before it lacks it.
                let early = !path.ends_with("/line.json");
                let there = self.target.read_mutable(path).await?;
                if there.as_ref().is_none_or(|(known, _)| early && self.is_ahead(path) && known != bytes) {
                    self.target.replace_if_match(path, there.as_ref().map(|(_, v)| v), bytes.clone()).await?;
                }
            }
            let vault = Vault::open_read_only(Arc::clone(&self.target), &Access::default()).await?;
            self.vault = Some(vault);
        }
        self.vault.as_ref().ok_or_else(|| BundleError::Internal("no vault".to_owned()))
    }

    /// Commits a snapshot whose files all stand.
    async fn manifest(&mut self, manifest: &Manifest, bytes: Bytes) -> Result<()> {
        let name = format!("{}/{}", manifest.line_id, manifest.seq);
        let vault = self.begin().await?.clone();
        let manifest = &vault.redacted(manifest.clone()).await?;
        let files = vault.files_with(manifest, &mut self.lists).await?;
        for file in files.values().filter(|file| !self.there.contains(&file.path)) {
            self.is_there(file, &name).await?;
        }
        if let Some(parent) = &manifest.parent {
            let found = match self.target.get(&layout::snapshot(&manifest.line_id, parent.seq)).await {
                Ok(found) => Some(found),
                Err(error) if error.is_not_found() => None,
                Err(error) => return Err(error.into()),
            };
            let gap = |why: &str| BundleError::Gap {
                needs: format!("{}/{}", manifest.line_id, parent.seq),
                target: self.target.describe(),
                why: why.to_owned(),
            };
            match found {
                Some(found) if digest::named(&found) == parent.digest => {}
                Some(_) => return Err(gap("another one is in its place: the two are no longer one history")),
                None if vault.line(&manifest.line_id).await?.deletions().await?.has(parent.seq) => {}
                None => return Err(gap("the snapshot that the next one follows is in neither")),
            }
        }
        self.there.extend(files.into_keys());
        if self.put_once(&manifest.path(), bytes).await? {
            self.done.snapshots += 1;
        } else {
            self.done.present += 1;
        }
        Ok(())
    }

    /// Whether the bundle has a snapshot of this path's line that was not there when it came.
    fn is_ahead(&self, path: &str) -> bool {
        line_of(path).is_some_and(|line| self.ahead.contains(line))
    }

    async fn is_there(&self, file: &FileRef, snapshot: &str) -> Result<()> {
        let size = match self.target.head(&file.path).await {
            Ok(size) => Some(size),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error.into()),
        };
        if size == Some(file.size) {
            return Ok(());
        }
        let why =
            format!("snapshot {snapshot} rests on it, and it is not whole in {}", self.target.describe());
        Err(VaultError::corrupted(&file.path, why).into())
    }

    /// Puts what never changes; whether it was not there.
    async fn put_once(&self, path: &str, bytes: Bytes) -> Result<bool> {
        match self.target.put_if_absent(path, bytes.clone()).await {
            Ok(()) => Ok(true),
            Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
                if self.target.get(path).await? != bytes {
                    let why = format!(
                        "{} was written to by itself: the two are no longer one history",
                        self.target.describe()
                    );
                    return Err(VaultError::corrupted(path, why).into());
                }
                Ok(false)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes what redactions of the bundle put other files in the place of, where nothing rests on it any more.
    async fn forget(&self) -> Result<()> {
        let vault = Vault::open_read_only(Arc::clone(&self.target), &Access::default()).await?;
        for id in &self.redacted {
            let line = vault.line(id).await?;
            let (mut rests, mut lists) = (BTreeSet::new(), TreeLists::default());
            for seq in line.numbers().await? {
                let manifest = vault.redacted(line.read_number(seq).await?).await?;
                rests.extend(vault.files_with(&manifest, &mut lists).await?.into_keys());
            }
            for redaction in vault.redactions(id).await? {
                let old = redaction.files.iter().map(|file| &file.old.path);
                for path in old.filter(|path| !rests.contains(*path)) {
                    self.target.delete(path).await?;
                }
            }
        }
        Ok(())
    }

    /// Brings what else the bundle says of lines that grew up to date: owners, holds, what was retired.
    async fn finish(self) -> Result<Bundled> {
        for (path, bytes) in &self.documents {
            if !self.is_ahead(path) {
                continue;
            }
            let there = self.target.read_mutable(path).await?;
            if there.as_ref().is_none_or(|(known, _)| known != bytes) {
                self.target.replace_if_match(path, there.as_ref().map(|(_, v)| v), bytes.clone()).await?;
            }
        }
        if !self.redacted.is_empty() {
            self.forget().await?;
        }
        tracing::info!(
            bundle = self.done.bundle_id,
            snapshots = self.done.snapshots,
            new = !self.was_there,
            "applied"
        );
        Ok(self.done)
    }
}
