//! Any single call of the storage fails, in a full backup, an incremental one, and one that compacts: the run ends or
//! goes on, and the next one makes of it what a run in peace would have made. A seeded sample; every call with
//! `ORGKEEP_FAULTS=all`.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;
#[path = "support/world.rs"]
mod world;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use orgkeep_vault::storage::{
    Entry, Storage, StorageError, StorageErrorKind, StorageResult, Stored, Upload, Version,
};
use orgkeep_vault::{Committed, Result, verify};
use support::*;
use world::*;

/// How the call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fault {
    /// 5xx: nothing took place.
    Refused,
    /// Timeout or cut: it took place, and the answer is lost.
    Lost,
    /// 409 or 412, though nobody else is there.
    Conflict,
    /// 403.
    Denied,
    /// 507: the disk is full.
    Full,
}

const FAULTS: [Fault; 5] = [Fault::Refused, Fault::Lost, Fault::Conflict, Fault::Denied, Fault::Full];

impl Fault {
    fn error(self, path: &str, once: bool) -> StorageError {
        let kind = match self {
            Self::Refused | Self::Lost | Self::Full => StorageErrorKind::Unreachable,
            Self::Conflict if once => StorageErrorKind::AlreadyExists,
            Self::Conflict => StorageErrorKind::Conflict,
            Self::Denied => StorageErrorKind::AccessDenied,
        };
        StorageError::new(kind, path, format!("made to fail: {self:?}"))
    }
}

/// A storage whose n-th call fails, once (a full disk: from then on every write).
#[derive(Debug, Clone)]
struct Faulty {
    inner: Arc<dyn Storage>,
    left: Arc<AtomicI64>,
    fault: Fault,
}

impl Faulty {
    fn hit(&self) -> bool {
        self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }

    fn writes_fail(&self) -> bool {
        let hit = self.hit();
        hit || (self.fault == Fault::Full && self.left.load(Ordering::SeqCst) < 0)
    }

    async fn read<T>(
        &self,
        path: &str,
        work: impl Future<Output = StorageResult<T>> + Send,
    ) -> StorageResult<T> {
        if self.hit() && ![Fault::Conflict, Fault::Full].contains(&self.fault) {
            return Err(self.fault.error(path, false));
        }
        work.await
    }

    async fn write<T>(
        &self,
        path: &str,
        once: bool,
        work: impl Future<Output = StorageResult<T>> + Send,
    ) -> StorageResult<T> {
        if !self.writes_fail() {
            return work.await;
        }
        if self.fault == Fault::Lost {
            drop(work.await);
        }
        Err(self.fault.error(path, once))
    }
}

#[async_trait]
impl Storage for Faulty {
    fn describe(&self) -> String {
        self.inner.describe()
    }
    async fn get(&self, path: &str) -> StorageResult<Bytes> {
        self.read(path, self.inner.get(path)).await
    }
    async fn get_range(&self, path: &str, range: Range<u64>) -> StorageResult<Bytes> {
        self.read(path, self.inner.get_range(path, range)).await
    }
    async fn head(&self, path: &str) -> StorageResult<u64> {
        self.read(path, self.inner.head(path)).await
    }
    async fn put_if_absent(&self, path: &str, bytes: Bytes) -> StorageResult<()> {
        self.write(path, true, self.inner.put_if_absent(path, bytes)).await
    }
    async fn upload(&self, path: &str) -> StorageResult<Box<dyn Upload>> {
        let inner = self.write(path, true, self.inner.upload(path)).await?;
        Ok(Box::new(FaultyUpload { inner, path: path.to_owned(), faulty: self.clone() }))
    }
    async fn read_mutable(&self, path: &str) -> StorageResult<Option<(Bytes, Version)>> {
        self.read(path, self.inner.read_mutable(path)).await
    }
    async fn replace_if_match(
        &self,
        path: &str,
        expected: Option<&Version>,
        bytes: Bytes,
    ) -> StorageResult<Version> {
        self.write(path, false, self.inner.replace_if_match(path, expected, bytes)).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'_, StorageResult<Entry>> {
        if self.hit() && ![Fault::Conflict, Fault::Full].contains(&self.fault) {
            return stream::iter([Err(self.fault.error(prefix, false))]).boxed();
        }
        self.inner.list(prefix)
    }
    async fn list_folders(&self, folder: &str) -> StorageResult<Vec<String>> {
        self.read(folder, self.inner.list_folders(folder)).await
    }
    async fn delete(&self, path: &str) -> StorageResult<()> {
        self.write(path, false, self.inner.delete(path)).await
    }
    async fn delete_mutable(&self, path: &str) -> StorageResult<()> {
        self.write(path, false, self.inner.delete_mutable(path)).await
    }
}

