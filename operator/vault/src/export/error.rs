//! Why an export does not come to its end, and what to do.

use std::sync::Arc;

use orgkeep_core::reason::Reason;

use crate::codec::CodecError;
use crate::error::VaultError;
use crate::read::ReadError;
use crate::storage::{Storage, StorageError, StorageErrorKind};

/// Why an export does not come to its end. No message holds a value of a record.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The vault says no.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// Rows of the vault cannot be read.
    #[error("{object}: {source}")]
    Read {
        /// The object.
        object: String,
        /// Why.
        source: ReadError,
    },
    /// Rows cannot be encoded.
    #[error("{object}: {source}")]
    Encode {
        /// The object.
        object: String,
        /// Why.
        source: CodecError,
    },
    /// The place that it goes to says no.
    #[error("{target}: {source} ({advice})")]
    Target {
        /// Where it goes.
        target: String,
        /// What it says.
        source: StorageError,
        /// What to do.
        advice: &'static str,
    },
    /// Something else is at the target.
    #[error("{target}: {why}")]
    TargetTaken {
        /// Where it goes.
        target: String,
        /// What is there and what to do.
        why: String,
    },
    /// What was asked for does not go together.
    #[error("{0}")]
    Options(String),
    /// No object has such a name.
    #[error("snapshot {snapshot} has no object {pattern:?}")]
    NoObject {
        /// The snapshot.
        snapshot: u64,
        /// What was asked for.
        pattern: String,
    },
    /// Other rows than the snapshot says.
    #[error("{object}: {rows} rows were read, the snapshot has {expected}; verify the vault")]
    Incomplete {
        /// The object.
        object: String,
        /// Rows that were read.
        rows: u64,
        /// Rows that should be there.
        expected: u64,
    },
    /// A file of the target is not what was written.
    #[error("{path}: {why}; something else writes to the target")]
    Altered {
        /// The file.
        path: String,
        /// What is wrong.
        why: String,
    },
    /// There is no finished export.
    #[error("there is no finished export at {0}; go on with it by --resume")]
    NotFinished(String),
    /// A Delta table is not one of ours, or of something else.
    #[error("table {table}: {why}")]
    Table {
        /// The table.
        table: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// A mistake of ours.
    #[error("{0}")]
    Internal(String),
}

impl ExportError {
    /// The target's refusal, with what to do about it.
    pub(super) fn target(target: &Arc<dyn Storage>, source: StorageError) -> Self {
        let advice = match source.kind {
            StorageErrorKind::AccessDenied => {
                "renew the credentials or grant them writing, then go on with --resume"
            }
            StorageErrorKind::Unreachable => "wait until it answers, then go on with --resume",
            StorageErrorKind::Full => "make room, then go on with --resume",
            StorageErrorKind::BucketNotFound => "make the bucket, or name another",
            StorageErrorKind::ReadOnly => "name a place that can be written to",
            StorageErrorKind::AlreadyExists | StorageErrorKind::Conflict => {
                "another export writes here; let it end, then go on with --resume"
            }
            _ => "look at the target, then go on with --resume",
        };
        Self::Target { target: target.describe(), source, advice }
    }

    /// The reason that conditions show.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Vault(error) => error.reason(),
            Self::Read { .. } | Self::Incomplete { .. } => Reason::VaultCorrupted,
            Self::Target { source, .. } => source.reason(),
            Self::Altered { .. } => Reason::VaultCorrupted,
            Self::TargetTaken { .. } | Self::Options(_) | Self::NotFinished(_) | Self::Table { .. } => {
                Reason::InvalidObject
            }
            Self::NoObject { .. } => Reason::ReferenceNotFound,
            Self::Encode { .. } | Self::Internal(_) => Reason::InternalError,
        }
    }
}
