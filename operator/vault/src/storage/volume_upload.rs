//! A file on its way into a directory.

use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use async_trait::async_trait;
use bytes::Bytes;

use super::volume::Volume;
use super::{StorageError, StorageErrorKind, StorageResult, Stored, Upload};
use crate::digest::Running;

/// Bytes read at a time when a file is compared with what was sent.
const CHUNK: usize = 1 << 20;

pub(super) struct VolumeUpload {
    volume: Volume,
    path: String,
    target: PathBuf,
    file: Option<(Temporary, File, Running)>,
}

/// A temporary file that goes with its owner.
struct Temporary {
    volume: Volume,
    path: PathBuf,
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // Gone already, or swept later: nothing rests on it.
        let _ = self.volume.disk().remove(&self.path);
    }
}

impl VolumeUpload {
    pub(super) async fn begin(volume: Volume, path: &str) -> StorageResult<Self> {
        let target = volume.file(path)?;
        let (temporary, file) = volume.blocking(path, Volume::temporary).await?;
        let temporary = Temporary { volume: volume.clone(), path: temporary };
        let file = Some((temporary, file, Running::new()));
        Ok(Self { volume, path: path.to_owned(), target, file })
    }
}

#[async_trait]
impl Upload for VolumeUpload {
    async fn write(&mut self, bytes: Bytes) -> StorageResult<()> {
        let Some((temporary, mut file, mut running)) = self.file.take() else {
            return Err(StorageError::new(
                StorageErrorKind::Unreachable,
                &self.path,
                "an earlier write failed",
            ));
        };
        let state = self
            .volume
            .blocking(&self.path, move |volume| {
                running.update(&bytes);
                volume.disk().write(&temporary.path, &mut file, &bytes)?;
                Ok((temporary, file, running))
            })
            .await?;
        self.file = Some(state);
        Ok(())
    }

    async fn finish(mut self: Box<Self>) -> StorageResult<Stored> {
        let Some((temporary, file, running)) = self.file.take() else {
            return Err(StorageError::new(
                StorageErrorKind::Unreachable,
                &self.path,
                "an earlier write failed",
            ));
        };
        let target = self.target.clone();
        self.volume
            .blocking(&self.path, move |volume| {
                let (size, sha256) = running.finish();
                volume.disk().sync_file(&temporary.path, &file)?;
                let mut back = Running::new();
                let mut stored = File::open(&temporary.path)?;
                let mut chunk = vec![0; CHUNK];
                loop {
                    match stored.read(&mut chunk)? {
                        0 => break,
                        read => back.update(chunk.get(..read).unwrap_or_default()),
                    }
                }
                if back.finish() != (size, sha256.clone()) {
                    return Err(std::io::Error::new(
                        std::io::ErrorKind::InvalidData,
                        "what is stored is not what was written",
                    ));
                }
                volume.publish(&temporary.path, &file, &target)?;
                Ok(Stored { size, sha256, compared: true })
            })
            .await
    }
}
