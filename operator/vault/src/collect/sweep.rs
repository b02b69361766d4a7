//! One collection of a line: mark, and sweep what was marked long enough ago.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::stream::{self, BoxStream, StreamExt, TryStreamExt};
use jiff::Timestamp;

use super::deletions::{Deletions, Retired};
use super::plan::{Marks, due_at};
use super::report::{Amount, LineCollection, Waiting};
use super::view::{Fate, Files, View};
use super::{Options, decide};
use crate::error::{Result, VaultError};
use crate::layout;
use crate::lease::Lease;
use crate::line::Line;
use crate::storage::{Entry, Storage, StorageError, StorageErrorKind};

/// Files deleted between two looks at the lease.
const BATCH: usize = 64;
/// Of these at a time.
const IN_FLIGHT: usize = 16;

/// A collection at work.
pub(super) struct Sweep<'a> {
    line: &'a Line,
    /// None: a dry run.
    lease: Option<&'a mut Lease>,
    options: &'a Options,
    now: Timestamp,
    renewed: Instant,
    done: LineCollection,
    /// Files of snapshots that are due.
    due: BTreeMap<String, u64>,
    /// Of the deleted files, those.
    of_snapshots: Amount,
}

impl<'a> Sweep<'a> {
    pub(super) fn new(line: &'a Line, lease: Option<&'a mut Lease>, options: &'a Options) -> Self {
        Self {
            line,
            lease,
            options,
            now: options.now.unwrap_or_else(Timestamp::now),
            renewed: Instant::now(),
            done: LineCollection { line: line.id().to_owned(), ..LineCollection::default() },
            due: BTreeMap::new(),
            of_snapshots: Amount::default(),
        }
    }

    fn own(&self) -> String {
        self.lease.as_ref().map(|lease| lease.run_id().to_owned()).unwrap_or_default()
    }

    /// What a collection would do now.
    pub(super) async fn dry_run(mut self) -> Result<LineCollection> {
        let mut view = View::read(self.line, &self.own()).await?;
        let (marks, mut closing) = decide(&view, self.options, self.now);
        mark(&mut view.deletions, &view.standing, &marks, self.now);
        self.tell(&marks, &view.deletions);
        let due: BTreeSet<u64> = self.all_due(&marks).into_iter().collect();
        let named = self.named(&view, &due, &marks).await?;
        closing.extend(self.without_journal(&view, &named, &closing).await?);
        self.files(&view, &named, &closing).await?;
        self.done.swept = Self::snapshots(&view, &due).collect();
        self.done.closed_runs = closing;
        Ok(self.done)
    }

    /// Carries it out.
    pub(super) async fn run(mut self) -> Result<LineCollection> {
        self.renew_now().await?;
        let own = self.own();
        let mut view = View::read(self.line, &own).await?;
        let (marks, mut closing) = decide(&view, self.options, self.now);
        closing.extend(view.deletions.closing.iter().cloned());
        mark(&mut view.deletions, &view.standing, &marks, self.now);
        let due = self.all_due(&marks);
        if !marks.retire.is_empty() || !marks.restore.is_empty() {
            // They are gone from the catalog, or back in it, before anything else is done.
            (view.deletions, view.version) =
                self.line.write_deletions(view.deletions, view.version.as_ref()).await?;
        }
        self.tell(&marks, &view.deletions);
        let only: BTreeSet<u64> = due.iter().copied().collect();
        let named = self.named(&view, &only, &marks).await?;
        closing.extend(self.without_journal(&view, &named, &closing).await?);
        let mut free = !closing.is_empty();
        for seq in Self::snapshots(&view, &only) {
            // What is all locked does not call for a sweep each time.
            free = free || self.locked(&layout::snapshot(self.line.id(), seq)).await?.is_none();
        }
        if !free && !self.anything(&view, &named, &closing).await? {
            self.held_back(&view, &named, &closing).await?;
            return Ok(self.done);
        }
        drop(named);
        self.begin(view, &only, &closing).await?;
        self.sweep(&own, &closing, &marks).await?;
        Ok(self.done)
    }

    fn all_due(&self, marks: &Marks) -> Vec<u64> {
        let mut due = marks.due.clone();
        if self.options.grace.is_zero() {
            due.extend(&marks.retire);
        }
        due
    }

    /// Of retired numbers the snapshots whose manifests are there.
    fn snapshots<'v>(view: &'v View, seqs: &'v BTreeSet<u64>) -> impl Iterator<Item = u64> + use<'v> {
        let there = |retired: &&Retired| {
            !retired.void && seqs.contains(&retired.seq) && view.numbers.contains(&retired.seq)
        };
        view.deletions.retired.iter().filter(there).map(|retired| retired.seq)
    }

