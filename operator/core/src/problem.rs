//! The error taxonomy: of everything that can go wrong with a call to Salesforce, what to do about it.
//!
//! One table, so that the client, the engine and the documentation agree. The client translates an answer (or
//! the lack of one) into a [`Symptom`]; [`react`] says what to do.

use std::time::Duration;

use crate::reason::Reason;

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

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    /// The same call again, after a back-off or after what the server asked for.
    Retry {
        /// The server's own wish.
        after: Option<Duration>,
    },
    /// Get a new token (once for all tasks), then the same call once more.
    RenewToken,
    /// Bulk does not serve this object: read it by REST.
    FallBackToRest,
    /// This object cannot be read; go on with the others and name it.
    GiveUpObject,
    /// No further call makes sense.
    EndRun(Reason),
}

/// Looks the symptom up.
pub fn react(symptom: &Symptom) -> Reaction {
    let code = symptom.code.as_str();
    if symptom.token_call {
        return react_to_token(symptom);
    }
    match (symptom.status, code) {
        (_, "INVALID_SESSION_ID" | "InvalidSessionId") | (Some(401), _) => Reaction::RenewToken,
        (_, "REQUEST_LIMIT_EXCEEDED") if symptom.message.contains("Concurrent") => {
            Reaction::Retry { after: None }
        }
        (_, "REQUEST_LIMIT_EXCEEDED") => Reaction::EndRun(Reason::AllowanceReached),
        (
            _,
            "API_LIMIT_EXCEEDED" | "LIMIT_EXCEEDED" | "UNABLE_TO_LOCK_ROW" | "SERVER_UNAVAILABLE"
            | "QUERY_TIMEOUT",
        ) => Reaction::Retry { after: symptom.retry_after },
        (_, "API_DISABLED_FOR_ORG" | "API_CURRENTLY_DISABLED") => Reaction::EndRun(Reason::ApiDisabled),
        (_, "UNSUPPORTED_API_VERSION") | (Some(410), _) => Reaction::EndRun(Reason::ApiVersionUnsupported),
        (_, "INVALIDENTITY" | "INVALIDJOB" | "FeatureNotEnabled" | "InvalidBatch" | "InvalidEntity") => {
            Reaction::FallBackToRest
        }
        // 500 UNKNOWN_EXCEPTION and HTML pages of a node that restarts: mostly passing.
        (None | Some(408 | 420 | 429 | 500..=599), _) => Reaction::Retry { after: symptom.retry_after },
        _ => Reaction::GiveUpObject,
    }
}

fn react_to_token(symptom: &Symptom) -> Reaction {
    match (symptom.status, symptom.code.as_str()) {
        (_, "rate_limit_exceeded" | "temporarily_unavailable") => {
            Reaction::Retry { after: symptom.retry_after }
        }
        (None | Some(408 | 420 | 429 | 500..=599), _) => Reaction::Retry { after: symptom.retry_after },
        _ => Reaction::EndRun(Reason::AuthenticationFailed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symptom(status: Option<u16>, code: &str, message: &str) -> Symptom {
        Symptom { status, code: code.into(), message: message.into(), retry_after: None, token_call: false }
    }

    #[test]
    fn row_by_row() {
        let again = Reaction::Retry { after: None };
        for (status, code, message, want) in [
            (Some(401), "INVALID_SESSION_ID", "Session expired or invalid", Reaction::RenewToken),
            (
                Some(403),
                "REQUEST_LIMIT_EXCEEDED",
                "TotalRequests Limit exceeded.",
                Reaction::EndRun(Reason::AllowanceReached),
            ),
            (Some(403), "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded", again),
            (Some(403), "API_DISABLED_FOR_ORG", "", Reaction::EndRun(Reason::ApiDisabled)),
            (Some(410), "UNSUPPORTED_API_VERSION", "", Reaction::EndRun(Reason::ApiVersionUnsupported)),
            (
                Some(400),
                "INVALIDENTITY",
                "Entity 'X' is not supported by the Bulk API.",
                Reaction::FallBackToRest,
            ),
            (Some(400), "INVALID_FIELD", "No such column", Reaction::GiveUpObject),
            (Some(400), "MALFORMED_QUERY", "", Reaction::GiveUpObject),
            (Some(403), "INSUFFICIENT_ACCESS", "", Reaction::GiveUpObject),
            (Some(404), "NOT_FOUND", "", Reaction::GiveUpObject),
            (Some(500), "UNKNOWN_EXCEPTION", "", again),
            (Some(503), "", "<html>", again),
            (Some(420), "", "", again),
            (None, "", "connection reset", again),
        ] {
            assert_eq!(react(&symptom(status, code, message)), want, "{status:?} {code} {message}");
        }
    }

    #[test]
    fn the_servers_own_wait_is_kept() {
        let wait = Some(Duration::from_secs(7));
        let asked = Symptom { retry_after: wait, ..symptom(Some(503), "", "") };
        assert_eq!(react(&asked), Reaction::Retry { after: wait });
    }

    #[test]
    fn a_refused_token_ends_the_run_and_a_busy_login_does_not() {
        let token = |status, code: &str| Symptom { token_call: true, ..symptom(status, code, "") };
        assert_eq!(react(&token(Some(400), "invalid_grant")), Reaction::EndRun(Reason::AuthenticationFailed));
        assert_eq!(
            react(&token(Some(401), "invalid_client")),
            Reaction::EndRun(Reason::AuthenticationFailed)
        );
        assert_eq!(react(&token(Some(503), "")), Reaction::Retry { after: None });
        assert_eq!(react(&token(Some(400), "rate_limit_exceeded")), Reaction::Retry { after: None });
    }
}
