//! What a storage can answer instead of what was asked for.

use orgkeep_core::reason::Reason;

/// Kinds of refusals, the same for every backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageErrorKind {
    /// No such file.
    NotFound,
    /// Put if absent met a file.
    AlreadyExists,
    /// Replace met another version than was expected.
    Conflict,
    /// The credentials are refused, or lack a right.
    AccessDenied,
    /// The bucket is not there.
    BucketNotFound,
    /// No answer, or one that says to try later.
    Unreachable,
    /// No room is left, or none of a quota.
    Full,
    /// May be read, not written.
    ReadOnly,
    /// Conditional writes are not kept, or hard links are unknown.
    ConditionalWritesUnsupported,
    /// Files are to be locked, and the bucket does not lock.
    ObjectLockUnsupported,
    /// Stored bytes are not those that were sent.
    Corrupted,
}

/// A storage's refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {message}")]
pub struct StorageError {
    /// What kind.
    pub kind: StorageErrorKind,
    /// The file, or the storage when it concerns all of it.
    pub path: String,
    /// What the storage says.
    pub message: String,
}

impl StorageError {
    /// A refusal.
    pub fn new(kind: StorageErrorKind, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { kind, path: path.into(), message: message.into() }
    }

    /// Whether the file is not there.
    pub fn is_not_found(&self) -> bool {
        self.kind == StorageErrorKind::NotFound
    }

    /// The reason that conditions show.
    pub fn reason(&self) -> Reason {
        match self.kind {
            StorageErrorKind::NotFound | StorageErrorKind::Corrupted => Reason::VaultCorrupted,
            StorageErrorKind::AlreadyExists | StorageErrorKind::Conflict => Reason::LineBusy,
            StorageErrorKind::AccessDenied => Reason::VaultAccessDenied,
            StorageErrorKind::BucketNotFound => Reason::BucketNotFound,
            StorageErrorKind::Unreachable => Reason::VaultUnreachable,
            StorageErrorKind::Full => Reason::VaultFull,
            StorageErrorKind::ReadOnly => Reason::VaultReadOnly,
            StorageErrorKind::ObjectLockUnsupported => Reason::InvalidObject,
            StorageErrorKind::ConditionalWritesUnsupported => Reason::ConditionalWritesUnsupported,
        }
    }
}
