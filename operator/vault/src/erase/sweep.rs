//! After a redaction: what no manifest rests on any more goes, and so do journals that tell Ids.
//!
//! It follows from what stands in the vault alone, so an erasure that was killed here is finished by the next one.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use futures::stream::{self, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::ERASES;
use super::find::Found;
use super::work::Work;
use crate::error::{Result, VaultError};
use crate::layout;
use crate::tree::TreeLists;

/// Files deleted at a time.
const IN_FLIGHT: usize = 8;
/// Files deleted between two looks at the lease.
const BATCH: usize = 64;

impl Work<'_> {
    /// Sees that all that would go may go, before anything is written: no hold, no lock.
    pub(super) async fn check_free(&mut self, found: &Found) -> Result<()> {
        let (line, storage) = (self.line, self.line.vault().storage());
        let refused = |why: String| VaultError::EraseRefused { line: line.id().to_owned(), why };
        for hold in line.holds().await? {
            if let Some(seq) = found.snapshots.iter().find(|seq| hold.covers(**seq)) {
                return Err(refused(format!(
                    "hold {:?} ({}) keeps snapshot {seq}, which has records of the list; end the hold first",
                    hold.name, hold.reason
                )));
            }
        }
        if !storage.locks() {
            return Ok(());
        }
        let parts = found.parts.values().flat_map(|part| part.part.files().collect::<Vec<_>>());
        let states = found.states.iter().map(|state| state.file.clone());
        let trees = found.trees.iter().flat_map(|tree| [tree.tree.file.clone(), tree.list.clone()]);
        let mut until: Option<Timestamp> = None;
        for file in parts.chain(states).chain(trees).collect::<Vec<_>>() {
            self.alive().await?;
            until = until.max(storage.locked_until(&file.path).await?);
        }
        match until.filter(|until| *until > Timestamp::now()) {
            Some(until) => Err(refused(format!(
                "Object Lock keeps files with records of the list until {until}; nothing was changed, erase again \
                 then. Snapshots that go on naming these files extend their locks: suspend the backup, or begin a new \
                 line, if it must not be later"
            ))),
            None => Ok(()),
        }
    }

    /// Deletes what nothing rests on.
    pub(super) async fn sweep(&mut self) -> Result<()> {
        let (line, vault) = (self.line, self.line.vault());
        vault.forget_overlay(line.id());
        // All of it is read before the first file goes: what cannot be read may rest on anything.
        let redactions = vault.redactions(line.id()).await?;
        let (mut rests, mut committed) = (HashSet::new(), BTreeMap::new());
        let mut lists = TreeLists::default();
        let deletions = line.deletions().await?;
        for seq in line.numbers().await? {
            self.alive().await?;
            let retired = deletions.get(seq);
            if retired.is_some_and(|retired| retired.sweeping) {
                continue;
            }
            let manifest = match line.read_number(seq).await {
                Err(error) if error.is_not_found() && retired.is_some() => continue,
                other => other?,
            };
            if !manifest.is_void() {
                rests.extend(vault.files_with(&manifest, &mut lists).await?.into_keys());
                committed.insert(manifest.run_id, seq);
            }
        }
        for retired in &deletions.retired {
            committed.entry(retired.run_id.clone()).or_insert(retired.seq);
        }
        // Journals first: a run that begins again must not find a page whose files are gone.
        let mut journals = Vec::new();
        for run in self.runs().await? {
            let folder = layout::run(line.id(), &run);
            if run.starts_with(ERASES) {
                journals.extend(self.listed(&format!("{folder}/")).await?);
                continue;
            }
            let Some(seq) = committed.get(&run) else {
                let entries = self.listed(&format!("{folder}/shards/")).await?;
                if !entries.is_empty() {
                    line.run(&run)?.close("records were erased").await?;
                    self.report.unfinished_runs.push(run);
                }
                journals.extend(entries);
                continue;
            };
            let touched: BTreeSet<&str> = redactions
                .iter()
                .filter(|redaction| redaction.through >= *seq)
                .flat_map(|redaction| redaction.objects.iter().map(|object| object.name.as_str()))
                .collect();
            for object in touched {
                journals.extend(self.listed(&format!("{folder}/shards/{object}/")).await?);
            }
        }
        self.report.deleted_journal_entries += self.delete(journals).await?.0;
        let mut gone = Vec::new();
        for folder in ["objects", "blobs"] {
            let there = self.listed(&format!("{}/{folder}/", layout::line(line.id()))).await?;
            gone.extend(there.into_iter().filter(|(path, _)| !rests.contains(path)));
        }
        if !gone.is_empty() {
            // A run that began before looks again at all that it names.
            line.raise_epoch().await?;
        }
        let (files, bytes) = self.delete(gone).await?;
        self.report.deleted_files += files;
        self.report.deleted_bytes += bytes;
        Ok(())
    }

    /// Names of all runs that left a journal.
    pub(super) async fn runs(&self) -> Result<Vec<String>> {
        let folder = format!("{}/runs", layout::line(self.line.id()));
        let mut runs = self.line.vault().storage().list_folders(&folder).await?;
        runs.sort();
        Ok(runs)
    }

    /// Files below a folder, and their sizes.
    pub(super) async fn listed(&self, folder: &str) -> Result<Vec<(String, u64)>> {
        let listing = self.line.vault().storage().list(folder);
        Ok(listing.map_ok(|entry| (entry.path, entry.size)).try_collect().await?)
    }

    /// Deletes files; how many, and their bytes.
    async fn delete(&mut self, files: Vec<(String, u64)>) -> Result<(u64, u64)> {
        let storage = std::sync::Arc::clone(self.line.vault().storage());
        let (mut many, mut bytes) = (0, 0);
        for batch in files.chunks(BATCH) {
            self.alive().await?;
            let waiting: Vec<_> = batch.iter().map(|(path, _)| storage.delete(path)).collect();
            stream::iter(waiting).buffer_unordered(IN_FLIGHT).try_collect::<Vec<()>>().await?;
            many += batch.len() as u64;
            bytes += batch.iter().map(|(_, size)| size).sum::<u64>();
        }
        Ok((many, bytes))
    }
}
