//! Between parts in the vault and the codec: keys, checks, rows.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use orgkeep_core::id::SalesforceId;
use tokio::runtime::Handle;

use crate::attempt::Attempt;
use crate::codec::{self, PartData, PartKey, Ranges, check_part};
use crate::digest::Running;
use crate::error::{Result, VaultError};
use crate::keys::DataKey;
use crate::manifest::Manifest;
use crate::read::{Batches, Keys, Opened, PartRef, Rows};
use crate::state::{IdRange, Part, State};
use crate::storage::Pieces;
use crate::vault::Vault;

/// How deep a check looks into a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// Every page is decrypted, and rows are counted.
    Pages,
    /// Every row is decoded and held against its hash.
    Rows,
}

/// Parts up to so many bytes are read whole: one request instead of several.
const WHOLE: u64 = 512 << 10;

impl DataKey {
    /// The key as the codec takes it; `None` in a vault without encryption.
    pub fn part_key(&self) -> Option<PartKey> {
        self.bytes().map(|key| PartKey::new(key, self.footer_metadata()))
    }
}

impl Attempt {
    /// Writes a part that the codec made, after its index where it has one.
    pub async fn put_encoded(
        &self,
        object: &str,
        name: &str,
        part: codec::Part,
        key: &DataKey,
    ) -> Result<Part> {
        let ids = part
            .facts
            .min_id
            .zip(part.facts.max_id)
            .map(|(min, max)| IdRange { min: min.to_string(), max: max.to_string() });
        let index = match &part.index {
            Some(index) => Some(self.put_index(object, name, index, key).await?),
            None => None,
        };
        Ok(Part { index, ..self.put_part(object, name, part.bytes, part.facts.rows, key, ids).await? })
    }
}

impl Vault {
    /// Compares a part with its digest, decrypts it, decodes every row and holds it against its hash; the rows.
    pub async fn check(&self, part: &Part) -> Result<u64> {
        self.check_to(part, Depth::Rows).await
    }

    /// Compares a part with its digest, and looks into it so deep; the rows.
    pub(crate) async fn check_to(&self, part: &Part, depth: Depth) -> Result<u64> {
        let key = self.open_key(part)?.part_key();
        if depth == Depth::Pages
            && let Some(key) = &key
            && part.footer.is_some()
            && part.size > WHOLE
        {
            return self.check_pages(part, key).await;
        }
        let bytes = self.storage().get(&part.path).await?;
        let part = part.clone();
        let checked = tokio::task::spawn_blocking(move || {
            let wrong = |why: String| VaultError::corrupted(&part.path, why);
            if bytes.len() as u64 != part.size {
                return Err(wrong(format!("it has {} bytes, {} were written", bytes.len(), part.size)));
            }
            if crate::digest::sha256(&bytes) != part.sha256 {
                return Err(wrong("its SHA-256 is not that of what was written".to_owned()));
            }
            let rows = match (depth, &key) {
                (Depth::Pages, Some(key)) => codec::authenticate(bytes, key),
                (Depth::Pages, None) => codec::check::part_rows(bytes, None),
                (Depth::Rows, key) => check_part(bytes, key.as_ref()).map(|check| check.rows),
            };
            rows.map_err(|error| wrong(error.to_string()))
        });
        checked.await.map_err(|error| VaultError::internal(error.to_string()))?
    }

    /// Hashes and decrypts a part as its bytes come, so that memory does not grow with it.
    async fn check_pages(&self, part: &Part, key: &PartKey) -> Result<u64> {
        let head = self.storage().head(&part.path).await?;
        if head != part.size {
            let why = format!("it has {head} bytes, {} were written", part.size);
            return Err(VaultError::corrupted(&part.path, why));
        }
        let (data, _) = self.open_part(part).await?;
        let (vault, part, key, runtime) = (self.clone(), part.clone(), key.clone(), Handle::current());
        let checked = tokio::task::spawn_blocking(move || {
            let wrong = |why: String| VaultError::corrupted(&part.path, why);
            let end = data.end();
            let mut pages = codec::Pages::new(data, &end, &key).map_err(|error| wrong(error.to_string()))?;
            let (mut digest, mut broken) = (Running::new(), None);
            let mut pieces = Pieces::open(vault.storage(), &part.path, part.size, runtime)?;
            while let Some(piece) = pieces.next()? {
                digest.update(piece);
                if broken.is_none() {
                    broken = pages.feed(piece).err();
                }
            }
            // The digest tells more: the file is not what was written, whatever its pages say.
            if digest.finish() != (part.size, part.sha256.clone()) {
                return Err(wrong("its SHA-256 is not that of what was written".to_owned()));
            }
            match broken {
                Some(error) => Err(wrong(error.to_string())),
                None => pages.finish().map_err(|error| wrong(error.to_string())),
            }
        });
        checked.await.map_err(|error| VaultError::internal(error.to_string()))?
    }

