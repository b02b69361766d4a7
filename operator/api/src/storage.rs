//! Where a vault lies: storage of the user's own.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{ConfigMapKeyRef, LocalRef};

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

/// A container of Azure Blob Storage. Where it is cannot be changed; how it is reached can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.endpoint) || !self.endpoint.startsWith('http://') || self.insecure").message("an endpoint with http:// sends signatures in the clear: use https://, or say insecure: true for a store inside the cluster"),
    validation = Rule::new("has(self.endpoint) == has(oldSelf.endpoint) && (!has(self.endpoint) || self.endpoint == oldSelf.endpoint)").message("endpoint cannot be changed; make a new BackupVault")
)]
pub struct AzureBlob {
    /// Name of the storage account.
    #[schemars(length(min = 3, max = 24), regex(pattern = r"^[a-z0-9]+$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("account cannot be changed; make a new BackupVault"))]
    pub account: String,
    /// Name of the container.
    #[schemars(length(min = 3, max = 63), regex(pattern = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("container cannot be changed; make a new BackupVault"))]
    pub container: String,
    /// Everything is written below this prefix; no slash at either end.
    #[serde(default)]
    #[schemars(length(max = 512), regex(pattern = r"^([-._a-zA-Z0-9]+(/[-._a-zA-Z0-9]+)*)?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("prefix cannot be changed; make a new BackupVault"))]
    pub prefix: String,
    /// Server other than `https://<account>.blob.core.windows.net`, as a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^https?://[^@\s]+$"))]
    pub endpoint: Option<String>,
    /// Allow `http://` in `endpoint`.
    #[serde(default)]
    pub insecure: bool,
    /// Secret with the key `AZURE_STORAGE_ACCOUNT_KEY`, or `AZURE_STORAGE_SAS_TOKEN`, or the three keys
    /// `AZURE_TENANT_ID`, `AZURE_CLIENT_ID` and `AZURE_CLIENT_SECRET`. Left out: the pod's own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<LocalRef>,
    /// Certificates to trust besides the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<ConfigMapKeyRef>,
}

/// A bucket of Google Cloud Storage. Where it is cannot be changed; how it is reached can.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.endpoint) || !self.endpoint.startsWith('http://') || self.insecure").message("an endpoint with http:// sends tokens in the clear: use https://, or say insecure: true for a store inside the cluster"),
    validation = Rule::new("has(self.endpoint) == has(oldSelf.endpoint) && (!has(self.endpoint) || self.endpoint == oldSelf.endpoint)").message("endpoint cannot be changed; make a new BackupVault")
)]
pub struct Gcs {
    /// Name of the bucket.
    #[schemars(length(min = 3, max = 222), regex(pattern = r"^[a-z0-9][-a-z0-9_.]*[a-z0-9]$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("bucket cannot be changed; make a new BackupVault"))]
    pub bucket: String,
    /// Everything is written below this prefix; no slash at either end.
    #[serde(default)]
    #[schemars(length(max = 512), regex(pattern = r"^([-._a-zA-Z0-9]+(/[-._a-zA-Z0-9]+)*)?$"))]
    #[x_kube(validation = Rule::new("self == oldSelf").message("prefix cannot be changed; make a new BackupVault"))]
    pub prefix: String,
    /// Server other than `https://storage.googleapis.com`, as a URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^https?://[^@\s]+$"))]
    pub endpoint: Option<String>,
    /// Allow `http://` in `endpoint`.
    #[serde(default)]
    pub insecure: bool,
    /// Secret with the key `GOOGLE_SERVICE_ACCOUNT_KEY`: a service account's key, as the JSON that Google hands out.
    /// Left out: the pod's own identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_secret_ref: Option<LocalRef>,
    /// Certificates to trust besides the usual ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_bundle_ref: Option<ConfigMapKeyRef>,
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
