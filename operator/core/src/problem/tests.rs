//! Row by row: an example of each, and that no row hides another.

use super::*;

fn symptom(at: At, status: Option<u16>, code: &str, message: &str) -> Symptom {
    Symptom {
        status,
        code: code.into(),
        message: message.into(),
        retry_after: None,
        token_call: at == At::Token,
    }
}

/// The number of the row that fits first.
fn row(at: At, status: Option<u16>, code: &str, message: &str) -> Option<usize> {
    TABLE.iter().position(|row| row.fits(at, status, code, message))
}

const QUICK: Reaction = Reaction::Retry { after: None, pace: Pace::Quick };
const PATIENT: Reaction = Reaction::Retry { after: None, pace: Pace::Patient };
const FEW: Reaction = Reaction::Retry { after: None, pace: Pace::Few };

#[test]
fn each_row_is_reached_by_what_it_is_about() {
    for (number, of) in TABLE.iter().enumerate() {
        let status = match of.status {
            Status::Of(first, _) => Some(first),
            Status::None => None,
            // a status that no row is about
            Status::Any => Some(400),
        };
        let message = of.words.first().copied().unwrap_or_default();
        let codes = if of.codes.is_empty() { &[""][..] } else { of.codes };
        for code in codes {
            assert_eq!(
                row(of.at, status, code, message),
                Some(number),
                "{code} of {of:?} meets another row first"
            );
        }
        assert!(!of.why.is_empty());
    }
}

#[test]
fn each_place_has_a_last_row_for_everything() {
    for at in [At::Token, At::Call, At::Job, At::Own] {
        let last = TABLE.iter().rfind(|row| row.at == at).unwrap();
        assert_eq!((last.status, last.codes, last.words), (Status::Any, &[][..], &[][..]), "{at:?}");
    }
}

#[test]
fn each_fault_has_a_row_of_its_own() {
    for &fault in Fault::ALL {
        assert!(
            TABLE.iter().any(|row| row.at == At::Own && row.codes.contains(&fault.as_str())),
            "{fault:?}"
        );
    }
    let words: Vec<&str> = Fault::ALL.iter().map(|fault| fault.as_str()).collect();
    for code in TABLE.iter().filter(|row| row.at == At::Own).flat_map(|row| row.codes) {
        assert!(words.contains(code), "{code} is no fault");
    }
}

#[test]
fn calls() {
    for (status, code, message, want) in [
        (Some(401), "INVALID_SESSION_ID", "Session expired or invalid", Reaction::RenewToken),
        (Some(400), "InvalidSessionId", "", Reaction::RenewToken),
        (Some(500), "sf:INVALID_SESSION_ID", "", Reaction::RenewToken),
        (Some(401), "", "", Reaction::RenewToken),
        (
            Some(403),
            "REQUEST_LIMIT_EXCEEDED",
            "TotalRequests Limit exceeded.",
            Reaction::EndRun(Reason::AllowanceReached),
        ),
        (Some(403), "REQUEST_LIMIT_EXCEEDED", "ConcurrentPerOrgLongTxn Limit exceeded", PATIENT),
        (Some(403), "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests Limit exceeded.", PATIENT),
        (Some(400), "LIMIT_EXCEEDED", "", PATIENT),
        (
            Some(400),
            "LIMIT_EXCEEDED",
            "Max bulk v2 query jobs (10000) per 24 hrs has been reached (10000)",
            Reaction::FallBackToRest,
        ),
        (
            Some(400),
            "API_ERROR",
            "Selecting compound data not supported in Bulk Query",
            Reaction::FallBackToRest,
        ),
        (
            Some(400),
            "API_ERROR",
            "Error encountered when deleting the job because the job is not terminated",
            FEW,
        ),
        (Some(403), "API_DISABLED_FOR_ORG", "", Reaction::EndRun(Reason::ApiDisabled)),
        (Some(410), "UNSUPPORTED_API_VERSION", "", Reaction::EndRun(Reason::ApiVersionUnsupported)),
        (
            Some(400),
            "INVALIDENTITY",
            "Entity 'X' is not supported by the Bulk API.",
            Reaction::FallBackToRest,
        ),
        (Some(400), "INVALID_QUERY_LOCATOR", "invalid query locator", Reaction::ReadAgain),
        (Some(400), "INVALID_FIELD", "No such column", Reaction::GiveUpObject),
        (Some(400), "MALFORMED_QUERY", "", Reaction::GiveUpObject),
        (Some(403), "INSUFFICIENT_ACCESS", "", Reaction::GiveUpObject),
        (Some(404), "NOT_FOUND", "The requested resource does not exist", Reaction::GiveUpObject),
        (Some(400), "QUERY_TIMEOUT", "", FEW),
        (Some(500), "UNKNOWN_EXCEPTION", "", QUICK),
        (Some(503), "", "<html>", QUICK),
        (Some(420), "", "", QUICK),
        (Some(302), "", "", Reaction::EndRun(Reason::OrgUnreachable)),
        (None, "", "connection reset", QUICK),
        (Some(400), "A_CODE_OF_TOMORROW", "", Reaction::GiveUpObject),
    ] {
        assert_eq!(react(&symptom(At::Call, status, code, message)), want, "{status:?} {code} {message}");
    }
}

#[test]
fn a_refused_token_ends_the_run_and_a_busy_login_does_not() {
    let refused = Reaction::EndRun(Reason::AuthenticationFailed);
    for (status, code, want) in [
        (Some(400), "invalid_grant", refused),
        (Some(401), "invalid_client", refused),
        (Some(404), "", refused),
        (Some(400), "rate_limit_exceeded", PATIENT),
        (Some(400), "unknown_error", QUICK),
        (Some(503), "", QUICK),
        (None, "", QUICK),
    ] {
        assert_eq!(react(&symptom(At::Token, status, code, "")), want, "{status:?} {code}");
    }
}

#[test]
fn a_failed_job_by_its_words() {
    for (message, want) in [
        ("FeatureNotEnabled", Reaction::FallBackToRest),
        (
            "InvalidBatch : Failed to process query: MALFORMED_QUERY: Implementation restriction",
            Reaction::FallBackToRest,
        ),
        ("LIMIT_EXCEEDED: too much", Reaction::ReadAgain),
        ("", Reaction::FallBackToRest),
    ] {
        assert_eq!(react_to_job(message), want, "{message}");
    }
}

#[test]
fn the_servers_own_wait_is_kept() {
    let wait = Some(Duration::from_secs(7));
    let asked = Symptom { retry_after: wait, ..symptom(At::Call, Some(503), "", "") };
    assert_eq!(react(&asked), Reaction::Retry { after: wait, pace: Pace::Quick });
}

#[test]
fn faults() {
    assert_eq!(Fault::PageCut.reaction(), QUICK);
    assert_eq!(Fault::PageWrong.reaction(), FEW);
    assert_eq!(Fault::LocatorRepeated.reaction(), Reaction::ReadAgain);
    assert_eq!(Fault::WrongAnswer.reaction(), Reaction::GiveUpObject);
    assert_eq!(Fault::Cancelled.reaction(), Reaction::EndRun(Reason::Stopped));
}
