//! What a run tells: its progress while it works, its outcome when it ends, and the exit codes.
//!
//! Workers speak, controllers listen: a worker serves [`Progress`] over HTTP, and leaves an [`Outcome`] in the
//! vault's run record and, cut to 4 KiB, in its pod's termination message.

use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// Port on which a worker serves `/progress` and `/result`.
pub const PROGRESS_PORT: u16 = 8081;
/// A termination message that the kubelet keeps whole, bytes.
pub const TERMINATION_MESSAGE_LIMIT: usize = 4096;
/// The most failures that a status carries; the rest is in the run's report.
pub const MAX_FAILURES: usize = 20;

/// How a worker process ends. The numbers are sysexits' where one fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitCode {
    /// The run ended and said its outcome (which may be a partial success).
    Done = 0,
    /// The run failed; trying again may help.
    Failed = 1,
    /// Stopped by SIGTERM or its own deadline, with its journal kept (`EX_TEMPFAIL`).
    Stopped = 75,
    /// The configuration is wrong; trying again cannot help (`EX_CONFIG`).
    Configuration = 78,
}

/// Phases of a run, as `status.phase` says them. An open set in the schema, these words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Phase {
    /// Not begun.
    Pending,
    /// A worker reports.
    InProgress,
    /// All that was asked for was done and proven.
    Succeeded,
    /// Done, with objects that are missing or unproven; each is named.
    PartiallySucceeded,
    /// Nothing usable came out.
    Failed,
    /// Stopped by a user.
    Canceled,
}

impl Phase {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Succeeded => "Succeeded",
            Self::PartiallySucceeded => "PartiallySucceeded",
            Self::Failed => "Failed",
            Self::Canceled => "Canceled",
        }
    }

    /// Reads the word; `None` for one that this version does not know.
    pub fn from_word(word: &str) -> Option<Self> {
        [
            Self::Pending,
            Self::InProgress,
            Self::Succeeded,
            Self::PartiallySucceeded,
            Self::Failed,
            Self::Canceled,
        ]
        .into_iter()
        .find(|phase| phase.as_str() == word)
    }

    /// Whether a run in this phase never changes again.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Succeeded | Self::PartiallySucceeded | Self::Failed | Self::Canceled)
    }
}

/// How far a run is. Served as JSON at `/progress`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// Objects that the plan names.
    pub objects_total: u32,
    /// Objects that are done.
    pub objects_done: u32,
    /// Rows encoded so far.
    pub records: u64,
    /// Bytes written to the vault so far.
    pub bytes: u64,
    /// 0–100, by rows where the org told a count beforehand.
    pub percent: u8,
    /// The object at work (one of them).
    #[serde(skip_serializing_if = "String::is_empty")]
    pub current_object: String,
    /// RFC 3339, UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub updated_at: String,
    /// Calls made to the org so far, by all attempts of the run.
    pub api_calls: u64,
}

/// What a run counted in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Counts {
    /// Objects captured.
    pub objects: u64,
    /// Records captured (state, not change).
    pub records: u64,
    /// Records new since the parent snapshot; absent when they were not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub added: Option<u64>,
    /// Records changed since the parent snapshot; absent when they were not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated: Option<u64>,
    /// Records gone since the parent snapshot; absent when they were not compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
    /// Files (blobs) captured.
    pub files: u64,
    /// Metadata components captured.
    pub metadata_components: u64,
    /// Things a person may want to look at.
    pub warnings: u64,
    /// Objects that failed or are unproven.
    pub errors: u64,
}

/// One object that failed, or anything else a person has to see.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Object API name; empty when it concerns the whole run.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// Salesforce's error code, or a reason of ours.
    pub code: String,
    /// What happened and what to do, at most 256 characters.
    pub message: String,
}

/// Rows that the org should have given against rows captured, over all objects.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Completeness {
    /// Rows counted by the org.
    pub expected: u64,
    /// Rows in the snapshot.
    pub captured: u64,
    /// Whether each object's ledger balances.
    pub proven: bool,
}

/// Facts about the org that a worker learned and a connection's status shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct OrgFacts {
    /// 18-character organization id.
    pub id: String,
    /// The organization's name.
    pub name: String,
    /// Edition, such as `Enterprise Edition`.
    pub edition: String,
    /// Instance, such as `NA224`.
    pub instance: String,
    /// API version that we speak, such as `64.0`.
    pub api_version: String,
    /// Whether the org says it is a sandbox.
    pub sandbox: bool,
}

/// The org's rolling 24-hour allowance of API calls as last seen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UsageFacts {
    /// Calls used by all users.
    pub used: u64,
    /// Calls allowed.
    pub allowance: u64,
    /// Calls made by us in this run.
    pub own_used: u64,
    /// `used` as a share of `allowance`, 0–100.
    pub percent: u8,
    /// RFC 3339, UTC.
    pub observed_at: String,
}

