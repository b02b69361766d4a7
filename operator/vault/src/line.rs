//! A line: one org's history in a vault.

use futures::stream::{self, StreamExt, TryStreamExt};
use orgkeep_core::run::OrgFacts;
use serde::{Deserialize, Serialize};

use crate::error::{Result, VaultError};
use crate::journal::Run;
use crate::keys::envelope::random;
use crate::layout::{self, FORMAT_VERSION};
use crate::manifest::Manifest;
use crate::state::check_version;
use crate::storage::{StorageErrorKind, Version};
use crate::vault::{Vault, now};

/// Documents read at a time.
const IN_FLIGHT: usize = 8;

/// Whose line it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Owner {
    /// UID of the namespace `kube-system`; `local` for `orgkeep run`.
    pub cluster: String,
    /// Namespace of the SalesforceBackup.
    pub namespace: String,
    /// Its name.
    pub backup_name: String,
}

/// `line.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LineDocument {
    format_version: u32,
    kind: String,
    vault_id: String,
    line_id: String,
    created_at: String,
    org: OrgFacts,
    owner: Owner,
    /// Owners before this one, the oldest first.
    #[serde(default)]
    former_owners: Vec<Owner>,
}

/// `epoch.json`: how often a collection swept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct EpochDocument {
    format_version: u32,
    epoch: u64,
}

/// A line of an opened vault.
#[derive(Debug, Clone)]
pub struct Line {
    vault: Vault,
    document: LineDocument,
    version: Version,
}

impl Vault {
    /// All lines, by id.
    pub async fn lines(&self) -> Result<Vec<Line>> {
        let mut names = self.storage().list_folders(layout::LINES).await?;
        names.sort();
        let found: Vec<Option<Line>> = stream::iter(names)
            .map(|name| async move { self.try_line(&name).await })
            .buffered(IN_FLIGHT)
            .try_collect()
            .await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The line that this backup had in the vault; the oldest, should there be several.
    pub async fn find_line(&self, owner: &Owner) -> Result<Option<Line>> {
        let mut lines = self.lines().await?;
        lines.retain(|line| line.document.owner == *owner);
        lines.sort_by(|a, b| {
            (&a.document.created_at, &a.document.line_id).cmp(&(&b.document.created_at, &b.document.line_id))
        });
        Ok(lines.into_iter().next())
    }

    /// A line by its id.
    pub async fn line(&self, id: &str) -> Result<Line> {
        let found = match layout::name(id) {
            Ok(id) => self.try_line(id).await?,
            Err(_) => None,
        };
        found.ok_or_else(|| VaultError::LineNotFound(id.to_owned()))
    }

    async fn try_line(&self, id: &str) -> Result<Option<Line>> {
        let path = layout::line_document(id);
        let Some((document, version)) = self.read_mutable::<LineDocument>(&path).await? else {
            return Ok(None);
        };
        check_version(&path, document.format_version)?;
        if document.vault_id != self.id() || document.line_id != id {
            return Err(VaultError::corrupted(path, "it belongs to another place"));
        }
        Ok(Some(Line { vault: self.clone(), document, version }))
    }

    /// Begins a line.
    pub async fn create_line(&self, owner: &Owner, org: &OrgFacts) -> Result<Line> {
        let line_id = format!("l-{}", hex::encode(random::<8>()?));
        let document = LineDocument {
            format_version: FORMAT_VERSION,
            kind: "line".to_owned(),
            vault_id: self.id().to_owned(),
            line_id: line_id.clone(),
            created_at: now(),
            org: org.clone(),
            owner: owner.clone(),
            former_owners: Vec::new(),
        };
        self.put_epoch(&line_id).await?;
        let version = self.replace(&layout::line_document(&line_id), None, &document).await?;
        tracing::info!(line = line_id, org = org.id, "began a line");
        Ok(Line { vault: self.clone(), document, version })
    }
}

impl Vault {
    /// The document of a line again, as its newest manifest tells it; former owners are forgotten.
    pub(crate) async fn put_line_again(&self, line: &str, newest: &Manifest) -> Result<()> {
        let path = layout::line_document(line);
        let document = LineDocument {
            format_version: FORMAT_VERSION,
            kind: "line".to_owned(),
            vault_id: self.id().to_owned(),
            line_id: line.to_owned(),
            created_at: newest.start_time.clone(),
            org: newest.org.clone(),
            owner: newest.owner.clone(),
            former_owners: Vec::new(),
        };
        let there = self.storage().read_mutable(&path).await?;
        self.replace(&path, there.as_ref().map(|(_, version)| version), &document).await.map(drop)
    }

    /// The count of sweeps of a line that has none.
    pub(crate) async fn put_epoch(&self, line: &str) -> Result<()> {
        let epoch = EpochDocument { format_version: FORMAT_VERSION, epoch: 0 };
        self.replace(&layout::epoch(line), None, &epoch).await.map(drop)
    }
}

impl Line {
    /// How often a collection swept the line.
    pub async fn epoch(&self) -> Result<u64> {
        let path = layout::epoch(self.id());
        Ok(self.vault.read_mutable::<EpochDocument>(&path).await?.map_or(0, |(document, _)| document.epoch))
    }

