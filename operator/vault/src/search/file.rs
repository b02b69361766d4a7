//! The file of an index: segments, each sealed by itself, then the directory, then where that begins.
//!
//! ```text
//! segments ‖ directory (canonical JSON) ‖ its bytes as they are stored (4, little-endian) ‖ "ORGKTRM1"
//! ```
//! Sealed as the chunks of a blob, by a key of this file's path; a search reads the end and the segments it needs.

use std::ops::Range;

use bytes::Bytes;

use super::build::{Directory, Index, VERSION, index_of};
use super::filter::{BITS, Segment, segment_of};
use super::words;
use crate::blob::Chunks;
use crate::canonical;
use crate::codec::file::PartFile;
use crate::digest;
use crate::error::{Result, VaultError};
use crate::keys::DataKey;
use crate::manifest::FileRef;
use crate::state::Part;
use crate::vault::Vault;

const MAGIC: &[u8; 8] = b"ORGKTRM1";
/// Bytes after the directory.
const TRAILER: u64 = 12;
/// Number of the directory, as chunks are numbered.
const DIRECTORY: u64 = u64::MAX;
/// What is read of a large index's end at first; most directories are in it.
const END: u64 = 32 << 10;
/// Indexes up to so many bytes are read whole: one request, and no other for the next word.
const WHOLE: u64 = 192 << 10;

/// Where the index of a part lies.
pub(crate) fn path_of(part: &str) -> String {
    format!("{}.terms", part.strip_suffix(".parquet").unwrap_or(part))
}

/// The bytes to store.
pub(crate) fn seal(index: &Index, path: &str, key: &DataKey) -> Result<Bytes> {
    let chunks = Chunks::new(key.terms_key(path)?.as_ref())?;
    let directory = canonical::to_vec(&index.directory)?;
    let room: usize = index.segments.iter().map(|segment| segment.len() + chunks.tag()).sum();
    let mut out = Vec::with_capacity(room + directory.len() + 64);
    for (number, segment) in index.segments.iter().enumerate() {
        let mut chunk = segment.clone();
        chunks.seal(number as u64, false, &mut chunk)?;
        out.extend_from_slice(&chunk);
    }
    let mut chunk = directory;
    chunks.seal(DIRECTORY, true, &mut chunk)?;
    let length = u32::try_from(chunk.len()).map_err(|_| VaultError::internal("an index too large"))?;
    out.extend_from_slice(&chunk);
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(MAGIC);
    Ok(out.into())
}

/// An opened index.
pub(crate) struct Terms {
    file: FileRef,
    chunks: Chunks,
    directory: Directory,
    /// All of it, where it is small or nothing else could vouch for it.
    whole: Option<Bytes>,
    /// Where each segment lies, and after the last one the directory.
    starts: Vec<u64>,
}

impl Terms {
    /// Opens the index of a part; `None` where it has none, or one by rules that are not known here.
    pub(crate) async fn open(vault: &Vault, part: &Part) -> Result<Option<Self>> {
        let Some(file) = part.index.clone() else { return Ok(None) };
        let secret = vault.open_key(part)?.terms_key(&file.path)?;
        let sealed = secret.is_some();
        let chunks = Chunks::new(secret.as_ref())?;
        let (whole, end) = if file.size <= WHOLE || !sealed {
            let bytes = vault.storage().get(&file.path).await?;
            if digest::sha256(&bytes) != file.sha256 {
                return Err(wrong(&file, "its SHA-256 is not that of what was written"));
            }
            (Some(bytes.clone()), bytes)
        } else {
            (None, vault.storage().get_range(&file.path, file.size - END..file.size).await?)
        };
        let end = match Self::missing(&file, &end)? {
            Some(more) => vault.storage().get_range(&file.path, more).await?,
            None => end,
        };
        Self::read(file, chunks, whole, &end)
    }

    /// The range to read if the directory is not all in this end.
    fn missing(file: &FileRef, end: &[u8]) -> Result<Option<Range<u64>>> {
        let directory = directory_bytes(file, end)?;
        let needed = directory + TRAILER;
        if needed > file.size {
            return Err(wrong(file, "its directory is larger than it"));
        }
        Ok((needed > end.len() as u64).then(|| file.size - needed..file.size))
    }

    fn read(file: FileRef, chunks: Chunks, whole: Option<Bytes>, end: &[u8]) -> Result<Option<Self>> {
        let needed = directory_bytes(&file, end)?;
        let stop = end.len() - TRAILER as usize;
        let place = file.size - TRAILER - needed;
        let Some(sealed) = stop.checked_sub(needed as usize).and_then(|start| end.get(start..stop)) else {
            return Err(wrong(&file, "its directory was not all read"));
        };
        let mut plain = sealed.to_vec();
        chunks.open(&file.path, DIRECTORY, true, &mut plain)?;
        let directory: Directory =
            serde_json::from_slice(&plain).map_err(|_| wrong(&file, "its directory is none"))?;
        if (directory.version, directory.words, directory.bits) != (VERSION, words::VERSION, BITS) {
            return Ok(None);
        }
        let mut starts = vec![0];
        let mut at = 0;
        for length in directory.sections.iter().flat_map(|section| &section.segments) {
            at += u64::from(*length) + chunks.tag() as u64;
            starts.push(at);
        }
        if at != place || directory.sections.iter().any(|section| section.segments.is_empty()) {
            return Err(wrong(&file, "its directory says otherwise of its size"));
        }
        Ok(Some(Self { file, chunks, directory, whole, starts }))
    }

