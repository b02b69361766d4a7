//! Where the bytes of a vault lie, behind one trait.
//!
//! A vault asks little of a storage: files that are put once and never change, and a handful of small mutable
//! ones that are replaced only if they are still what the writer read. Paths are relative to the vault, with `/`.

mod azure;
mod cloud;
mod cloud_upload;
mod disk;
mod error;
mod gcs;
mod location;
mod pieces;
mod probe;
mod s3;
mod s3_lock;
mod s3_upload;
mod volume;
mod volume_upload;

use std::fmt;
use std::ops::Range;

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

pub use azure::{AzureCredentials, AzureOptions};
pub use disk::Disk;
pub use error::{StorageError, StorageErrorKind};
pub use gcs::GcsOptions;
pub use location::{Location, LockMode, ObjectLock, S3Credentials, S3Options};
pub(crate) use pieces::Pieces;
pub use probe::probe;

/// A directory whose changes go through this disk: for tests of what a power cut leaves.
#[doc(hidden)]
pub fn volume_on(
    directory: std::path::PathBuf,
    disk: std::sync::Arc<dyn Disk>,
) -> std::sync::Arc<dyn Storage> {
    std::sync::Arc::new(volume::Volume::new(directory, disk))
}

/// Result of a storage.
pub type StorageResult<T> = Result<T, StorageError>;

/// What a mutable file was when it was read: the ETag, or the number of its generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version(pub(crate) String);

impl Version {
    /// For storages of tests.
    #[doc(hidden)]
    pub fn of(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// For storages of tests.
    #[doc(hidden)]
    pub fn text(&self) -> &str {
        &self.0
    }
}

/// A file as a listing tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Path in the vault.
    pub path: String,
    /// Bytes.
    pub size: u64,
}

/// What an upload left in the storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Bytes.
    pub size: u64,
    /// Hex of the SHA-256 of what was sent.
    pub sha256: String,
    /// Whether the storage compared what it holds with that (or was read back here).
    pub compared: bool,
}

/// A place for files.
#[async_trait]
pub trait Storage: Send + Sync + fmt::Debug {
    /// Where it is, for messages; never a secret.
    fn describe(&self) -> String;

    /// A whole file.
    async fn get(&self, path: &str) -> StorageResult<Bytes>;
    /// Bytes of a file; cut at its end.
    async fn get_range(&self, path: &str, range: Range<u64>) -> StorageResult<Bytes>;
    /// Bytes to ask for at a time when all of a file is read in order.
    fn step(&self) -> u64 {
        8 << 20
    }
    /// The file itself, where the storage is a directory: who reads all of it in order needs no thread and no buffer for
    /// each piece. To be called, and read, where blocking does no harm.
    fn open_local(&self, path: &str) -> Option<StorageResult<std::fs::File>> {
        let _ = path;
        None
    }
    /// The size of a file.
    async fn head(&self, path: &str) -> StorageResult<u64>;
    /// Makes a file, or says `AlreadyExists`; of two that race, one wins.
    async fn put_if_absent(&self, path: &str, bytes: Bytes) -> StorageResult<()>;
    /// Begins a file of any size; it is there when [`Upload::finish`] returns, whole, and not before.
    async fn upload(&self, path: &str) -> StorageResult<Box<dyn Upload>>;
    /// A mutable file with its version, if it is there.
    async fn read_mutable(&self, path: &str) -> StorageResult<Option<(Bytes, Version)>>;
    /// Replaces a mutable file that still has that version (`None`: is not there), or says `Conflict`.
    async fn replace_if_match(
        &self,
        path: &str,
        expected: Option<&Version>,
        bytes: Bytes,
    ) -> StorageResult<Version>;
    /// All files whose paths begin with `prefix`, in the order of their bytes where the backend has one.
    fn list(&self, prefix: &str) -> BoxStream<'_, StorageResult<Entry>>;
    /// Names of the folders in `folder`.
    async fn list_folders(&self, folder: &str) -> StorageResult<Vec<String>>;
    /// Removes a file; one that is not there is fine.
    async fn delete(&self, path: &str) -> StorageResult<()>;
    /// Removes a mutable file with whatever belongs to it.
    async fn delete_mutable(&self, path: &str) -> StorageResult<()>;

    /// Refuses a place that cannot lock files, where they are to be locked.
    async fn check_lock(&self) -> StorageResult<()> {
        Ok(())
    }
    /// Whether files that history rests on are locked when they are put.
    fn locks(&self) -> bool {
        false
    }
    /// Locks a file for a whole term from now if less than half of one is left; whether that was so.
    async fn extend_lock(&self, path: &str) -> StorageResult<bool> {
        let _ = path;
        Ok(false)
    }
    /// Until when a file is locked: nobody can delete it before; `None` where it is not.
    async fn locked_until(&self, path: &str) -> StorageResult<Option<jiff::Timestamp>> {
        let _ = path;
        Ok(None)
    }
}

/// A file on its way. Dropped without `finish`, it never was.
#[async_trait]
pub trait Upload: Send {
    /// More bytes.
    async fn write(&mut self, bytes: Bytes) -> StorageResult<()>;
    /// Makes the file; `AlreadyExists` if one is there.
    async fn finish(self: Box<Self>) -> StorageResult<Stored>;
}
