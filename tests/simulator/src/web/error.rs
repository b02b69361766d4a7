//! Errors as Salesforce words them: a status, and a JSON array of one object.

use http::StatusCode;
use serde_json::{Value as Json, json};

use super::Answer;
use crate::soql::SoqlError;
use crate::store::transaction::Refusal;

/// Why a call is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{status}: {code}: {message}")]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// The fields that it is about; refusals of records name them, or tell that there are none.
    pub(crate) fields: Option<Vec<String>>,
}

impl ApiError {
    /// An error with this status.
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), fields: None }
    }

    /// 400.
    pub(crate) fn bad(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, message)
    }

    /// 403.
    pub(crate) fn forbidden(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, message)
    }

    /// 404 in the words for whatever is not there.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "The requested resource does not exist")
    }

    /// 405.
    pub(crate) fn method(method: &http::Method, allowed: &str) -> Self {
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", message)
    }

    /// 401 for no session, an expired one, and a revoked one alike.
    pub(crate) fn session() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "INVALID_SESSION_ID", "Session expired or invalid")
    }

    /// A record that is refused: 400 with the fields that it is about.
    pub(crate) fn refused(refusal: Refusal) -> Self {
        // recorded: a column that there is not says nothing of fields, a parent that is not found does
        let fields = (!refusal.message.starts_with("No such column")).then_some(refusal.fields);
        Self { fields, ..Self::bad(refusal.code, refusal.message) }
    }

    /// The error as an entry of the answer's array.
    pub(crate) fn entry(&self) -> Json {
        let mut entry = json!({"message": self.message, "errorCode": self.code});
        if let Some(fields) = &self.fields {
            entry["fields"] = json!(fields);
        }
        entry
    }

    /// The answer.
    pub(crate) fn answer(&self) -> Answer {
        Answer::json(self.status, &json!([self.entry()]))
    }
}

impl From<SoqlError> for ApiError {
    fn from(error: SoqlError) -> Self {
        Self::bad(error.code, error.message)
    }
}
