//! Killed at any moment: at each write in turn a run dies, before the write or just after it, and the next attempt
//! makes exactly the snapshot that a run in peace would have made.

// The lints' exception for tests does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use orgkeep_vault::storage::{
    Entry, Storage, StorageError, StorageErrorKind, StorageResult, Stored, Upload, Version,
};
use orgkeep_vault::{Committed, Part, Result, ShardRecord, Vault, verify};
use support::*;

/// Whether the last write of the dying process took place.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Death {
    BeforeTheWrite,
    AfterTheWrite,
}

/// A storage as a process sees it that dies at its n-th write: everything fails from then on.
#[derive(Debug)]
struct Dying {
    inner: Arc<dyn Storage>,
    left: Arc<AtomicI64>,
    death: Death,
}

fn dead() -> StorageError {
    StorageError::new(StorageErrorKind::Unreachable, "", "the process is dead")
}

impl Dying {
    fn alive(&self) -> StorageResult<()> {
        if self.left.load(Ordering::SeqCst) > 0 { Ok(()) } else { Err(dead()) }
    }

    async fn write<T: Send>(&self, work: impl Future<Output = StorageResult<T>> + Send) -> StorageResult<T> {
        self.alive()?;
        let last = self.left.fetch_sub(1, Ordering::SeqCst) == 1;
        if last && self.death == Death::BeforeTheWrite {
            return Err(dead());
        }
        let result = work.await;
        if last { Err(dead()) } else { result }
    }
}

#[async_trait]
impl Storage for Dying {
    fn describe(&self) -> String {
        self.inner.describe()
    }
    async fn get(&self, path: &str) -> StorageResult<Bytes> {
        self.alive()?;
        self.inner.get(path).await
    }
    async fn get_range(&self, path: &str, range: Range<u64>) -> StorageResult<Bytes> {
        self.alive()?;
        self.inner.get_range(path, range).await
    }
    async fn head(&self, path: &str) -> StorageResult<u64> {
        self.alive()?;
        self.inner.head(path).await
    }
    async fn put_if_absent(&self, path: &str, bytes: Bytes) -> StorageResult<()> {
        self.write(self.inner.put_if_absent(path, bytes)).await
    }
    async fn upload(&self, path: &str) -> StorageResult<Box<dyn Upload>> {
        self.alive()?;
        let inner = self.inner.upload(path).await?;
        let storage =
            Self { inner: Arc::clone(&self.inner), left: Arc::clone(&self.left), death: self.death };
        Ok(Box::new(DyingUpload { inner, storage }))
    }
    async fn read_mutable(&self, path: &str) -> StorageResult<Option<(Bytes, Version)>> {
        self.alive()?;
        self.inner.read_mutable(path).await
    }
    async fn replace_if_match(
        &self,
        path: &str,
        expected: Option<&Version>,
        bytes: Bytes,
    ) -> StorageResult<Version> {
        self.write(self.inner.replace_if_match(path, expected, bytes)).await
    }
    fn list(&self, prefix: &str) -> BoxStream<'_, StorageResult<Entry>> {
        self.inner.list(prefix)
    }
    async fn list_folders(&self, folder: &str) -> StorageResult<Vec<String>> {
        self.alive()?;
        self.inner.list_folders(folder).await
    }
    async fn delete(&self, path: &str) -> StorageResult<()> {
        self.write(self.inner.delete(path)).await
    }
    async fn delete_mutable(&self, path: &str) -> StorageResult<()> {
        self.write(self.inner.delete_mutable(path)).await
    }
}

struct DyingUpload {
    inner: Box<dyn Upload>,
    storage: Dying,
}

#[async_trait]
impl Upload for DyingUpload {
    async fn write(&mut self, bytes: Bytes) -> StorageResult<()> {
        self.storage.alive()?;
        self.inner.write(bytes).await
    }
    async fn finish(self: Box<Self>) -> StorageResult<Stored> {
        let Self { inner, storage } = *self;
        storage.write(inner.finish()).await
    }
}

/// A worker as it starts, whoever was there before.
async fn worker(storage: Arc<dyn Storage>) -> Result<Committed> {
    let vault = Vault::create_or_open(storage, &access()).await?;
    let line = match vault.find_line(&owner()).await? {
        Some(line) => line,
        None => vault.create_line(&owner(), &org()).await?,
    };
    let run = line.run("run-1")?;
    if let Some(committed) = run.committed().await? {
        return Ok(committed);
    }
    let mut lease = line.lease("run-1", TTL).await?;
    let attempt = run.begin_attempt().await?;
    run.put_plan(&vec!["Account".to_owned()]).await?;
    let record = match run.shard("Account").await? {
        Some(record) => record,
        None => {
            let done: Vec<u64> = run.pages("Account").await?.iter().map(|page| page.page).collect();
            for number in (0..2).filter(|number| !done.contains(number)) {
                try_page(&attempt, number).await?;
            }
            let parts: Vec<Part> =
                run.pages("Account").await?.into_iter().flat_map(|page| page.parts).collect();
            let record =
                ShardRecord { object: "Account".into(), parts, ledger: ledger(4), ..Default::default() };
            attempt.put_shard(record).await?
        }
    };
    let committed = try_commit(&line, &mut lease, &attempt, record.parts).await?;
    lease.release().await?;
    Ok(committed)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_dies_at_any_write_is_finished_by_the_next() {
    for death in [Death::BeforeTheWrite, Death::AfterTheWrite] {
        for writes in 1.. {
            let dir = tempfile::tempdir().unwrap();
            let storage = volume(dir.path()).await;
            let left = Arc::new(AtomicI64::new(writes));
            let dying = Arc::new(Dying { inner: Arc::clone(&storage), left: Arc::clone(&left), death });
            let in_peace = worker(dying).await.is_ok() && left.load(Ordering::SeqCst) > 0;
            let after = format!("dead {death:?} {writes}");

            let committed =
                worker(Arc::clone(&storage)).await.unwrap_or_else(|error| panic!("{after}: {error}"));
            let vault = Vault::open_read_only(storage, &access()).await.unwrap();
            let lines = vault.lines().await.unwrap();
            assert_eq!(lines.len(), 1, "{after}");
            let snapshots = lines[0].snapshots().await.unwrap();
            assert_eq!(snapshots.len(), 1, "{after}");
            assert_eq!(snapshots[0].digest, committed.facts.manifest_digest, "{after}");
            let report =
                verify::verify(&vault, &verify::Options { full: true, ..Default::default() }).await.unwrap();
            assert_eq!((report.problems, report.rows), (vec![], 4), "{after}");
            if in_peace {
                assert!(writes > 10, "a run has more writes than {writes}");
                break;
            }
        }
    }
}
