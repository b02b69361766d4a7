//! What can go wrong in a pass. All of it is tried again with back-off; what a user has to mend is no error but
//! a condition.

use thiserror::Error;

/// A pass failed.
#[derive(Debug, Error)]
pub enum Error {
    /// The API server refused or did not answer.
    #[error("{what}: {source}")]
    Kube {
        /// What was tried.
        what: String,
        /// What it said.
        #[source]
        source: kube::Error,
    },
    /// Something could not be written as JSON.
    #[error("cannot write JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The pass took too long.
    #[error("the pass took longer than {0} s and was given up")]
    TimedOut(u64),
    /// A name that we need is taken by something that is not ours.
    #[error("{kind} {name} exists and is not ours; delete or rename it")]
    NotOurs {
        /// Its kind.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The lease was not renewed in time: nothing may be written.
    #[error("this replica does not lead any more")]
    NotLeader,
    /// An object without the metadata that the API server gives.
    #[error("the object has no {0}")]
    Incomplete(&'static str),
}

impl Error {
    /// What the API server said if it refused an object for what is in it (or for a quota): asking again at once
    /// cannot help, and a person has to see it.
    pub fn refused(&self) -> Option<String> {
        match self {
            Self::Kube { what, source: kube::Error::Api(status) } if matches!(status.code, 403 | 422) => {
                Some(format!("{what}: {}", status.message))
            }
            Self::NotOurs { .. } => Some(self.to_string()),
            _ => None,
        }
    }
}

/// Says what was tried when it failed.
pub trait Doing<T> {
    /// `what` as in "create Job acme-r1".
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error>;
}

impl<T> Doing<T> for Result<T, kube::Error> {
    fn doing(self, what: impl FnOnce() -> String) -> Result<T, Error> {
        self.map_err(|source| Error::Kube { what: what(), source })
    }
}
