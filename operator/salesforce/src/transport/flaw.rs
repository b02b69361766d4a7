//! A body that came whole and is not what it should be: where, why, and whether asking again may help.

use ::http::{HeaderMap, StatusCode, header};
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// A body that came whole, with its head.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    /// The status: a success, or "not modified".
    pub(crate) status: StatusCode,
    /// The head.
    pub(crate) headers: HeaderMap,
    /// The body, decoded.
    pub(crate) body: Bytes,
}

/// What is wrong with a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flaw {
    /// Where in the decoded body, bytes.
    pub(crate) offset: u64,
    /// What.
    pub(crate) detail: String,
    /// Whether it is likely to pass: a node's or a proxy's page instead of the answer, or an end that came early.
    pub(crate) passing: bool,
}

impl Flaw {
    /// A flaw that stays.
    pub(crate) fn new(offset: usize, detail: impl Into<String>) -> Self {
        Self { offset: offset as u64, detail: detail.into(), passing: false }
    }

    /// A flaw that another try may find gone.
    pub(crate) fn passing(offset: usize, detail: impl Into<String>) -> Self {
        Self { passing: true, ..Self::new(offset, detail) }
    }

    /// What serde says of a body, with its place in bytes. What is no JSON at all was spoilt on its way; JSON of
    /// another shape was meant so.
    pub(crate) fn of_json(body: &[u8], error: &serde_json::Error) -> Self {
        let offset = offset(body, error.line(), error.column());
        let passing = error.is_eof() || error.is_syntax();
        Self { offset: offset as u64, detail: error.to_string(), passing }
    }

    /// The same with a look at what the body is: HTML is never an answer of the API's.
    pub(super) fn judged(mut self, headers: &HeaderMap, body: &[u8]) -> Self {
        if is_html(headers, body) {
            self.detail = format!("it is an HTML page of {} bytes, not the answer", body.len());
            self.passing = true;
        }
        self
    }

    /// The error of a call.
    pub(crate) fn of(self, what: String) -> Error {
        Error::BodyUnreadable { what, offset: self.offset, detail: self.detail, passing: self.passing }
    }
}

/// Reads JSON.
pub(crate) fn json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Flaw> {
    serde_json::from_slice(body).map_err(|error| Flaw::of_json(body, &error))
}

/// Whether a body is a web page, by its head or by its first character.
pub(crate) fn is_html(headers: &HeaderMap, body: &[u8]) -> bool {
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let said = said.trim_start().to_ascii_lowercase();
    if said.starts_with("text/xml") || said.starts_with("application/xml") {
        return false; // what SOAP and Bulk 1.0 answer
    }
    said.starts_with("text/html") || body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// The byte of a line and column (bytes, from 1) as serde counts them.
fn offset(body: &[u8], line: usize, column: usize) -> usize {
    let ends = body.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let start = match line {
        0 | 1 => 0,
        line => ends.take(line - 1).last().unwrap_or(0),
    };
    (start + column.saturating_sub(1)).min(body.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flaw(body: &str) -> Flaw {
        json::<Vec<u8>>(body.as_bytes()).unwrap_err().judged(&HeaderMap::new(), body.as_bytes())
    }

    #[test]
    fn the_place_is_told_in_bytes() {
        assert_eq!(flaw("[1,\n 2,\n  x]").offset, 10);
        assert_eq!(flaw("x").offset, 0);
        assert_eq!(flaw("[1, 2").offset, 4);
        assert_eq!(flaw("").offset, 0);
    }

    #[test]
    fn what_may_pass_is_told_from_what_stays() {
        assert!(flaw("[1, 2").passing && flaw("").passing);
        assert!(flaw("\n <html>busy").passing);
        assert!(flaw("<html>busy").detail.contains("HTML page of 10 bytes"));
        assert!(flaw("[1, x]").passing && !flaw(r#"{"a":1}"#).passing && !flaw("[1, 300]").passing);
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "Text/HTML; charset=utf-8".parse().unwrap());
        assert!(is_html(&headers, b"busy"));
        headers.insert("content-type", "text/xml; charset=utf-8".parse().unwrap());
        assert!(!is_html(&headers, b"<?xml version=\"1.0\"?><a/>"));
    }
}
