//! Files as they are, once each: named by their content under a key, encrypted in chunks that can be read each by
//! itself, of any size in bounded memory.
//!
//! A blob's name is HMAC-SHA256, under a key of the vault, of the SHA-256 of its content: the same content is stored
//! once, and nobody without the key can tell what it is by its name. It is encrypted by a key derived for that name, so
//! that the same content gives the same bytes: whoever finds the file there can compare it.
//!
//! ```text
//! "ORGKBLB1" ‖ chunks; each chunk: AES-256-GCM of at most 1 MiB ‖ tag (16); nonce: number of the chunk (11 bytes,
//! big-endian) ‖ 1 for the last one, else 0; an empty blob is one empty chunk
//! ```

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;

use bytes::{Bytes, BytesMut};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::digest;
use crate::error::{Result, VaultError};
use crate::keys::envelope::{Secret, random};
use crate::layout;
use crate::line::Line;
use crate::manifest::FileRef;
use crate::storage::{StorageError, StorageErrorKind, Upload};
use crate::vault::Vault;

const MAGIC: &[u8; 8] = b"ORGKBLB1";
/// Bytes of content in a chunk.
const CHUNK: usize = 1 << 20;
const TAG: usize = 16;
/// Content up to so many bytes is held in memory until its name is known; more goes to a temporary file, sealed.
const HELD: usize = 8 << 20;

/// A blob that stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlobRef {
    /// The file.
    pub file: FileRef,
    /// Bytes of the content.
    pub size: u64,
}

/// A blob on its way. Dropped without `finish`, it never was.
pub struct BlobWriter {
    line: Line,
    content: Context,
    size: u64,
    spool: Spool,
}

/// Seals or opens chunks.
pub(crate) struct Chunks {
    key: Option<LessSafeKey>,
}

impl Chunks {
    pub(crate) fn new(secret: Option<&Secret>) -> Result<Self> {
        let key = match secret {
            Some(secret) => Some(
                UnboundKey::new(&AES_256_GCM, secret.as_ref())
                    .map(LessSafeKey::new)
                    .map_err(|_| VaultError::internal("not a key of AES-256"))?,
            ),
            None => None,
        };
        Ok(Self { key })
    }

    fn nonce(number: u64, last: bool) -> Nonce {
        let mut nonce = [0; NONCE_LEN];
        nonce[3..11].copy_from_slice(&number.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }

    pub(crate) fn seal(&self, number: u64, last: bool, chunk: &mut Vec<u8>) -> Result<()> {
        match &self.key {
            Some(key) => key
                .seal_in_place_append_tag(Self::nonce(number, last), Aad::empty(), chunk)
                .map_err(|_| VaultError::internal("a chunk could not be sealed")),
            None => Ok(()),
        }
    }

    /// Bytes that a chunk has besides its content.
    pub(crate) fn tag(&self) -> usize {
        if self.key.is_some() { TAG } else { 0 }
    }

    pub(crate) fn open(&self, path: &str, number: u64, last: bool, chunk: &mut Vec<u8>) -> Result<()> {
        let Some(key) = &self.key else { return Ok(()) };
        let opened = key
            .open_in_place(Self::nonce(number, last), Aad::empty(), chunk)
            .map_err(|_| VaultError::corrupted(path, format!("chunk {number} is not what was sealed")))?
            .len();
        chunk.truncate(opened);
        Ok(())
    }
}

/// Content whose name is not known yet.
struct Spool {
    held: BytesMut,
    /// Chunks that went to the file, sealed by a key that lives as long as this.
    file: Option<(File, u64)>,
    chunks: Chunks,
}

impl Spool {
    fn new() -> Result<Self> {
        let key: Secret = zeroize::Zeroizing::new(random()?);
        Ok(Self { held: BytesMut::new(), file: None, chunks: Chunks::new(Some(&key))? })
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.held.extend_from_slice(bytes);
        if self.held.len() < HELD {
            return Ok(());
        }
        if self.file.is_none() {
            self.file = Some((unnamed_file()?, 0));
        }
        let Some((file, written)) = &mut self.file else { return Ok(()) };
        while self.held.len() >= CHUNK {
            let mut chunk = self.held.split_to(CHUNK).to_vec();
            self.chunks.seal(*written, false, &mut chunk)?;
            file.write_all(&chunk).map_err(unspooled)?;
            *written += 1;
        }
        Ok(())
    }

