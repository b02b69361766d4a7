//! What a worker tells ([`orgkeep_core::run`]), in the shape that a status carries: integers as Kubernetes
//! knows them (`int64`), every string bounded.

use orgkeep_core::run;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn text(value: &str, limit: usize) -> String {
    run::cut_to(value, limit).to_owned()
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProgressStatus {
    /// Objects that the plan names.
    pub objects_total: i64,
    /// Objects that are done.
    pub objects_done: i64,
    /// Rows written so far.
    pub records: i64,
    /// Bytes written to the vault so far.
    pub bytes: i64,
    /// 0–100.
    pub percent: i32,
    /// An object at work.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 255))]
    pub current_object: String,
    /// When the worker said so, RFC 3339, UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub updated_at: String,
}

impl From<&run::Progress> for ProgressStatus {
    fn from(from: &run::Progress) -> Self {
        Self {
            objects_total: i64::from(from.objects_total),
            objects_done: i64::from(from.objects_done),
            records: int(from.records),
            bytes: int(from.bytes),
            percent: i32::from(from.percent.min(100)),
            current_object: text(&from.current_object, 255),
            updated_at: text(&from.updated_at, 64),
        }
    }
}

/// What a run counted in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CountsStatus {
    /// Objects captured.
    pub objects: i64,
    /// Records in the snapshot.
    pub records: i64,
    /// Records new since the parent snapshot; absent when not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<i64>,
    /// Records changed since the parent snapshot; absent when not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<i64>,
    /// Records gone since the parent snapshot; absent when not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<i64>,
    /// Files captured.
    pub files: i64,
    /// Metadata components captured.
    pub metadata_components: i64,
    /// Things a person may want to look at.
    pub warnings: i64,
    /// Objects that failed or are unproven.
    pub errors: i64,
}

impl From<&run::Counts> for CountsStatus {
    fn from(from: &run::Counts) -> Self {
        Self {
            objects: int(from.objects),
            records: int(from.records),
            added: from.added.map(int),
            updated: from.updated.map(int),
            deleted: from.deleted.map(int),
            files: int(from.files),
            metadata_components: int(from.metadata_components),
            warnings: int(from.warnings),
            errors: int(from.errors),
        }
    }
}

/// One object that failed, or anything else a person has to see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FailureStatus {
    /// Object API name; absent when it concerns the whole run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 255))]
    pub object: String,
    /// Salesforce's error code, or a reason of ours.
    #[schemars(length(max = 128))]
    pub code: String,
    /// What happened and what to do.
    #[schemars(length(max = 256))]
    pub message: String,
}

impl From<&run::Failure> for FailureStatus {
    fn from(from: &run::Failure) -> Self {
        Self {
            object: text(&from.object, 255),
            code: text(&from.code, 128),
            message: text(&from.message, 256),
        }
    }
}

/// The first [`run::MAX_FAILURES`] failures, as a status carries them.
pub fn failures(from: &[run::Failure]) -> Vec<FailureStatus> {
    from.iter().take(run::MAX_FAILURES).map(FailureStatus::from).collect()
}

/// Rows that the org should have given against rows captured.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct CompletenessStatus {
    /// Rows counted by the org.
    pub expected: i64,
    /// Rows in the snapshot.
    pub captured: i64,
    /// Whether each object's ledger balances.
    pub proven: bool,
}

impl From<&run::Completeness> for CompletenessStatus {
    fn from(from: &run::Completeness) -> Self {
        Self { expected: int(from.expected), captured: int(from.captured), proven: from.proven }
    }
}

/// What the rules of retention came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct RetentionStatus {
    /// Snapshots that stay.
    pub kept: i64,
    /// Of these, what only a legal hold keeps.
    pub held: i64,
    /// Snapshots that were retired.
    pub retired: i64,
    /// Snapshots that wait for their files to be deleted.
    pub waiting: i64,
    /// Snapshots whose files were deleted.
    pub deleted: i64,
    /// Bytes of all files that were deleted.
    pub freed_bytes: i64,
    /// Bytes that should be deleted and that the storage has locked.
    pub locked_bytes: i64,
    /// When the last of them may be deleted, RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub blocked_until: Option<String>,
    /// Why the rules could not be applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub blocked: Option<String>,
}

impl From<&run::RetentionFacts> for RetentionStatus {
    fn from(from: &run::RetentionFacts) -> Self {
        Self {
            kept: int(from.kept),
            held: int(from.held),
            retired: int(from.retired),
            waiting: int(from.waiting),
            deleted: int(from.deleted),
            freed_bytes: int(from.freed_bytes),
            locked_bytes: int(from.locked_bytes),
            blocked_until: from.locked_until.as_ref().map(|until| text(until, 64)),
            blocked: from.blocked.as_ref().map(|why| text(why, 256)),
        }
    }
}

/// The org behind a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OrgStatus {
    /// 18-character organization id.
    #[schemars(length(max = 18))]
    pub id: String,
    /// The organization's name.
    #[schemars(length(max = 255))]
    pub name: String,
    /// Edition, such as `Enterprise Edition`.
    #[schemars(length(max = 128))]
    pub edition: String,
    /// Instance, such as `NA224`.
    #[schemars(length(max = 64))]
    pub instance: String,
    /// API version that we speak, such as `64.0`.
    #[schemars(length(max = 16))]
    pub api_version: String,
    /// Whether the org says that it is a sandbox.
    pub sandbox: bool,
}

impl From<&run::OrgFacts> for OrgStatus {
    fn from(from: &run::OrgFacts) -> Self {
        Self {
            id: text(&from.id, 18),
            name: text(&from.name, 255),
            edition: text(&from.edition, 128),
            instance: text(&from.instance, 64),
            api_version: text(&from.api_version, 16),
            sandbox: from.sandbox,
        }
    }
}

/// The org's rolling 24-hour allowance of API calls as last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiUsageStatus {
    /// Calls used by all users.
    pub used: i64,
    /// Calls allowed.
    pub allowance: i64,
    /// Calls made by the last worker of ours.
    pub own_used: i64,
    /// `used` as a share of `allowance`, 0–100.
    pub percent: i32,
    /// RFC 3339, UTC.
    #[schemars(length(max = 64))]
    pub observed_at: String,
}

impl From<&run::UsageFacts> for ApiUsageStatus {
    fn from(from: &run::UsageFacts) -> Self {
        Self {
            used: int(from.used),
            allowance: int(from.allowance),
            own_used: int(from.own_used),
            percent: i32::from(from.percent),
            observed_at: text(&from.observed_at, 64),
        }
    }
}

/// A Job that a controller made and waits for. Persisted, so that a controller that restarts finds it again.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct ProbeStatus {
    /// `metadata.generation` that the last finished probe looked at.
    pub observed_generation: i64,
    /// When the last probe finished, RFC 3339, UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    pub finished_at: String,
    /// Probes that failed in a row: the exponent of the wait before the next.
    pub failures_in_row: i32,
}