    /// The rows of an object at a snapshot. Reading them blocks: do it where that is allowed
    /// (`tokio::task::spawn_blocking`).
    pub async fn rows(
        &self,
        manifest: &Manifest,
        object: &str,
        fields: Option<&[String]>,
    ) -> Result<Rows<impl FnMut(&PartRef) -> Opened + Send + use<>>> {
        self.rows_of(manifest, object, fields, Keys::All).await
    }

    /// As [`Vault::rows`], of these keys only.
    pub async fn rows_of(
        &self,
        manifest: &Manifest,
        object: &str,
        fields: Option<&[String]>,
        keys: Keys,
    ) -> Result<Rows<impl FnMut(&PartRef) -> Opened + Send + use<>>> {
        let state = self.state(manifest, object).await?;
        let parts = self.part_refs(&state.parts)?;
        Rows::of(&state.schema, fields, keys, parts, self.opener(state.parts)).map_err(|error| {
            VaultError::ObjectNotFound {
                snapshot: format!("{}/{}", manifest.line_id, manifest.seq),
                object: error.to_string(),
            }
        })
    }

    /// The rows of a state as Arrow batches in its schema. Reading them blocks, too.
    pub fn batches(
        &self,
        state: &State,
        fields: Option<&[String]>,
        keys: Keys,
    ) -> Result<Batches<impl FnMut(&PartRef) -> Opened + Send + use<>>> {
        let parts = self.part_refs(&state.parts)?;
        Batches::new(&state.schema, fields, keys, parts, self.opener(state.parts.clone())).map_err(|error| {
            VaultError::ObjectNotFound { snapshot: state.run_id.clone(), object: error.to_string() }
        })
    }

    /// Parts as a reading names them.
    pub(crate) fn part_refs(&self, parts: &[Part]) -> Result<Vec<PartRef>> {
        parts
            .iter()
            .map(|part| {
                let ids = self.ids(part)?;
                let id = |text: &String| SalesforceId::parse(text).ok();
                let (min_id, max_id) = ids.map_or((None, None), |ids| (id(&ids.min), id(&ids.max)));
                Ok(PartRef { path: part.path.clone(), min_id, max_id })
            })
            .collect()
    }

    /// Opens these parts for a reading; must be called within a runtime, and what it returns outside of async code.
    pub(crate) fn opener(&self, parts: Vec<Part>) -> impl FnMut(&PartRef) -> Opened + Send + use<> {
        let (vault, runtime) = (self.clone(), Handle::current());
        let known: HashMap<String, Part> = parts.into_iter().map(|part| (part.path.clone(), part)).collect();
        move |wanted: &PartRef| {
            let part = known
                .get(&wanted.path)
                .ok_or_else(|| VaultError::corrupted(&wanted.path, "the state does not name it"))?;
            Ok(runtime.block_on(vault.open_part(part))?)
        }
    }

    /// A part for reading: its end, held against the digest of its footer, or where that was not noted all of it,
    /// held against the digest of the file.
    pub(crate) async fn open_part(&self, part: &Part) -> Result<(PartData, Option<PartKey>)> {
        let key = self.open_key(part)?.part_key();
        let Some(footer) = part.footer.as_ref().filter(|_| key.is_some() && part.size > WHOLE) else {
            return Ok((self.part_bytes(part).await?.into(), key));
        };
        let start = part.size.saturating_sub(footer.size);
        let end = self.storage().get_range(&part.path, start..part.size).await?;
        if crate::digest::sha256(&end) != footer.sha256 {
            return Err(VaultError::corrupted(&part.path, "its footer is not what was written"));
        }
        let file = Stored { vault: self.clone(), path: part.path.clone(), runtime: Handle::current() };
        Ok((PartData::Ranges { size: part.size, end, file: Arc::new(file) }, key))
    }
}

/// A part in the storage.
struct Stored {
    vault: Vault,
    path: String,
    runtime: Handle,
}

impl Ranges for Stored {
    fn read(&self, range: Range<u64>) -> std::io::Result<Bytes> {
        let read = self.vault.storage().get_range(&self.path, range);
        self.runtime.block_on(read).map_err(std::io::Error::other)
    }
}
