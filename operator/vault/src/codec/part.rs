//! A part: one immutable, encrypted Parquet file, and what is known of it when it is written.

use std::sync::Arc;

use orgkeep_core::id::SalesforceId;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use zeroize::Zeroizing;

use super::error::CodecError;
use crate::search::Index;

/// The data key of a part and the key material that its footer carries in plaintext.
#[derive(Clone)]
pub struct PartKey {
    key: Zeroizing<[u8; 32]>,
    metadata: Vec<u8>,
}

impl std::fmt::Debug for PartKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PartKey { .. }")
    }
}

impl PartKey {
    /// A key with its metadata (JSON key material; not needed for reading).
    pub fn new(key: &[u8; 32], metadata: impl Into<Vec<u8>>) -> Self {
        Self { key: Zeroizing::new(*key), metadata: metadata.into() }
    }

    /// The one form that the parquet crate, DuckDB and pyarrow have in common: uniform footer key, encrypted
    /// footer, no AAD prefix, no column keys.
    pub(crate) fn encryption(&self) -> Result<Arc<FileEncryptionProperties>, CodecError> {
        let mut builder = FileEncryptionProperties::builder(self.key.to_vec());
        if !self.metadata.is_empty() {
            builder = builder.with_footer_key_metadata(self.metadata.clone());
        }
        Ok(builder.build()?)
    }

    pub(super) fn secret(&self) -> &[u8; 32] {
        &self.key
    }

    pub(crate) fn decryption(&self) -> Result<Arc<FileDecryptionProperties>, CodecError> {
        Ok(FileDecryptionProperties::builder(self.key.to_vec()).build()?)
    }
}

/// How parts are cut and compressed.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Bytes of rows that are held and sorted; each part comes from at most so many (and one row).
    pub buffer_bytes: usize,
    /// Rows of a row group.
    pub group_rows: usize,
    /// Bytes of cells of a row group.
    pub group_bytes: usize,
    /// Rows typed at once.
    pub batch_rows: usize,
    /// Bytes of cells typed at once.
    pub batch_bytes: usize,
    /// Level of zstd: 1 for bases, 3 for deltas.
    pub zstd_level: i32,
    /// Parts of so many bytes and more get an index of their words; `None`: none does.
    ///
    /// What is smaller is read as fast as its index.
    pub index_from: Option<u64>,
}

/// Bytes of a part from which an index pays.
pub const INDEX_FROM: u64 = 64 << 10;

impl Default for Settings {
    fn default() -> Self {
        Self {
            buffer_bytes: 48 << 20,
            group_rows: 16 << 10,
            group_bytes: 12 << 20,
            batch_rows: 1 << 10,
            batch_bytes: 4 << 20,
            zstd_level: 1,
            index_from: None,
        }
    }
}

impl Settings {
    /// For deltas: small row groups, since a reader holds one of each delta over a key.
    pub fn delta() -> Self {
        Self { group_rows: 4 << 10, group_bytes: 3 << 20, zstd_level: 3, ..Self::default() }
    }
}

/// What is known of a part when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PartFacts {
    /// Rows of the file.
    pub rows: u64,
    /// Of these, rows that delete.
    pub deletes: u64,
    /// Rows left out since a later one in the same buffer has the same Id.
    pub duplicates: u64,
    /// Rows left out of a delta since the parent holds them as they are.
    pub unchanged: u64,
    /// Cells kept as text in `_raw`.
    pub raw_cells: u64,
    /// Row groups.
    pub row_groups: u64,
    /// Least Id, for an object that has Ids.
    pub min_id: Option<SalesforceId>,
    /// Greatest Id.
    pub max_id: Option<SalesforceId>,
    /// Length of the file.
    pub bytes: u64,
}

/// A finished part.
#[derive(Debug, Clone)]
pub struct Part {
    /// The file.
    pub bytes: bytes::Bytes,
    /// The index of its words, if one was asked for.
    pub index: Option<Index>,
    /// What is in it.
    pub facts: PartFacts,
}