    /// The content's chunk of that number; `None` after the last one.
    fn chunk(&mut self, number: u64) -> Result<Option<Vec<u8>>> {
        let written = self.file.as_ref().map_or(0, |(_, written)| *written);
        if let Some((file, _)) = self.file.as_mut().filter(|_| number < written) {
            file.seek(SeekFrom::Start(number * (CHUNK + TAG) as u64)).map_err(unspooled)?;
            let mut chunk = vec![0; CHUNK + TAG];
            file.read_exact(&mut chunk).map_err(unspooled)?;
            self.chunks.open("a temporary file", number, false, &mut chunk)?;
            return Ok(Some(chunk));
        }
        let start = (number - written) as usize * CHUNK;
        let rest = self.held.get(start..).unwrap_or_default();
        Ok((!rest.is_empty()).then(|| rest[..rest.len().min(CHUNK)].to_vec()))
    }
}

/// A temporary file that has no name any more: it goes with the process, whatever becomes of it.
fn unnamed_file() -> Result<File> {
    let path = std::env::temp_dir().join(format!("orgkeep-{}", hex::encode(random::<16>()?)));
    let file = File::options().read(true).write(true).create_new(true).open(&path).map_err(unspooled)?;
    std::fs::remove_file(&path).map_err(unspooled)?;
    Ok(file)
}

fn unspooled(error: std::io::Error) -> VaultError {
    StorageError::new(StorageErrorKind::Unreachable, "a temporary file", error.to_string()).into()
}

impl Line {
    /// Begins a blob.
    pub fn blob(&self) -> Result<BlobWriter> {
        self.vault().check_writable()?;
        Ok(BlobWriter { line: self.clone(), content: Context::new(&SHA256), size: 0, spool: Spool::new()? })
    }
}

impl BlobWriter {
    /// More of the content. Blocks for a moment when it goes to a temporary file.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.content.update(bytes);
        self.size += bytes.len() as u64;
        self.spool.write(bytes)
    }

    /// Stores the blob, unless its content is there already: then that is read and compared.
    pub async fn finish(mut self) -> Result<BlobRef> {
        let vault = self.line.vault().clone();
        let name = vault.keys().blob_name(self.content.clone().finish().as_ref())?;
        let path = layout::blob(self.line.id(), &name);
        let chunks = Chunks::new(vault.keys().blob_key(&name)?.as_ref())?;
        // Once to know what the file comes to, and once more if it is not there: nothing is sent twice.
        let file = self.encode(&path, &chunks, None).await?;
        match vault.storage().head(&path).await {
            Ok(_) => {}
            Err(error) if error.is_not_found() => {
                let mut upload = vault.storage().upload(&path).await?;
                self.encode(&path, &chunks, Some(upload.as_mut())).await?;
                match upload.finish().await {
                    Ok(stored) if stored.sha256 == file.sha256 && stored.compared => {
                        return Ok(BlobRef { file, size: self.size });
                    }
                    Ok(_) => {}
                    Err(error) if error.kind == StorageErrorKind::AlreadyExists => {}
                    Err(error) => return Err(error.into()),
                }
            }
            Err(error) => return Err(error.into()),
        }
        match vault.compare_digest(&file).await? {
            None => Ok(BlobRef { file, size: self.size }),
            Some(why) => Err(VaultError::corrupted(path, why)),
        }
    }

    /// Size and digest of the file; with an upload, its bytes go there.
    async fn encode(
        &mut self,
        path: &str,
        chunks: &Chunks,
        mut upload: Option<&mut (dyn Upload + '_)>,
    ) -> Result<FileRef> {
        let mut running = digest::Running::new();
        let mut number = 0;
        let mut next = Some(self.spool.chunk(0)?.unwrap_or_default());
        let mut out = if chunks.key.is_some() { MAGIC.to_vec() } else { Vec::new() };
        while let Some(mut chunk) = next.take() {
            next = self.spool.chunk(number + 1)?;
            chunks.seal(number, next.is_none(), &mut chunk)?;
            out.append(&mut chunk);
            running.update(&out);
            if let Some(upload) = upload.as_deref_mut() {
                upload.write(Bytes::from(std::mem::take(&mut out))).await?;
            }
            out.clear();
            number += 1;
        }
        let (size, sha256) = running.finish();
        Ok(FileRef { path: path.to_owned(), size, sha256 })
    }
}

impl Vault {
    /// Bytes of a blob's content; cut at its end. Only the chunks are read that hold them, and each is authentic.
    pub async fn blob_range(&self, blob: &BlobRef, range: Range<u64>) -> Result<Bytes> {
        let path = blob.file.path.as_str();
        let name = path.rsplit('/').next().unwrap_or_default();
        let chunks = Chunks::new(self.keys().blob_key(name)?.as_ref())?;
        let range = range.start.min(blob.size)..range.end.min(blob.size);
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let (chunk, sealed) = (CHUNK as u64, (CHUNK + chunks.tag()) as u64);
        let header = if chunks.key.is_some() { MAGIC.len() as u64 } else { 0 };
        let last = (blob.size - 1) / chunk;
        let (from, to) = (range.start / chunk, (range.end - 1) / chunk);
        let mut content = BytesMut::with_capacity((range.end - range.start) as usize + CHUNK);
        for number in from..=to {
            let start = header + number * sealed;
            let stored = self.storage().get_range(path, start..(start + sealed).min(blob.file.size)).await?;
            let mut bytes = stored.to_vec();
            chunks.open(path, number, number == last, &mut bytes)?;
            let expected = chunk.min(blob.size - number * chunk);
            if bytes.len() as u64 != expected {
                return Err(VaultError::corrupted(path, format!("chunk {number} has {} bytes", bytes.len())));
            }
            content.extend_from_slice(&bytes);
        }
        let offset = (range.start - from * chunk) as usize;
        let content = content.freeze();
        Ok(content.slice(offset..offset + (range.end - range.start) as usize))
    }

    /// All of a blob that is known to be small.
    pub async fn blob(&self, blob: &BlobRef) -> Result<Bytes> {
        self.blob_range(blob, 0..blob.size).await
    }
}
