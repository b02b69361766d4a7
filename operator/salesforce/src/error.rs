//! What can go wrong with a call to Salesforce, typed so that the engine can decide.

use orgkeep_core::problem::{Fault, Reaction, Symptom, react, react_to_job};
use orgkeep_core::reason::Reason;

/// The client's result.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, with which call. No variant carries a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The org answered and refused; retries, where they could help, are over.
    #[error("{what}: the org answered HTTP {} {}: {}", .symptom.status.unwrap_or_default(), .symptom.code, .symptom.message)]
    Refused {
        /// The call, for a person: method and path, or a job's step.
        what: String,
        /// What the answer showed.
        symptom: Symptom,
    },
    /// No answer came (connect, time-out, cut), and retries are over.
    #[error("{what}: no answer: {}", .symptom.message)]
    Unreachable {
        /// The call.
        what: String,
        /// What was seen; `status` is `None`.
        symptom: Symptom,
        /// Whether the request may have reached the org: not where no connection stood.
        sent: bool,
    },
    /// No call may begin: the org's allowance is used up to the mark.
    #[error(
        "the org's API allowance is used up to the mark: {used} of {allowance} calls observed, the mark is {mark}; \
         wait for the rolling 24 hours, or raise spec.apiUsage.maxPercent"
    )]
    AllowanceReached {
        /// Calls of all users that the org last told.
        used: u64,
        /// Calls allowed in 24 hours.
        allowance: u64,
        /// The count that our calls stay below.
        mark: u64,
    },
    /// A Bulk query job ended as `Failed`: its object may still be readable by REST.
    #[error("Bulk job {job} on {object} failed: {message}")]
    JobFailed {
        /// Object API name.
        object: String,
        /// The job's id.
        job: String,
        /// Salesforce's `errorMessage`.
        message: String,
    },
    /// A Bulk query job was aborted by someone.
    #[error("Bulk job {job} on {object} was aborted in the org")]
    JobAborted {
        /// Object API name.
        object: String,
        /// The job's id.
        job: String,
    },
    /// A Bulk query job was not done by the deadline; it goes on in the org and can be resumed.
    #[error("Bulk job {job} on {object} was not done by the deadline (state {state}); it can be resumed")]
    JobDeadline {
        /// Object API name.
        object: String,
        /// The job's id.
        job: String,
        /// The state last seen.
        state: String,
    },
    /// The wait was cancelled; the job goes on in the org and can be resumed.
    #[error("the wait for Bulk job {job} on {object} was cancelled; it can be resumed")]
    Cancelled {
        /// Object API name.
        object: String,
        /// The job's id.
        job: String,
    },
    /// The body of a result page ended early or stalled: read the page again.
    #[error(
        "Bulk job {job} on {object}: the page at locator {page} broke off after {offset} bytes: {detail}"
    )]
    PageCut {
        /// Object API name.
        object: String,
        /// The job's id.
        job: String,
        /// The page's locator; `first` for the first.
        page: String,
        /// Decoded bytes that came before.
        offset: u64,
        /// What broke.
        detail: String,
    },
    /// The org named a page that it had named before: going on would read the same rows for ever.
    #[error("{what}: the org named the page {locator} twice; read the object again")]
    LocatorRepeated {
        /// The query or job.
        what: String,
        /// The locator.
        locator: String,
    },
    /// The body of an answer came whole and is not what it should be: HTML of a restarting node or of a proxy, JSON
    /// that ends early or has another shape.
    #[error("{what}: the answer cannot be understood at byte {offset}: {detail}")]
    BodyUnreadable {
        /// The call, with the object and page that it is about.
        what: String,
        /// Where in the decoded body.
        offset: u64,
        /// What was wrong with it.
        detail: String,
        /// Whether it is likely to pass; tries, where it is, are over.
        passing: bool,
    },
    /// An answer that must be held whole is larger than we hold.
    #[error("{what}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// The call.
        what: String,
        /// The most that is held, bytes.
        limit: u64,
    },
    /// A result page is not what its head, the query or the other pages say.
    #[error("Bulk job {job} on {object}: the page at locator {page} is wrong at byte {offset}: {detail}")]
    PageWrong {
        /// Object API name.
        object: String,
        /// The job's id.
        job: String,
        /// The page's locator; `first` for the first.
        page: String,
        /// Decoded bytes up to where it was noticed.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// All pages of a query came, and together they do not have the rows that the org says there are.
    #[error("{what}: {got} rows came, the org says {expected}; read the object again")]
    RowsMissing {
        /// The query or job.
        what: String,
        /// Rows that came.
        got: u64,
        /// Rows that the org announced.
        expected: u64,
    },
    /// The content of a file is not what the record says of it.
    #[error("{what}: the content is wrong after {offset} bytes: {detail}")]
    BlobWrong {
        /// The record and field.
        what: String,
        /// Bytes that had come.
        offset: u64,
        /// What is wrong.
        detail: String,
    },
    /// The content of a file broke off, and asking for the rest did not help.
    #[error("{what}: the content broke off after {offset} bytes: {detail}")]
    BlobCut {
        /// The record and field.
        what: String,
        /// Bytes that had come.
        offset: u64,
        /// What broke.
        detail: String,
    },
    /// The org refused to renew a session that it had granted: access was revoked, or the user or app closed.
    #[error("the org ended our access ({}: {}); {}", .symptom.code, .symptom.message, Reason::AuthenticationFailed.advice())]
    AccessRevoked {
        /// What the token endpoint said.
        symptom: Symptom,
    },
    /// The org gave a new refresh token in place of the old one, and it could not be kept.
    #[error(
        "the org replaced the refresh token, and the new one could not be kept: {detail}; the old one no longer works"
    )]
    RefreshTokenLost {
        /// Why, without the token.
        detail: String,
    },
    /// What is to be written cannot be sent as it is.
    #[error("{what}: {detail}")]
    InputRefused {
        /// The write, the row or the file.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// The journal of intents cannot be kept, or does not go with what is to be written.
    #[error("the journal of what is written: {detail}")]
    JournalWrong {
        /// What is wrong.
        detail: String,
    },
    /// An answer is not what the API promises.
    #[error("{what}: the answer cannot be understood: {detail}")]
    WrongAnswer {
        /// The call.
        what: String,
        /// What was wrong with it.
        detail: String,
    },
    /// Rows of a wide object changed between its part queries more often than we read them again.
    #[error(
        "{object}: rows kept changing while their columns were read in parts ({detail}); read it again later"
    )]
    RowsMoved {
        /// Object API name.
        object: String,
        /// Which, how often.
        detail: String,
    },
    /// A query cannot be put into a URI that the org accepts.
    #[error("{object}: {detail}")]
    QueryTooLong {
        /// Object API name.
        object: String,
        /// What is too long.
        detail: String,
        /// Whether REST can read it, which splits its columns.
        by_rest: bool,
    },
    /// The org offers no API version that we can speak.
    #[error("no API version in common: {detail}")]
    VersionUnsupported {
        /// Both ranges, or the version asked for.
        detail: String,
    },
    /// The private key cannot be used.
    #[error(
        "the private key cannot be used: {detail}; expected an RSA key of 2048 to 8192 bits as PEM (PKCS#1 or PKCS#8)"
    )]
    PrivateKey {
        /// What is wrong with it, without any of its content.
        detail: String,
    },
    /// The options cannot be used.
    #[error("{detail}")]
    Options {
        /// What is wrong and what to do.
        detail: String,
    },
}

