//! What a pass over a Snapshot knows, and what it may decide.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use orgkeep_api::snapshot::SnapshotStatus;
use orgkeep_api::{BackupVault, SalesforceBackup, SalesforceConnection, Snapshot};
use orgkeep_core::run::Progress;

use crate::salesforce_backup::reference::{self, Blocked, Found};
use crate::shared::Outcome;
use crate::shared::observe::{WorkerState, observe};
use crate::shared::worker_pod::Owner;

/// What was read.
#[derive(Debug, Clone)]
pub struct Observed {
    /// The time.
    pub now: Timestamp,
    /// The Snapshot.
    pub snapshot: Snapshot,
    /// What its Jobs belong to.
    pub owner: Owner,
    /// What it refers to.
    pub references: References,
    /// The Snapshot that has to end first; only looked for before a run.
    pub ahead: Option<String>,
    /// The Job that the status names.
    pub worker: Worker,
    /// The Job that reads a lost run's record.
    pub record: WorkerState,
    /// What the worker said.
    pub progress: Option<Progress>,
}

/// What a run needs.
#[derive(Debug, Clone)]
pub struct References {
    /// The backup.
    pub backup: Found<SalesforceBackup>,
    /// Its connection.
    pub connection: Found<SalesforceConnection>,
    /// Its vault.
    pub vault: Found<BackupVault>,
}

impl Default for References {
    fn default() -> Self {
        Self { backup: Found::Missing, connection: Found::Missing, vault: Found::Missing }
    }
}

/// All of what a run needs.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// The backup.
    pub backup: &'a SalesforceBackup,
    /// Its connection.
    pub connection: &'a SalesforceConnection,
    /// Its vault.
    pub vault: &'a BackupVault,
}

/// The Job that the status names.
#[derive(Debug, Clone, PartialEq)]
pub struct Worker {
    /// What has become of it.
    pub state: WorkerState,
    /// Whether Kubernetes ended it at `activeDeadlineSeconds`.
    pub past_deadline: bool,
    /// Since when it is suspended.
    pub suspended_since: Option<Timestamp>,
    /// When the newest of its pods was made or ended.
    pub pods_changed: Option<Timestamp>,
    /// Its uid.
    pub uid: Option<String>,
}

impl Default for Worker {
    fn default() -> Self {
        Self {
            state: WorkerState::Absent,
            past_deadline: false,
            suspended_since: None,
            pods_changed: None,
            uid: None,
        }
    }
}

impl Worker {
    /// Reads it.
    pub fn read(job: Option<&Job>, pods: &[Pod]) -> Self {
        let conditions = job.and_then(|job| job.status.as_ref()?.conditions.as_ref());
        let find = |type_: &str| {
            conditions.and_then(|all| all.iter().find(|one| one.type_ == type_ && one.status == "True"))
        };
        Self {
            state: observe(job, pods),
            past_deadline: find("Failed")
                .is_some_and(|end| end.reason.as_deref() == Some("DeadlineExceeded")),
            suspended_since: find("Suspended").and_then(|one| Some(one.last_transition_time.as_ref()?.0)),
            pods_changed: pods.iter().flat_map(changes).max(),
            uid: job.and_then(ResourceExt::uid),
        }
    }
}

fn changes(pod: &Pod) -> Vec<Timestamp> {
    let containers = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let ended = containers
        .into_iter()
        .flatten()
        .filter_map(|container| Some(container.state.as_ref()?.terminated.as_ref()?.finished_at.as_ref()?.0));
    ended.chain(pod.creation_timestamp().map(|time| time.0)).collect()
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The status; written before `act` is done.
    pub status: SnapshotStatus,
    /// What to do.
    pub act: Act,
    /// When to look again.
    pub outcome: Outcome,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing.
    Nothing,
    /// Make the Job that `status.run` names.
    Start,
    /// Make the Job that reads the run's record.
    ReadRecord,
    /// Suspend the Job: its pods get SIGTERM.
    Suspend,
    /// Delete what the run does not need any more.
    CleanUp {
        /// The Job, too: it must not go on.
        job: bool,
    },
}

impl Observed {
    /// The status as it was read.
    pub fn old(&self) -> SnapshotStatus {
        self.snapshot.status.clone().unwrap_or_default()
    }

    /// What the run needs, whether it is ready or not.
    pub fn resolved(&self) -> Result<Resolved<'_>, Blocked> {
        let References { backup, connection, vault } = &self.references;
        let name = self.snapshot.spec.backup_ref.as_ref().map_or("", |backup| backup.name.as_str());
        let backup = reference::present("SalesforceBackup", name, backup)?;
        let spec = &backup.spec;
        Ok(Resolved {
            backup,
            connection: reference::present("SalesforceConnection", &spec.connection_ref.name, connection)?,
            vault: reference::present("BackupVault", &spec.vault_ref.name, vault)?,
        })
    }

    /// The same, if all of it is ready.
    pub fn ready(&self) -> Result<Resolved<'_>, Blocked> {
        let resolved = self.resolved()?;
        let spec = &resolved.backup.spec;
        reference::connection(&spec.connection_ref.name, &self.references.connection)?;
        reference::vault(&spec.vault_ref.name, &self.references.vault)?;
        Ok(resolved)
    }

    /// Minutes that a pod may take to start, as seconds.
    pub fn start_deadline(&self) -> u64 {
        const DEFAULT_MINUTES: i32 = 15;
        let backup = self.references.backup.here();
        let minutes = backup.map_or(DEFAULT_MINUTES, |backup| backup.spec.worker.start_deadline_minutes);
        u64::try_from(minutes).unwrap_or(0) * 60
    }
}
