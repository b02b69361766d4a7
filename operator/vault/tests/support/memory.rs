//! A storage in memory, that can be copied as it stands, and whose calls can be made to die or to wait.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test binary uses its part

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, BoxStream, StreamExt};
use orgkeep_vault::storage::{
    Entry, Storage, StorageError, StorageErrorKind, StorageResult, Stored, Upload, Version,
};
use tokio::sync::Notify;

type Files = Arc<Mutex<BTreeMap<String, (Bytes, u64)>>>;

/// Files in memory. Clones see the same files, each by its own way there.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: Files,
    /// Calls until this process dies; negative: it does not.
    left: Option<Arc<AtomicI64>>,
    /// The commit waits here.
    gate: Option<Arc<Gate>>,
}

/// A commit that is on its way for long.
#[derive(Debug, Default)]
pub struct Gate {
    pub reached: Notify,
    pub go_on: Notify,
    passed: AtomicBool,
}

fn error(kind: StorageErrorKind, path: &str) -> StorageError {
    StorageError::new(kind, path, format!("{kind:?}"))
}

impl Memory {
    /// The same files, by a process that dies after so many calls.
    pub fn dying(&self, calls: i64) -> Self {
        Self { files: Arc::clone(&self.files), left: Some(Arc::new(AtomicI64::new(calls))), gate: None }
    }

    /// The same files, by a process whose first put of a manifest waits.
    pub fn gated(&self) -> (Self, Arc<Gate>) {
        let gate = Arc::new(Gate::default());
        (Self { files: Arc::clone(&self.files), left: None, gate: Some(Arc::clone(&gate)) }, gate)
    }

    /// Other files, with the same content.
    pub fn fork(&self) -> Self {
        Self { files: Arc::new(Mutex::new(self.files.lock().unwrap().clone())), left: None, gate: None }
    }

    pub fn paths(&self) -> Vec<String> {
        self.files.lock().unwrap().keys().cloned().collect()
    }

    /// A file as it is, if it is there.
    pub fn peek(&self, path: &str) -> Option<Bytes> {
        self.files.lock().unwrap().get(path).map(|(bytes, _)| bytes.clone())
    }

    /// Puts another content in a file's place.
    pub fn poke(&self, path: &str, bytes: Bytes) {
        let mut files = self.files.lock().unwrap();
        let number = files.get(path).map_or(0, |(_, number)| *number) + 1;
        files.insert(path.to_owned(), (bytes, number));
    }

    pub fn remove(&self, path: &str) {
        self.files.lock().unwrap().remove(path);
    }

    pub fn is_dead(&self) -> bool {
        self.left.as_ref().is_some_and(|left| left.load(Ordering::SeqCst) <= 0)
    }

    fn call(&self, path: &str) -> StorageResult<()> {
        match &self.left {
            Some(left) if left.fetch_sub(1, Ordering::SeqCst) <= 0 => {
                Err(StorageError::new(StorageErrorKind::Unreachable, path, "the process is dead"))
            }
            _ => Ok(()),
        }
    }
}

#[async_trait]
impl Storage for Memory {
    fn describe(&self) -> String {
        "memory".into()
    }
    async fn get(&self, path: &str) -> StorageResult<Bytes> {
        self.call(path)?;
        let files = self.files.lock().unwrap();
        files.get(path).map(|(bytes, _)| bytes.clone()).ok_or_else(|| error(StorageErrorKind::NotFound, path))
    }
    async fn get_range(&self, path: &str, range: Range<u64>) -> StorageResult<Bytes> {
        let bytes = self.get(path).await?;
        let end = (range.end as usize).min(bytes.len());
        Ok(bytes.slice((range.start as usize).min(end)..end))
    }
    async fn head(&self, path: &str) -> StorageResult<u64> {
        Ok(self.get(path).await?.len() as u64)
    }
    async fn put_if_absent(&self, path: &str, bytes: Bytes) -> StorageResult<()> {
        if let Some(gate) = self
            .gate
            .as_ref()
            .filter(|gate| path.contains("/snapshots/") && !gate.passed.swap(true, Ordering::SeqCst))
        {
            gate.reached.notify_one();
            gate.go_on.notified().await;
        }
        self.call(path)?;
        let mut files = self.files.lock().unwrap();
        if files.contains_key(path) {
            return Err(error(StorageErrorKind::AlreadyExists, path));
        }
        files.insert(path.to_owned(), (bytes, 1));
        Ok(())
    }
    async fn upload(&self, path: &str) -> StorageResult<Box<dyn Upload>> {
        self.call(path)?;
        Ok(Box::new(MemoryUpload { to: self.clone(), path: path.to_owned(), bytes: BytesMut::new() }))
    }
    async fn read_mutable(&self, path: &str) -> StorageResult<Option<(Bytes, Version)>> {
        self.call(path)?;
        let files = self.files.lock().unwrap();
        Ok(files.get(path).map(|(bytes, number)| (bytes.clone(), Version::of(number.to_string()))))
    }
    async fn replace_if_match(
        &self,
        path: &str,
        expected: Option<&Version>,
        bytes: Bytes,
    ) -> StorageResult<Version> {
        self.call(path)?;
        let mut files = self.files.lock().unwrap();
        let there = files.get(path).map(|(_, number)| *number);
        if there.map(|number| number.to_string()).as_deref() != expected.map(Version::text) {
            return Err(error(StorageErrorKind::Conflict, path));
        }
        // A number of its own each time, though the file was gone in between.
        let number = there.unwrap_or_default() + 1 + bytes.len() as u64;
        files.insert(path.to_owned(), (bytes, number));
        Ok(Version::of(number.to_string()))
    }
    fn list(&self, prefix: &str) -> BoxStream<'_, StorageResult<Entry>> {
        if let Err(error) = self.call(prefix) {
            return stream::iter([Err(error)]).boxed();
        }
        let files = self.files.lock().unwrap();
        let found: Vec<_> = files
            .range(prefix.to_owned()..)
            .take_while(|(path, _)| path.starts_with(prefix))
            .map(|(path, (bytes, _))| Ok(Entry { path: path.clone(), size: bytes.len() as u64 }))
            .collect();
        stream::iter(found).boxed()
    }
    async fn list_folders(&self, folder: &str) -> StorageResult<Vec<String>> {
        self.call(folder)?;
        let start = format!("{}/", folder.trim_end_matches('/'));
        let files = self.files.lock().unwrap();
        let found: BTreeSet<String> = files
            .keys()
            .filter_map(|path| Some(path.strip_prefix(&start)?.split_once('/')?.0.to_owned()))
            .collect();
        Ok(found.into_iter().collect())
    }
    async fn delete(&self, path: &str) -> StorageResult<()> {
        self.call(path)?;
        self.files.lock().unwrap().remove(path);
        Ok(())
    }
    async fn delete_mutable(&self, path: &str) -> StorageResult<()> {
        self.delete(path).await
    }
}

struct MemoryUpload {
    to: Memory,
    path: String,
    bytes: BytesMut,
}

#[async_trait]
impl Upload for MemoryUpload {
    async fn write(&mut self, bytes: Bytes) -> StorageResult<()> {
        self.bytes.extend_from_slice(&bytes);
        Ok(())
    }
    async fn finish(self: Box<Self>) -> StorageResult<Stored> {
        let bytes = self.bytes.freeze();
        let (size, sha256) = (bytes.len() as u64, sha256(&bytes));
        self.to.put_if_absent(&self.path, bytes).await?;
        Ok(Stored { size, sha256, compared: true })
    }
}

fn sha256(bytes: &[u8]) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
