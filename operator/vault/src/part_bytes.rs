//! A part's bytes for whoever reads rows: never without having been held against their digest.

use bytes::Bytes;

use crate::digest;
use crate::error::{Result, VaultError};
use crate::state::Part;
use crate::vault::Vault;

impl Vault {
    /// The bytes of a part, compared with the digest that the state names.
    pub async fn part_bytes(&self, part: &Part) -> Result<Bytes> {
        let bytes = self.storage().get(&part.path).await?;
        if digest::sha256(&bytes) == part.sha256 {
            Ok(bytes)
        } else {
            Err(VaultError::corrupted(&part.path, "its SHA-256 is not that of what was written"))
        }
    }
}