    /// Row groups of the part.
    pub(crate) fn groups(&self) -> usize {
        self.directory.sections.iter().map(|section| section.groups as usize).sum()
    }

    /// Bytes that it holds in memory.
    pub(crate) fn held(&self) -> usize {
        self.whole.as_ref().map_or(0, Bytes::len) + 8 * self.starts.len()
    }

    /// Which row groups may have the key: a yes for each, in their order.
    pub(crate) async fn groups_with(&self, vault: &Vault, key: u64) -> Result<Vec<bool>> {
        let mut all = Vec::with_capacity(self.groups());
        let mut first = 0;
        for section in &self.directory.sections {
            let number = first + segment_of(key, section.segments.len());
            let segment = self.segment(vault, number).await?;
            all.extend((0..section.groups).map(|group| segment.may_have(key, group)));
            first += section.segments.len();
        }
        Ok(all)
    }

    /// Which of these keys (ascending) the row group may have.
    pub(crate) async fn which(&self, vault: &Vault, keys: &[u64]) -> Result<Vec<Vec<bool>>> {
        let mut found = vec![Vec::new(); keys.len()];
        let mut first = 0;
        for section in &self.directory.sections {
            let mut held: Option<(usize, Segment)> = None;
            for (key, found) in keys.iter().zip(&mut found) {
                let number = first + segment_of(*key, section.segments.len());
                let segment = match held.take() {
                    Some((known, segment)) if known == number => segment,
                    _ => self.segment(vault, number).await?,
                };
                found.extend((0..section.groups).map(|group| segment.may_have(*key, group)));
                held = Some((number, segment));
            }
            first += section.segments.len();
        }
        Ok(found)
    }

    async fn segment(&self, vault: &Vault, number: usize) -> Result<Segment> {
        let (Some(start), Some(end)) = (self.starts.get(number), self.starts.get(number + 1)) else {
            return Err(wrong(&self.file, "a segment that is not there"));
        };
        let sealed = match &self.whole {
            Some(whole) => whole.slice(*start as usize..*end as usize),
            None => vault.storage().get_range(&self.file.path, *start..*end).await?,
        };
        if sealed.len() as u64 != end - start {
            return Err(wrong(&self.file, "it is shorter than it was"));
        }
        let mut chunk = sealed.to_vec();
        self.chunks.open(&self.file.path, number as u64, false, &mut chunk)?;
        Segment::decode(&chunk).map_err(|error| wrong(&self.file, &error.to_string()))
    }

    /// Opens every segment.
    async fn check(&self, vault: &Vault) -> Result<()> {
        for number in 0..self.starts.len() - 1 {
            self.segment(vault, number).await?;
        }
        Ok(())
    }
}

impl Vault {
    /// Puts a lost index there again, made from its part; false if that does not come to the same bytes.
    pub(crate) async fn put_index_again(&self, part: &Part) -> Result<bool> {
        let Some(file) = &part.index else { return Ok(false) };
        let (data, part_key) = self.open_part(part).await?;
        let read = move || PartFile::open(data, part_key.as_ref()).and_then(|file| index_of(&file));
        let index = tokio::task::spawn_blocking(read)
            .await
            .map_err(|error| VaultError::internal(error.to_string()))?
            .map_err(|error| VaultError::corrupted(&part.path, error.to_string()))?;
        let bytes = seal(&index, &file.path, &self.open_key(part)?)?;
        if digest::sha256(&bytes) != file.sha256 {
            return Ok(false);
        }
        self.storage().delete(&file.path).await?;
        self.put_once(&file.path, bytes).await
    }

    /// Compares the index of a part with its digest, and opens all of it.
    pub(crate) async fn check_index(&self, part: &Part) -> Result<()> {
        let Some(file) = &part.index else { return Ok(()) };
        if let Some(why) = self.compare_digest(file).await? {
            return Err(wrong(file, &why));
        }
        match Terms::open(self, part).await? {
            Some(terms) => terms.check(self).await,
            None => Ok(()),
        }
    }
}

/// Bytes of the directory as it is stored, by the end of the file.
fn directory_bytes(file: &FileRef, end: &[u8]) -> Result<u64> {
    let length = end
        .strip_suffix(MAGIC)
        .and_then(|rest| rest.split_last_chunk::<4>())
        .ok_or_else(|| wrong(file, "it is no index"))?
        .1;
    Ok(u64::from(u32::from_le_bytes(*length)))
}

fn wrong(file: &FileRef, why: &str) -> VaultError {
    VaultError::corrupted(&file.path, why)
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
