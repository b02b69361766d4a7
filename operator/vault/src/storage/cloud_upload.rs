//! A file on its way into Azure or Google: one conditional put if it fits a request, in parts if not.

use async_trait::async_trait;
use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStoreExt, PutMode, PutPayload};

use super::cloud::{Cloud, refusal};
use super::{Storage, StorageError, StorageErrorKind, StorageResult, Stored, Upload};
use crate::digest::Running;

/// The most that one request carries.
const REQUEST: usize = 64 << 20;
/// Size of a part of a larger file.
const PART: usize = 16 << 20;

pub(super) struct CloudUpload {
    cloud: Cloud,
    path: String,
    held: Vec<Bytes>,
    running: Running,
    parts: Option<Parts>,
}

/// An upload in parts; aborted with its owner.
struct Parts(Option<Box<dyn MultipartUpload>>);

impl Drop for Parts {
    fn drop(&mut self) {
        // Best effort: what this misses, the store's rule on unfinished uploads takes away.
        if let (Some(mut upload), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move { upload.abort().await });
        }
    }
}

impl CloudUpload {
    pub(super) fn new(cloud: Cloud, path: &str) -> Self {
        Self { cloud, path: path.to_owned(), held: Vec::new(), running: Running::new(), parts: None }
    }

    fn held_bytes(&self) -> usize {
        self.held.iter().map(Bytes::len).sum()
    }

    /// Sends what is held as a part.
    async fn send(&mut self) -> StorageResult<()> {
        let held: PutPayload = std::mem::take(&mut self.held).into_iter().collect();
        if self.parts.is_none() {
            let key = self.cloud.key(&self.path)?;
            let upload =
                self.cloud.store.put_multipart(&key).await.map_err(|error| refusal(&self.path, &error))?;
            self.parts = Some(Parts(Some(upload)));
        }
        match self.parts.as_mut().and_then(|parts| parts.0.as_mut()) {
            Some(upload) => upload.put_part(held).await.map_err(|error| refusal(&self.path, &error)),
            None => Err(StorageError::new(StorageErrorKind::Unreachable, &self.path, "the upload has ended")),
        }
    }
}

#[async_trait]
impl Upload for CloudUpload {
    async fn write(&mut self, bytes: Bytes) -> StorageResult<()> {
        self.running.update(&bytes);
        let in_parts = self.parts.is_some() && self.held_bytes() >= PART;
        if in_parts || self.held_bytes() + bytes.len() > REQUEST {
            self.send().await?;
        }
        self.held.push(bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> StorageResult<Stored> {
        let (size, sha256) = std::mem::replace(&mut self.running, Running::new()).finish();
        if self.parts.is_none() {
            let held = match self.held.as_slice() {
                [one] => one.clone(),
                many => many.concat().into(),
            };
            return match self.cloud.put(&self.path, PutMode::Create, held).await {
                Ok(_) => Ok(Stored { size, sha256, compared: false }),
                // Ours, if the answer to an earlier try was lost on its way.
                Err(error) if error.kind == StorageErrorKind::AlreadyExists => {
                    let there = self.cloud.get(&self.path).await?;
                    if crate::digest::sha256(&there) == sha256 {
                        Ok(Stored { size, sha256, compared: true })
                    } else {
                        Err(error)
                    }
                }
                Err(error) => Err(error),
            };
        }
        if !self.held.is_empty() {
            self.send().await?;
        }
        // Neither store takes a condition when parts are put together. Paths of large files bear the run and the
        // attempt, whose number is put once, or the digest of their content: nobody else writes there.
        match self.cloud.head(&self.path).await {
            Err(error) if error.is_not_found() => {}
            Ok(_) => {
                return Err(StorageError::new(StorageErrorKind::AlreadyExists, &self.path, "it is there"));
            }
            Err(error) => return Err(error),
        }
        if let Some(mut upload) = self.parts.take().and_then(|mut parts| parts.0.take()) {
            upload.complete().await.map_err(|error| refusal(&self.path, &error))?;
        }
        Ok(Stored { size, sha256, compared: false })
    }
}
