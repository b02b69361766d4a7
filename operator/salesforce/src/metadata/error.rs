//! What can go wrong beyond a call.

use orgkeep_core::problem::{Fault, Reaction};

use super::zip::ZipError;
use crate::error::Error;

/// The result of the Metadata API.
pub type MetadataResult<T> = std::result::Result<T, MetadataError>;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum MetadataError {
    /// A call failed.
    #[error(transparent)]
    Call(#[from] Error),
    /// A retrieve ended without a zip.
    #[error("the retrieve {id} of {members} members failed: {code}: {message}")]
    RetrieveFailed {
        /// Its id.
        id: String,
        /// How many members it was asked for.
        members: usize,
        /// `errorStatusCode`.
        code: String,
        /// `errorMessage`.
        message: String,
    },
    /// The zip of a retrieve is not one that can be trusted.
    #[error("the zip of the retrieve {id}: {source}")]
    Zip {
        /// The retrieve.
        id: String,
        /// What is wrong with it.
        source: ZipError,
    },
    /// The answer with the zip cannot be understood.
    #[error("the answer with the zip of the retrieve {id} is wrong at byte {offset}: {detail}")]
    Answer {
        /// The retrieve.
        id: String,
        /// Where in the answer.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// A package cannot be built: Salesforce would refuse it.
    #[error("the package: {0}")]
    Package(#[from] super::package::PackageError),
    /// Our own disk failed.
    #[error("a file of ours: {0}")]
    Disk(#[from] std::io::Error),
    /// The answer to a deploy was lost, and the org does not tell whether it has it.
    #[error(
        "the answer to the deploy was lost ({lost}), and the org {found}: look at Setup, Deployment Status, before \
         it is sent again"
    )]
    DeployLost {
        /// How the answer was lost.
        lost: Box<Error>,
        /// What the org shows instead.
        found: String,
    },
    /// The wait was cancelled; the org goes on.
    #[error("the wait for the {what} {id} was cancelled; it goes on in the org")]
    Cancelled {
        /// `retrieve` or `deploy`.
        what: &'static str,
        /// Its id.
        id: String,
    },
    /// It was not done in time; the org goes on.
    #[error("the {what} {id} was not done by the deadline ({state}); it goes on in the org")]
    Deadline {
        /// `retrieve` or `deploy`.
        what: &'static str,
        /// Its id.
        id: String,
        /// Where it stood.
        state: String,
    },
}

impl MetadataError {
    /// What to do about it, as of [`orgkeep_core::problem`].
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::Call(error) => error.reaction(),
            Self::Zip { .. } | Self::Answer { .. } => Fault::BlobWrong.reaction(),
            Self::Cancelled { .. } => Fault::Cancelled.reaction(),
            Self::Deadline { .. } => Fault::JobDeadline.reaction(),
            Self::RetrieveFailed { .. } | Self::Package(_) | Self::Disk(_) | Self::DeployLost { .. } => {
                Reaction::GiveUpObject
            }
        }
    }

    /// Whether fewer members may do what these could not: the org refused or failed this retrieve itself.
    pub(super) fn is_about_members(&self) -> bool {
        match self {
            Self::RetrieveFailed { .. } | Self::Zip { .. } | Self::Answer { .. } => true,
            Self::Call(error) => error.reaction() == Reaction::GiveUpObject,
            _ => false,
        }
    }

    /// Salesforce's code, or a word of our own.
    pub fn code(&self) -> &str {
        match self {
            Self::Call(error) => error.code(),
            Self::RetrieveFailed { code, .. } => code,
            Self::Zip { .. } => "ZipWrong",
            Self::Answer { .. } => "AnswerWrong",
            Self::Package(_) => "PackageWrong",
            Self::Disk(_) => "Disk",
            Self::DeployLost { .. } => "DeployLost",
            Self::Cancelled { .. } => "Cancelled",
            Self::Deadline { .. } => "Deadline",
        }
    }
}