    /// Counts a sweep that is about to begin; the new count.
    pub(crate) async fn raise_epoch(&self) -> Result<u64> {
        let path = layout::epoch(self.id());
        let there = self.vault.read_mutable::<EpochDocument>(&path).await?;
        let epoch = there.as_ref().map_or(0, |(document, _)| document.epoch) + 1;
        let document = EpochDocument { format_version: FORMAT_VERSION, epoch };
        self.vault.replace(&path, there.as_ref().map(|(_, version)| version), &document).await?;
        Ok(epoch)
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.document.line_id
    }

    /// Whose it is.
    pub fn owner(&self) -> &Owner {
        &self.document.owner
    }

    /// The org as it was when the line began.
    pub fn org(&self) -> &OrgFacts {
        &self.document.org
    }

    /// The vault that it is in.
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Refuses another org than the line's.
    pub fn check_org(&self, org: &OrgFacts) -> Result<()> {
        // 15 characters are the id, three more its checksum.
        let short = |id: &str| id.chars().take(15).collect::<String>();
        if short(&self.org().id) == short(&org.id) {
            return Ok(());
        }
        Err(VaultError::OrgChanged {
            line: self.id().to_owned(),
            was: self.org().id.clone(),
            is: org.id.clone(),
        })
    }

    /// Makes it the line of another backup, explicitly.
    pub async fn adopt(&mut self, owner: &Owner) -> Result<()> {
        if self.document.owner == *owner {
            return Ok(());
        }
        let mut document = self.document.clone();
        document.former_owners.push(std::mem::replace(&mut document.owner, owner.clone()));
        let path = layout::line_document(self.id());
        self.version =
            self.vault.replace(&path, Some(&self.version), &document).await.map_err(|e| match e {
                VaultError::Storage(error) if error.kind == StorageErrorKind::Conflict => {
                    VaultError::LineBusy {
                        line: document.line_id.clone(),
                        run: "another adoption".to_owned(),
                        until: "it is done".to_owned(),
                    }
                }
                other => other,
            })?;
        self.document = document;
        Ok(())
    }

    /// A run's journal in this line.
    pub fn run(&self, run_id: &str) -> Result<Run> {
        Run::new(self.clone(), run_id)
    }

    /// Numbers that are taken, lowest first, voids included.
    pub(crate) async fn numbers(&self) -> Result<Vec<u64>> {
        let mut numbers: Vec<u64> = self
            .vault
            .storage()
            .list(&layout::snapshots(self.id()))
            .try_filter_map(|entry| async move { Ok(layout::seq_of(&entry.path)) })
            .try_collect()
            .await?;
        numbers.sort_unstable();
        Ok(numbers)
    }

    /// A manifest or a void, checked, with what was erased since taken out of it.
    pub(crate) async fn read_number(&self, seq: u64) -> Result<Manifest> {
        self.vault.redacted(self.read_as_put(seq).await?).await
    }

    /// A manifest or a void as it was put, checked.
    pub(crate) async fn read_as_put(&self, seq: u64) -> Result<Manifest> {
        let bytes = self.vault.storage().get(&layout::snapshot(self.id(), seq)).await?;
        Manifest::read(&bytes, self.vault.id(), self.id(), seq, self.vault.signing_key())
    }

    /// Numbers that are not retired, lowest first, voids included. What is retired after this was read keeps its
    /// manifest for as long as a collection waits.
    pub(crate) async fn standing(&self) -> Result<Vec<u64>> {
        let mut numbers = self.numbers().await?;
        let deletions = self.deletions().await?;
        numbers.retain(|seq| !deletions.has(*seq));
        Ok(numbers)
    }

    /// All snapshots, the oldest first; those that were retired are none.
    pub async fn snapshots(&self) -> Result<Vec<Manifest>> {
        let manifests: Vec<Manifest> = stream::iter(self.standing().await?)
            .map(|seq| self.read_number(seq))
            .buffered(IN_FLIGHT)
            .try_collect()
            .await?;
        Ok(manifests.into_iter().filter(|manifest| !manifest.is_void()).collect())
    }

    /// The newest `keep` snapshots, the newest first.
    pub async fn newest(&self, keep: usize) -> Result<Vec<Manifest>> {
        let numbers: Vec<u64> = self.standing().await?.into_iter().rev().collect();
        stream::iter(numbers)
            .map(|seq| self.read_number(seq))
            .buffered(IN_FLIGHT.min(keep.max(1)))
            .try_filter(|manifest| std::future::ready(!manifest.is_void()))
            .take(keep)
            .try_collect()
            .await
    }

    /// The newest snapshot.
    pub async fn latest(&self) -> Result<Option<Manifest>> {
        Ok(self.newest(1).await?.pop())
    }

    /// A snapshot by its id.
    pub async fn manifest(&self, snapshot_id: &str) -> Result<Manifest> {
        let missing = || VaultError::SnapshotNotFound(format!("{}/{snapshot_id}", self.id()));
        let seq: u64 = snapshot_id.parse().map_err(|_| missing())?;
        match self.read_number(seq).await {
            Ok(manifest) if manifest.is_void() => Err(missing()),
            Err(error) if error.is_not_found() => Err(missing()),
            Ok(_) if self.deletions().await?.has(seq) => Err(missing()),
            other => other,
        }
    }
}
