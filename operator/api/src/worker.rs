//! What the operator tells a worker: the **job description**, a JSON document without any secret, and where a
//! worker's pod finds it and the Secrets that it names.
//!
//! Secrets go by convention, not by value: each Secret that the description's specs refer to is mounted whole
//! at [`SECRETS_DIR`]`/<secret>/` (optional, so that a missing one is the worker's to report), each ConfigMap at
//! [`CONFIGMAPS_DIR`]`/<configmap>/`, a volume vault's claim at [`VAULT_DIR`].
//!
//! A worker serves `GET /progress` ([`orgkeep_core::run::Progress`] as JSON) on
//! [`orgkeep_core::run::PROGRESS_PORT`] and leaves an [`orgkeep_core::run::Outcome`] as its termination message.
//! [`Task::ProbeVault`] also serves a [`Catalog`] at `GET /result` once it knows it (404 before), and ends when
//! that was fetched, at the latest 60 s later.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use orgkeep_core::run::{Completeness, Counts};
use serde::{Deserialize, Serialize};

use crate::backup_vault::BackupVaultSpec;
use crate::common::{ConfigMapKeyRef, SecretKeyRef};
use crate::salesforce_backup::{Retention, Scope, Search};
use crate::salesforce_connection::SalesforceConnectionSpec;
use crate::snapshot::Mode;

/// Version of [`JobDescription`] that this code writes and reads.
pub const FORMAT_VERSION: u32 = 1;
/// Directory of the job description in a worker's pod.
pub const JOB_DIR: &str = "/etc/orgkeep/job";
/// Name of the job description's file, and of its key in the ConfigMap.
pub const JOB_KEY: &str = "job.json";
/// The job description in a worker's pod.
pub const JOB_FILE: &str = "/etc/orgkeep/job/job.json";
/// Below it, each referenced Secret as a directory with a file for each key.
pub const SECRETS_DIR: &str = "/etc/orgkeep/secrets";
/// Below it, each referenced ConfigMap as a directory with a file for each key.
pub const CONFIGMAPS_DIR: &str = "/etc/orgkeep/configmaps";
/// Where a volume vault's claim is mounted.
pub const VAULT_DIR: &str = "/vault";
/// Where a worker may write scratch files.
pub const SCRATCH_DIR: &str = "/tmp";
/// A worker ends itself so much before its Job's `activeDeadlineSeconds`, seconds.
pub const DEADLINE_MARGIN_SECONDS: u32 = 300;
/// Environment variable with a pod's index in an Indexed Job, which Kubernetes sets; absent otherwise.
pub const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// Key of the access key id in `s3.credentialsSecretRef`.
pub const S3_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// Key of the secret access key in `s3.credentialsSecretRef`.
pub const S3_SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// Key of the session token in `s3.credentialsSecretRef`, if it is a temporary one.
pub const S3_SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// Key of the account's key in `azureBlob.credentialsSecretRef`.
pub const AZURE_ACCOUNT_KEY: &str = "AZURE_STORAGE_ACCOUNT_KEY";
/// Key of a shared access signature in `azureBlob.credentialsSecretRef`.
pub const AZURE_SAS_TOKEN: &str = "AZURE_STORAGE_SAS_TOKEN";
/// Key of the directory's id in `azureBlob.credentialsSecretRef`.
pub const AZURE_TENANT_ID: &str = "AZURE_TENANT_ID";
/// Key of the app's id in `azureBlob.credentialsSecretRef`.
pub const AZURE_CLIENT_ID: &str = "AZURE_CLIENT_ID";
/// Key of the app's secret in `azureBlob.credentialsSecretRef`.
pub const AZURE_CLIENT_SECRET: &str = "AZURE_CLIENT_SECRET";
/// Key of a service account's key in `gcs.credentialsSecretRef`.
pub const GCS_SERVICE_ACCOUNT_KEY: &str = "GOOGLE_SERVICE_ACCOUNT_KEY";

