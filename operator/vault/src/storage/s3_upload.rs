//! A file on its way into a bucket: one put if it is small, a multipart upload if not.
//!
//! At most one part is on its way while the next one is gathered, so that a writer's memory stays bounded. Bytes
//! are held as they came: a whole file that is written at once goes out without a copy, in one request.

use async_trait::async_trait;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{ChecksumAlgorithm, CompletedMultipartUpload, CompletedPart};
use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

use super::s3::{S3, refusal, sha256_base64};
use super::{Storage, StorageError, StorageErrorKind, StorageResult, Stored, Upload};
use crate::digest::Running;

/// Least size of a part of a multipart upload that another follows; 10,000 parts are allowed.
const PART: usize = 8 << 20;
/// The most that one request carries.
const REQUEST: usize = 64 << 20;

pub(super) struct S3Upload {
    s3: S3,
    path: String,
    held: Vec<Bytes>,
    running: Running,
    multipart: Option<Multipart>,
}

struct Multipart {
    s3: S3,
    path: String,
    id: String,
    done: Vec<CompletedPart>,
    next: i32,
    under_way: Option<JoinHandle<StorageResult<(CompletedPart, bool)>>>,
    confirmed: bool,
    finished: bool,
}

impl S3Upload {
    pub(super) fn new(s3: S3, path: &str) -> Self {
        Self { s3, path: path.to_owned(), held: Vec::new(), running: Running::new(), multipart: None }
    }

    fn held_bytes(&self) -> usize {
        self.held.iter().map(Bytes::len).sum()
    }

    fn take_held(&mut self) -> Bytes {
        let mut held = std::mem::take(&mut self.held);
        if held.len() == 1 {
            return held.pop().unwrap_or_default();
        }
        let mut all = BytesMut::with_capacity(held.iter().map(Bytes::len).sum());
        for bytes in &held {
            all.extend_from_slice(bytes);
        }
        all.freeze()
    }

    /// Sends what is held, in parts of about the same size.
    async fn send_held(&mut self) -> StorageResult<()> {
        let mut all = self.take_held();
        let size = all.len().div_ceil(all.len().div_ceil(REQUEST).max(1));
        while !all.is_empty() {
            let part = all.split_to(size.min(all.len()));
            self.send_part(part).await?;
        }
        Ok(())
    }

    /// Size and digest of what is stored there, as far as it is of interest.
    async fn stored(&self, size: u64) -> StorageResult<(u64, String)> {
        let there = self.s3.head(&self.path).await?;
        let mut running = Running::new();
        if there != size {
            return Ok((there, String::new()));
        }
        let step = PART as u64;
        for piece in 0..size.div_ceil(step) {
            let range = piece * step..size.min((piece + 1) * step);
            running.update(&self.s3.get_range(&self.path, range).await?);
        }
        Ok(running.finish())
    }

    async fn send_part(&mut self, bytes: Bytes) -> StorageResult<()> {
        let multipart = match &mut self.multipart {
            Some(multipart) => multipart,
            none => none.insert(Multipart::begin(self.s3.clone(), &self.path).await?),
        };
        multipart.send(bytes).await
    }
}

impl Multipart {
    async fn begin(s3: S3, path: &str) -> StorageResult<Self> {
        let (mode, until) = s3.lock_of(path);
        let answer = s3
            .client
            .create_multipart_upload()
            .bucket(&s3.bucket)
            .key(s3.key(path))
            .set_object_lock_mode(mode)
            .set_object_lock_retain_until_date(until)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .send()
            .await
            .map_err(|error| refusal(path, &error))?;
        let id = answer.upload_id().unwrap_or_default().to_owned();
        if id.is_empty() {
            return Err(StorageError::new(
                StorageErrorKind::Unreachable,
                path,
                "a multipart upload without an id",
            ));
        }
        Ok(Self {
            s3,
            path: path.to_owned(),
            id,
            done: Vec::new(),
            next: 1,
            under_way: None,
            confirmed: true,
            finished: false,
        })
    }

    async fn settle(&mut self) -> StorageResult<()> {
        if let Some(task) = self.under_way.take() {
            let (part, confirmed) = task.await.map_err(|error| {
                StorageError::new(StorageErrorKind::Unreachable, &self.path, error.to_string())
            })??;
            self.done.push(part);
            self.confirmed &= confirmed;
        }
        Ok(())
    }

    async fn send(&mut self, bytes: Bytes) -> StorageResult<()> {
        self.settle().await?;
        let number = self.next;
        self.next += 1;
        let digest = sha256_base64(&bytes);
        let request = self
            .s3
            .client
            .upload_part()
            .bucket(&self.s3.bucket)
            .key(self.s3.key(&self.path))
            .upload_id(&self.id)
            .part_number(number)
            .checksum_sha256(&digest)
            .body(ByteStream::from(bytes));
        let path = self.path.clone();
        self.under_way = Some(tokio::spawn(async move {
            let answer = request.send().await.map_err(|error| refusal(&path, &error))?;
            let confirmed = answer.checksum_sha256() == Some(digest.as_str());
            let part = CompletedPart::builder()
                .part_number(number)
                .set_e_tag(answer.e_tag().map(str::to_owned))
                .checksum_sha256(digest)
                .build();
            Ok((part, confirmed))
        }));
        Ok(())
    }

    async fn complete(mut self) -> StorageResult<bool> {
        self.settle().await?;
        let parts =
            CompletedMultipartUpload::builder().set_parts(Some(std::mem::take(&mut self.done))).build();
        self.s3
            .client
            .complete_multipart_upload()
            .bucket(&self.s3.bucket)
            .key(self.s3.key(&self.path))
            .upload_id(&self.id)
            .if_none_match("*")
            .multipart_upload(parts)
            .send()
            .await
            .map_err(|error| refusal(&self.path, &error))?;
        self.finished = true;
        Ok(self.confirmed)
    }
}

impl Drop for Multipart {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        if let Some(task) = self.under_way.take() {
            task.abort();
        }
        // Best effort: what this misses, the bucket's rule on unfinished uploads takes away.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let request = self
                .s3
                .client
                .abort_multipart_upload()
                .bucket(&self.s3.bucket)
                .key(self.s3.key(&self.path))
                .upload_id(&self.id);
            runtime.spawn(async move { request.send().await.map(drop) });
        }
    }
}

#[async_trait]
impl Upload for S3Upload {
    async fn write(&mut self, bytes: Bytes) -> StorageResult<()> {
        self.running.update(&bytes);
        if self.held_bytes() >= PART {
            self.send_held().await?;
        }
        self.held.push(bytes);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> StorageResult<Stored> {
        let sent = if self.multipart.is_none() && self.held_bytes() <= REQUEST {
            let all = self.take_held();
            self.s3.put(&self.path, None, all).await.map(|(_, confirmed)| confirmed)
        } else {
            self.send_held().await?;
            match self.multipart.take() {
                Some(multipart) => multipart.complete().await,
                None => Ok(false),
            }
        };
        let (size, sha256) = std::mem::replace(&mut self.running, Running::new()).finish();
        match sent {
            Ok(compared) => Ok(Stored { size, sha256, compared }),
            // A file is there, or the upload is gone: ours, if the answer to an earlier try was lost on its way.
            Err(error) if matches!(error.kind, StorageErrorKind::Conflict | StorageErrorKind::NotFound) => {
                match self.stored(size).await {
                    Ok(there) if there == (size, sha256.clone()) => {
                        Ok(Stored { size, sha256, compared: true })
                    }
                    Ok(_) => Err(StorageError { kind: StorageErrorKind::AlreadyExists, ..error }),
                    Err(_) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }
}
