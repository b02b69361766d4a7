//! Why a task ends early, and the outcome that says so.

use orgkeep_core::reason::Reason;
use orgkeep_core::run::{Outcome, Phase};
use orgkeep_salesforce as salesforce;
use orgkeep_vault as vault;

use crate::secrets::SecretError;

/// A task that does not reach its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Ending {
    /// It failed.
    #[error("{message}")]
    Failed {
        /// The reason that conditions show.
        reason: Reason,
        /// What happened.
        message: String,
    },
    /// It was asked to stop, or may not go on now; the journal is kept.
    #[error("{message}")]
    Stopped {
        /// Why.
        message: String,
    },
}

impl Ending {
    /// A failure for a reason.
    pub(crate) fn failed(reason: Reason, message: impl Into<String>) -> Self {
        Self::Failed { reason, message: message.into() }
    }

    /// A stop because the worker was asked to.
    pub(crate) fn stopped() -> Self {
        Self::Stopped {
            message: "stopped when asked to; the next worker goes on from the journal".to_owned(),
        }
    }

    /// The outcome, with what to do about it.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Failed { reason, message } => {
                let advice = reason.advice();
                let message = if advice.is_empty() || message.contains(advice) {
                    message.clone()
                } else {
                    format!("{message}; {advice}")
                };
                Outcome::new(Phase::Failed, *reason, message)
            }
            Self::Stopped { message } => Outcome::new(Phase::InProgress, Reason::Stopped, message.clone()),
        }
    }
}

impl From<SecretError> for Ending {
    fn from(error: SecretError) -> Self {
        Self::failed(error.reason(), error.to_string())
    }
}

impl From<salesforce::Error> for Ending {
    fn from(error: salesforce::Error) -> Self {
        match error.reason() {
            Reason::Stopped => Self::Stopped { message: error.to_string() },
            // An answer that is not Salesforce's, outside of any object: a wrong address, or a proxy's page.
            Reason::ObjectsIncomplete | Reason::ObjectNotFound => {
                Self::failed(Reason::OrgUnreachable, error.to_string())
            }
            reason => Self::failed(reason, error.to_string()),
        }
    }
}

impl From<vault::VaultError> for Ending {
    fn from(error: vault::VaultError) -> Self {
        Self::failed(error.reason(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_says_what_to_do_once() {
        let ending = Ending::failed(Reason::BucketNotFound, "the bucket \"x\" does not exist");
        assert_eq!(
            ending.outcome().message,
            "the bucket \"x\" does not exist; create the bucket, or mend its name"
        );
        let said = Ending::failed(Reason::BucketNotFound, Reason::BucketNotFound.advice());
        assert_eq!(said.outcome().message, Reason::BucketNotFound.advice());
        assert_eq!(Ending::stopped().outcome().phase, Phase::InProgress);
    }
}
