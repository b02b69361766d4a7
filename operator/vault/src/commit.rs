//! The commit: one conditional put that makes a snapshot be.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use jiff::Timestamp;
use orgkeep_core::run::{Completeness, Counts, OrgFacts, Phase, SnapshotFacts};

use crate::attempt::Attempt;
use crate::error::{Result, VaultError};
use crate::journal::Run;
use crate::layout::FORMAT_VERSION;
use crate::lease::Lease;
use crate::line::Line;
use crate::manifest::{FileRef, Manifest, ObjectEntry, ParentRef, Totals};
use crate::tree::TreeRef;
use crate::vault::now;

/// Tries at a number; each loss means that another was committed meanwhile.
const TRIES: usize = 16;
/// Locks looked at at a time.
const IN_FLIGHT: usize = 16;
/// Clocks of the machines that write a vault differ by less.
const CLOCKS: Duration = Duration::from_secs(24 * 3600);

/// What a run has to say of its snapshot.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Name of the Snapshot object.
    pub snapshot_name: String,
    /// `Succeeded` or `PartiallySucceeded`.
    pub phase: Phase,
    /// RFC 3339, UTC.
    pub start_time: String,
    /// The org.
    pub org: OrgFacts,
    /// What was counted.
    pub counts: Counts,
    /// Expected against captured.
    pub completeness: Completeness,
    /// Calls made to the org.
    pub api_calls: u64,
    /// The objects.
    pub objects: Vec<ObjectEntry>,
    /// Trees of files.
    pub trees: Vec<TreeRef>,
}

/// A snapshot that stands.
#[derive(Debug, Clone)]
pub struct Committed {
    /// Where.
    pub facts: SnapshotFacts,
    /// Its manifest.
    pub manifest: Manifest,
}

impl From<Manifest> for Committed {
    fn from(manifest: Manifest) -> Self {
        let facts = SnapshotFacts {
            line_id: manifest.line_id.clone(),
            snapshot_id: manifest.snapshot_id(),
            manifest_digest: manifest.digest.clone(),
            size_bytes: manifest.size_bytes,
        };
        Self { facts, manifest }
    }
}

impl Line {
    /// Commits a snapshot. A run commits once: where an earlier attempt came so far, its snapshot is the result.
    pub async fn commit(&self, lease: &mut Lease, attempt: &Attempt, draft: Draft) -> Result<Committed> {
        let mut files: BTreeMap<String, FileRef> = BTreeMap::new();
        for object in &draft.objects {
            for file in object.state.iter().chain(&object.parts) {
                files.insert(file.path.clone(), file.clone());
            }
        }
        for tree in &draft.trees {
            for file in [&tree.tree.file, &tree.list] {
                files.insert(file.path.clone(), file.clone());
            }
        }
        let mut manifest = Manifest {
            format_version: FORMAT_VERSION,
            kind: "snapshot".to_owned(),
            vault_id: self.vault().id().to_owned(),
            line_id: self.id().to_owned(),
            run_id: attempt.run().id().to_owned(),
            attempt: attempt.number(),
            owner: self.owner().clone(),
            snapshot_name: draft.snapshot_name,
            phase: draft.phase.as_str().to_owned(),
            start_time: draft.start_time,
            completion_time: now(),
            org: draft.org,
            counts: draft.counts,
            completeness: draft.completeness,
            api_calls: draft.api_calls,
            size_bytes: draft.objects.iter().map(|object| object.new_bytes).sum(),
            objects: draft.objects,
            trees: draft.trees,
            files: files.into_values().collect(),
            written_by: concat!("orgkeep ", env!("CARGO_PKG_VERSION")).to_owned(),
            ..Manifest::default()
        };
        manifest.objects.sort_by(|a, b| a.name.cmp(&b.name));
        manifest.trees.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(twice) = manifest.trees.windows(2).find(|pair| pair[0].name == pair[1].name) {
            return Err(VaultError::InvalidName(twice[0].name.clone()));
        }
        let rows = manifest.size_bytes;
        if let Some(committed) = attempt.run().committed().await? {
            return Ok(committed);
        }
        self.extend_locks(&manifest).await?;
        for tries in 0..TRIES {
            if tries > 0 {
                self.check_files(&manifest).await?;
            }
            let next = self.numbers().await?.last().map_or(1, |last| last + 1);
            let parent = self.latest().await?;
            manifest.seq = next;
            manifest.size_bytes = rows + self.new_in_trees(&manifest, parent.as_ref()).await?;
            manifest.totals = Totals {
                snapshots: parent.as_ref().map_or(0, |parent| parent.totals.snapshots) + 1,
                bytes: parent.as_ref().map_or(0, |parent| parent.totals.bytes) + manifest.size_bytes,
            };
            manifest.redaction = self.vault().overlay_now(self.id()).await?.last().cloned();
            manifest.parent = parent.map(|parent| ParentRef { seq: parent.seq, digest: parent.digest });
            // A parent that was committed after the numbers were read would stand above its child.
            if manifest.parent.as_ref().is_some_and(|parent| parent.seq >= next) {
                continue;
            }
            // After the number was read: a collection that closes the run, or sweeps, takes a number after that.
            attempt.run().check_open().await?;
            if tries == 0 && attempt.run().was_swept().await? {
                self.check_files(&manifest).await?;
            }
            // After the number was read: whoever takes the lease over from here on meets us at that number.
            lease.renew().await?;
            let bytes = manifest.sign(self.vault().keys())?;
            if self.vault().put_once(&manifest.path(), bytes.into()).await? {
                tracing::info!(line = self.id(), seq = next, digest = manifest.digest, "committed");
                return Ok(manifest.into());
            }
            let winner = self.read_number(next).await?;
            if !winner.is_void() && winner.run_id == manifest.run_id {
                return Ok(winner.into());
            }
        }
        Err(VaultError::LineBusy {
            line: self.id().to_owned(),
            run: "of others".to_owned(),
            until: "they are done".to_owned(),
        })
    }

