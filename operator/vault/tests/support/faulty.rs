//! A storage that is made to fail.

#![allow(unreachable_pub)]

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::{self, BoxStream, StreamExt};
use orgkeep_vault::storage::{
    Entry, Storage, StorageError, StorageErrorKind, StorageResult, Stored, Upload, Version,
};

/// How the call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
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
    /// 403 from then on: credentials that expired. Not among [`FAULTS`].
    Expired,
}

/// All kinds.
pub const FAULTS: [Fault; 5] = [Fault::Refused, Fault::Lost, Fault::Conflict, Fault::Denied, Fault::Full];

impl Fault {
    fn error(self, path: &str, once: bool) -> StorageError {
        let kind = match self {
            Self::Refused | Self::Lost => StorageErrorKind::Unreachable,
            Self::Full => StorageErrorKind::Full,
            Self::Conflict if once => StorageErrorKind::AlreadyExists,
            Self::Conflict => StorageErrorKind::Conflict,
            Self::Denied | Self::Expired => StorageErrorKind::AccessDenied,
        };
        StorageError::new(kind, path, format!("made to fail: {self:?}"))
    }
}

/// A storage whose n-th call fails, once (a full disk: from then on every write; expired credentials: every call).
#[derive(Debug, Clone)]
pub struct Faulty {
    /// What it stands before.
    pub inner: Arc<dyn Storage>,
    /// Calls until the one that fails.
    pub left: Arc<AtomicI64>,
    /// How that one fails.
    pub fault: Fault,
}

impl Faulty {
    fn hit(&self) -> bool {
        self.left.fetch_sub(1, Ordering::SeqCst) == 1
    }

    /// Whether the fault is one of these, and was met.
    fn lasts(&self, faults: &[Fault]) -> bool {
        faults.contains(&self.fault) && self.left.load(Ordering::SeqCst) < 0
    }

    fn writes_fail(&self) -> bool {
        let hit = self.hit();
        hit || self.lasts(&[Fault::Full, Fault::Expired])
    }

    async fn read<T>(
        &self,
        path: &str,
        work: impl Future<Output = StorageResult<T>> + Send,
    ) -> StorageResult<T> {
        let hit = self.hit() || self.lasts(&[Fault::Expired]);
        if hit && ![Fault::Conflict, Fault::Full].contains(&self.fault) {
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
        let hit = self.hit() || self.lasts(&[Fault::Expired]);
        if hit && ![Fault::Conflict, Fault::Full].contains(&self.fault) {
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
