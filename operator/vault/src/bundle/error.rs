//! Why a bundle cannot be made or applied, and what to do.

use orgkeep_core::reason::Reason;

use crate::error::VaultError;
use crate::storage::StorageError;

/// Why a bundle cannot be made or applied.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The vault says no.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The bundle's own file cannot be read or written.
    #[error("the bundle's file: {0}; what was applied stays, apply it again to go on")]
    File(#[from] std::io::Error),
    /// It is no bundle, or not the one that was made.
    #[error("{member} of the bundle: {why}; carry it over again")]
    Altered {
        /// The member, or `bundle.json`.
        member: String,
        /// What is wrong.
        why: String,
    },
    /// It is of another vault, or not by the key that is known.
    #[error("{0}")]
    OtherVault(String),
    /// Something must be there that is not.
    #[error("{needs} is not at {target}: {why}")]
    Gap {
        /// The snapshot, `<line>/<number>`.
        needs: String,
        /// Where it should be.
        target: String,
        /// What to do.
        why: String,
    },
    /// Nothing to put in.
    #[error("there is nothing to put into a bundle: {0}")]
    Nothing(String),
    /// A mistake of ours.
    #[error("{0}")]
    Internal(String),
}

impl From<StorageError> for BundleError {
    fn from(error: StorageError) -> Self {
        Self::Vault(error.into())
    }
}

impl BundleError {
    pub(super) fn altered(member: &str, why: impl Into<String>) -> Self {
        Self::Altered { member: member.to_owned(), why: why.into() }
    }

    /// The reason that conditions show.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Vault(error) => error.reason(),
            Self::Altered { .. } => Reason::VaultCorrupted,
            Self::OtherVault(_) | Self::Nothing(_) => Reason::InvalidObject,
            Self::Gap { .. } => Reason::ReferenceNotFound,
            Self::File(_) | Self::Internal(_) => Reason::InternalError,
        }
    }
}
