//! `holds.json`: legal holds. What is held is neither retired nor erased, whatever the rules say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{Result, VaultError};
use crate::layout::{self, FORMAT_VERSION};
use crate::line::Line;
use crate::state::check_version;
use crate::storage::{StorageErrorKind, Version};
use crate::vault::TRIES;

/// Somebody's word that snapshots stay.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Hold {
    /// What it is called, once in a line.
    pub name: String,
    /// Why.
    pub reason: String,
    /// Numbers of the snapshots; none: all of the line, those to come included.
    pub snapshots: Vec<u64>,
    /// Since when.
    pub added_at: Timestamp,
}

impl Hold {
    /// Whether it holds a snapshot.
    pub fn covers(&self, seq: u64) -> bool {
        self.snapshots.is_empty() || self.snapshots.contains(&seq)
    }
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct HoldsDocument {
    format_version: u32,
    line_id: String,
    holds: Vec<Hold>,
}

impl Line {
    /// The holds of the line.
    pub async fn holds(&self) -> Result<Vec<Hold>> {
        Ok(self.read_holds().await?.0)
    }

    async fn read_holds(&self) -> Result<(Vec<Hold>, Option<Version>)> {
        let path = layout::holds(self.id());
        let Some((document, version)) = self.vault().read_mutable::<HoldsDocument>(&path).await? else {
            return Ok((Vec::new(), None));
        };
        check_version(&path, document.format_version)?;
        if document.line_id != self.id() {
            return Err(VaultError::corrupted(path, "it belongs to another place"));
        }
        Ok((document.holds, Some(version)))
    }

    /// Holds snapshots (all of the line, if none is named). A snapshot that was retired and whose files still stand
    /// comes back with the next collection; one that is already being deleted is refused, by its number.
    pub async fn add_hold(&self, name: &str, reason: &str, snapshots: &[u64]) -> Result<Hold> {
        layout::name(name)?;
        let deletions = self.deletions().await?;
        for &seq in snapshots {
            match deletions.get(seq) {
                Some(retired) if !retired.sweeping && !retired.void => {}
                _ => drop(self.manifest(&seq.to_string()).await?),
            }
        }
        let hold = Hold {
            name: name.to_owned(),
            reason: reason.to_owned(),
            snapshots: snapshots.to_vec(),
            added_at: Timestamp::now(),
        };
        self.change_holds(|holds| {
            holds.retain(|known| known.name != name);
            holds.push(hold.clone());
            Ok(())
        })
        .await?;
        // A collection that began to delete before it could see the hold says so in its own document.
        let deletions = self.deletions().await?;
        let late = snapshots.iter().find(|seq| match deletions.get(**seq) {
            Some(retired) => retired.sweeping,
            None => deletions.has(**seq),
        });
        match late {
            Some(seq) => Err(VaultError::SnapshotNotFound(format!(
                "{}/{seq}: it is being deleted; hold {name:?} keeps the others",
                self.id()
            ))),
            None => Ok(hold),
        }
    }

    /// Lifts a hold; whether there was one of that name.
    pub async fn remove_hold(&self, name: &str) -> Result<bool> {
        let mut found = false;
        self.change_holds(|holds| {
            found = holds.iter().any(|hold| hold.name == name);
            holds.retain(|hold| hold.name != name);
            Ok(())
        })
        .await?;
        Ok(found)
    }

    async fn change_holds(&self, mut change: impl FnMut(&mut Vec<Hold>) -> Result<()>) -> Result<()> {
        let path = layout::holds(self.id());
        for _ in 0..TRIES {
            let (mut holds, version) = self.read_holds().await?;
            change(&mut holds)?;
            let document =
                HoldsDocument { format_version: FORMAT_VERSION, line_id: self.id().to_owned(), holds };
            match self.vault().replace(&path, version.as_ref(), &document).await {
                Err(VaultError::Storage(error)) if error.kind == StorageErrorKind::Conflict => {}
                other => return other.map(drop),
            }
        }
        Err(VaultError::LineBusy {
            line: self.id().to_owned(),
            run: "of others, who change its holds,".to_owned(),
            until: "they are done".to_owned(),
        })
    }
}
