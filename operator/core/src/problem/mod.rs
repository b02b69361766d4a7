//! The error taxonomy: of everything that can go wrong with a call to Salesforce, what to do about it.
//!
//! One table ([`TABLE`]), so that the client, the engine and the documentation agree. The client translates an
//! answer (or the lack of one) into a [`Symptom`], and what it finds wrong by itself into a [`Fault`]; [`react`],
//! [`react_to_job`] and [`Fault::reaction`] look them up. The first row that fits holds.

mod fault;
mod rows;
mod table;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::reason::Reason;

pub use fault::Fault;
pub use rows::{Fate, ROW_TABLE, RowRule, fate};
pub use table::TABLE;

/// What a call to Salesforce showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Symptom {
    /// HTTP status; `None` when no answer came (connect, time-out, cut).
    pub status: Option<u16>,
    /// Salesforce's `errorCode`, or OAuth's `error`; empty when the body had none (HTML, nothing).
    pub code: String,
    /// Salesforce's words.
    pub message: String,
    /// What `Retry-After` asked for.
    pub retry_after: Option<Duration>,
    /// Whether the call was one to the token endpoint.
    pub token_call: bool,
}

/// How often and how fast the same call is tried again. The client's retry policy says the numbers of
/// [`Pace::Quick`]; the others are told by it. Pauses double up to a cap, each drawn at random below that bound,
/// and what `Retry-After` asks for is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// What passes by itself: 7 tries, the first pause up to half a second, at most 30 s.
    Quick,
    /// What the org must work off first, and what pushing makes worse: the same tries, eight times the first
    /// pause, at most a minute.
    Patient,
    /// What seldom passes, and costs the org much: 3 tries.
    Few,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The same call again, after a back-off or after what the server asked for.
    Retry {
        /// The server's own wish.
        after: Option<Duration>,
        /// How often, how fast.
        pace: Pace,
    },
    /// Get a new token (once for all tasks), then the same call once more.
    RenewToken,
    /// The same call cannot help, reading the object anew from its beginning can.
    ReadAgain,
    /// Bulk does not serve this object: read it by REST.
    FallBackToRest,
    /// This object cannot be read; go on with the others and name it.
    GiveUpObject,
    /// No further call makes sense.
    EndRun(Reason),
}

/// Where an error shows itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// The token endpoint.
    Token,
    /// Any other call.
    Call,
    /// The `errorMessage` of a Bulk job that failed.
    Job,
    /// What we find wrong ourselves: a [`Fault`].
    Own,
}

/// HTTP statuses that a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Any, and none.
    Any,
    /// No answer came.
    None,
    /// One of these, both ends included.
    Of(u16, u16),
}

/// A row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Where.
    pub at: At,
    /// With which status.
    pub status: Status,
    /// With one of these codes; any, and none, if empty.
    pub codes: &'static [&'static str],
    /// With one of these in the message; any message if empty.
    pub words: &'static [&'static str],
    /// What to do.
    pub then: Reaction,
    /// What it means, and where that is known from: R a recorded answer, D Salesforce's documentation, W the code
    /// list of the Partner WSDL, C a client's source, K knowledge that nothing of these confirms.
    pub why: &'static str,
}

impl Row {
    fn fits(&self, at: At, status: Option<u16>, code: &str, message: &str) -> bool {
        let status = match (self.status, status) {
            (Status::Any, _) | (Status::None, None) => true,
            (Status::Of(first, last), Some(status)) => (first..=last).contains(&status),
            (Status::None, Some(_)) | (Status::Of(..), None) => false,
        };
        // SOAP puts the code into a namespace: sf:INVALID_SESSION_ID
        let code = code.rsplit_once(':').map_or(code, |(_, code)| code);
        self.at == at
            && status
            && (self.codes.is_empty() || self.codes.contains(&code))
            && (self.words.is_empty() || self.words.iter().any(|words| message.contains(words)))
    }
}

/// Looks the symptom up.
pub fn react(symptom: &Symptom) -> Reaction {
    let at = if symptom.token_call { At::Token } else { At::Call };
    match find(at, symptom.status, &symptom.code, &symptom.message) {
        Reaction::Retry { pace, .. } => Reaction::Retry { after: symptom.retry_after, pace },
        other => other,
    }
}

/// Looks up why a Bulk job failed, in Salesforce's words.
pub fn react_to_job(message: &str) -> Reaction {
    find(At::Job, None, "", message)
}

/// The first row that fits. Each place's last row fits everything (held by a test), so the default is never met.
fn find(at: At, status: Option<u16>, code: &str, message: &str) -> Reaction {
    let row = TABLE.iter().find(|row| row.fits(at, status, code, message));
    row.map_or(Reaction::GiveUpObject, |row| row.then)
}
