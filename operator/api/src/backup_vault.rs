//! `BackupVault`: where snapshots live ("bring your own storage").

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Condition, ConfigMapKeyRef, LocalRef, Placement, SecretKeyRef};
use crate::run_status::ProbeStatus;

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
    validation = Rule::new("has(self.s3) != has(self.volume)").message("exactly one storage must be given; this version knows s3 and volume"),
    validation = Rule::new("has(self.s3) == has(oldSelf.s3) && has(self.volume) == has(oldSelf.volume)").message("the storage cannot be changed; make a new BackupVault")
)]
pub struct BackupVaultSpec {
    /// An S3 bucket, or a prefix in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s3: Option<S3>,
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

/// An S3 bucket. Where it is cannot be changed; how it is reached can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.endpoint) || !self.endpoint.startsWith('http://') || self.insecure").message("an endpoint with http:// sends signatures in the clear: use https://, or say insecure: true for a store inside the cluster"),
    validation = Rule::new("has(self.endpoint) == has(oldSelf.endpoint) && (!has(self.endpoint) || self.endpoint == oldSelf.endpoint)").message("endpoint cannot be changed; make a new BackupVault")
)]
pub struct S3 {
    /// Name of the bucket.
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9][-a-z0-9.]*[a-z0-9]$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("bucket cannot be changed; make a new BackupVault"))]
    pub bucket: String,
    /// Everything is written below this prefix; no slash at either end.
    #[serde(default)]
    #[schemars(length(max = 512), regex(pattern = r"^([-._a-zA-Z0-9]+(/[-._a-zA-Z0-9]+)*)?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("prefix cannot be changed; make a new BackupVault"))]
    pub prefix: String,
    /// Region that requests are signed for.
    #[serde(default = "region")]
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// Server other than AWS, as a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^https?://[^@\s]+$"))]
    pub endpoint: Option<String>,
    /// Allow `http://` in `endpoint`.
    #[serde(default)]
    pub insecure: bool,
    /// Put the bucket in the path instead of the host name; most servers other than AWS want it.
    #[serde(default)]
    pub force_path_style: bool,
    /// Secret with the keys `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, if temporary,
    /// `AWS_SESSION_TOKEN`. Left out: the pod's own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<LocalRef>,
    /// Certificates to trust besides the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<ConfigMapKeyRef>,
    /// Keep what is written from being deleted, by S3 Object Lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_lock: Option<ObjectLock>,
}

fn region() -> String {
    "us-east-1".to_owned()
}

/// S3 Object Lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ObjectLock {
    /// Whether privileged users may lift it.
    pub mode: ObjectLockMode,
    /// How long an object stays locked.
    #[schemars(range(min = 1, max = 36_500))]
    pub days: i32,
}

/// Who may lift an Object Lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ObjectLockMode {
    /// Users with a special permission.
    Governance,
    /// Nobody.
    Compliance,
}

/// A directory on a volume.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.claimName) || has(self.path)").message("claimName (in a cluster) or path (for orgkeep run) must be given"),
    validation = Rule::new("!has(self.claimName) || !has(self.path) || !self.path.startsWith('/') && !self.path.matches('(^|/)[.][.](/|$)')").message("path on a claim must be relative and stay inside the claim"),
    validation = Rule::new("has(self.claimName) == has(oldSelf.claimName) && (!has(self.claimName) || self.claimName == oldSelf.claimName) && has(self.path) == has(oldSelf.path) && (!has(self.path) || self.path == oldSelf.path)").message("the volume cannot be changed; make a new BackupVault")
)]
pub struct Volume {
    /// PersistentVolumeClaim in this namespace; left out for `orgkeep run`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub claim_name: Option<String>,
    /// Directory on the claim; without a claim, a directory of this machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub path: Option<String>,
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
    /// The cluster's key: 32 bytes as base64 (`head -c 32 /dev/urandom | base64`), or an age identity.
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