    /// Bytes of trees, lists and what these name that the parent does not rest on.
    async fn new_in_trees(&self, manifest: &Manifest, parent: Option<&Manifest>) -> Result<u64> {
        let vault = self.vault();
        let mut known = BTreeSet::new();
        let mut new = BTreeMap::new();
        let of_parent = parent.map(|parent| parent.trees.as_slice()).unwrap_or_default();
        for tree in manifest.trees.iter().filter(|tree| !of_parent.iter().any(|old| old.list == tree.list)) {
            new.extend(vault.tree_files(&tree.list).await?.into_iter().map(|file| (file.path, file.size)));
            new.extend([&tree.tree.file, &tree.list].map(|file| (file.path.clone(), file.size)));
        }
        if new.is_empty() {
            return Ok(0);
        }
        for tree in of_parent {
            known.extend(vault.tree_files(&tree.list).await?.into_iter().map(|file| file.path));
            known.extend([tree.tree.file.path.clone(), tree.list.path.clone()]);
        }
        Ok(new.into_iter().filter(|(path, _)| !known.contains(path)).map(|(_, size)| size).sum())
    }

    /// Where files are locked, those that an earlier run put stay locked as long as this snapshot needs them.
    async fn extend_locks(&self, manifest: &Manifest) -> Result<()> {
        let storage = self.vault().storage();
        if !storage.locks() {
            return Ok(());
        }
        let own = format!("/{}.", manifest.run_id);
        let files = self.vault().files_of(manifest).await?;
        let shared = files.keys().filter(|path| !path.contains(&own));
        let waiting: Vec<_> = shared.map(|path| storage.extend_lock(path)).collect();
        let extended: Vec<bool> = stream::iter(waiting).buffer_unordered(IN_FLIGHT).try_collect().await?;
        let extended = extended.into_iter().filter(|extended| *extended).count();
        tracing::debug!(line = self.id(), extended, "locks of shared files");
        Ok(())
    }

    /// Whoever lost a number may have been thought dead: a collection may have swept what it names.
    async fn check_files(&self, manifest: &Manifest) -> Result<()> {
        for file in self.vault().files_of(manifest).await?.values() {
            let size = self.vault().storage().head(&file.path).await?;
            if size != file.size {
                return Err(VaultError::corrupted(
                    &file.path,
                    format!("it has {size} bytes, not {}", file.size),
                ));
            }
        }
        Ok(())
    }
}

impl Run {
    /// The snapshot of this run, if one was committed.
    pub async fn committed(&self) -> Result<Option<Committed>> {
        let begun = self.begun().await?.and_then(|begun| begun.checked_sub(CLOCKS).ok());
        for seq in self.line().numbers().await?.into_iter().rev() {
            let manifest = match self.line().read_number(seq).await {
                Err(error) if error.is_not_found() => continue, // swept since it was listed
                other => other?,
            };
            if !manifest.is_void() && manifest.run_id == self.id() {
                return Ok(Some(manifest.into()));
            }
            // What was committed before the run began is not of it, nor is what came earlier.
            let at = manifest.completion_time.parse::<Timestamp>().ok();
            if at.zip(begun).is_some_and(|(at, begun)| at < begun) {
                break;
            }
        }
        Ok(None)
    }
}
