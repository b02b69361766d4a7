//! Views over all lines: facts of the vault, its newest snapshots, one snapshot by what a person calls it.

use orgkeep_core::run::VaultFacts;

use crate::error::{Result, VaultError};
use crate::manifest::Manifest;
use crate::vault::Vault;

impl Vault {
    /// What a vault's status shows.
    pub async fn facts(&self) -> Result<VaultFacts> {
        let mut facts = VaultFacts {
            vault_id: self.id().to_owned(),
            signing_key: self.signing_key().to_owned(),
            recovery_recipients: self.recovery_recipients(),
            ..VaultFacts::default()
        };
        for line in self.lines().await? {
            if let Some(latest) = line.latest().await? {
                let deletions = line.deletions().await?;
                facts.snapshots += latest.totals.snapshots.saturating_sub(deletions.snapshots());
                facts.bytes += latest.totals.bytes.saturating_sub(deletions.gone.bytes);
            }
        }
        Ok(facts)
    }

    /// The newest `keep` snapshots of each line, the newest first.
    pub async fn catalog(&self, keep: usize) -> Result<Vec<Manifest>> {
        let mut found = Vec::new();
        for line in self.lines().await? {
            found.extend(line.newest(keep).await?);
        }
        Ok(found)
    }

    /// A snapshot by `latest`, its id where that is unique, or `<line>/<id>`.
    pub async fn find_snapshot(&self, selector: &str) -> Result<Manifest> {
        let missing = || VaultError::SnapshotNotFound(selector.to_owned());
        if let Some((line, id)) = selector.split_once('/') {
            let line = self.line(line).await?;
            return match id {
                "latest" => line.latest().await?.ok_or_else(missing),
                id => line.manifest(id).await,
            };
        }
        let mut found = Vec::new();
        for line in self.lines().await? {
            match selector {
                "latest" => found.extend(line.latest().await?),
                id => match line.manifest(id).await {
                    Ok(manifest) => found.push(manifest),
                    Err(VaultError::SnapshotNotFound(_)) => {}
                    Err(error) => return Err(error),
                },
            }
        }
        if selector == "latest" {
            return found
                .into_iter()
                .max_by(|a, b| a.completion_time.cmp(&b.completion_time))
                .ok_or_else(missing);
        }
        match (found.pop(), found.as_slice()) {
            (Some(only), []) => Ok(only),
            (Some(last), others) => {
                let names: Vec<String> =
                    others.iter().chain([&last]).map(|m| format!("{}/{}", m.line_id, m.seq)).collect();
                Err(VaultError::SnapshotNotFound(format!("{selector}: say which of {}", names.join(", "))))
            }
            (None, _) => Err(missing()),
        }
    }
}