struct FaultyUpload {
    inner: Box<dyn Upload>,
    path: String,
    faulty: Faulty,
}

#[async_trait]
impl Upload for FaultyUpload {
    async fn write(&mut self, bytes: Bytes) -> StorageResult<()> {
        let (path, faulty) = (self.path.clone(), self.faulty.clone());
        faulty.write(&path, true, self.inner.write(bytes)).await
    }
    async fn finish(self: Box<Self>) -> StorageResult<Stored> {
        let Self { inner, path, faulty } = *self;
        faulty.write(&path, true, inner.finish()).await
    }
}

/// Changes of a day.
fn day(number: u32) -> Vec<(u32, Option<Record>)> {
    (0..6).map(|n| (n * 7 + number, (n != number).then(|| record("changed", number)))).collect()
}

/// The run of a phase: 1 is a full backup, 2 an incremental one, 3 one that compacts.
async fn phase(storage: Arc<dyn Storage>, phase: u32) -> Result<Committed> {
    let mut world = World::on(storage).await?;
    world.runs = phase - 1;
    match phase {
        1 => world.try_full(&start(40), 25).await,
        2 => world.try_delta(&[day(1)], None).await,
        _ => world.try_delta(&[day(2)], Some(&eager())).await,
    }
}

/// What the org holds after a phase.
fn after(phase: u32) -> Org {
    let mut org: Org = start(40).into_iter().collect();
    for number in 1..phase {
        for (id, record) in day(number) {
            match record {
                Some(record) => drop(org.insert(id, record)),
                None => drop(org.remove(&id)),
            }
        }
    }
    org
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_call_fails_nothing_acknowledged_is_lost() {
    let all = std::env::var_os("ORGKEEP_FAULTS").is_some_and(|value| value == "all");
    let mut random = Random(20_260_102);
    let prepared = tempfile::tempdir().unwrap();
    let mut table: BTreeMap<(u32, Fault), [u32; 3]> = BTreeMap::new();
    for number in 1..=3 {
        for fault in FAULTS {
            let mut calls = 0;
            loop {
                calls += if all { 1 } else { 1 + random.below(14) as i64 };
                let dir = tempfile::tempdir().unwrap();
                copy(prepared.path(), dir.path());
                let storage = volume(dir.path()).await;
                let left = Arc::new(AtomicI64::new(calls));
                let faulty = Faulty { inner: Arc::clone(&storage), left: Arc::clone(&left), fault };
                let first = phase(Arc::new(faulty), number).await;
                let came_to_it = left.load(Ordering::SeqCst) <= 0;
                let what = format!("phase {number}, {fault:?}, call {calls}");
                let second = phase(Arc::clone(&storage), number)
                    .await
                    .unwrap_or_else(|error| panic!("{what}: {error}, after {first:?}"));
                let world = World::on(storage).await.unwrap();
                let snapshots = world.line.snapshots().await.unwrap();
                assert_eq!(snapshots.len(), number as usize, "{what}");
                if let Ok(acknowledged) = &first {
                    assert_eq!(acknowledged.facts, second.facts, "{what}");
                }
                for (at, snapshot) in snapshots.iter().enumerate() {
                    world.holds(snapshot, &after(at as u32 + 1)).await;
                }
                let options = verify::Options { full: true, rows: true, ..Default::default() };
                let report = verify::verify(&world.vault, &options).await.unwrap();
                assert_eq!(report.problems, [], "{what}");
                let counts = table.entry((number, fault)).or_default();
                counts[0] += 1;
                counts[usize::from(first.is_err()) + 1] += 1;
                if !came_to_it {
                    break;
                }
            }
        }
        phase(volume(prepared.path()).await, number).await.unwrap();
    }
    println!("phase  fault     runs  went on  were done by the next");
    for ((phase, fault), [runs, well, ill]) in &table {
        println!("{phase:<6} {:<9} {runs:>4}  {well:>7}  {ill:>21}", format!("{fault:?}"));
    }
}
