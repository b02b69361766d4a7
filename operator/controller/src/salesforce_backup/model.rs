//! What a pass over a backup knows, and what it may decide.

use std::cmp::Reverse;

use jiff::Timestamp;
use kube::ResourceExt;
use orgkeep_api::salesforce_backup::SalesforceBackupStatus;
use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot, labels};
use orgkeep_core::run::Phase;

use super::reference::Found;
use crate::shared::Outcome;
use crate::shared::events::Note;

/// What was read.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The time.
    pub now: Timestamp,
    /// The backup.
    pub backup: SalesforceBackup,
    /// Its connection.
    pub connection: Found<SalesforceConnection>,
    /// Its vault.
    pub vault: Found<BackupVault>,
    /// Every Snapshot that refers to it.
    pub snapshots: Vec<Snapshot>,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The Snapshot to make.
    pub make: Option<Make>,
    /// The status, if that succeeds.
    pub status: SalesforceBackupStatus,
    /// What to tell besides what the status's changes tell.
    pub notes: Vec<Note>,
    /// When to look again.
    pub outcome: Outcome,
}

/// A Snapshot to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Make {
    /// Its name.
    pub name: String,
    /// The slot that it stands for.
    pub slot: Timestamp,
    /// What asked for it.
    pub origin: Origin,
}

/// What asked for a Snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The schedule.
    Schedule,
    /// `spec.runNow`.
    RunNow {
        /// The token.
        token: String,
    },
}

/// Whether this backup made a Snapshot.
pub fn is_made_by(snapshot: &Snapshot, backup: &SalesforceBackup) -> bool {
    let uid = snapshot.labels().get(labels::OWNER_UID);
    uid.is_some() && uid.cloned() == backup.uid()
}

/// Whether a Snapshot only shows what a vault has.
pub fn is_from_catalog(snapshot: &Snapshot) -> bool {
    snapshot.spec.snapshot_id.is_some()
}

/// The phase of a Snapshot; one that has none yet is `Pending`.
pub fn phase_of(snapshot: &Snapshot) -> Option<Phase> {
    match snapshot.status.as_ref().and_then(|status| status.phase.as_deref()) {
        None => Some(Phase::Pending),
        Some(word) => Phase::from_word(word),
    }
}

/// Whether a Snapshot is a run that has not ended.
pub fn is_active(snapshot: &Snapshot) -> bool {
    !is_from_catalog(snapshot) && !phase_of(snapshot).is_some_and(Phase::is_terminal)
}

/// The newest of some Snapshots.
pub fn newest<'a>(snapshots: impl Iterator<Item = &'a Snapshot>) -> Option<&'a Snapshot> {
    snapshots.min_by_key(|snapshot| {
        Reverse((snapshot.creation_timestamp().map(|time| time.0), snapshot.name_any()))
    })
}