impl Error {
    /// What to do about it, by the one table of [`orgkeep_core::problem`].
    pub fn reaction(&self) -> Reaction {
        match self {
            Self::Refused { symptom, .. } | Self::Unreachable { symptom, .. } => react(symptom),
            Self::JobFailed { message, .. } => react_to_job(message),
            Self::AllowanceReached { .. } => Fault::AllowanceReached.reaction(),
            Self::JobAborted { .. } => Fault::JobAborted.reaction(),
            Self::JobDeadline { .. } => Fault::JobDeadline.reaction(),
            Self::Cancelled { .. } => Fault::Cancelled.reaction(),
            Self::PageCut { .. } => Fault::PageCut.reaction(),
            Self::LocatorRepeated { .. } => Fault::LocatorRepeated.reaction(),
            Self::RowsMoved { .. } => Fault::RowsMoved.reaction(),
            Self::WrongAnswer { .. } => Fault::WrongAnswer.reaction(),
            Self::QueryTooLong { by_rest: true, .. } => Reaction::FallBackToRest,
            Self::QueryTooLong { .. } => Fault::QueryTooLong.reaction(),
            Self::BodyUnreadable { passing: true, .. } => Fault::BodyUnreadable.reaction(),
            Self::BodyUnreadable { .. } => Fault::WrongAnswer.reaction(),
            Self::TooLarge { .. } => Fault::TooLarge.reaction(),
            Self::PageWrong { .. } => Fault::PageWrong.reaction(),
            Self::RowsMissing { .. } => Fault::RowsMissing.reaction(),
            Self::BlobWrong { .. } => Fault::BlobWrong.reaction(),
            Self::BlobCut { .. } => Fault::BlobCut.reaction(),
            Self::AccessRevoked { .. } => Fault::AccessRevoked.reaction(),
            Self::RefreshTokenLost { .. } => Fault::RefreshTokenLost.reaction(),
            Self::InputRefused { .. } => Fault::InputRefused.reaction(),
            Self::JournalWrong { .. } => Fault::JournalWrong.reaction(),
            Self::VersionUnsupported { .. } => Fault::VersionUnsupported.reaction(),
            Self::PrivateKey { .. } => Fault::PrivateKey.reaction(),
            Self::Options { .. } => Fault::Options.reaction(),
        }
    }

