//! Proves that every page of an encrypted part is authentic, without decompressing it: at nearly the speed at which
//! bytes are hashed. Rows are counted by the footer, which is authentic, too.
//!
//! Parquet Modular Encryption writes each module as `length (4, little-endian) ‖ nonce (12) ‖ ciphertext ‖ tag (16)`;
//! the associated data is the file's random id, the kind of module, and the numbers of row group, column and page
//! (two bytes each, little-endian).

use bytes::Bytes;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

use super::error::CodecError;
use super::file::PartFile;
use super::part::PartKey;

/// Kinds of modules that our files have.
const PAGE: u8 = 2;
const PAGE_HEADER: u8 = 4;
/// Before a module's ciphertext.
const LENGTH: usize = 4;
const NONCE: usize = 12;

/// Decrypts every page of a part and returns its rows.
pub fn authenticate(bytes: Bytes, key: &PartKey) -> Result<u64, CodecError> {
    let file = PartFile::open(bytes.clone().into(), Some(key))?;
    let wrong = |why: &str| CodecError::Format(why.to_owned());
    let id = file_id(&bytes).ok_or_else(|| wrong("the footer names no file id"))?;
    let cipher = UnboundKey::new(&AES_256_GCM, key.secret())
        .map(LessSafeKey::new)
        .map_err(|_| wrong("not a key of AES-256"))?;
    let mut module = Vec::new();
    let mut rows = 0;
    for group in 0..file.groups() {
        let (many, chunks) = file.chunks(group)?;
        rows += many;
        for (column, (range, values)) in chunks.into_iter().enumerate() {
            if values != many {
                return Err(wrong("a column has more or fewer values than rows"));
            }
            let mut rest = bytes
                .get(range.start as usize..range.end as usize)
                .ok_or_else(|| wrong("a column lies outside of the file"))?;
            let mut number = 0_u16;
            while !rest.is_empty() {
                let kind = if number.is_multiple_of(2) { PAGE_HEADER } else { PAGE };
                let (length, after) =
                    rest.split_first_chunk::<LENGTH>().ok_or_else(|| wrong("a page is cut"))?;
                let length = u32::from_le_bytes(*length) as usize;
                let sealed = after.get(..length).filter(|sealed| sealed.len() > NONCE);
                let sealed = sealed.ok_or_else(|| wrong("a page is cut"))?;
                rest = &after[length..];
                let mut aad = id.clone();
                aad.push(kind);
                for part in [group as u16, column as u16, number / 2] {
                    aad.extend_from_slice(&part.to_le_bytes());
                }
                let nonce =
                    Nonce::try_assume_unique_for_key(&sealed[..NONCE]).map_err(|_| wrong("no nonce"))?;
                module.clear();
                module.extend_from_slice(&sealed[NONCE..]);
                cipher
                    .open_in_place(nonce, Aad::from(aad), &mut module)
                    .map_err(|_| wrong("a page is not what was encrypted"))?;
                number += 1;
            }
            if number != 2 {
                return Err(wrong("a column has more or less than one page"));
            }
        }
    }
    if rows != file.rows()? {
        return Err(wrong("row groups and footer count differently"));
    }
    Ok(rows)
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
