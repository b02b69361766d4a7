//! The table: the first row that fits holds.

use super::At::{Call, Job, Own, Token};
use super::Reaction::{EndRun, FallBackToRest, GiveUpObject, ReadAgain, RenewToken, Retry};
use super::Status::{Any, None as NoAnswer, Of};
use super::{At, Pace, Reaction, Row, Status};
use crate::reason::Reason::{
    AllowanceReached, ApiDisabled, ApiVersionUnsupported, AuthenticationFailed, InvalidObject,
    OrgUnreachable, Stopped,
};

const QUICK: Reaction = Retry { after: None, pace: Pace::Quick };
const PATIENT: Reaction = Retry { after: None, pace: Pace::Patient };
const FEW: Reaction = Retry { after: None, pace: Pace::Few };

/// A row by codes.
const fn codes(at: At, codes: &'static [&'static str], then: Reaction, why: &'static str) -> Row {
    Row { at, status: Any, codes, words: &[], then, why }
}

/// A row by status.
const fn status(at: At, status: Status, then: Reaction, why: &'static str) -> Row {
    Row { at, status, codes: &[], words: &[], then, why }
}

/// Everything that can go wrong with a call to Salesforce.
pub const TABLE: &[Row] = &[
    // --- signing in
    codes(
        Token,
        &["rate_limit_exceeded", "slow_down", "authorization_pending", "temporarily_unavailable"],
        PATIENT,
        "too many sign-ins, or not yet (R device flow, K)",
    ),
    codes(Token, &["unknown_error", "server_error"], QUICK, "\"retry your request\" (K)"),
    codes(
        Token,
        &["ORG_IN_MAINTENANCE", "SERVER_UNAVAILABLE", "SSO_SERVICE_DOWN"],
        PATIENT,
        "SOAP login while the org is away (W)",
    ),
    codes(Token, &["inactive_org"], EndRun(ApiDisabled), "the org is locked or its trial is over (D)"),
    codes(
        Token,
        &[
            "invalid_grant",
            "invalid_client_id",
            "invalid_client",
            "invalid_client_credentials",
            "invalid_assertion_type",
            "invalid_request",
            "invalid_scope",
            "unsupported_grant_type",
            "unauthorized_client",
            "invalid_app_access",
            "inactive_user",
        ],
        EndRun(AuthenticationFailed),
        "the credentials, the connected app or its user: asking again locks the user out (R, D)",
    ),
    codes(
        Token,
        &[
            "INVALID_LOGIN",
            "LOGIN_MUST_USE_SECURITY_TOKEN",
            "LOGIN_DURING_RESTRICTED_DOMAIN",
            "LOGIN_DURING_RESTRICTED_TIME",
            "LOGIN_CHALLENGE_ISSUED",
            "LOGIN_CHALLENGE_PENDING",
            "PASSWORD_LOCKOUT",
            "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
            "UNSUPPORTED_CLIENT",
        ],
        EndRun(AuthenticationFailed),
        "SOAP login refused (W)",
    ),
    status(Token, NoAnswer, QUICK, "no connection, no answer, or an answer that broke off"),
    status(Token, Of(408, 408), QUICK, "the server saw no whole request in time"),
    status(Token, Of(420, 420), QUICK, "a busy node (K)"),
    status(Token, Of(429, 429), PATIENT, "too many requests (K)"),
    status(Token, Of(500, 599), QUICK, "a node that restarts, often as HTML (K)"),
    status(Token, Any, EndRun(AuthenticationFailed), "any other refusal to sign in"),
    // --- the session
    codes(
        Call,
        &["INVALID_SESSION_ID", "InvalidSessionId", "INVALID_AUTH_HEADER", "TXN_SECURITY_END_A_SESSION"],
        RenewToken,
        "the session is over: 401 in REST (R), 400 in Bulk 1.0, a fault of HTTP 500 in SOAP (C)",
    ),
    status(Call, Of(401, 401), RenewToken, "the session is over (R)"),
    // --- limits
    Row {
        at: Call,
        status: Any,
        codes: &["REQUEST_LIMIT_EXCEEDED"],
        words: &["Concurrent"],
        then: PATIENT,
        why: "too many long calls at once: \"ConcurrentPerOrgLongTxn Limit exceeded\" (K)",
    },
    codes(
        Call,
        &["REQUEST_LIMIT_EXCEEDED"],
        EndRun(AllowanceReached),
        "the calls of 24 hours are used up: \"TotalRequests Limit exceeded.\" (K)",
    ),
    Row {
        at: Call,
        status: Any,
        codes: &["LIMIT_EXCEEDED"],
        words: &["per 24 hrs"],
        then: FallBackToRest,
        why: "the day's Bulk jobs are used up: \"Max bulk v2 query jobs (10000) per 24 hrs has been reached\" (D issues)",
    },
    codes(
        Call,
        &[
            "API_LIMIT_EXCEEDED",
            "LIMIT_EXCEEDED",
            "EXCEEDED_QUOTA",
            "ExceededQuota",
            "TOO_MANY_JOBS",
            "TOO_MANY_APEX_REQUESTS",
        ],
        PATIENT,
        "a limit other than that of calls, as on Bulk jobs: wait (D issues, W)",
    ),
    status(Call, Of(429, 429), PATIENT, "too many requests (K)"),
    // --- what passes
    codes(Call, &["UNABLE_TO_LOCK_ROW"], QUICK, "another transaction holds the row (D)"),
    codes(
        Call,
        &[
            "SERVER_UNAVAILABLE",
            "ORG_IN_MAINTENANCE",
            "INSERT_UPDATE_DELETE_NOT_ALLOWED_DURING_MAINTENANCE",
            "FUNCTIONALITY_TEMPORARILY_UNAVAILABLE",
        ],
        PATIENT,
        "the org is away for a while (W)",
    ),
    codes(
        Call,
        &[
            "QUERY_TIMEOUT",
            "REQUEST_RUNNING_TOO_LONG",
            "REALTIME_PROCESSING_TIME_EXCEEDED_LIMIT",
            "EXTERNAL_OBJECT_CONNECTION_EXCEPTION",
            "CONTENT_HUB_TIMEOUT_EXCEPTION",
        ],
        FEW,
        "it took longer than 120 s a step, or another system did not answer (K, W)",
    ),
    codes(
        Call,
        &["INVALIDJOBSTATE", "InvalidJobState"],
        FEW,
        "a job is not, or no longer, in the state that the call needs (K)",
    ),
    // --- the end
    codes(
        Call,
        &["API_DISABLED_FOR_ORG", "API_CURRENTLY_DISABLED", "ORG_LOCKED", "TRIAL_EXPIRED"],
        EndRun(ApiDisabled),
        "the edition, the profile or the org has no API (W)",
    ),
    codes(
        Call,
        &["CLIENT_NOT_ACCESSIBLE_FOR_USER", "CLIENT_REQUIRE_UPDATE_FOR_USER", "MUTUAL_AUTHENTICATION_FAILED"],
        EndRun(AuthenticationFailed),
        "the connected app is closed to this user, or wants a client certificate (W)",
    ),
    codes(Call, &["UNSUPPORTED_API_VERSION"], EndRun(ApiVersionUnsupported), "the version is retired (K)"),
    status(Call, Of(410, 410), EndRun(ApiVersionUnsupported), "the version is retired (K)"),
    status(
        Call,
        Of(301, 399),
        EndRun(OrgUnreachable),
        "the org has moved; a redirect would carry the token to wherever it says",
    ),
    // --- another way
    Row {
        at: Call,
        status: Any,
        codes: &["API_ERROR"],
        words: &["not terminated"],
        then: FEW,
        why: "a Bulk job that is to be deleted still runs (D issues)",
    },
    codes(
        Call,
        &[
            "API_ERROR",
            "INVALIDENTITY",
            "InvalidEntity",
            "INVALIDJOB",
            "InvalidJob",
            "INVALIDBATCH",
            "InvalidBatch",
            "FEATURENOTENABLED",
            "FeatureNotEnabled",
            "ASYNC_QUERY_UNSUPPORTED_QUERY",
            "BIG_OBJECT_UNSUPPORTED_OPERATION",
        ],
        FallBackToRest,
        "Bulk does not serve this object, these fields or this query: \"Entity 'X' is not supported by the Bulk API.\", \
         \"Selecting compound data not supported in Bulk Query\" (D issues)",
    ),
    codes(
        Call,
        &["INVALID_QUERY_LOCATOR", "INVALID_LOCATOR", "INVALID_PAGING_OPTION"],
        ReadAgain,
        "the cursor or page is gone, after 2 days or earlier (D apicursors, K)",
    ),
    // --- this object cannot be read
    codes(
        Call,
        &[
            "INVALID_FIELD",
            "INVALID_TYPE",
            "INVALID_TYPE_FOR_OPERATION",
            "ENTITY_NOT_QUERYABLE",
            "MALFORMED_QUERY",
            "MALFORMED_SEARCH",
            "MALFORMED_ID",
            "INVALID_QUERY_FILTER_OPERATOR",
            "INVALID_REPLICATION_DATE",
            "QUERY_TOO_COMPLICATED",
            "OPERATION_TOO_LARGE",
            "EXCEEDED_ID_LIMIT",
        ],
        GiveUpObject,
        "the object, a field or the query is not to the org's liking, and will not be (R, W)",
    ),
    codes(
        Call,
        &["NOT_FOUND", "RECORD_NOT_FOUND", "MISSING_RECORD"],
        GiveUpObject,
        "there is no such object, record or job, or not for this user (R, W)",
    ),
    codes(
        Call,
        &[
            "INSUFFICIENT_ACCESS",
            "INSUFFICIENT_ACCESS_OR_READONLY",
            "INSUFFICIENT_ACCESS_ON_CROSS_REFERENCE_ENTITY",
            "TXN_SECURITY_NO_ACCESS",
            "TXN_SECURITY_TWO_FA_REQUIRED",
        ],
        GiveUpObject,
        "the user may not read it (W)",
    ),
    codes(
        Call,
        &[
            "FUNCTIONALITY_NOT_ENABLED",
            "EXTERNAL_OBJECT_EXCEPTION",
            "EXTERNAL_OBJECT_AUTHENTICATION_EXCEPTION",
            "EXTERNAL_OBJECT_UNSUPPORTED_EXCEPTION",
        ],
        GiveUpObject,
        "the org has the feature switched off, or another system holds the data and refuses (W)",
    ),
    // --- by status alone
    status(Call, NoAnswer, QUICK, "no connection, no answer, or an answer that broke off"),
    status(Call, Of(408, 408), QUICK, "the server saw no whole request in time"),
    status(Call, Of(420, 420), QUICK, "a busy node (K)"),
    status(Call, Of(500, 599), QUICK, "UNKNOWN_EXCEPTION, or the HTML of a node that restarts (K)"),
    status(
        Call,
        Of(409, 409),
        GiveUpObject,
        "result pages asked with another API version than the job's (D parallel)",
    ),
    status(Call, Of(414, 414), GiveUpObject, "a URI of more than 16,384 bytes (C)"),
    status(Call, Of(431, 431), GiveUpObject, "headers of more than 16,384 bytes (C)"),
    status(Call, Any, GiveUpObject, "any other refusal"),
    // --- a Bulk job that failed, by what it says
    Row {
        at: Job,
        status: Any,
        codes: &[],
        words: &[
            "LIMIT_EXCEEDED",
            "ExceededQuota",
            "UNABLE_TO_LOCK_ROW",
            "SERVER_UNAVAILABLE",
            "UNKNOWN_EXCEPTION",
            "InternalServerError",
        ],
        then: ReadAgain,
        why: "Salesforce gave up for a while, after up to 15 tries of its own (D limits, K)",
    },
    status(
        Job,
        Any,
        FallBackToRest,
        "some objects and queries are refused only here: \"FeatureNotEnabled\", \"InvalidBatch : Failed to process query\" (D issues)",
    ),
    // --- what we find ourselves
    codes(Own, &["PageCut", "BlobCut"], QUICK, "the page, or the rest of the file, is asked for again"),
    codes(Own, &["BodyUnreadable"], FEW, "the page of a node that restarts, with a status of 200 (K)"),
    codes(Own, &["PageWrong", "BlobWrong"], FEW, "the answer is not what it says of itself"),
    codes(
        Own,
        &["RowsMissing", "LocatorRepeated", "RowsMoved", "JobAborted"],
        ReadAgain,
        "the pages do not make up the object",
    ),
    codes(Own, &["WrongAnswer", "TooLarge", "QueryTooLong"], GiveUpObject, "another try gives the same"),
    codes(Own, &["InputRefused"], GiveUpObject, "what is to be written cannot be sent as it is"),
    codes(Own, &["JournalWrong"], EndRun(InvalidObject), "without a journal nothing is written"),
    codes(Own, &["AllowanceReached"], EndRun(AllowanceReached), "the budget lets no call begin"),
    codes(Own, &["JobDeadline", "Cancelled"], EndRun(Stopped), "the job goes on in the org and is resumed"),
    codes(Own, &["VersionUnsupported"], EndRun(ApiVersionUnsupported), "no API version in common"),
    codes(
        Own,
        &["AccessRevoked", "RefreshTokenLost", "PrivateKey"],
        EndRun(AuthenticationFailed),
        "there is no way in any more",
    ),
    codes(Own, &["Options"], EndRun(InvalidObject), "the options cannot be used"),
    status(Own, Any, GiveUpObject, "a fault without a row"),
];
