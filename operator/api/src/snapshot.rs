//! `Snapshot`: one point in time; made by a schedule, by a user as an on-demand backup, or from a vault's
//! catalog.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::{Condition, LocalRef};
use crate::run_status::{CompletenessStatus, CountsStatus, FailureStatus, ProgressStatus, RetentionStatus};

/// Which backup is to run, or which snapshot in which vault this object shows.
#[derive(CustomResource, Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "orgkeep.dev",
    version = "v1alpha1",
    kind = "Snapshot",
    namespaced,
    status = "SnapshotStatus",
    derive = "PartialEq",
    shortname = "sfsnap",
    category = "orgkeep",
    doc = "One point in time of an org. Deleting the object never deletes data.",
    cel,
    selectable = ".spec.backupRef.name",
    selectable = ".status.phase",
    printcolumn(name = "Phase", type_ = "string", json_path = ".status.phase"),
    printcolumn(name = "Backup", type_ = "string", json_path = ".spec.backupRef.name"),
    printcolumn(name = "%", type_ = "integer", json_path = ".status.progress.percent"),
    printcolumn(name = "Records", type_ = "integer", json_path = ".status.counts.records"),
    printcolumn(name = "Bytes", type_ = "integer", json_path = ".status.sizeBytes"),
    printcolumn(name = "Errors", type_ = "integer", json_path = ".status.counts.errors"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Snapshot", type_ = "string", json_path = ".status.snapshotId", priority = 1),
    printcolumn(name = "Vault", type_ = "string", json_path = ".status.vaultName", priority = 1),
    printcolumn(name = "Calls", type_ = "integer", json_path = ".status.apiCalls", priority = 1),
    printcolumn(name = "Completed", type_ = "date", json_path = ".status.completionTime", priority = 1),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 54 && self.metadata.name.matches('^[a-z0-9]([-a-z0-9]*[a-z0-9])?$')").message("metadata.name must be at most 54 characters of a-z, 0-9 and '-', because the names of Jobs and pods are made from it")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.backupRef) || has(self.snapshotId)").message("backupRef must be given (snapshotId only shows a snapshot that a vault already has)"),
    validation = Rule::new("!has(self.snapshotId) || has(self.vaultRef) && has(self.lineId)").message("snapshotId needs vaultRef and lineId, too"),
    validation = Rule::new("has(self.backupRef) == has(oldSelf.backupRef) && (!has(self.backupRef) || self.backupRef == oldSelf.backupRef) && has(self.vaultRef) == has(oldSelf.vaultRef) && (!has(self.vaultRef) || self.vaultRef == oldSelf.vaultRef) && has(self.lineId) == has(oldSelf.lineId) && (!has(self.lineId) || self.lineId == oldSelf.lineId) && has(self.snapshotId) == has(oldSelf.snapshotId) && (!has(self.snapshotId) || self.snapshotId == oldSelf.snapshotId) && self.mode == oldSelf.mode").message("a Snapshot cannot be changed (but canceled); make a new one")
)]
pub struct SnapshotSpec {
    /// The SalesforceBackup to run, or that made this snapshot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_ref: Option<LocalRef>,
    /// The vault; set by controllers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault_ref: Option<LocalRef>,
    /// The line in the vault; set by controllers on snapshots made from the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub line_id: Option<String>,
    /// The snapshot in the line; set by controllers on snapshots made from the catalog.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub snapshot_id: Option<String>,
    /// How much to read.
    #[serde(default)]
    pub mode: Mode,
    /// Stop the run; cannot be taken back.
    #[serde(default)]
    #[x_kube(validation = Rule::new("!oldSelf || self").message("cancel cannot be taken back; make a new Snapshot"))]
    pub cancel: bool,
}

/// How much a run reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// What changed, and everything when that is due.
    #[default]
    Auto,
    /// Everything.
    Full,
    /// Only what changed.
    Incremental,
}

/// How the run stands, and where its snapshot is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotStatus {
    /// `metadata.generation` that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Pending, InProgress, Succeeded, PartiallySucceeded, Failed, Canceled; others may come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub phase: Option<String>,
    /// `Ready`, `Verified`; `Reconciling` and `Stalled` while true.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// When the first worker was made, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub start_time: Option<String>,
    /// When the run ended, RFC 3339, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("format" = "date-time"))]
    pub completion_time: Option<String>,
    /// The worker that carries it out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<RunStatus>,
    /// How far it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<ProgressStatus>,
    /// What was counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<CountsStatus>,
    /// Calls made to the org.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_calls: Option<i64>,
    /// Bytes of the files that this snapshot added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<i64>,
    /// `sha256:…` of the manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub manifest_digest: Option<String>,
    /// Expected against captured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completeness: Option<CompletenessStatus>,
    /// Name of the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub vault_name: Option<String>,
    /// Line in the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub line_id: Option<String>,
    /// Snapshot in the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub snapshot_id: Option<String>,
    /// At most 20; the rest is in the run's report in the vault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20), extend("x-kubernetes-list-type" = "atomic"))]
    pub failures: Vec<FailureStatus>,
    /// What became of older snapshots after this run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionStatus>,
}

/// The worker that carries a run out. Written before its Job is made, so that nothing is ever run twice: once
/// this names a Job that is gone, the run is `Failed/WorkerLost`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RunStatus {
    /// The run in the vault; Jobs that follow each other in one run share it.
    #[schemars(length(max = 64))]
    pub id: String,
    /// Name of the Job.
    #[schemars(length(max = 63))]
    pub job_name: String,
    /// UID of the Job, once it was made.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub job_uid: String,
    /// 1 for the first Job; a Job that stopped at its deadline is followed by the next.
    pub attempt: i32,
    /// When this Job was decided on, RFC 3339, UTC.
    #[schemars(length(max = 64))]
    pub started_at: String,
}