    /// Whether the same call can never succeed with the same credentials and options.
    pub(crate) fn is_final(&self) -> bool {
        matches!(self.reaction(), Reaction::EndRun(_))
    }

    /// Whether the org may have done what it was asked for although we did not hear so: no answer, an answer that
    /// cannot be read, or a status from 500 on, which a node or a proxy gives also after the work was done. A SOAP
    /// fault with a code of its own says that nothing was done (its status is told as 400).
    pub(crate) fn may_have_worked(&self) -> bool {
        match self {
            Self::Unreachable { symptom, sent, .. } => *sent && !symptom.token_call,
            Self::BodyUnreadable { .. } | Self::TooLarge { .. } | Self::WrongAnswer { .. } => true,
            Self::Refused { symptom, .. } => {
                let status = symptom.status.unwrap_or_default();
                let over = matches!(symptom.code.as_str(), "INVALID_SESSION_ID" | "InvalidSessionId");
                !symptom.token_call && !over && (status >= 500 || status == 408 || status == 420)
            }
            _ => false,
        }
    }

    /// The reason that a condition or a run's outcome carries if this error ends it.
    pub fn reason(&self) -> Reason {
        match self.reaction() {
            Reaction::EndRun(reason) => reason,
            Reaction::RenewToken => Reason::AuthenticationFailed,
            Reaction::Retry { .. } => Reason::OrgUnreachable,
            Reaction::ReadAgain | Reaction::FallBackToRest | Reaction::GiveUpObject => match self.code() {
                "INVALID_TYPE" | "NOT_FOUND" => Reason::ObjectNotFound,
                code if code.starts_with("INSUFFICIENT_ACCESS") => Reason::PermissionsMissing,
                _ => Reason::ObjectsIncomplete,
            },
        }
    }

    /// Salesforce's error code (or OAuth's `error`), else this error's own word: for a list of failures.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused { symptom, .. } if !symptom.code.is_empty() => &symptom.code,
            Self::AccessRevoked { symptom } if !symptom.code.is_empty() => &symptom.code,
            Self::AccessRevoked { .. } => "AccessRevoked",
            Self::RefreshTokenLost { .. } => "RefreshTokenLost",
            Self::BodyUnreadable { .. } => "BodyUnreadable",
            Self::TooLarge { .. } => "TooLarge",
            Self::PageWrong { .. } => "PageWrong",
            Self::RowsMissing { .. } => "RowsMissing",
            Self::BlobWrong { .. } => "BlobWrong",
            Self::BlobCut { .. } => "BlobCut",
            Self::Refused { .. } => "HttpError",
            Self::Unreachable { .. } => "OrgUnreachable",
            Self::AllowanceReached { .. } => "AllowanceReached",
            Self::JobFailed { .. } => "JobFailed",
            Self::JobAborted { .. } => "JobAborted",
            Self::JobDeadline { .. } => "JobDeadline",
            Self::Cancelled { .. } => "Cancelled",
            Self::PageCut { .. } => "PageCut",
            Self::LocatorRepeated { .. } => "LocatorRepeated",
            Self::WrongAnswer { .. } => "WrongAnswer",
            Self::RowsMoved { .. } => "RowsMoved",
            Self::QueryTooLong { .. } => "QueryTooLong",
            Self::InputRefused { .. } => "InputRefused",
            Self::JournalWrong { .. } => "JournalWrong",
            Self::VersionUnsupported { .. } => "ApiVersionUnsupported",
            Self::PrivateKey { .. } => "PrivateKeyInvalid",
            Self::Options { .. } => "OptionsInvalid",
        }
    }
}
