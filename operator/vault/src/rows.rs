//! Between parts in the vault and the codec: keys, checks, rows.

use orgkeep_core::id::SalesforceId;
use tokio::runtime::Handle;

use crate::attempt::Attempt;
use crate::codec::{self, PartKey, check_part};
use crate::error::{Result, VaultError};
use crate::keys::DataKey;
use crate::manifest::Manifest;
use crate::read::rows::Opened;
use crate::read::{PartRef, Rows};
use crate::state::{IdRange, Part};
use crate::vault::Vault;

impl DataKey {
    /// The key as the codec takes it; `None` in a vault without encryption.
    pub fn part_key(&self) -> Option<PartKey> {
        self.bytes().map(|key| PartKey::new(key, self.footer_metadata()))
    }
}

impl Attempt {
    /// Writes a part that the codec made.
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
        self.put_part(object, name, part.bytes, part.facts.rows, key, ids).await
    }
}

impl Vault {
    /// Compares a part with its digest, decrypts it, decodes every row and holds it against its hash; the rows.
    pub async fn check(&self, part: &Part) -> Result<u64> {
        let key = self.open_key(part)?.part_key();
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
            check_part(bytes, key.as_ref()).map_err(|error| wrong(error.to_string()))
        });
        match checked.await {
            Ok(checked) => Ok(checked?.rows),
            Err(error) => Err(VaultError::internal(error.to_string())),
        }
    }

    /// The rows of an object at a snapshot. Reading them blocks: do it where that is allowed
    /// (`tokio::task::spawn_blocking`).
    pub async fn rows(
        &self,
        manifest: &Manifest,
        object: &str,
        fields: Option<&[String]>,
    ) -> Result<Rows<impl FnMut(&PartRef) -> Opened + Send + use<>>> {
        let state = self.state(manifest, object).await?;
        let mut parts = Vec::new();
        for part in &state.parts {
            let min_id = self.ids(part)?.and_then(|ids| SalesforceId::parse(&ids.min).ok());
            parts.push(PartRef { path: part.path.clone(), min_id });
        }
        let vault = self.clone();
        let runtime = Handle::current();
        let known = state.parts;
        let opener = move |wanted: &PartRef| -> Opened {
            let part = known
                .iter()
                .find(|part| part.path == wanted.path)
                .ok_or_else(|| VaultError::corrupted(&wanted.path, "the state does not name it"))?;
            let bytes = runtime.block_on(vault.storage().get(&part.path)).map_err(VaultError::from)?;
            if crate::digest::sha256(&bytes) != part.sha256 {
                return Err(VaultError::corrupted(&part.path, "its digest is not the state's").into());
            }
            Ok((bytes, vault.open_key(part)?.part_key()))
        };
        Rows::new(&state.schema, fields, parts, opener).map_err(|error| VaultError::ObjectNotFound {
            snapshot: format!("{}/{}", manifest.line_id, manifest.seq),
            object: error.to_string(),
        })
    }
}