/// What one worker Job is to do. The file is the same for all pods of the Job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobDescription {
    /// [`FORMAT_VERSION`]; a worker refuses others.
    pub format_version: u32,
    /// Seconds from the pod's start after which the worker stops cleanly (exit 75); less than the Job's
    /// `activeDeadlineSeconds`.
    pub deadline_seconds: u32,
    /// Pods that share the task; above 1 [`INDEX_VARIABLE`] says which one this is.
    pub parallelism: u32,
    /// The task.
    pub task: Task,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "PascalCase", rename_all_fields = "camelCase")]
pub enum Task {
    /// Back an org up: the outcome carries `snapshot`, `counts`, `completeness`, `failures`, `org`, `usage`,
    /// `vault`.
    Backup(Box<BackupTask>),
    /// Sign in to an org and look at it: the outcome carries `org` and `usage`.
    ProbeConnection(Box<ProbeConnectionTask>),
    /// Open (or, if it may be written, make) a vault and list its snapshots: the outcome carries `vault`, and
    /// `/result` serves a [`Catalog`].
    ProbeVault(Box<ProbeVaultTask>),
    /// Read the record of a run whose last word was missed: the outcome is that of the run, or
    /// `Failed/WorkerLost` where there is none.
    ReadRecord(Box<ReadRecordTask>),
}

impl Task {
    /// The word of [`Task`]'s tag.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Backup(_) => "Backup",
            Self::ProbeConnection(_) => "ProbeConnection",
            Self::ProbeVault(_) => "ProbeVault",
            Self::ReadRecord(_) => "ReadRecord",
        }
    }
}

/// One backup run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BackupTask {
    /// UID of the namespace `kube-system`, or what the operator was told; `local` for `orgkeep run`.
    pub cluster: String,
    /// Namespace of the objects.
    pub namespace: String,
    /// Name of the SalesforceBackup.
    pub backup_name: String,
    /// Name of the Snapshot object.
    pub snapshot_name: String,
    /// The run in the vault. Jobs that follow each other in one run (after a stop at the deadline) share it, so
    /// that the later one goes on from the journal of the earlier.
    pub run_id: String,
    /// 1 for the run's first Job.
    pub attempt: u32,
    /// Name of the SalesforceConnection.
    pub connection_name: String,
    /// The org.
    pub connection: SalesforceConnectionSpec,
    /// Id of the org that the connection's last probe met, if there was one: another one is `OrgChanged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
    /// Name of the BackupVault.
    pub vault_name: String,
    /// The vault.
    pub vault: BackupVaultSpec,
    /// Public signing key that the vault had before, base64: another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// Line to go on with; it must exist. `None`: the line that `cluster`, `namespace` and `backup_name` had in
    /// the vault, else a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_id: Option<String>,
    /// How much to read.
    pub mode: Mode,
    /// What to read.
    pub scope: Scope,
    /// The search index.
    pub search: Search,
    /// How often everything is read again, days.
    pub full_every_days: u32,
    /// What is kept of older snapshots.
    #[serde(default, skip_serializing_if = "Retention::is_unlimited")]
    pub retention: Retention,
    /// Calls that this worker (each pod of it) may have in flight at a time.
    pub calls_in_flight: u32,
}

/// A look at an org.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeConnectionTask {
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the SalesforceConnection.
    pub connection_name: String,
    /// The org.
    pub connection: SalesforceConnectionSpec,
    /// Id of the org that an earlier probe met: another one is `OrgChanged`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org_id: Option<String>,
}

/// A look at a vault.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProbeVaultTask {
    /// Namespace of the object.
    pub namespace: String,
    /// Name of the BackupVault.
    pub vault_name: String,
    /// The vault.
    pub vault: BackupVaultSpec,
    /// Public signing key that the vault had before, base64: another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// The newest so many snapshots of each line belong into the [`Catalog`].
    pub catalog_keep: u32,
}

/// A look at the record of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadRecordTask {
    /// Namespace of the objects.
    pub namespace: String,
    /// Name of the BackupVault.
    pub vault_name: String,
    /// The vault.
    pub vault: BackupVaultSpec,
    /// Public signing key that the vault had before, base64: another one is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing_key: Option<String>,
    /// Line of the run; `None` when it is not known: then the one that these three name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_id: Option<String>,
    /// As in [`BackupTask`].
    pub cluster: String,
    /// As in [`BackupTask`].
    pub backup_name: String,
    /// The run.
    pub run_id: String,
}

