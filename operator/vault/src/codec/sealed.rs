//! Proves that every page of an encrypted part is authentic, without decompressing it: at nearly the speed at which
//! bytes are hashed. Rows are counted by the footer, which is authentic, too.
//!
//! Parquet Modular Encryption writes each module as `length (4, little-endian) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`;
//! the associated data is the file's random id, the kind of module, and the numbers of row group, column and page
//! (two bytes each, little-endian).

use std::ops::Range;

use bytes::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::error::CodecError;
use super::file::PartFile;
use super::part::PartKey;
use super::source::PartData;

/// Kinds of modules that our files have.
const PAGE: u8 = 2;
const PAGE_HEADER: u8 = 4;
/// Before a module's ciphertext.
const LENGTH: usize = 4;
const NONCE: usize = 12;

/// Decrypts every page of a part and returns its rows.
pub fn authenticate(bytes: Bytes, key: &PartKey) -> Result<u64, CodecError> {
    let mut pages = Pages::new(bytes.clone().into(), &bytes, key)?;
    pages.feed(&mut bytes.to_vec())?;
    pages.finish()
}

/// A column of a row group, and where it lies.
struct Chunk {
    range: Range<u64>,
    group: u16,
    column: u16,
}

/// Decrypts the pages of a part whose bytes come in order, piece by piece, and holds no more of it than one page.
pub(crate) struct Pages {
    cipher: LessSafeKey,
    /// The file's random id.
    id: Vec<u8>,
    rows: u64,
    /// Columns that are not yet through, the first one last.
    chunks: Vec<Chunk>,
    /// Bytes of the file that were fed.
    at: u64,
    /// Modules of the first column that are through.
    modules: u16,
    /// The beginning of a module that the next piece goes on with.
    begun: Vec<u8>,
}

impl Pages {
    /// Of a part with this footer; `end` are bytes at the end of the file, the footer among them.
    pub(crate) fn new(data: PartData, end: &[u8], key: &PartKey) -> Result<Self, CodecError> {
        let file = PartFile::open(data, Some(key))?;
        let id = file_id(end).ok_or_else(|| wrong("the footer names no file id"))?;
        let cipher = UnboundKey::new(&AES_256_GCM, key.secret())
            .map(LessSafeKey::new)
            .map_err(|_| wrong("not a key of AES-256"))?;
        let (mut rows, mut chunks) = (0, Vec::new());
        for group in 0..file.groups() {
            let (many, columns) = file.chunks(group)?;
            rows += many;
            for (column, (range, values)) in columns.into_iter().enumerate() {
                if values != many {
                    return Err(wrong("a column has more or fewer values than rows"));
                }
                chunks.push(Chunk { range, group: group as u16, column: column as u16 });
            }
        }
        if rows != file.rows()? {
            return Err(wrong("row groups and footer count differently"));
        }
        chunks.sort_by_key(|chunk| std::cmp::Reverse(chunk.range.start));
        if chunks.windows(2).any(|pair| pair[1].range.end > pair[0].range.start) {
            return Err(wrong("two columns lie in the same place"));
        }
        Ok(Self { cipher, id, rows, chunks, at: 0, modules: 0, begun: Vec::new() })
    }

    /// The next bytes of the file; they are decrypted where they are, as far as they are whole pages.
    pub(crate) fn feed(&mut self, mut piece: &mut [u8]) -> Result<(), CodecError> {
        while !piece.is_empty() {
            let Some(chunk) = self.chunks.last() else { return Ok(()) };
            let inside = self.at >= chunk.range.start;
            let until = if inside { chunk.range.end } else { chunk.range.start };
            let many = usize::try_from(until - self.at).unwrap_or(usize::MAX).min(piece.len());
            let (now, later) = std::mem::take(&mut piece).split_at_mut(many);
            piece = later;
            self.at += many as u64;
            if !inside {
                continue;
            }
            self.inside(now)?;
            if self.at == until {
                if !self.begun.is_empty() {
                    return Err(wrong("a page is cut"));
                }
                if std::mem::take(&mut self.modules) != 2 {
                    return Err(wrong("a column has more or less than one page"));
                }
                self.chunks.pop();
            }
        }
        Ok(())
    }

    /// The rows, when all of the file was fed.
    pub(crate) fn finish(self) -> Result<u64, CodecError> {
        if self.chunks.is_empty() { Ok(self.rows) } else { Err(wrong("a column lies outside of the file")) }
    }

