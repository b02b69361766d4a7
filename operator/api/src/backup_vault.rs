//! `BackupVault`: where snapshots live ("bring your own storage").

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Condition, Placement, SecretKeyRef};
use crate::run_status::ProbeStatus;
pub use crate::storage::{AzureBlob, Gcs, ObjectLock, ObjectLockMode, S3, Volume};

/// A place for snapshots and the keys that open it.
#[derive(CustomResource, Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "orgkeep.dev",
    version = "v1alpha1",
    kind = "BackupVault",
    namespaced,
    status = "BackupVaultStatus",
    derive = "PartialEq",
    shortname = "bv",
    category = "orgkeep",
    doc = "A place where snapshots live, and the keys that open it.",
    cel,
    printcolumn(name = "Ready", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].status"#),
    printcolumn(name = "Reason", type_ = "string", json_path = r#".status.conditions[?(@.type=="Ready")].reason"#),
    printcolumn(name = "Recovery key", type_ = "string", json_path = r#".status.conditions[?(@.type=="RecoveryKey")].status"#),
    printcolumn(name = "Snapshots", type_ = "integer", json_path = ".status.snapshots"),
    printcolumn(name = "Bytes", type_ = "integer", json_path = ".status.bytes"),
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.accessMode"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Bucket", type_ = "string", json_path = ".spec.s3.bucket", priority = 1),
    printcolumn(name = "Container", type_ = "string", json_path = ".spec.azureBlob.container", priority = 1),
    printcolumn(name = "GCS Bucket", type_ = "string", json_path = ".spec.gcs.bucket", priority = 1),
    printcolumn(name = "Claim", type_ = "string", json_path = ".spec.volume.claimName", priority = 1),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 40 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("metadata.name must be at most 40 characters of a-z, 0-9 and '-', because the names of Jobs and pods are made from it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("[has(self.s3), has(self.azureBlob), has(self.gcs), has(self.volume)].filter(given, given).size() == 1").message("exactly one storage must be given: s3, azureBlob, gcs or volume"),
    validation = Rule::new("has(self.s3) == has(oldSelf.s3) && has(self.azureBlob) == has(oldSelf.azureBlob) && has(self.gcs) == has(oldSelf.gcs) && has(self.volume) == has(oldSelf.volume)").message("the storage cannot be changed; make a new BackupVault")
)]
pub struct BackupVaultSpec {
    /// An S3 bucket, or a prefix in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,
    /// A container of Azure Blob Storage, or a prefix in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_blob: Option<AzureBlob>,
    /// A bucket of Google Cloud Storage, or a prefix in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gcs: Option<Gcs>,
    /// A directory on a PersistentVolumeClaim (or, for `orgkeep run`, on this machine).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub volume: Option<Volume>,
    /// Who can open the vault.
    pub encryption: Encryption,
    /// Whether anything may be written.
    #[serde(default)]
    pub access_mode: AccessMode,
    /// The bounded view of the vault as Snapshot objects.
    #[serde(default)]
    pub catalog: Catalog,
    /// Where the short probe Jobs of this vault run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<Placement>,
}

/// Client-side encryption: off only when said so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.disabled != has(self.keySecretRef)").message("encryption needs keySecretRef; only disabled: true (and no keySecretRef) stores data in the clear"),
    validation = Rule::new("!self.disabled || !has(self.recipients) || self.recipients.size() == 0").message("recipients have no meaning with disabled: true"),
    validation = Rule::new("self.disabled == oldSelf.disabled").message("encryption cannot be switched on or off later; make a new BackupVault")
)]
pub struct Encryption {
    /// The cluster's key: 32 bytes as base64 (`head -c 32 /dev/urandom | base64`), an age identity, or the address of a
    /// key of AWS KMS (`aws-kms:arn:…`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_secret_ref: Option<SecretKeyRef>,
    /// age public keys (`age1…`) that can recover without the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 128), regex(pattern = r"^age1[0-9a-z]+$")))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub recipients: Vec<String>,
    /// Store data in the clear.
    #[serde(default)]
    pub disabled: bool,
}

/// What may be done with a vault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AccessMode {
    /// Read and write.
    #[default]
    ReadWrite,
    /// Only read: backups into it are refused.
    ReadOnly,
}

/// Snapshot objects are rebuilt from the vault in a new or damaged cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Catalog {
    /// How often the vault is probed and its catalog read.
    #[serde(default = "interval_minutes")]
    #[schemars(range(min = 1, max = 1440))]
    pub interval_minutes: i32,
    /// The newest so many snapshots of each line are shown as objects.
    #[serde(default = "keep")]
    #[schemars(range(min = 0, max = 1000))]
    pub keep: i32,
}

impl Default for Catalog {
    fn default() -> Self {
        Self { interval_minutes: interval_minutes(), keep: keep() }
    }
}

fn interval_minutes() -> i32 {
    15
}

fn keep() -> i32 {
    100
}

/// What is known of the vault.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct BackupVaultStatus {
    /// `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready`, `RecoveryKey`; `Reconciling` and `Stalled` while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The vault's own id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub vault_id: Option<String>,
    /// Committed snapshots in all lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshots: Option<i64>,
    /// Bytes that their files take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
    /// When the vault was last verified, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_verified: Option<String>,
    /// Public half of the key that signs manifests, as first seen: another one is refused from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub signing_key: Option<String>,
    /// Lines whose data is to be deleted after a grace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["lineId".into()]))]
    pub pending_deletions: Vec<PendingDeletion>,
    /// The probe's book-keeping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeStatus>,
}

/// A line whose data is to be deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingDeletion {
    /// The line.
    #[schemars(length(max = 64))]
    pub line_id: String,
    /// When it becomes final, RFC 3339, UTC.
    #[schemars(length(max = 64))]
    pub due: String,
}
