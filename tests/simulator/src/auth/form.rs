//! The form of an OAuth call, and its refusal.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use serde_json::json;

use crate::web::{Answer, Request};

/// A refusal: OAuth's error and its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) &'static str, pub(super) &'static str);

impl Refused {
    /// The token endpoint's answer.
    pub(super) fn answer(self) -> Answer {
        let body = json!({"error": self.0, "error_description": self.1});
        Answer::json(StatusCode::BAD_REQUEST, &body).with("cache-control", "no-store")
    }
}

/// The form, with id and secret of HTTP Basic where they are given so.
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    pub(super) fn read(request: &Request) -> Self {
        let mut form = request.form();
        if let Some((id, secret)) = basic(request) {
            form.push(("client_id".to_owned(), id));
            form.push(("client_secret".to_owned(), secret));
        }
        Self(form)
    }

    /// The first field of a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

fn basic(request: &Request) -> Option<(String, String)> {
    let encoded = request.header("authorization")?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((id.to_owned(), secret.to_owned()))
}

/// Text for HTML and XML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