    /// Bytes of the first column.
    fn inside(&mut self, mut bytes: &mut [u8]) -> Result<(), CodecError> {
        while !bytes.is_empty() {
            if self.begun.is_empty()
                && let Some(length) = module_length(bytes)
                && bytes.len() >= LENGTH + length
            {
                let (module, rest) = std::mem::take(&mut bytes).split_at_mut(LENGTH + length);
                self.open(&mut module[LENGTH..])?;
                bytes = rest;
                continue;
            }
            let wanted = module_length(&self.begun).map_or(LENGTH, |length| LENGTH + length);
            let many = wanted.saturating_sub(self.begun.len()).min(bytes.len());
            self.begun.extend_from_slice(&bytes[..many]);
            bytes = &mut std::mem::take(&mut bytes)[many..];
            if module_length(&self.begun).is_some_and(|length| self.begun.len() == LENGTH + length) {
                let mut begun = std::mem::take(&mut self.begun);
                self.open(&mut begun[LENGTH..])?;
                self.begun = begun;
                self.begun.clear();
            }
        }
        Ok(())
    }

    /// Decrypts a module: nonce, ciphertext, tag.
    fn open(&mut self, sealed: &mut [u8]) -> Result<(), CodecError> {
        let chunk = self.chunks.last().ok_or_else(|| wrong("a page of no column"))?;
        let (nonce, rest) = sealed.split_first_chunk_mut::<NONCE>().ok_or_else(|| wrong("a page is cut"))?;
        let kind = if self.modules.is_multiple_of(2) { PAGE_HEADER } else { PAGE };
        let mut aad = self.id.clone();
        aad.push(kind);
        for part in [chunk.group, chunk.column, self.modules / 2] {
            aad.extend_from_slice(&part.to_le_bytes());
        }
        self.cipher
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(aad), rest)
            .map_err(|_| wrong("a page is not what was encrypted"))?;
        self.modules = self.modules.saturating_add(1);
        Ok(())
    }
}

/// Bytes that follow the length with which a module begins, if that is all there.
fn module_length(bytes: &[u8]) -> Option<usize> {
    bytes.first_chunk::<LENGTH>().map(|length| u32::from_le_bytes(*length) as usize)
}

fn wrong(why: &str) -> CodecError {
    CodecError::Format(why.to_owned())
}

/// `aad_file_unique` of the file crypto metadata, with which an encrypted footer begins: a struct of Thrift's compact
/// protocol whose first field is a union, whose first variant (AES_GCM_V1) has it as field 2.
fn file_id(file: &[u8]) -> Option<Vec<u8>> {
    let (rest, _magic) = file.split_last_chunk::<4>()?;
    let (rest, length) = rest.split_last_chunk::<4>()?;
    let footer = rest.get(rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?..)?;
    let mut bytes = footer.strip_prefix(&[0x1c, 0x1c])?;
    let mut field = 0;
    loop {
        let (header, rest) = bytes.split_first()?;
        bytes = rest;
        field += header >> 4;
        match header & 0x0f {
            // True and false have no bytes of their own.
            1 | 2 => {}
            8 => {
                let (length, rest) = varint(bytes)?;
                let value = rest.get(..length)?;
                if field == 2 {
                    return Some(value.to_vec());
                }
                bytes = &rest[length..];
            }
            _ => return None,
        }
    }
}

fn varint(mut bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (mut value, mut shift) = (0, 0);
    loop {
        let (byte, rest) = bytes.split_first()?;
        bytes = rest;
        value |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some((value, bytes));
        }
        shift += 7;
        if shift > 28 {
            return None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Settings;
    use crate::codec::testing::{key, page, parts, row};

    #[test]
    fn every_byte_of_a_page_counts() {
        let rows: Vec<_> = (0..40).map(|n| row(n, "some name")).collect();
        let settings = Settings { group_rows: 16, ..Settings::default() };
        let part = &parts(&page(&rows), settings)[0];
        assert_eq!(authenticate(part.bytes.clone(), &key()).unwrap(), 40);
        assert!(authenticate(part.bytes.clone(), &PartKey::new(&[8; 32], *b"")).is_err());
        // In pieces of whatever size it is the same.
        for size in [1, 3, 7, 1000, part.bytes.len() - 1] {
            let mut pages = Pages::new(part.bytes.clone().into(), &part.bytes, &key()).unwrap();
            part.bytes.chunks(size).for_each(|piece| pages.feed(&mut piece.to_vec()).unwrap());
            assert_eq!(pages.finish().unwrap(), 40, "{size}");
        }
        let mut cut = Pages::new(part.bytes.clone().into(), &part.bytes, &key()).unwrap();
        cut.feed(&mut part.bytes[..part.bytes.len() / 3].to_vec()).unwrap();
        assert!(cut.finish().is_err());
        let footer = part.bytes.len() - 8 - file_footer(&part.bytes);
        for at in (4..footer).step_by(3) {
            let mut bent = part.bytes.to_vec();
            bent[at] ^= 1;
            assert!(authenticate(bent.into(), &key()).is_err(), "byte {at}");
        }
    }

    fn file_footer(bytes: &[u8]) -> usize {
        u32::from_le_bytes(bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap()) as usize
    }
}