/// A vault's newest snapshots: what `/result` serves to a [`Task::ProbeVault`]'s operator.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    /// The newest of each line, in any order.
    pub snapshots: Vec<CatalogEntry>,
}

/// One snapshot in a vault, as its manifest tells it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CatalogEntry {
    /// Line.
    pub line_id: String,
    /// Snapshot in the line.
    pub snapshot_id: String,
    /// Cluster of the SalesforceBackup that the line belongs to.
    pub cluster: String,
    /// Namespace of that SalesforceBackup.
    pub namespace: String,
    /// Name of that SalesforceBackup.
    pub backup_name: String,
    /// Name of the Snapshot object that the run was for.
    pub snapshot_name: String,
    /// `Succeeded` or `PartiallySucceeded`.
    pub phase: String,
    /// RFC 3339, UTC.
    pub start_time: String,
    /// RFC 3339, UTC.
    pub completion_time: String,
    /// `sha256:…` of the manifest.
    pub manifest_digest: String,
    /// Bytes of the files that it added.
    pub size_bytes: u64,
    /// What was counted.
    pub counts: Counts,
    /// Expected against captured.
    pub completeness: Completeness,
    /// Calls made to the org.
    pub api_calls: u64,
}

/// File of a Secret's key below `root` ([`SECRETS_DIR`] in a pod).
pub fn secret_file(root: &Path, secret: &SecretKeyRef) -> PathBuf {
    root.join(&secret.name).join(&secret.key)
}

/// File of a ConfigMap's key below `root` ([`CONFIGMAPS_DIR`] in a pod).
pub fn configmap_file(root: &Path, configmap: &ConfigMapKeyRef) -> PathBuf {
    root.join(&configmap.name).join(&configmap.key)
}

/// What a pod has to mount for a task.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mounts {
    /// Names of Secrets.
    pub secrets: BTreeSet<String>,
    /// Names of ConfigMaps.
    pub configmaps: BTreeSet<String>,
    /// Name of a volume vault's claim.
    pub claim: Option<String>,
}

impl Mounts {
    fn add_connection(&mut self, connection: &SalesforceConnectionSpec) {
        self.secrets.extend(connection.auth.secret_refs().into_iter().map(|secret| secret.name.clone()));
        self.configmaps.extend(connection.ca_bundle_ref.iter().map(|bundle| bundle.name.clone()));
    }

    fn add_vault(&mut self, vault: &BackupVaultSpec) {
        self.secrets.extend(vault.encryption.key_secret_ref.iter().map(|key| key.name.clone()));
        let clouds = [
            vault.s3.as_ref().map(|s3| (&s3.credentials_secret_ref, &s3.ca_bundle_ref)),
            vault.azure_blob.as_ref().map(|azure| (&azure.credentials_secret_ref, &azure.ca_bundle_ref)),
            vault.gcs.as_ref().map(|gcs| (&gcs.credentials_secret_ref, &gcs.ca_bundle_ref)),
        ];
        for (credentials, bundle) in clouds.into_iter().flatten() {
            self.secrets.extend(credentials.iter().map(|secret| secret.name.clone()));
            self.configmaps.extend(bundle.iter().map(|bundle| bundle.name.clone()));
        }
        if let Some(volume) = &vault.volume {
            self.claim.clone_from(&volume.claim_name);
        }
    }
}

impl Task {
    /// What a pod has to mount for this task. `writeAuth` is left out: no task of this version writes to an org.
    pub fn mounts(&self) -> Mounts {
        let mut mounts = Mounts::default();
        match self {
            Self::Backup(task) => {
                mounts.add_connection(&task.connection);
                mounts.add_vault(&task.vault);
            }
            Self::ProbeConnection(task) => mounts.add_connection(&task.connection),
            Self::ProbeVault(task) => mounts.add_vault(&task.vault),
            Self::ReadRecord(task) => mounts.add_vault(&task.vault),
        }
        mounts
    }
}