    fn tell(&mut self, marks: &Marks, deletions: &Deletions) {
        self.done.kept = marks.kept;
        self.done.retired.clone_from(&marks.retire);
        self.done.restored.clone_from(&marks.restore);
        self.done.held.clone_from(&marks.held);
        let due = self.all_due(marks);
        self.done.waiting = deletions
            .retired
            .iter()
            .filter(|retired| !retired.void && !retired.sweeping && !due.contains(&retired.seq))
            .map(|retired| Waiting {
                snapshot: retired.seq,
                until: due_at(retired.retired_at, self.options.grace),
            })
            .collect();
    }

    /// Files that anything but what is due rests on.
    async fn named(&mut self, view: &View, due: &BTreeSet<u64>, marks: &Marks) -> Result<Files> {
        let mut named = Files::default();
        let standing = view.standing.iter().filter(|n| !n.void).map(|n| n.seq);
        let standing = standing.filter(|seq| !due.contains(seq) && !marks.held.contains(seq));
        let waiting = view.deletions.retired.iter().filter(|r| !r.void && !r.sweeping).map(|r| r.seq);
        let waiting = waiting.filter(|seq| !due.contains(seq) && !marks.held.contains(seq));
        // What just came back is in neither list.
        let restored = marks.restore.iter().copied().filter(|seq| !marks.held.contains(seq));
        let all: BTreeSet<u64> = standing.chain(waiting).chain(restored).collect();
        for seq in all {
            named.add(self.line, seq).await?;
            self.renew().await?;
        }
        self.done.held_bytes = 0;
        for &seq in &marks.held {
            self.done.held_bytes += named.add(self.line, seq).await?;
        }
        let mut of_due = Files::default();
        for &seq in due.iter().filter(|seq| view.numbers.contains(seq)) {
            // Some of what it rests on may be gone already.
            match of_due.add(self.line, seq).await {
                Err(VaultError::Corrupted { .. }) => {}
                Err(error) if error.is_not_found() => {}
                other => drop(other?),
            }
        }
        self.done.shared = Amount::default();
        for (path, size) in of_due.named {
            if named.named.contains_key(&path) {
                self.done.shared.add(size);
            }
            self.due.insert(path, size);
        }
        Ok(named)
    }

