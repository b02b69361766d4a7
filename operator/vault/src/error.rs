//! What can go wrong with a vault, and the reason that conditions show for it.

use orgkeep_core::reason::Reason;

use crate::storage::StorageError;

/// Result of the vault.
pub type Result<T, E = VaultError> = std::result::Result<T, E>;

/// Why something with a vault did not work. No message holds a secret or a record's value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The storage said no, or nothing.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The address of the storage is not one.
    #[error("not an address of a vault: {0}")]
    InvalidLocation(String),
    /// The key is neither 32 bytes of base64 nor an age identity, or a recipient is not an age public key.
    #[error("{0}")]
    InvalidKey(String),
    /// The key opens nothing here.
    #[error("the key does not open vault {vault}: {why}")]
    WrongKey {
        /// Id of the vault.
        vault: String,
        /// What was tried.
        why: String,
    },
    /// The key management service did not wrap or unwrap the root key.
    #[error("{key}: {why}")]
    Kms {
        /// The key's address.
        key: String,
        /// What it said.
        why: String,
        /// It said no; otherwise it did not answer.
        denied: bool,
    },
    /// There is no vault at this address, and none may be made.
    #[error("there is no vault at {0}")]
    NoVault(String),
    /// Written by a newer version.
    #[error("{file} has format version {found}; this Orgkeep knows up to {known}")]
    FormatUnsupported {
        /// The file.
        file: String,
        /// Its version.
        found: u32,
        /// Ours.
        known: u32,
    },
    /// Stored bytes are not what was written.
    #[error("{file}: {why}")]
    Corrupted {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
    /// The line belongs to another org.
    #[error("line {line} holds org {was}, the connection now leads to org {is}")]
    OrgChanged {
        /// The line.
        line: String,
        /// Org of the line.
        was: String,
        /// Org that was met.
        is: String,
    },
    /// Another run has the lease.
    #[error("run {run} holds line {line} until {until}")]
    LineBusy {
        /// The line.
        line: String,
        /// The run.
        run: String,
        /// When its lease expires.
        until: String,
    },
    /// The lease was ours and is no longer.
    #[error("the lease of line {line} was taken over by run {by}")]
    LeaseLost {
        /// The line.
        line: String,
        /// Who has it now.
        by: String,
    },
    /// Something keeps what was to be erased.
    #[error("nothing was erased from line {line}: {why}")]
    EraseRefused {
        /// The line.
        line: String,
        /// What keeps it, and until when.
        why: String,
    },
    /// A collection closed the run.
    #[error("run {run} of line {line} may not go on: {why}")]
    RunClosed {
        /// The line.
        line: String,
        /// The run.
        run: String,
        /// Why, and since when.
        why: String,
    },
    /// No such line.
    #[error("the vault has no line {0:?}")]
    LineNotFound(String),
    /// No such snapshot.
    #[error("no snapshot {0:?}")]
    SnapshotNotFound(String),
    /// No such object in the snapshot.
    #[error("snapshot {snapshot} has no object {object:?}")]
    ObjectNotFound {
        /// The snapshot.
        snapshot: String,
        /// The object.
        object: String,
    },
    /// What was asked for cannot be searched.
    #[error("{0}")]
    Query(String),
    /// A name that cannot be part of a path.
    #[error("{0:?} cannot be part of a path in the vault")]
    InvalidName(String),
    /// The vault was opened for reading.
    #[error("the vault was opened for reading only")]
    ReadOnly,
    /// A mistake of ours.
    #[error("{0}")]
    Internal(String),
}

impl VaultError {
    pub(crate) fn corrupted(file: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Corrupted { file: file.into(), why: why.into() }
    }

    pub(crate) fn internal(why: impl Into<String>) -> Self {
        Self::Internal(why.into())
    }

    /// The reason that conditions show.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Storage(error) => error.reason(),
            Self::InvalidLocation(_) | Self::InvalidName(_) | Self::Query(_) => Reason::InvalidObject,
            Self::InvalidKey(_) => Reason::InvalidEncryptionKey,
            Self::WrongKey { .. } => Reason::WrongEncryptionKey,
            Self::Kms { denied: true, .. } => Reason::KeyServiceAccessDenied,
            Self::Kms { denied: false, .. } => Reason::KeyServiceUnreachable,
            Self::NoVault(_)
            | Self::LineNotFound(_)
            | Self::SnapshotNotFound(_)
            | Self::ObjectNotFound { .. } => Reason::ReferenceNotFound,
            Self::FormatUnsupported { .. } => Reason::VaultFormatUnsupported,
            Self::Corrupted { .. } => Reason::VaultCorrupted,
            Self::OrgChanged { .. } => Reason::OrgChanged,
            Self::LineBusy { .. } | Self::LeaseLost { .. } => Reason::LineBusy,
            Self::EraseRefused { .. } => Reason::EraseRefused,
            Self::RunClosed { .. } => Reason::RunClosed,
            Self::ReadOnly => Reason::VaultReadOnly,
            Self::Internal(_) => Reason::InternalError,
        }
    }

    /// Whether the storage says that the file is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_not_found())
    }
}
