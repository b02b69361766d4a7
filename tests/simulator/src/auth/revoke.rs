//! Revocation of access and refresh tokens.

use http::StatusCode;

use super::form::{Form, Refused};
use crate::server::State;
use crate::web::{Answer, Request};

/// `POST` or `GET /services/oauth2/revoke`: 200, or 400 with one of the two errors that the guide names.
pub(crate) fn answer(state: &State, request: &Request) -> Answer {
    let form = Form::read(request);
    let Some(token) = form.get("token").filter(|token| looks_like_one(token)) else {
        return Refused("unsupported_token_type", "this token type is not supported").answer();
    };
    if state.sessions.revoke(token) {
        return Answer::empty(StatusCode::OK);
    }
    Refused("invalid_token", "invalid token").answer()
}

/// An access token begins with the org's id, a refresh token with `5Aep`.
fn looks_like_one(token: &str) -> bool {
    (token.starts_with("00D") && token.contains('!')) || token.starts_with("5Aep")
}