    /// Every file of the line that nothing rests on.
    fn unnamed<'s>(
        &self,
        storage: &'s Arc<dyn Storage>,
        named: &'s Files,
    ) -> BoxStream<'s, Result<Entry, StorageError>> {
        let folder = layout::line(self.line.id());
        stream::iter(["objects", "blobs"])
            .flat_map(move |kind| storage.list(&format!("{folder}/{kind}/")))
            .try_filter(|entry| std::future::ready(!named.named.contains_key(&entry.path)))
            .boxed()
    }

    /// What is to become of such a file.
    fn fate(&self, view: &View, closing: &BTreeSet<String>, entry: &Entry) -> Fate {
        let folder = layout::line(self.line.id());
        let rest = entry.path.strip_prefix(&folder).and_then(|rest| rest.strip_prefix('/'));
        rest.map_or(Fate::Stays, |rest| view.fate(rest, closing))
    }

    /// Runs that files are of, and nothing else: their journals are gone.
    async fn without_journal(
        &self,
        view: &View,
        named: &Files,
        closing: &BTreeSet<String>,
    ) -> Result<BTreeSet<String>> {
        let storage = Arc::clone(self.line.vault().storage());
        let mut listing = self.unnamed(&storage, named);
        let mut found = BTreeSet::new();
        while let Some(entry) = listing.try_next().await? {
            if let Fate::NoJournal(run) = self.fate(view, closing, &entry) {
                found.insert(run);
            }
        }
        found.remove(&self.own());
        Ok(found)
    }

    /// Whether there is a file to delete that is not locked.
    async fn anything(&mut self, view: &View, named: &Files, closing: &BTreeSet<String>) -> Result<bool> {
        let storage = Arc::clone(self.line.vault().storage());
        let mut listing = self.unnamed(&storage, named);
        while let Some(entry) = listing.try_next().await? {
            if self.fate(view, closing, &entry) != Fate::Goes {
                continue;
            }
            let Some(until) = self.locked(&entry.path).await? else {
                // The sweep counts anew.
                self.done.locked = Amount::default();
                (self.done.locked_until, self.done.all_locked_until) = (None, None);
                return Ok(true);
            };
            self.is_locked(until, entry.size);
        }
        Ok(false)
    }

    /// Counts what would be deleted, and what would not.
    async fn files(&mut self, view: &View, named: &Files, closing: &BTreeSet<String>) -> Result<()> {
        self.held_back(view, named, closing).await?;
        let storage = Arc::clone(self.line.vault().storage());
        let mut listing = self.unnamed(&storage, named);
        while let Some(entry) = listing.try_next().await? {
            if self.fate(view, closing, &entry) == Fate::Goes {
                match self.locked(&entry.path).await? {
                    Some(until) => self.is_locked(until, entry.size),
                    None => self.is_freed(&entry.path, entry.size),
                }
            }
        }
        Ok(())
    }

    /// Counts what runs may still name.
    async fn held_back(&mut self, view: &View, named: &Files, closing: &BTreeSet<String>) -> Result<()> {
        self.done.held_back = Amount::default();
        if view.open.keys().all(|run| closing.contains(run)) {
            return Ok(());
        }
        let storage = Arc::clone(self.line.vault().storage());
        let mut listing = self.unnamed(&storage, named);
        while let Some(entry) = listing.try_next().await? {
            if let Fate::HeldBack(run) = self.fate(view, closing, &entry) {
                self.done.held_back.add(entry.size);
                self.done.open_runs.insert(run);
            }
        }
        Ok(())
    }

    /// Notes what is about to be deleted, closes runs, and puts the void: from here on no commit of before counts.
    async fn begin(&mut self, mut view: View, due: &BTreeSet<u64>, closing: &BTreeSet<String>) -> Result<()> {
        let mut closes = closing.clone();
        for retired in view.deletions.retired.iter_mut().filter(|retired| due.contains(&retired.seq)) {
            retired.sweeping = true;
            if !retired.void {
                closes.insert(retired.run_id.clone());
            }
        }
        view.deletions.closing = closes.iter().cloned().collect();
        self.line.write_deletions(view.deletions, view.version.as_ref()).await?;
        for run in &closes {
            let reason =
                if closing.contains(run) { "nobody went on with it" } else { "its snapshot was retired" };
            self.line.run(run)?.close(reason).await?;
            self.renew().await?;
        }
        self.renew_now().await?;
        if let Some(lease) = &self.lease {
            lease.put_void().await?;
        }
        Ok(())
    }

    /// Reads everything again and deletes what nothing rests on.
    async fn sweep(&mut self, own: &str, closing: &BTreeSet<String>, before: &Marks) -> Result<()> {
        let mut view = View::read(self.line, own).await?;
        // Who held a snapshot before we noted that it is being deleted may rely on it; nothing was deleted yet. One
        // that an earlier collection began with is beyond that.
        let rescued: BTreeSet<u64> = view
            .deletions
            .retired
            .iter()
            .filter(|retired| retired.sweeping && !retired.void && view.numbers.contains(&retired.seq))
            .filter(|retired| !before.sweeping.contains(&retired.seq))
            .filter(|retired| view.holds.iter().any(|hold| hold.covers(retired.seq)))
            .map(|retired| retired.seq)
            .collect();
        if !rescued.is_empty() {
            view.deletions.retired.retain(|retired| !rescued.contains(&retired.seq));
            (view.deletions, view.version) =
                self.line.write_deletions(view.deletions, view.version.as_ref()).await?;
            view = View::read(self.line, own).await?;
            self.done.restored.extend(&rescued);
        }
        let due: BTreeSet<u64> = view
            .deletions
            .retired
            .iter()
            .filter(|retired| retired.sweeping)
            .map(|retired| retired.seq)
            .collect();
        let (marks, _) = decide(&view, self.options, self.now);
        let named = self.named(&view, &due, &marks).await?;
        self.renew_now().await?;
        let epoch = self.line.raise_epoch().await?;
        tracing::info!(line = self.line.id(), epoch, snapshots = due.len(), "sweeping");
        self.held_back(&view, &named, closing).await?;
        let mut batch = Vec::new();
        let storage = Arc::clone(self.line.vault().storage());
        let mut listing = self.unnamed(&storage, &named);
        while let Some(entry) = listing.try_next().await? {
            if self.fate(&view, closing, &entry) == Fate::Goes {
                batch.push((entry.path, entry.size));
                if batch.len() == BATCH {
                    self.delete(std::mem::take(&mut batch)).await?;
                }
            }
        }
        drop(listing);
        self.delete(batch).await?;
        self.journals(&view.deletions.closing).await?;
        let gone = self.manifests(&view, &due).await?;
        let is_gone = |seq: u64| gone.contains(&seq) || !view.numbers.contains(&seq);
        self.done.swept = Self::snapshots(&view, &gone).collect();
        self.done.closed_runs.clone_from(closing);
        let mut deletions = view.deletions;
        deletions.closing.clear();
        deletions.gone.files += self.of_snapshots.files;
        deletions.gone.bytes += self.of_snapshots.bytes;
        deletions.fold(is_gone);
        self.line.write_deletions(deletions, view.version.as_ref()).await?;
        Ok(())
    }

    /// Deletes files; those that are locked are counted and stay.
    async fn delete(&mut self, files: Vec<(String, u64)>) -> Result<Vec<String>> {
        let mut deleted = Vec::new();
        let storage = Arc::clone(self.line.vault().storage());
        for some in files.chunks(IN_FLIGHT) {
            self.renew().await?;
            let limit = self.half();
            let mut free = Vec::new();
            for (path, size) in some {
                match self.locked(path).await? {
                    Some(until) => self.is_locked(until, *size),
                    None => free.push((path.as_str(), *size)),
                }
            }
            let deleting: Vec<_> = free.iter().map(|(path, _)| delete_one(&storage, path, limit)).collect();
            stream::iter(deleting).buffer_unordered(IN_FLIGHT).try_collect::<Vec<()>>().await?;
            for (path, size) in free {
                self.is_freed(path, size);
                deleted.push(path.to_owned());
            }
        }
        Ok(deleted)
    }

    /// Deletes what only a run that goes on needs: shards and keys. Plan, attempts and records stay.
    async fn journals(&mut self, runs: &[String]) -> Result<()> {
        let storage = Arc::clone(self.line.vault().storage());
        for run in runs {
            for folder in ["shards", "keys"] {
                let folder = format!("{}/{folder}/", layout::run(self.line.id(), run));
                let files: Vec<(String, u64)> =
                    storage.list(&folder).map_ok(|entry| (entry.path, entry.size)).try_collect().await?;
                self.delete(files).await?;
            }
        }
        Ok(())
    }

    /// Deletes the manifests of what is due; the numbers that are gone.
    async fn manifests(&mut self, view: &View, due: &BTreeSet<u64>) -> Result<BTreeSet<u64>> {
        let mut files = Vec::new();
        for &seq in due.iter().filter(|seq| view.numbers.contains(seq)) {
            let path = layout::snapshot(self.line.id(), seq);
            match self.line.vault().storage().head(&path).await {
                Ok(size) => files.push((path, size)),
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(self.delete(files).await?.iter().filter_map(|path| layout::seq_of(path)).collect())
    }

    fn is_freed(&mut self, path: &str, size: u64) {
        self.done.freed.add(size);
        if self.due.contains_key(path) {
            self.of_snapshots.add(size);
        } else if path.contains("/objects/") || path.contains("/blobs/") {
            self.done.leftovers.add(size);
        }
    }

    fn is_locked(&mut self, until: Timestamp, size: u64) {
        self.done.locked.add(size);
        let (first, last) = (&mut self.done.locked_until, &mut self.done.all_locked_until);
        *first = Some(first.map_or(until, |known| known.min(until)));
        *last = Some(last.map_or(until, |known| known.max(until)));
    }

    /// Until when the storage does not let a file go.
    async fn locked(&self, path: &str) -> Result<Option<Timestamp>> {
        let storage = self.line.vault().storage();
        if !storage.locks() {
            return Ok(None);
        }
        match storage.locked_until(path).await {
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
            Ok(until) => Ok(until.filter(|until| *until > Timestamp::now())),
        }
    }

    fn half(&self) -> Duration {
        self.lease.as_ref().map_or(Duration::MAX, |lease| lease.duration() / 2)
    }

    /// Holds the lease on; what is not held is not swept.
    async fn renew(&mut self) -> Result<()> {
        if self.renewed.elapsed() < self.half() / 2 { Ok(()) } else { self.renew_now().await }
    }

    async fn renew_now(&mut self) -> Result<()> {
        if let Some(lease) = &mut self.lease {
            lease.renew().await?;
        }
        self.renewed = Instant::now();
        Ok(())
    }
}

/// Deletes a file, within a time: a deletion that comes through after the lease is over could meet what a later run put
/// there.
async fn delete_one(storage: &Arc<dyn Storage>, path: &str, limit: Duration) -> Result<(), StorageError> {
    match tokio::time::timeout(limit, storage.delete(path)).await {
        Ok(result) => result,
        Err(_) => {
            let why = "no answer to a deletion; the next collection tries again";
            Err(StorageError::new(StorageErrorKind::Unreachable, path, why))
        }
    }
}

/// Enters what was decided.
fn mark(deletions: &mut Deletions, standing: &[super::plan::Numbered], marks: &Marks, now: Timestamp) {
    deletions.retired.retain(|retired| !marks.restore.contains(&retired.seq));
    let some = !marks.retire.is_empty();
    for numbered in standing {
        let retire = marks.retire.contains(&numbered.seq);
        if retire || (some && marks.voids.contains(&numbered.seq)) {
            deletions.insert(Retired {
                seq: numbered.seq,
                digest: numbered.digest.clone(),
                run_id: numbered.run_id.clone(),
                void: numbered.void,
                time: numbered.time,
                whole: numbered.whole,
                reason: if retire { "retention" } else { "void" }.to_owned(),
                retired_at: now,
                sweeping: false,
            });
        }
    }
}