/// Facts about a vault that a worker learned and a vault's status shows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VaultFacts {
    /// The vault's own id, minted when it was made.
    pub vault_id: String,
    /// Public half of the key that signs manifests, base64.
    pub signing_key: String,
    /// Recipients that can open the vault besides the cluster's key.
    pub recovery_recipients: u32,
    /// Committed snapshots in all lines.
    pub snapshots: u64,
    /// Bytes that those snapshots' files take.
    pub bytes: u64,
}

/// How a run ended: the last word of a worker. Fits [`TERMINATION_MESSAGE_LIMIT`] by [`Outcome::to_message`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Terminal phase, or `InProgress` when stopped with a journal to go on from.
    pub phase: Phase,
    /// Why, as a condition says it.
    pub reason: Reason,
    /// What happened and what to do, for a person.
    pub message: String,
    /// The snapshot that was committed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotFacts>,
    /// What was counted.
    #[serde(default)]
    pub counts: Counts,
    /// Expected against captured.
    #[serde(default)]
    pub completeness: Completeness,
    /// At most [`MAX_FAILURES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
    /// Calls made to the org, by all attempts of the run.
    #[serde(default)]
    pub api_calls: u64,
    /// The org, if it was reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub org: Option<OrgFacts>,
    /// The org's allowance, if it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<UsageFacts>,
    /// The vault, if it was opened.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vault: Option<VaultFacts>,
    /// What became of older snapshots, if rules were applied to them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionFacts>,
}

/// What the rules of retention came to after a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RetentionFacts {
    /// Snapshots that stay.
    pub kept: u64,
    /// Of these, what only a legal hold keeps.
    pub held: u64,
    /// Snapshots retired now: they are in no list any more.
    pub retired: u64,
    /// Snapshots that wait for their files to be deleted.
    pub waiting: u64,
    /// Snapshots whose files were deleted now.
    pub deleted: u64,
    /// Bytes of all files that were deleted now.
    pub freed_bytes: u64,
    /// Bytes that should be deleted and that the storage has locked.
    pub locked_bytes: u64,
    /// When the last of them may be deleted, RFC 3339, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locked_until: Option<String>,
    /// Why the rules could not be applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
}

/// Where a committed snapshot stands in its vault.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SnapshotFacts {
    /// Line of history.
    pub line_id: String,
    /// Sequence number in the line, which is the snapshot's id there.
    pub snapshot_id: String,
    /// `sha256:…` of the manifest's bytes.
    pub manifest_digest: String,
    /// Bytes of the files that this snapshot added.
    pub size_bytes: u64,
}

impl Outcome {
    /// An outcome that carries nothing but its reason.
    pub fn new(phase: Phase, reason: Reason, message: impl Into<String>) -> Self {
        Self {
            phase,
            reason,
            message: message.into(),
            snapshot: None,
            counts: Counts::default(),
            completeness: Completeness::default(),
            failures: Vec::new(),
            api_calls: 0,
            org: None,
            usage: None,
            vault: None,
            retention: None,
        }
    }

    /// JSON of at most [`TERMINATION_MESSAGE_LIMIT`] bytes: failures are dropped from the end, then the message
    /// is cut, until it fits; the counts always stay.
    pub fn to_message(&self) -> String {
        let mut cut = self.clone();
        loop {
            let text = serde_json::to_string(&cut).unwrap_or_default();
            if text.len() <= TERMINATION_MESSAGE_LIMIT {
                return text;
            }
            if cut.failures.pop().is_none() {
                let keep = cut.message.len().saturating_sub(text.len() - TERMINATION_MESSAGE_LIMIT + 4);
                if keep == 0 {
                    return text;
                }
                cut.message = cut_to(&cut.message, keep).to_owned();
            }
        }
    }
}

/// Cuts a text to at most `limit` bytes at a character boundary.
pub fn cut_to(text: &str, limit: usize) -> &str {
    &text[..text.floor_char_boundary(limit)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_large_outcome_is_cut_to_fit_and_stays_json() {
        let mut outcome =
            Outcome::new(Phase::PartiallySucceeded, Reason::ObjectsIncomplete, "ü".repeat(5000));
        outcome.failures = (0..MAX_FAILURES)
            .map(|n| Failure { object: format!("O{n}"), code: "X".into(), message: "m".repeat(256) })
            .collect();
        outcome.counts.records = 42;
        let text = outcome.to_message();
        assert!(text.len() <= TERMINATION_MESSAGE_LIMIT, "{}", text.len());
        let back: Outcome = serde_json::from_str(&text).unwrap();
        assert_eq!(back.counts.records, 42);
        assert_eq!(back.phase, Phase::PartiallySucceeded);
    }

    #[test]
    fn phases_keep_their_words() {
        for word in ["Pending", "InProgress", "Succeeded", "PartiallySucceeded", "Failed", "Canceled"] {
            assert_eq!(Phase::from_word(word).unwrap().as_str(), word);
        }
        assert_eq!(Phase::from_word("Finalizing"), None);
    }
}
