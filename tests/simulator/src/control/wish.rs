//! What every call of `/_simulator/orgs/<id>/…` shares: who acts, when, and how it is answered.

use http::StatusCode;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::server::OrgState;
use crate::store::transaction::Refusal;
use crate::value::Id;
use crate::web::{Answer, ApiError, Request};

/// One call.
pub(super) struct Wish<'a> {
    pub(super) org: &'a OrgState,
    pub(super) request: &'a Request,
    /// The user in whose name it is done, by number: `?user=`, the first one otherwise.
    pub(super) user: usize,
    /// By how many milliseconds the stamps lie before the commit: `?secondsAgo=`.
    pub(super) late: i64,
}

impl<'a> Wish<'a> {
    pub(super) fn new(org: &'a OrgState, request: &'a Request) -> Result<Self, ApiError> {
        let user = match request.parameter("user") {
            None => 0,
            Some(name) => user_number(org, name)?,
        };
        let late = match request.parameter("secondsAgo").map(str::parse::<u32>) {
            None => 0,
            Some(Ok(seconds)) => i64::from(seconds) * 1_000,
            Some(Err(_)) => return Err(wrong("secondsAgo is not a number of seconds")),
        };
        Ok(Self { org, request, user, late })
    }

    /// The body, as JSON.
    pub(super) fn body<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.request.body).map_err(|error| wrong(error.to_string()))
    }
}

/// A user of an org by user name.
pub(super) fn user_number(org: &OrgState, name: &str) -> Result<usize, ApiError> {
    let users = &org.org.settings.users;
    let found = users.iter().position(|user| user.username.eq_ignore_ascii_case(name));
    found.ok_or_else(|| ApiError::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("there is no user {name}")))
}

/// A call that makes no sense.
pub(super) fn wrong(message: impl Into<String>) -> ApiError {
    ApiError::bad("INVALID_REQUEST", message)
}

/// A record id.
pub(super) fn id(text: &str) -> Result<Id, ApiError> {
    Id::parse(text).ok_or_else(|| ApiError::bad("MALFORMED_ID", format!("malformed id {text}")))
}

/// A refusal in the words of REST.
pub(super) fn refused(refusal: &Refusal) -> Answer {
    let status = match refusal.code {
        "ENTITY_IS_DELETED" | "INVALID_CROSS_REFERENCE_KEY" => StatusCode::NOT_FOUND,
        _ => StatusCode::BAD_REQUEST,
    };
    Answer::json(status, &json!([error(refusal)]))
}

fn error(refusal: &Refusal) -> Json {
    json!({"message": refusal.message, "errorCode": refusal.code, "fields": refusal.fields})
}

/// The outcome for each of several records.
pub(super) fn outcomes(ids: &[Id], outcomes: &[Result<(), Refusal>]) -> Answer {
    let outcome = |(id, outcome): (&Id, &Result<(), Refusal>)| match outcome {
        Ok(()) => json!({"id": id.to_string(), "success": true, "errors": []}),
        Err(refusal) => json!({"id": id.to_string(), "success": false, "errors": [error(refusal)]}),
    };
    Answer::ok(&ids.iter().zip(outcomes).map(outcome).collect())
}
