//! What several kinds share: references, where a worker runs, conditions.
//!
//! Every string and list has a bound, so that the cost of the CEL rules can be computed by the API server and
//! no object grows past what etcd takes.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ResourceRequirements, Toleration};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// A key in a Secret of the object's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// Key in the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

/// A key in a ConfigMap of the object's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConfigMapKeyRef {
    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
    /// Key in the ConfigMap: PEM certificates.
    #[serde(default = "ca_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn ca_key() -> String {
    "ca.crt".to_owned()
}

/// An object of a known kind in the same namespace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalRef {
    /// Its name.
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub name: String,
}

impl LocalRef {
    /// A reference to `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }
}

/// Where worker pods run, under which account, with what resources.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// ServiceAccount of the pods in this namespace (for workload identity); the operator's default otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub service_account_name: Option<String>,
    /// Requests and limits; what is left out is 100m CPU and 128Mi requested, 512Mi of memory as the limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Labels of the nodes to run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 32))]
    pub node_selector: Option<BTreeMap<String, String>>,
    /// Taints to tolerate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub tolerations: Option<Vec<Toleration>>,
}

/// The workers of a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkerSpec {
    /// Pods that share one run; one outruns what most orgs serve.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 32))]
    pub parallelism: i32,
    /// A run that takes longer stops cleanly, and the next worker goes on from its journal.
    #[serde(default = "deadline_minutes")]
    #[schemars(range(min = 10, max = 10_080))]
    pub deadline_minutes: i32,
    /// A pod that has not started by then fails the run.
    #[serde(default = "start_deadline_minutes")]
    #[schemars(range(min = 1, max = 1440))]
    pub start_deadline_minutes: i32,
    /// Where the pods run.
    #[serde(flatten)]
    pub placement: Placement,
}

impl Default for WorkerSpec {
    fn default() -> Self {
        Self {
            parallelism: one(),
            deadline_minutes: deadline_minutes(),
            start_deadline_minutes: start_deadline_minutes(),
            placement: Placement::default(),
        }
    }
}

fn one() -> i32 {
    1
}

fn deadline_minutes() -> i32 {
    720
}

fn start_deadline_minutes() -> i32 {
    15
}

/// The condition types that statuses use.
pub mod condition {
    /// The object does what it is for.
    pub const READY: &str = "Ready";
    /// Work is under way towards `Ready`; only present while true.
    pub const RECONCILING: &str = "Reconciling";
    /// It cannot go on without a person; only present while true.
    pub const STALLED: &str = "Stalled";
    /// The org lets us in.
    pub const CONNECTED: &str = "Connected";
    /// The org's user may read what a backup needs.
    pub const PERMISSIONS_SUFFICIENT: &str = "PermissionsSufficient";
    /// Somebody besides the cluster can open the vault.
    pub const RECOVERY_KEY: &str = "RecoveryKey";
    /// The newest finished run succeeded.
    pub const BACKUP_SUCCEEDED: &str = "BackupSucceeded";
    /// All that `spec` asks for is carried out by this version.
    pub const SCOPE_COVERED: &str = "ScopeCovered";
    /// Older snapshots were kept and deleted as `spec.retention` asks.
    pub const RETENTION_APPLIED: &str = "RetentionApplied";
    /// The snapshot's files were read back and are what the manifest says.
    pub const VERIFIED: &str = "Verified";
}
